// SPDX-License-Identifier: MIT
#include "launch/lend.h"

#include "base/os.h"
#include "base/text.h"
#include "kernel/mounts.h"
#include "kernel/network.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

namespace vial {

namespace {

constexpr Phrase step = "bring back the network interface"_p;

Text kept_network(Text container)
{
    return state_path(container, "net");
}

}  // namespace

Result<void> lend(NetlinkSocket& host, NetlinkSocket& there, const NetworkSpec& network, const Fd& inside,
                  Journal& journal)
{
    const std::uint32_t index = TRY(interface_index(host, network.parent));
    const Record& record = journal.record();
    const Text path = kept_network(record.name);
    const bool first = record.lent.empty();
    TRY(journal.note(compose("lent % %\n", network.parent, network.name)));
    if (first) {
        TRY(os::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600));
        TRY(os::mount(FdPath(inside), path.c_str(), nullptr, MS_BIND, nullptr)
                .as("keep the network namespace as"_p, path));
    }
    TRY(move_link(host, index, inside.get(), network.name));
    return journal.note(compose("lent-at % %\n", TRY(interface_index(there, network.name)), network.parent));
}

Result<void> take_back(const Record& ended)
{
    if (ended.lent.empty())
        return {};
    const Text path = kept_network(ended.name);
    const Opened kept = os::open(path.c_str(), O_RDONLY);
    if (!kept.ok() && kept.number() != ENOENT)
        return kept.error();
    if (!kept.ok() || TRY(os::filesystem_magic(kept.value().get())) != NSFS_MAGIC) {
        if (ended.lent_at.empty())
            return {};  // a start that did not get as far
        return Error("its network namespace is not mounted here"_p, "bring back the network interfaces of"_p,
                     ended.name);
    }
    const Fd here = TRY(os::open("/proc/self/ns/net", O_RDONLY));
    NetlinkSocket host = TRY(NetlinkSocket::open());
    NetlinkSocket there = TRY(NetlinkSocket::open_in(kept.value().get()));
    for (std::string_view line : ended.lent) {
        const std::string_view parent = take_word(line);
        std::uint32_t index = 0;
        for (std::string_view at : ended.lent_at) {
            const auto number = parse_number(take_word(at));
            if (take_word(at) == parent && number)
                index = static_cast<std::uint32_t>(*number);
        }
        ifreq request{};
        request.ifr_ifindex = static_cast<int>(index);
        Result<void> found;
        if (index == 0) {
            auto named = interface_index(there, take_word(line));
            index = named.ok() ? named.value() : 0;
            found = named.ok() ? Result<void>() : named.error();
        } else if (auto asked = os::ioctl(there.descriptor(), SIOCGIFNAME, &request, step); !asked.ok()) {
            found = asked.error();
        }
        if (found.number() == ENODEV)
            continue;  // it was pulled out, or has come back already
        TRY(std::move(found));
        // The kernel would move it first, and then fail to give it its name.
        const auto taken = interface_index(host, parent);
        if (taken.ok())
            return Error("the host has another of that name by now"_p, step, parent);
        if (taken.number() != ENODEV)
            return taken.error();
        TRY(move_link(there, index, here.get(), parent));
    }
    return os::unmount(path.c_str(), MNT_DETACH);
}

}  // namespace vial
