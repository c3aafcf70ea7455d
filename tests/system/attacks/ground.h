// SPDX-License-Identifier: MIT
#pragma once

/// Where the attack tests take place: images with the attacker in them, and a copy of vial that may be lost.
///
/// An attack is tried twice where that can be shown safely: behind the walls, where it must be refused, and with
/// the wall in question taken away, where it must succeed. Else a test that tries nothing would pass.

#include "../harness.h"

#include <doctest/doctest.h>

namespace vial::test {

/// What payloads/attacker.c answers.
enum Answer { Succeeded = 0, Refused = 1, NotTried = 2 };

/// From the first call on, VIAL is a copy: an attack that succeeds shall not destroy what is being developed.
const std::string& vial_copy();

/// A root filesystem of one's own, made anew, with /attacker and /intruder in it.
std::string image(const std::string& name);

/// The attacker on the host.
std::string attacker();

/// `vial run --root IMAGE SETTINGS -- /attacker WORDS`. Its code and its line.
Finished attack(const std::string& image, const Words& words, const Words& settings = {});

/// No filter, all capabilities.
inline const Words no_walls = {"security.seccomp=\"off\"", "security.capabilities=[\"all\"]"};
/// In a user namespace.
inline const Words mapped = {"namespaces.user=true", "user_namespace.uid_map=[\"0 100000 65536\"]",
                             "user_namespace.gid_map=[\"0 100000 65536\"]"};
/// No filter alone.
inline const Words no_filter = {"security.seccomp=\"off\""};

/// A number that changes when a file does.
std::string fingerprint(const std::string& path);

}  // namespace vial::test
