// SPDX-License-Identifier: MIT
#pragma once

/// Command lines of `vial init` and of the names it answers to.

#include "harness.h"

namespace vial::test {

/// In a PID namespace of its own.
inline Words contained(Words words)
{
    words.insert(words.begin(), {"unshare", "--pid", "--fork", "--kill-child", "--mount-proc"});
    return words;
}

inline Words shell(const std::string& script)
{
    return {"/bin/sh", "-c", script};
}

inline Words operator+(Words first, const Words& second)
{
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

/// Runs `vial init WORDS...` as PID 1 to its end.
inline Finished init(const Words& words)
{
    return run(contained(ctl_words({"init"}) + words));
}

}  // namespace vial::test
