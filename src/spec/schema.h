// SPDX-License-Identifier: MIT
#pragma once

/// The vocabulary of a spec: each key that vial.conf(5) has, as one row of a table.
///
/// Reading, showing and the test that holds the man page against the program all walk these rows. A row says what
/// type of value the key takes and which member it fills in; what is special about a type stands in read.cc and
/// show.cc under the type's name.

#include "base/list.h"
#include "base/text.h"
#include "spec/spec.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace vial {

enum class Type : std::uint8_t {
    // Tables.
    Table,        ///< its rows are those of `detail`
    NamedTables,  ///< `[service.NAME]`: a table of tables
    TableList,    ///< `[[mount]]`
    FreeTable,    ///< keys of their own, values strings or numbers
    // Plain values.
    Boolean,      ///< bool
    Text,         ///< Text
    Texts,        ///< List<Text>; one string may stand alone
    Command,      ///< List<Text>, not empty
    Path,         ///< Text, absolute
    Hash,         ///< Text: `sha256:` and 64 hexadecimal digits in lower case
    PathsInside,  ///< List<Text>, absolute, without `..`, not `/`
    Size,         ///< Bytes, `low` KiB to `high` KiB
    Limit,        ///< Bytes, at least `low` of them, or `max`
    Duration,     ///< Milliseconds
    ClockOffset,  ///< std::int64_t, seconds, may be negative
    Integer,      ///< `low` to `high`; std::uint32_t
    Choice,       ///< one of `words`; a std::uint8_t enumeration in the same order; from `high` on: later
    Signal,       ///< int
    Name,         ///< Text: 1-64 letters, digits, `_`, `.`, `-`; not beginning with `.` or `-`
    Names,        ///< List<Text>
    // Values with a grammar of their own.
    Ready,         ///< ServicePolicy: start|notify|fd|fd:NUMBER|exec|tcp:PORT
    RestartLimit,  ///< ServicePolicy: N or "N/DURATION"
    Id,            ///< Identifier, user or group
    Ids,           ///< List<Identifier>
    Environment,   ///< List<Text> of `KEY=VALUE`, or a table
    Overlay,       ///< OverlaySpec
    Mounts,        ///< List<MountSpec>, short form
    MountOptions,  ///< MountSpec
    Devices,       ///< List<DeviceSpec>
    IdMap,         ///< List<IdRange>
    Interface,     ///< Text: a network interface's name
    Networks,      ///< List<IpAddress>, with prefix
    Addresses,     ///< List<IpAddress>, without
    Mac,           ///< NetworkSpec
    Ports,         ///< List<PortSpec>
    Routes,        ///< List<RouteSpec>
    Hosts,         ///< List<Text> of `ADDRESS NAME...`
    Cpu,           ///< std::int32_t, per mille
    Tasks,         ///< std::int64_t, or `max`
    Resource,      ///< ResourceLimit: `LIMIT` or `SOFT:HARD`, each a number, a size or `max`
    Mode,          ///< std::uint32_t: permission bits, octal
    Cpus,          ///< Text: processors like `0-2,5`
    IoLimits,      ///< List<Text>, each an IoLimit
    CgroupFiles,   ///< List<Text> of `FILE=VALUE`, or a table
    Sysctls,       ///< List<Text> of `PATH=VALUE`, from a table, whose keys may have dots
    Score,         ///< std::int32_t, -1000 to 1000
    Capabilities,  ///< std::uint64_t
    Landlock,      ///< List<Text>: `read|write|exec:PATH`
    Seccomp,       ///< SecuritySpec: a SeccompChoice, or a path
    Join,          ///< Text: an absolute path, `pid:NUMBER` or `container:NAME`
};

enum class Group : std::uint8_t {
    Top,
    Service,
    Health,
    Mount,
    Namespaces,
    Join,
    UserNamespace,
    Network,
    Limits,
    Security,
    Rlimits,
    Log,
    Count
};

/// What the keys whose facility is to come fill in: nobody reads it.
struct Discarded {
    Text text;
    List<Text> texts;
    alignas(std::int64_t) unsigned char number[sizeof(std::int64_t)] = {};
};

struct SchemaRange {
    std::int32_t low;  ///< the range of a number; of a later Boolean or Choice: the value that may be given already
    std::int32_t high;
    std::uint16_t words;  ///< see SchemaKey::words
};

/// There are many, so they hold no pointers.
struct SchemaKey {
    std::uint16_t name_at;
    std::uint16_t offset;  ///< of the member, from the start of the group's struct, or of Discarded
    Type type;
    bool later;   ///< read and checked, but its facility is to come
    Group group;  ///< of a table: which rows are its members
    std::uint8_t range_at;

    const char* name() const;
    const SchemaRange& range() const;
    const char* words() const;  ///< Choice: `no|on-failure|always`
};

std::span<const SchemaKey> schema_keys(Group group);
/// The row of `name`; null where there is none.
const SchemaKey* find_key(Group group, std::string_view name);
/// What to say about a key that is none of its table's: the nearest that is, or the table it belongs in.
Text unknown_key(Group group, std::string_view name, bool is_table);

}  // namespace vial
