// SPDX-License-Identifier: MIT
#pragma once

/// Reading TOML 1.0 (https://toml.io/en/v1.0.0), or rather a strict subset of it.
///
/// Whatever is accepted has the meaning TOML gives it, and whatever TOML calls invalid is refused: a test holds
/// this reader against another one, document by document. Left out are floats, dates and times (no key of a
/// spec wants one), integers beyond 64 bits, and the NUL character, which no path or argument can hold.
///
/// A document is a flat vector of nodes that refer to each other by index, so a hostile file costs bounded
/// memory, and depth, size and the number of values have limits that no honest spec comes near. After an
/// error the reader goes on at the next line, so that one run reports them all.

#include "base/list.h"
#include "base/text.h"
#include "spec/diagnostic.h"

#include <cstdint>
#include <string_view>

namespace vial::toml {

inline constexpr std::size_t depth_limit = 16;
inline constexpr std::size_t node_limit = 8192;

enum class Kind : std::uint8_t {
    Broken,  ///< a syntax error was met here and has been reported
    Table,
    Array,
    String,
    Integer,
    Boolean,
};

/// How a node came to be; TOML's rules about defining things twice hang on it.
enum class Made : std::uint8_t {
    Value,     ///< stands on the right of a `=`, or in an array: complete, never added to
    Implicit,  ///< a table that only exists because `[a.b]` needs an `a`; `[a]` may define it once
    Header,    ///< a table with a `[header]`, or an element of an array of tables
    Dotted,    ///< a table from a dotted key; only further dotted keys of the same section add to it
    List,      ///< an array of tables, made by `[[header]]`
};

/// A position in a document's `nodes`. 0 is the root table, which is nobody's child: so 0 also says `none`.
using Index = std::uint32_t;

struct Node {
    Kind kind = Kind::Broken;
    Made made = Made::Value;
    std::uint8_t depth = 0;
    std::uint16_t source = 0;   ///< which of the document's sources it stands in
    std::uint32_t at = 0;       ///< byte offset in that source: of the key where it has one, else of the value
    std::uint32_t section = 0;  ///< Dotted: the section it belongs to
    Index parent = 0, next = 0;
    Index first = 0, last = 0;  ///< Table, Array: the children, in the order written
    std::string_view key;       ///< empty in an array
    std::string_view text;      ///< String
    std::int64_t number = 0;    ///< Integer; Boolean: 0 or 1
};

/// The tree. It refers to the texts it was read from, which must outlive it.
struct Document {
    /// `capacity`: the length of all texts that will be read into it together.
    explicit Document(std::size_t capacity);
    Document(const Document&) = delete;
    Document& operator=(const Document&) = delete;

    const Node& operator[](Index index) const { return nodes[index]; }
    /// The member `key` of a table; 0 where there is none.
    Index find(Index table, std::string_view key) const;
    /// The name as a person would write it: `service.web.health`.
    Text path(Index node) const;
    /// Reports a problem where `node` stands.
    void report(Problems& problems, Index node, std::string_view message) const;
    /// It is no file.
    bool is_setting(std::uint16_t source) const { return source > names.size(); }
    void report_at(Problems& problems, std::uint16_t source, std::size_t at, std::string_view message) const;

    List<Node> nodes;
    List<std::string_view> sources;  ///< 0 is the file, the others are drop-ins and then `--set` arguments
    List<std::string_view> names;    ///< of the files behind 0; drop-ins alone have one
    Builder decoded;  ///< texts of strings; never longer than its first reservation, so views into it stay good
};

/// Reads a file's text into an empty document as its source 0.
void read(Document& document, std::string_view text, Problems& problems);

/// Lays another file's text over a document that was read: its tables, also in braces, add to those that are there,
/// everything else, so all the `[[tables]]` of a name too, takes the place of what has its name. `name` is what its problems are reported under.
void lay_over(Document& document, std::string_view text, std::string_view name, Problems& problems);

/// Puts one `KEY=VALUE` into the document, in place of what may be there: KEY is a TOML key, VALUE a TOML value
/// or, where it is not that and does not begin like one that has an end (`"`, `'`, `[`, `{`), a plain string.
void set(Document& document, std::string_view setting, Problems& problems);

}  // namespace vial::toml
