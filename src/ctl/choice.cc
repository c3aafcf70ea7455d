// SPDX-License-Identifier: MIT
#include "ctl/choice.h"

#include "base/os.h"
#include "spec/read.h"

#include <fcntl.h>
#include <sys/file.h>

namespace vial {

namespace {

/// With its slash.
std::string_view directory_of(Text path)
{
    return slice(path, 0, path.rfind('/') + 1);
}

/// All names in the directory of `path` are on the disk then.
Result<void> sync_directory_of(Text path)
{
    const Text directory = directory_of(path);
    const Fd opened = TRY(os::open(directory.c_str(), O_RDONLY | O_DIRECTORY));
    return os::fsync(opened.get()).as("write to", directory);
}

/// `SPEC.upgrade.new`.
Text next_choice(Text spec_file)
{
    return concat(spec_file, choice_suffix, ".new");
}

Result<Fd> create(Text path)
{
    return os::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600);
}

}  // namespace

Result<Fd> lock_choice(Text spec_file)
{
    Fd spec = TRY(os::open(spec_file.c_str(), O_RDONLY));
    auto locked = os::lock(spec.get(), LOCK_EX | LOCK_NB);
    if (!locked.ok())
        return locked.error().as("lock", spec_file).because("somebody else is at it"_p);
    (void)os::unlinkat(AT_FDCWD, next_choice(spec_file).c_str());
    return spec;
}

Text place_of_next(const Spec& chosen)
{
    const Text one = compose("%%.upgrade-1", directory_of(chosen.root), chosen.name);
    return chosen.root == one ? compose("%2", slice(one, 0, one.size() - 1)) : one;
}

Result<void> copy_image(const Fd& from, const Spec& chosen)
{
    withdraw(chosen);
    const Text to = place_of_next(chosen);
    const Fd copy = TRY(create(to));
    char block[32768];
    while (const std::size_t got = TRY(os::read(from.get(), block, sizeof block)))
        TRY(os::write_all(copy.get(), std::string_view(block, got)).as("write to", to));
    TRY(os::fsync(copy.get()).as("write to", to));
    return sync_directory_of(to);
}

Result<void> propose(const Spec& chosen, Text lines)
{
    const Text path = next_choice(chosen.file);
    const Fd file = TRY(create(path));
    TRY(os::write_all(file.get(), lines).as("write to", path));
    return os::fsync(file.get()).as("write to", path);
}

Result<void> choose(const Spec& chosen)
{
    return os::renameat(AT_FDCWD, next_choice(chosen.file).c_str(), concat(chosen.file, choice_suffix).c_str());
}

Result<void> sync_choice(const Spec& chosen)
{
    return sync_directory_of(chosen.file);
}

void withdraw(const Spec& chosen)
{
    for (const Text path : {next_choice(chosen.file), place_of_next(chosen)})
        (void)os::unlinkat(AT_FDCWD, path.c_str());
}

}  // namespace vial
