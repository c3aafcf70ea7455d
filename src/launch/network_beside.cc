// SPDX-License-Identifier: MIT
#include "launch/network_beside.h"

#include "base/os.h"
#include "kernel/namespaces.h"
#include "kernel/network.h"
#include "launch/handover.h"
#include "supervise/channel.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vial {

namespace {

Result<void> tell_of_network(const Fd& to_container, const Fd& to_launcher, bool wanted_outside)
{
    const Fd network = TRY(os::open("/proc/self/ns/net", O_RDONLY));
    const char letter = static_cast<char>(ChannelLetter::Network);
    // The launcher first: the container, once it has its own, may say other things to the launcher.
    if (wanted_outside)
        TRY(os::send(to_launcher.get(), &letter, 1, network.get()));
    TRY(os::send(to_container.get(), &letter, 1, network.get()));
    return loopback_up();
}

}  // namespace

bool is_network_beside(const NamespacesSpec& wanted)
{
    return wanted.network && !wanted.user;
}

Result<void> NetworkBeside::begin(const Fd& to_container, const Fd& to_launcher, bool wanted_outside)
{
    maker_ = TRY(os::clone({}));
    if (maker_ != 0)
        return {};
    // Why there is none the launcher knows best: here the errno is all there is to say.
    if (const auto made = os::unshare(CLONE_NEWNET); !made.ok())
        ::_exit(made.number());
    if (const auto told = tell_of_network(to_container, to_launcher, wanted_outside); !told.ok())
        report_and_exit(to_launcher, told.error());
    ::_exit(0);
}

Result<void> NetworkBeside::finish(Text name)
{
    if (maker_ == 0)
        return {};
    const os::Exited ended = TRY(os::wait(std::exchange(maker_, 0), 0));
    if (ended.code != CLD_EXITED)
        return Error("its maker was killed"_p, "make the network namespace of"_p, name);
    if (ended.status != 0 && ended.status != has_reported)
        return explain_namespaces(Error(ended.status, ""), CLONE_NEWNET, name);
    return {};
}

Result<void> join_network_beside(const Fd& channel)
{
    char letter = 0;
    Fd network;
    const std::size_t got = TRY(os::receive(channel.get(), &letter, 1, &network));
    if (got == 0 || letter != static_cast<char>(ChannelLetter::Network))
        return Error("the launcher has gone"_p, "start the container"_p);
    return os::setns(network.get(), CLONE_NEWNET);
}

}  // namespace vial
