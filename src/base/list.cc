// SPDX-License-Identifier: MIT
#include "base/list.h"

namespace vial {

void* ListBytes::add(std::size_t element_size, std::size_t count)
{
    const std::size_t wanted = size + count;
    if (wanted > capacity) {
        const std::size_t room = wanted < 8 ? 8 : wanted * 2;
        void* larger = allocate(room * element_size);
        if (size != 0)
            std::memcpy(larger, data, size * element_size);
        data = larger;
        capacity = static_cast<std::uint32_t>(room);
    }
    void* place = static_cast<char*>(data) + size * element_size;
    size += static_cast<std::uint32_t>(count);
    return place;
}

}  // namespace vial
