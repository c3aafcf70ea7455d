// SPDX-License-Identifier: MIT
#include "kernel/self.h"

#include "base/os.h"
#include "kernel/capabilities.h"
#include "kernel/mounts.h"

#include <fcntl.h>
#include <string_view>

namespace vial {

namespace {

constexpr const char* self_path = "/proc/self/exe";
constexpr int detach = 2;  // MNT_DETACH, see mounts.cc

Result<Fd> bind_self()
{
    // The descriptor of /proc/self/exe may belong to the mount namespace this process came from; only what is
    // found by path belongs to this one.
    const Text path = TRY(os::readlinkat(AT_FDCWD, self_path));
    const Fd running = TRY(os::open(self_path, O_PATH));
    const Fd found = TRY(os::open(path.c_str(), O_PATH | O_NOFOLLOW));
    const struct stat expected = TRY(os::fstat(running.get()));
    const struct stat there = TRY(os::fstat(found.get()));
    if (expected.st_dev != there.st_dev || expected.st_ino != there.st_ino)
        return Error(ESTALE, "find this program at"_p, path);  // replaced while it runs
    TRY(bind(found, found, MountReadOnly | MountNoSuid, path));
    Fd bound = TRY(os::open(path.c_str(), O_PATH | O_NOFOLLOW));
    TRY(os::unmount(FdPath(bound), detach));
    return bound;
}

Result<Fd> copy_self()
{
    const Fd from = TRY(os::open(self_path, O_RDONLY));
    const Fd copy = TRY(os::memfd("vial"));
    char block[4096];
    while (const std::size_t got = TRY(os::read(from.get(), block, sizeof block)))
        TRY(os::write_all(copy.get(), {block, got}));
    TRY(os::seal(copy.get()));
    // A file that is open for writing cannot be executed (ETXTBSY): only the new descriptor stays.
    return os::open(FdPath(copy), O_RDONLY);
}

}  // namespace

Result<Fd> open_self_read_only(MountNamespace here)
{
    if (here == MountNamespace::Shared && has_detached_mounts() && has_admin_capability()) {
        Tree tree = TRY(open_source(self_path, MountReadOnly | MountNoSuid, false));
        return std::move(tree.fd);
    }
    if (here == MountNamespace::Private) {
        Opened bound = bind_self();
        if (bound.ok())
            return bound;
    }
    return copy_self();
}

bool is_sealed(const char* first_argument)
{
    if (std::string_view(first_argument) != sealed_name)
        return false;
    const Opened running = os::open(self_path, O_RDONLY);
    const int fd = running.value().get();
    return os::is_read_only(fd) || (os::seals(fd).value_or(0) & F_SEAL_WRITE) != 0;
}

}  // namespace vial
