// SPDX-License-Identifier: MIT
#include "base/os_call.h"

#include <fcntl.h>

namespace vial::os {

Result<void> mount(const char* source, const char* target, const char* type, unsigned long flags, const char* data)
{
    static constexpr Call call{"mount", SYS_mount, 2};
    return tell(call, source, target, type, flags, data);
}

Result<void> unmount(const char* target, int flags)
{
    static constexpr Call call{"unmount", SYS_umount2, 1};
    return tell(call, target, flags);
}

Result<void> pivot_root(const char* new_root, const char* put_old)
{
    static constexpr Call call{"pivot the root to"_p, SYS_pivot_root, 1};
    return tell(call, new_root, put_old);
}

Result<void> chroot(const char* path)
{
    static constexpr Call call{"change the root to"_p, SYS_chroot, 1};
    return tell(call, path);
}

Result<Fd> open_tree(int directory, const char* path, unsigned flags)
{
    static constexpr Call call{"open the mount"_p, __NR_open_tree, 2};
    return opened(call, directory, path, flags | O_CLOEXEC);
}

Result<void> move_mount(int from, const char* from_path, int to, const char* to_path, unsigned flags)
{
    static constexpr Call onto{"mount", __NR_move_mount, 4}, from_there{"mount", __NR_move_mount, 2};
    return tell(to_path[0] != '\0' ? onto : from_there, from, from_path, to, to_path, flags);
}

Result<void> mount_setattr(int fd, const char* path, unsigned flags, const mount_attr& attributes)
{
    static constexpr Call call{"change the mount"_p, __NR_mount_setattr, 2};
    return tell(call, fd, path, flags, &attributes, sizeof attributes);
}

Result<Fd> fsopen(const char* type)
{
    static constexpr Call call{"make a filesystem of type"_p, __NR_fsopen, 1};
    return opened(call, type, FSOPEN_CLOEXEC);
}

Result<void> fsconfig(int fd, unsigned command, const char* key, const void* value, int aux)
{
    static constexpr Call call{"configure a filesystem"_p, __NR_fsconfig, 3};
    return tell(call, fd, command, key, value, aux);
}

Result<Fd> fsmount(int fd, unsigned attributes)
{
    static constexpr Call call{"mount a filesystem"_p, __NR_fsmount};
    return opened(call, fd, FSMOUNT_CLOEXEC, attributes);
}

}  // namespace vial::os
