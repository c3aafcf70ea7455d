// SPDX-License-Identifier: MIT
#pragma once

/// vial's own binary, in a form that a container may hold.
///
/// PID 1 and `exec` are this program, running where the container's root can see them: /proc/1/exe is a way
/// to the file itself (CVE-2019-5736), and an image whose shell is a link to /proc/self/exe is another. So what runs
/// there is executed from a detached, read-only bind mount of the file, which costs no memory and cannot be
/// opened for writing by anybody. Close the descriptor before the container's own code runs: while
/// it is open its mount still belongs to a namespace, and a user namespace below could make it writable again.

#include "base/fd.h"
#include "base/result.h"

namespace vial {

enum class MountNamespace : unsigned char {
    Shared,   ///< the host's: nothing may be mounted in passing
    Private,  ///< nobody else sees what is mounted here
};

/// A descriptor to pass to `os::execute`. Before Linux 5.12, and for who may not copy mounts of the host: a bind mount made and let go of in a private mount
/// namespace; in a shared one, and where that fails, a sealed copy in memory (some 100 kB).
Result<Fd> open_self_read_only(MountNamespace here);

/// The first argument under which vial executes itself from such a descriptor.
inline constexpr const char* sealed_name = "vial (sealed)";
/// Whether this process runs from one, as far as it can see: by that name, and from a file it could not write.
bool is_sealed(const char* first_argument);

}  // namespace vial
