// SPDX-License-Identifier: MIT
#include "kernel/capabilities.h"

#include "base/os.h"

#include <linux/capability.h>
#include <sys/prctl.h>

namespace vial {

namespace {

/// What is known to be out of the bounding set: taken out by this process or by the one that it is a fork of. A PID 1 knows
/// it for a thousand services.
std::uint64_t gone;

}  // namespace

bool has_admin_capability()
{
    return (os::capget().value_or({}).effective >> CAP_SYS_ADMIN & 1U) != 0;
}

Result<void> limit_bounding_set(std::uint64_t keep)
{
    for (unsigned capability = 0; capability < 64; ++capability) {
        if (((keep | gone) >> capability & 1) != 0)
            continue;
        // Asking first costs a fifth of dropping, and what is gone already needs no privilege to go.
        const auto there = os::in_bounding_set(capability);
        if (there.number() == EINVAL)
            break;  // past the last one this kernel knows
        if (!there.ok())
            return there.error();
        if (there.value())
            TRY(os::prctl(PR_CAPBSET_DROP, capability, 0, "limit the capability bounding set"_p));
    }
    gone |= ~keep;
    return {};
}

Result<void> limit_process_sets(std::uint64_t keep)
{
    const os::CapabilitySets now = TRY(os::capget());
    // An ambient capability must be inheritable, so the kernel empties both at once.
    return os::capset({now.effective & keep, now.permitted & keep, 0});
}

Result<void> make_ambient(std::uint64_t capabilities)
{
    const std::uint64_t had = TRY(os::capget()).permitted & capabilities;
    TRY(os::capset({had, had, had}));
    for (unsigned capability = 0; capability < 64; ++capability)
        if ((had >> capability & 1) != 0)
            TRY(os::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, "keep capabilities"_p));
    return {};
}

Result<void> limit_capabilities(std::uint64_t keep)
{
    TRY(limit_bounding_set(keep));  // first: it takes CAP_SETPCAP
    return limit_process_sets(keep);
}

Result<void> make_undumpable()
{
    return os::prctl(PR_SET_DUMPABLE, 0, 0, "become undumpable"_p);
}

}  // namespace vial
