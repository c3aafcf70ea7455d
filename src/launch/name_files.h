// SPDX-License-Identifier: MIT
#pragma once

/// The container's /etc/resolv.conf and /etc/hosts, where its spec says what is in them.
///
/// They are made in its own /dev, bound read-only over those of the image wherever its symlinks lead beneath the root, and then
/// unlinked: nothing of the image is written to, and no other path leads to them.

#include "base/fd.h"
#include "base/result.h"
#include "spec/spec.h"

namespace vial {

/// After everything else is mounted, /dev first. Does nothing where the spec says nothing.
Result<void> mount_name_files(const Spec& spec, const Fd& root);

}  // namespace vial
