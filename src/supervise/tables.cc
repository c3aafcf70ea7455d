// SPDX-License-Identifier: MIT
#include "supervise/tables.h"

#include <algorithm>

namespace vial {

std::int64_t Deadlines::time_of(ServiceIndex index) const
{
    return std::min(services_[index].deadline, services_[index].task_deadline);
}

void Deadlines::put(std::uint32_t place, ServiceIndex index)
{
    heap_[place] = index;
    services_[index].place = place + 1;
}

void Deadlines::update(ServiceIndex index)
{
    const std::int64_t time = time_of(index);
    std::uint32_t place = services_[index].place;
    if (time == os::never) {
        if (place == 0)
            return;
        services_[index].place = 0;
        // The last one takes its place, unless it was that itself.
        if (place == count_--)
            return;
        index = heap_[count_];
    } else if (place == 0) {
        place = ++count_;
    }
    place--;

    const std::int64_t moved = time_of(index);
    while (place > 0 && moved < time_of(heap_[(place - 1) / 2])) {
        put(place, heap_[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (std::uint32_t below = 2 * place + 1; below < count_; below = 2 * place + 1) {
        if (below + 1 < count_ && time_of(heap_[below + 1]) < time_of(heap_[below]))
            below++;
        if (moved <= time_of(heap_[below]))
            break;
        put(place, heap_[below]);
        place = below;
    }
    put(place, index);
}

void PidTable::set(ServiceIndex index, bool is_task, pid_t pid)
{
    const std::uint32_t entry = 1 + 2 * index + is_task;
    if (pid_of(entry) != 0) {
        std::uint32_t* at = &bucket(pid_of(entry));
        while (*at != entry)
            at = &link(*at);
        *at = link(entry);
    }
    pid_of(entry) = pid;
    if (pid != 0) {
        link(entry) = bucket(pid);
        bucket(pid) = entry;
    }
}

PidTable::Owner PidTable::find(pid_t pid) const
{
    for (std::uint32_t entry = bucket(pid); entry != 0; entry = link(entry)) {
        if (pid_of(entry) == pid)
            return {(entry - 1) / 2, (entry - 1) % 2 != 0, true};
    }
    return {};
}

}  // namespace vial
