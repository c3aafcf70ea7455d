// SPDX-License-Identifier: MIT
#pragma once

/// Namespaces of others that a container joins: `[namespaces.join]`.
///
/// They are opened by the launcher before anything is made, and joined by the setup process as the first thing it does. What was
/// opened stays what it is, whoever has gone since. Each is known to be of its kind: a path could name anything.

#include "base/fd.h"
#include "base/list.h"
#include "base/result.h"
#include "base/text.h"
#include "spec/spec.h"

namespace vial {

struct Joined {
    int flag;   ///< CLONE_NEW*
    Text name;  ///< for messages
    Fd fd;
};

/// Fails where one is not there, or is no namespace of its kind, or belongs to a container that does not run.
Result<List<Joined>> open_joined(const NamespacesSpec& spec);

/// In the setup process: joins all but a cgroup namespace; and that, which must wait until control groups were joined by the names
/// they have outside.
Result<void> join(const List<Joined>& namespaces);
Result<void> join_cgroup_namespace(const List<Joined>& namespaces);

}  // namespace vial
