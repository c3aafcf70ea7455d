// SPDX-License-Identifier: MIT
#pragma once

/// Memory that is taken once and never given back.
///
/// The launcher and the control tool are gone within moments: what they take, the end of the process gives back, and
/// nobody keeps account of it. So texts and lists (base/text.h, base/list.h) are plain values without destructors.
/// What runs for long and in a loop, like `vial logs --follow`, reads into buffers of its own; PID 1 takes nothing
/// from here once it has started.

#include <cstddef>
#include <new>

namespace vial {

/// `size` bytes, all zero, aligned for anything. Ends the process where there is no memory.
void* allocate(std::size_t size);

/// A T that stays there.
template <typename T>
T& make()
{
    return *new (allocate(sizeof(T))) T();
}

}  // namespace vial
