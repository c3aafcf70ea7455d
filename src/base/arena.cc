// SPDX-License-Identifier: MIT
#include "base/arena.h"

#include "base/events.h"
#include "base/os.h"

#include <unistd.h>

namespace vial {

namespace {

constexpr std::size_t chunk_size = 64 << 10;
char* next = nullptr;
std::size_t left = 0;

}  // namespace

void* allocate(std::size_t size)
{
    size = (size + alignof(std::max_align_t) - 1) & ~(alignof(std::max_align_t) - 1);
    if (size > left) {
        // What was left of the chunk before is lost: the pages of it that nobody touched cost nothing.
        left = size > chunk_size ? size : chunk_size;
        auto chunk = os::map_memory(left);
        if (!chunk.ok()) {
            constexpr std::string_view message = "vial: there is no memory\n";
            (void)os::write(STDERR_FILENO, message.data(), message.size());
            ::_exit(static_cast<int>(ExitCode::Failed));
        }
        next = static_cast<char*>(chunk.value());
    }
    void* taken = next;
    next += size;
    left -= size;
    return taken;
}

}  // namespace vial
