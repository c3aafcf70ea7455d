// SPDX-License-Identifier: MIT
#include "kernel/beneath.h"

#include "base/list.h"
#include "base/os.h"
#include "base/text.h"

#include <fcntl.h>

namespace vial {

namespace {

constexpr int symlink_limit = 40;  // as the kernel's own
constexpr std::size_t depth_limit = 128;

}  // namespace

Result<Fd> open_beneath(const Fd& root, std::string_view path, Missing missing)
{
    List<Fd> walked;  // the directories we stand in, the root left out
    Text todo(path);
    int symlinks = 0;

    while (true) {
        std::string_view rest = todo;
        while (!rest.empty() && rest.front() == '/')
            rest.remove_prefix(1);
        const Text name(take_until(rest, '/'));
        const bool last = rest.find_first_not_of('/') == std::string_view::npos;
        todo = rest;
        const int here = walked.empty() ? root.get() : walked.back().get();

        if (name.empty() && walked.empty())
            return os::openat(root.get(), ".", O_PATH | O_DIRECTORY);
        if (name.empty())
            return std::move(walked.back());
        if (name == ".")
            continue;
        if (name == "..") {
            if (!walked.empty())
                walked.pop_back();
            continue;
        }

        Opened next = os::openat(here, name.c_str(), O_PATH | O_NOFOLLOW);
        if (next.number() == ENOENT && missing != Missing::Fail) {
            if (last && missing == Missing::CreateFile)
                TRY(os::openat(here, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644).as("create", path));
            else
                TRY(os::mkdirat(here, name.c_str(), 0755).as("create", path));
            next = os::openat(here, name.c_str(), O_PATH | O_NOFOLLOW);
        }
        if (!next.ok())
            return next.error().as("open", path);

        const struct stat found = TRY(os::fstat(next.value().get()));
        if (S_ISLNK(found.st_mode)) {
            if (++symlinks > symlink_limit)
                return Error(ELOOP, "open", path);
            const Text target = TRY(os::readlinkat(next.value().get(), ""));
            if (!target.empty() && target.front() == '/')
                walked.clear();
            todo = compose("%/%", target, todo);
            continue;
        }
        if (walked.size() >= depth_limit)
            return Error(ENAMETOOLONG, "open", path);
        walked.push_back(next.take());
    }
}

Result<Fd> open_mount_target(const Fd& root, std::string_view path, Missing missing)
{
    Opened target = open_beneath(root, path, missing);
    if (target.ok())
        return target;
    Error error = target.error();
    error.as("mount on", path);
    if (error->number == EROFS)
        error.because("it does not exist in the read-only root"_p)
            .advise("make it in the image, or set overlay = \"tmpfs\""_p);
    return error;
}

Result<Fd> open_real_directory(const Fd& root, const char* name)
{
    Opened directory = os::openat(root.get(), name, O_PATH | O_NOFOLLOW | O_DIRECTORY);
    if (directory.ok())
        return directory;
    Error error = directory.error();
    error.as("mount on", compose("/% of the root filesystem", name));
    if (error->number == ENOENT)
        error.because("there is no such directory"_p).advise("make an empty one in the image"_p);
    else if (error->number == ENOTDIR || error->number == ELOOP)
        error.because("it is a symlink or a file"_p).advise("it must be a real, empty directory"_p);
    return error;
}

}  // namespace vial
