// SPDX-License-Identifier: MIT
#pragma once

/// A process of its own for what a test cannot take back: credentials, filters, descriptors.

#include "base/os.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string>
#include <unistd.h>

namespace vial {

/// Runs `body` in a child; its return value is the exit code. No assertions inside: tell them apart by the code.
template <typename Body>
os::Exited in_child(Body body, const os::CloneArguments& arguments = {})
{
    const pid_t pid = os::clone(arguments).value();
    if (pid == 0)
        ::_exit(body());
    return os::wait(pid, 0).value();
}

/// For tests of what is beyond QEMU where that imitates another machine's kernel (qemu-user): filters, most namespaces, the
/// newest calls. `TEST_CASE("..." * doctest::skip(emulated()))`; the test's environment says so.
inline bool emulated()
{
    return ::getenv("EMULATED") != nullptr;
}

/// A line of /proc/self/status: `status_of("CapBnd")`.
inline std::string status_of(std::string_view name)
{
    const Text text = os::read_file(AT_FDCWD, "/proc/self/status").take();
    const std::string key = "\n" + std::string(name) + ":\t";
    const std::size_t start = text.find(key);
    if (start == text.npos)
        return {};
    const std::size_t from = start + key.size();
    return std::string(text.substr(from, text.find('\n', from) - from));
}

}  // namespace vial
