// SPDX-License-Identifier: MIT
#include "base/os_call.h"
#include "base/syscall_numbers.h"

#include <fcntl.h>
#include <unistd.h>

namespace vial::os {

// Direct calls: some versions of <sys/mount.h> and <linux/mount.h> do not go into one program.

Result<void> mount(const char* source, const char* target, const char* type, unsigned long flags, const char* data)
{
    return done(CALL("mount", ::syscall(SYS_mount, source, target, type, flags, data)), "mount", target);
}

Result<void> unmount(const char* target, int flags)
{
    return done(CALL("umount2", ::syscall(SYS_umount2, target, flags)), "unmount", target);
}

Result<void> pivot_root(const char* new_root, const char* put_old)
{
    return done(CALL("pivot_root", ::syscall(SYS_pivot_root, new_root, put_old)), "pivot the root to", new_root);
}

Result<void> chroot(const char* path)
{
    return done(CALL("chroot", ::chroot(path)), "change the root to", path);
}

Result<Fd> open_tree(int directory, const char* path, unsigned flags)
{
    return opened(CALL("open_tree", ::syscall(__NR_open_tree, directory, path, flags | O_CLOEXEC)), "open the mount",
                  path);
}

Result<void> move_mount(int from, const char* from_path, int to, const char* to_path, unsigned flags)
{
    const long outcome = CALL("move_mount", ::syscall(__NR_move_mount, from, from_path, to, to_path, flags));
    return done(outcome, "mount", to_path[0] != '\0' ? to_path : from_path);
}

Result<void> mount_setattr(int fd, const char* path, unsigned flags, const mount_attr& attributes)
{
    const long outcome =
        CALL("mount_setattr", ::syscall(__NR_mount_setattr, fd, path, flags, &attributes, sizeof attributes));
    return done(outcome, "change the mount", path);
}

Result<Fd> fsopen(const char* type)
{
    return opened(CALL("fsopen", ::syscall(__NR_fsopen, type, FSOPEN_CLOEXEC)), "make a filesystem of type", type);
}

Result<void> fsconfig(int fd, unsigned command, const char* key, const void* value, int aux)
{
    return done(CALL("fsconfig", ::syscall(__NR_fsconfig, fd, command, key, value, aux)), "configure a filesystem",
                key != nullptr ? key : "");
}

Result<Fd> fsmount(int fd, unsigned attributes)
{
    return opened(CALL("fsmount", ::syscall(__NR_fsmount, fd, FSMOUNT_CLOEXEC, attributes)), "mount a filesystem");
}

}  // namespace vial::os
