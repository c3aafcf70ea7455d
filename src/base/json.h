// SPDX-License-Identifier: MIT
#pragma once

/// Reading the JSON that vial itself speaks: one value a line, from a peer that may be hostile.
///
/// A PID 1 that was taken over answers on its control socket too, so a reader must survive anything:
/// nothing here allocates in proportion to what the text claims, recurses more than 16 deep, or reads past
/// its end. Writing needs no reader: see `Writer::quoted` and `json_string` in base/text.h.

#include "base/text.h"

#include <cstdint>
#include <string_view>

namespace vial::json {

/// A part of the text that holds one value; empty where there is none.
using Raw = std::string_view;

/// The whole text is exactly one JSON value (RFC 8259), with blanks around it at most.
bool valid(std::string_view text);

/// The value of `key` in the object `object`; the first where it stands twice. Empty: not there, or no object.
Raw member(Raw object, std::string_view key);
/// Walks an array: the next element, taken off `rest` (begin with the array itself). Empty at its end.
Raw next_element(Raw& rest);
/// Walks an object in the same way: the next member's value, and its key as it is written.
Raw next_member(Raw& rest, Raw& key);

Maybe<std::int64_t> number(Raw value);  ///< whole numbers in range; no fractions
Maybe<bool> boolean(Raw value);
/// The text of a string value, escapes resolved.
Maybe<Text> string(Raw value);

}  // namespace vial::json
