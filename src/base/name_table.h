// SPDX-License-Identifier: MIT
#pragma once

/// Finds numbers by name, however many names there are.

#include "base/list.h"
#include "base/text.h"

#include <cstdint>
#include <string_view>

namespace vial {

/// FNV-1a.
std::uint32_t hash_of(std::string_view text);

/// What is put in stays there.
class NameTable {
public:
    static constexpr std::uint32_t none = UINT32_MAX;

    /// `none`: it is not there.
    std::uint32_t find(std::string_view name) const;
    /// `number` is any but `none`. False: the name is there already, and nothing has changed.
    bool add(Text name, std::uint32_t number);

private:
    struct Place {
        Text name;
        std::uint32_t number = none;
    };
    /// Where it is, or would be.
    std::size_t place_of(std::string_view name) const;

    List<Place> places_;  ///< a power of two of them, of which half are free; or none at all
    std::size_t count_ = 0;
};

}  // namespace vial
