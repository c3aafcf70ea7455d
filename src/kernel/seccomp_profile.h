// SPDX-License-Identifier: MIT
#pragma once

/// `seccomp = "FILE"`: a filter of one's own, see vial.conf(5), "Profiles".
///
///     include default            # or: default allow|errno[=NAME]|kill|log
///     allow  ptrace socket=any
///     errno  mount=ENOSYS chroot
///     kill   kexec_load
///     log    uselib

#include "base/list.h"
#include "base/result.h"
#include "base/text.h"
#include "spec/diagnostic.h"
#include "spec/spec.h"

#include <cstdint>
#include <linux/filter.h>

namespace vial {

struct SeccompProfile {
    List<sock_filter> program;  ///< good when there are no problems
    List<Diagnostic> problems;
    bool logs = false;  ///< SECCOMP_RET_LOG, which came with Linux 4.14: an older kernel would kill
};

/// `capabilities`: what the container keeps, for what the default filter makes depend on it.
SeccompProfile read_seccomp_profile(std::string_view text, std::uint64_t capabilities);

/// The same of a file, and whether this kernel can do what it asks for.
Result<SeccompProfile> load_seccomp_profile(Text path, std::uint64_t capabilities);

/// A line for each thing that is wrong with the profile of a spec; none, too, where it has no profile.
List<Text> seccomp_complaints(const SecuritySpec& security);

}  // namespace vial
