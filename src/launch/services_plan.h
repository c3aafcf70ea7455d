// SPDX-License-Identifier: MIT
#pragma once

/// The plan of services that run where we are, without a launcher: what `vial init --spec` and `vial boot` supervise.

#include "base/fd.h"
#include "base/result.h"
#include "base/text.h"
#include "spec/spec.h"

#include <span>
#include <string_view>

namespace vial {

/// Services get our environment and, beside what their keys say, all else that is ours. `foreground`: also our standard
/// output, which else is kept in the log. `withheld`: variables that are for us alone.
Result<Fd> plan_services(Spec& spec, bool foreground, std::span<const std::string_view> withheld = {});

/// What `make` returns, made by a child: what that took of memory goes with the child, and neither stays with PID 1 nor is
/// copied by every fork. Empty where that is what it returned; `object` names the spec in errors.
Result<Fd> make_plan_aside(Text object, Fd (*make)(const void* context), const void* context);

template <typename Make>
Result<Fd> make_plan_aside(Text object, const Make& make)
{
    return make_plan_aside(
        object, [](const void* context) { return (*static_cast<const Make*>(context))(); }, &make);
}

}  // namespace vial
