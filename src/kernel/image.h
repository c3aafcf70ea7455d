// SPDX-License-Identifier: MIT
#pragma once

/// A root filesystem in a file: squashfs, erofs or ext4 through a loop device.
///
/// The loop device is read-only unless asked otherwise and clears itself (LO_FLAGS_AUTOCLEAR) when the last mount of it goes, so
/// nobody has to remember it.

#include "base/fd.h"
#include "base/result.h"
#include "kernel/mounts.h"

namespace vial {

/// The filesystem type in `image` by its magic number: `squashfs`, `erofs` or `ext4`. Fails where it is none of these.
Result<const char*> image_type(const Fd& image, Text path);

/// Reads the whole image: `sha256:` and its hash. Fails where that is not as `expected`; empty: whatever it is.
Result<Text> hash_image(const Fd& image, Text path, std::string_view expected = {});

struct ImageRoot {
    Tree tree;
    Fd loop;  ///< keeps the device attached until the tree is mounted; close it after
};

/// Opens the image at `path` as a source for `attach`. From Linux 5.2 on it comes mounted and detached; before, the
/// child mounts the device itself. With a `hash` the image must have that. What was hashed is what is mounted, the same open
/// file; whoever may write to it, which no container may, can still change it after that.
Result<ImageRoot> open_image(Text path, std::string_view hash, bool read_only, unsigned flags);

}  // namespace vial
