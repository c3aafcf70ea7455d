// SPDX-License-Identifier: MIT
#include "kernel/namespaces.h"

#include "base/os.h"
#include "kernel/capabilities.h"

#include <fcntl.h>
#include <linux/sched.h>

namespace vial {

namespace {

constexpr NamespaceKind kinds[] = {
    {CLONE_NEWNS, "mount", "mnt", "this kernel has no mount namespaces"_p},
    {CLONE_NEWPID, "pid", "pid", "this kernel has no PID namespaces (CONFIG_PID_NS)"_p},
    {CLONE_NEWNET, "net", "net", "this kernel has no network namespaces (CONFIG_NET_NS)"_p},
    {CLONE_NEWIPC, "ipc", "ipc", "this kernel has no IPC namespaces (CONFIG_IPC_NS)"_p},
    {CLONE_NEWUTS, "uts", "uts", "this kernel has no UTS namespaces (CONFIG_UTS_NS)"_p},
    {CLONE_NEWCGROUP, "cgroup", "cgroup", "this kernel has no cgroup namespaces (CONFIG_CGROUPS, Linux 4.6)"_p},
    {CLONE_NEWUSER, "user", "user", "this kernel has no user namespaces (CONFIG_USER_NS)"_p},
    {CLONE_NEWTIME, "time", "time", "this kernel has no time namespaces (CONFIG_TIME_NS, Linux 5.6)"_p},
};

}  // namespace

std::span<const NamespaceKind> namespace_kinds()
{
    return kinds;
}

Error explain_namespaces(Error error, std::uint64_t flags, Text name)
{
    error.as("create the namespaces of"_p, name);
    if (error->number == EINVAL) {
        for (const NamespaceKind& kind : kinds)
            if ((flags & kind.flag) != 0 && !os::lstat(AT_FDCWD, compose("/proc/self/ns/%", kind.file).c_str()).ok())
                return error.because(kind.absent).advise("leave it out in [namespaces]"_p);
    }
    if (error->number == ENOSPC || error->number == EUSERS)
        error.because("too many namespaces"_p).advise("raise the limits in /proc/sys/user"_p);
    if (error->number == EPERM && !has_admin_capability())
        error.because("this machine does not let ordinary users make user namespaces"_p)
            .advise("see /proc/sys/kernel/unprivileged_userns_clone, or start it as root"_p);
    else if (error->number == EPERM)
        error.because("not permitted here"_p).advise("start vial outside of other containers' confinement"_p);
    return error;
}

}  // namespace vial
