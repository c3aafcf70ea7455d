// SPDX-License-Identifier: MIT
#include "base/directory.h"

#include "base/os.h"

#include <dirent.h>
#include <fcntl.h>

namespace vial {

Result<List<Text>> list_directory(Text path, bool only_directories)
{
    const Fd directory = TRY(os::open(path.c_str(), O_RDONLY | O_DIRECTORY));
    List<Text> names;
    alignas(os::DirectoryEntry) char block[2048];
    while (const std::size_t size = TRY(os::read_directory(directory.get(), block).as("list", path))) {
        for (std::size_t at = 0; at < size;) {
            const auto* entry = reinterpret_cast<const os::DirectoryEntry*>(block + at);
            const std::string_view name = entry->name;
            if (name != "." && name != ".." && (!only_directories || entry->type == DT_DIR))
                names.push_back(name);
            at += entry->size;
        }
    }
    return names;
}

}  // namespace vial
