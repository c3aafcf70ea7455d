// SPDX-License-Identifier: MIT
#include "base/directory.h"

#include "base/os.h"

#include <dirent.h>
#include <fcntl.h>

namespace vial {

Result<std::vector<std::string>> list_directory(const std::string& path, bool only_directories)
{
    Fd fd = TRY(os::open(path.c_str(), O_RDONLY | O_DIRECTORY));
    DIR* directory = ::fdopendir(fd.get());
    if (directory == nullptr)
        return Error(errno, "list", path);
    (void)fd.release();  // the DIR owns it now
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(directory)) {
        const std::string_view name = entry->d_name;
        if (name == "." || name == ".." || (only_directories && entry->d_type != DT_DIR))
            continue;
        names.emplace_back(name);
    }
    ::closedir(directory);
    return names;
}

}  // namespace vial
