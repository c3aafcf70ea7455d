// SPDX-License-Identifier: MIT
#include "base/name_table.h"

#include <algorithm>
#include <utility>

namespace vial {

std::uint32_t hash_of(std::string_view text)
{
    std::uint32_t hash = 2166136261U;
    for (const char letter : text)
        hash = (hash ^ static_cast<unsigned char>(letter)) * 16777619U;
    return hash;
}

std::size_t NameTable::place_of(std::string_view name) const
{
    std::size_t at = hash_of(name);
    for (;; ++at) {
        at &= places_.size() - 1;
        if (places_[at].number == none || places_[at].name == name)
            return at;
    }
}

std::uint32_t NameTable::find(std::string_view name) const
{
    return places_.empty() ? none : places_[place_of(name)].number;
}

bool NameTable::add(Text name, std::uint32_t number)
{
    constexpr std::size_t fewest = 16;
    if (2 * count_ >= places_.size()) {
        const List<Place> before = std::exchange(places_, {});
        for (std::size_t at = std::max(fewest, 4 * count_); at > 0; --at)
            places_.emplace_back();
        for (const Place& each : before)
            if (each.number != none)
                places_[place_of(each.name)] = each;
    }
    Place& place = places_[place_of(name)];
    if (place.number != none)
        return false;
    place = {name, number};
    ++count_;
    return true;
}

}  // namespace vial
