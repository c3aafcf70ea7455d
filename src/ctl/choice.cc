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

/// One more than may have to be kept: so one of them is always free.
constexpr unsigned most_copies = 3;

Text copy_path(const Spec& chosen, unsigned number)
{
    return compose("%%.upgrade-%", directory_of(chosen.root), chosen.name, number);
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

Text place_of_next(const Spec& chosen, Text running)
{
    for (unsigned number = 1;; ++number)
        if (const Text path = copy_path(chosen, number); path != chosen.root && path != running)
            return path;
}

Result<void> copy_image(const Fd& from, const Spec& chosen, Text running)
{
    withdraw(chosen, running);
    const Text to = place_of_next(chosen, running);
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

void withdraw(const Spec& chosen, Text running)
{
    (void)os::unlinkat(AT_FDCWD, next_choice(chosen.file).c_str());
    for (unsigned number = 1; number <= most_copies; ++number)
        if (const Text path = copy_path(chosen, number); path != chosen.root && path != running)
            (void)os::unlinkat(AT_FDCWD, path.c_str());
}

}  // namespace vial
