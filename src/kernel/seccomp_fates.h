// SPDX-License-Identifier: MIT
#pragma once

/// What can become of a system call, and how that is said to the kernel.

#include <cstdint>

namespace vial {

/// The first line of each is the answer where the container has not got what the second asks for.
enum Fate : std::uint8_t {
    // Decided by the number alone.
    Allow,
    Refuse,   ///< EPERM
    Missing,  ///< ENOSYS: the caller falls back to an older call
    Kill,     ///< the process, at once

    // By an argument.
    Namespaces,  ///< EPERM with a flag that makes a namespace: it is full of kernel code that only its root reaches
    Terminal,    ///< EPERM for the requests that type into a terminal: whoever else has it reads that (CVE-2017-5226)
    Domain,      ///< EPERM for a personality that makes attacks easier
    Family,      ///< EAFNOSUPPORT for kinds of sockets that containers have no use for

    // By what the container keeps: EPERM without the capability, or either one of two.
    NamespacesUnseen,  ///< ENOSYS: has its flags in memory, where a filter cannot look; every libc falls back to clone
    Administrator,     ///< CAP_SYS_ADMIN
    Tracer,            ///< CAP_SYS_PTRACE
    Modules,           ///< CAP_SYS_MODULE
    Ports,             ///< CAP_SYS_RAWIO
    KernelLog,         ///< CAP_SYSLOG or CAP_SYS_ADMIN
    Handles,           ///< CAP_DAC_READ_SEARCH
    Nodes,             ///< CAP_SYS_NICE
    Programs,          ///< CAP_BPF or CAP_SYS_ADMIN
    Counters,          ///< CAP_PERFMON or CAP_SYS_ADMIN

    Gone,  ///< it does not matter
    FateCount = Gone,
};

}  // namespace vial
