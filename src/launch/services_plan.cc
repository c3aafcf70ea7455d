// SPDX-License-Identifier: MIT
#include "launch/services_plan.h"

#include "base/events.h"
#include "base/os.h"
#include "launch/environment.h"
#include "launch/identity.h"
#include "spec/plan.h"

#include <algorithm>
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vial {

Result<Fd> plan_services(Spec& spec, bool foreground, std::span<const std::string_view> withheld)
{
    // Nothing is taken from who init is.
    spec.security = {};
    spec.security.capabilities = ~std::uint64_t{0};
    spec.security.no_new_privileges = false;
    spec.security.seccomp = SeccompChoice::Off;
    if (has_names(spec)) {
        const Fd root = TRY(os::open("/", O_PATH | O_DIRECTORY));
        TRY(look_up_names(spec, root));
    }
    List<List<Text>> environments;
    for (const ServiceSpec& service : spec.services) {
        List<Text>& environment = environments.emplace_back();
        for (char** variable = ::environ; *variable != nullptr; ++variable) {
            std::string_view name = *variable;
            name = take_until(name, '=');
            if (std::find(withheld.begin(), withheld.end(), name) == withheld.end())
                environment.push_back(*variable);
        }
        TRY(add_environment(environment, service));
    }
    PlanDescriptors descriptors;
    for (int at = 0; at < 3; ++at)
        descriptors.standard[at] = at;
    for (std::int32_t& stat : descriptors.stat)
        stat = -1;
    return make_plan(spec, PlanInside | (foreground ? PlanForeground : 0U), descriptors, environments);
}

Result<Fd> make_plan_aside(Text object, Fd (*make)(const void* context), const void* context)
{
    (void)os::set_ignored(SIGCHLD, false);  // or there is no exit code
    Fd place = TRY(os::memfd("vial-plan"));
    os::CloneArguments sharing;
    sharing.flags = CLONE_FILES;
    const auto child = os::clone(sharing);
    if (!child.ok())
        return make(context);  // there is room for no other process, so for a large PID 1 rather than for none
    if (child.value() == 0) {
        const Fd plan = make(context);
        ::_exit(!(plan && os::duplicate_to(plan.get(), place.get()).ok() && os::close_on_exec(place.get()).ok()));
    }
    const os::Exited ended = TRY(os::wait(child.value(), WEXITED));
    if (ended.code != CLD_EXITED)
        return Error("who read it was killed", "read the spec"_p, object);
    if (ended.status != 0)
        place.reset();
    return place;
}

}  // namespace vial
