// SPDX-License-Identifier: MIT
#pragma once

/// Changing what a container that runs may use: in the kernel first, all or nothing, then in the record of its spec, so that
/// a restart finds what is true now.

#include "base/list.h"
#include "base/result.h"
#include "launch/state.h"
#include "spec/diagnostic.h"

#include <span>
#include <string_view>

namespace vial {

/// Why a setting (`limits.memory=64M`) cannot be changed while a container runs; null: it can.
Phrase update_fault(std::string_view setting);

/// Changes the limits of `record` as `settings` say, each as --set takes it. What is wrong with those is returned, and nothing
/// was changed then.
Result<List<Diagnostic>> update_container(const Record& record, std::span<const std::string_view> settings);

}  // namespace vial
