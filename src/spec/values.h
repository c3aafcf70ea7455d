// SPDX-License-Identifier: MIT
#pragma once

/// Reading single values of a spec, type by type, and saying what is wrong with them.

#include "base/list.h"
#include "base/text.h"
#include "spec/schema.h"
#include "spec/spec.h"
#include "spec/toml.h"

#include <string_view>

namespace vial {

struct ReadContext {
    const toml::Document& document;
    Problems& problems;
    List<Text>& not_yet;
    Discarded discarded = {};
    bool inside_later = false;  ///< in a table that is itself on the not-yet list

    /// Reports `KEY: message`, with the name of the key that `node` belongs to; `pattern` as in `fill`.
    void complain(toml::Index node, std::string_view pattern, std::string_view first = {},
                  std::string_view second = {}) const;
    /// `expected WHAT, found ...`
    void expected(toml::Index node, std::string_view what) const;
    /// Remembers that this key was given but is not supported yet.
    void remember(toml::Index node, std::string_view detail = {}) const;
};

/// Reads `node` as `key` says and stores it in `member`, an object of the type that the key's Type names.
void read_value(const ReadContext& context, const SchemaKey& key, toml::Index node, void* member);

/// What a value of this type looks like, for "expected ..."; of a list: one element.
std::string_view look_of(Type type);
bool is_list(Type type);
bool takes_number(Type type);
/// The part of `read_value` for lists, and the one for users and groups that both need.
void read_list(const ReadContext& context, const SchemaKey& key, toml::Index node, void* member);
bool read_id(const ReadContext& context, toml::Index node, std::uint32_t& id);

}  // namespace vial
