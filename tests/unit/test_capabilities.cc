// SPDX-License-Identifier: MIT
#include "kernel/capabilities.h"

#include "child.h"

#include <doctest/doctest.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <sys/prctl.h>

using namespace vial;

namespace {

std::uint64_t set_of(const char* name)
{
    return std::strtoull(status_of(name).c_str(), nullptr, 16);
}

/// A process with capabilities: root's, or in a user namespace of its own.
os::CloneArguments capable()
{
    return {::geteuid() == 0 ? 0U : CLONE_NEWUSER, -1, nullptr};
}

}  // namespace

TEST_CASE("capabilities are cut in all five sets")
{
    const auto ended = in_child(
        [] {
            // Something to lose in the two sets that a plain process has empty.
            const auto before = os::capget().value();
            if (!os::capset({before.effective, before.permitted, before.permitted}).ok() ||
                ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) != 0 || set_of("CapAmb") == 0)
                return 1;

            constexpr std::uint64_t wanted = 0x5eb;  // with SETPCAP, to go on
            const std::uint64_t keep = before.permitted & wanted;
            if (!limit_capabilities(wanted).ok())
                return 2;
            if (set_of("CapBnd") != keep || set_of("CapPrm") != keep || set_of("CapEff") != keep)
                return 3;
            if (set_of("CapInh") != 0 || set_of("CapAmb") != 0)
                return 4;
            // Nothing comes back, and what is gone may be cut again without any privilege.
            if (!limit_capabilities(~std::uint64_t{0}).ok() || set_of("CapPrm") != keep)
                return 5;
            if (!limit_capabilities(0x1).ok() || set_of("CapBnd") != 1 || set_of("CapEff") != 1)
                return 6;
            return limit_capabilities(0x1).ok() ? 0 : 7;
        },
        capable());
    CHECK(ended.exit_code() == 0);
}

TEST_CASE("a bounding set that cannot be cut is an error")
{
    const auto ended = in_child(
        [] {
            const auto now = os::capget().value();
            if (!os::capset({0, now.permitted & ~(1ULL << CAP_SETPCAP), 0}).ok())
                return 1;
            const auto limited = limit_capabilities(0);
            return limited.number() == EPERM ? 0 : 2;
        },
        capable());
    CHECK(ended.exit_code() == 0);
}

TEST_CASE("an undumpable process is closed to its peers")
{
    const auto ended = in_child([] {
        if (!make_undumpable().ok())
            return 1;
        struct stat found {};
        if (::stat("/proc/self/mem", &found) != 0)
            return 2;
        return ::prctl(PR_GET_DUMPABLE) == 0 && found.st_uid == 0 ? 0 : 3;
    });
    CHECK(ended.exit_code() == 0);
}
