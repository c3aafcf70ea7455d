// SPDX-License-Identifier: MIT
#include "launch/name_files.h"

#include "base/os.h"
#include "base/text.h"
#include "kernel/beneath.h"
#include "kernel/mounts.h"
#include "spec/address.h"

#include <fcntl.h>
#include <linux/magic.h>

namespace vial {

namespace {

Result<void> mount_file(const Fd& root, std::string_view path, std::string_view content)
{
    constexpr const char* scratch = ".name";
    const Fd target = TRY(open_mount_target(root, path, Missing::CreateFile));
    // Nothing that an image says may change what the rest of the start finds in /proc.
    if (TRY(os::filesystem_magic(target.get())) == PROC_SUPER_MAGIC)
        return Error("a symlink in the image leads to /proc"_p, "mount on", path);
    const Fd dev = TRY(open_real_directory(root, "dev"));
    const Fd file = TRY(os::openat(dev.get(), scratch, O_WRONLY | O_CREAT | O_EXCL, 0644));
    TRY(os::write_all(file.get(), content).as("write", path));
    TRY(bind(file, target, MountReadOnly | MountNoSuid | MountNoDev | MountNoExec, path));
    return os::unlinkat(dev.get(), scratch);
}

}  // namespace

Result<void> mount_name_files(const Spec& spec, const Fd& root)
{
    if (!spec.dns.empty()) {
        Builder text;
        for (const IpAddress& server : spec.dns)
            text.compose("nameserver %\n", address_text(server, false));
        TRY(mount_file(root, "/etc/resolv.conf", text));
    }
    if (spec.hosts.empty())
        return {};
    Builder text("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
    const std::size_t before = text.size();
    for (const NetworkSpec& network : spec.networks)
        for (const IpAddress& address : network.addresses)
            text.compose("% %\n", address_text(address, false), spec.hostname);
    if (text.size() == before)
        text.compose("127.0.1.1 %\n", spec.hostname);
    for (Text line : spec.hosts)
        text.compose("%\n", line);
    return mount_file(root, "/etc/hosts", text);
}

}  // namespace vial
