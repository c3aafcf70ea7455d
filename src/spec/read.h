// SPDX-License-Identifier: MIT
#pragma once

/// From the text of a spec file to a checked Spec, or to everything that is wrong with it.
///
/// Nothing here looks at the system: whether a path or a kernel feature exists is the launcher's business.

#include "base/arena.h"
#include "base/list.h"
#include "base/result.h"
#include "base/text.h"
#include "spec/diagnostic.h"
#include "spec/spec.h"

#include <span>
#include <string_view>

namespace vial {

inline constexpr std::size_t spec_size_limit = 1U << 20;

/// What a file is read for.
enum class SpecKind : std::uint8_t {
    Container,
    Services,  ///< of a container that is there already: there is no root, and no key that takes a launcher
    Host,      ///< of a device: a container where there is a root, and services of the host itself where there is none
};

/// A file that is laid over another.
struct DropIn {
    Text name;  ///< in messages
    Text text;
};

struct Reading {
    Spec& spec = make<Spec>();  ///< kept in the arena; usable when `problems` is empty
    List<Diagnostic> problems;
};

/// Reads and checks a spec. `file` names it in messages, and its stem names the container; empty: no file.
/// `settings`: `KEY=VALUE` from --set: dotted key, value TOML, or taken as a string where it is not TOML; they
/// override the file, and `drop_ins`, which do so one after the other.
Reading read_spec(std::string_view text, std::string_view file, std::span<const std::string_view> settings = {},
                  SpecKind kind = SpecKind::Container, std::span<const DropIn> drop_ins = {});

/// Where the specs of a device are: what it boots with, and where a name in place of a file is looked for.
inline constexpr const char* spec_directory = "/etc/vial";

/// The text of a spec file. Whatever cannot be one (missing, a directory or device, too large, binary) is an
/// Error that exits with Usage.
Result<Text> load_spec_file(const char* path);

/// What `vial upgrade` has chosen is in a file beside the spec, of its name with this behind it; see ctl/choice.h.
inline constexpr const char* choice_suffix = ".upgrade";

/// The files `*.conf` in the directory `PATH.d`, in their names' order, and last what `vial upgrade` has chosen, or has on trial.
Result<List<DropIn>> load_drop_ins(Text path, bool trial = false);

/// Those of `all` names that end in `.conf` and are not hidden, sorted.
List<Text> spec_files(const List<Text>& all);

/// `file:line:column: message`, or what of it is known.
Text format(const Diagnostic& diagnostic, std::string_view file);

/// `text` as a TOML string with its quotes.
Text toml_string(std::string_view text);

}  // namespace vial
