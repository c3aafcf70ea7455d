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

    /// Reports `KEY: message`, with the name of the key that `node` belongs to.
    void complain(toml::Index node, std::string_view message) const;
    void complain(toml::Index node, Phrase message) const { complain(node, Text(message)); }
    /// `expected WHAT, found ...`
    void expected(toml::Index node, std::string_view what) const;
    /// Remembers that this key was given but is not supported yet.
    void remember(toml::Index node, std::string_view detail = {}) const;
};

/// How a value was taken. Whatever is stored of a wrong one does not matter: the spec will not be used.
enum class Taken : std::uint8_t {
    Wrong,
    Told,  ///< wrong, and already reported in better words than "expected ..."
    Good,
    Later,  ///< good, but asks for something that is to come
};

inline Taken good_if(bool good)
{
    return good ? Taken::Good : Taken::Wrong;
}

/// Reports `VALUE: fault`, where there is a fault.
Taken good_unless(const ReadContext& context, toml::Index node, Phrase fault);

/// Reads `node` as `key` says and stores it in `member`, an object of the type that the key's Type names.
void read_value(const ReadContext& context, const SchemaKey& key, toml::Index node, void* member);

/// What a value of this type looks like, for "expected ..."; of a list: one element.
Text look_of(Type type);
bool is_list(Type type);
bool takes_number(Type type);
/// The part of `read_value` for lists, and the one for users and groups that both need.
void read_list(const ReadContext& context, const SchemaKey& key, toml::Index node, void* member);
Taken read_id(const ReadContext& context, toml::Index node, Identifier& id);

}  // namespace vial
