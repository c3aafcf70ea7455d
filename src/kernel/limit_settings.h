// SPDX-License-Identifier: MIT
#pragma once

/// What a spec's limits are in the files of a container's groups: for limits.cc, which sets them, and change_limits.cc.

#include "kernel/limits.h"

namespace vial {

/// A limit of the spec, and the kernel's files for it.
struct Limit {
    const char* key;
    Controller controller;
    const char* file[2];  ///< version 1, version 2; empty: it has none
    const char* none[2];  ///< what is written there for no limit
    Phrase advice;
};
extern const Limit swap_limit, cpus_limit, io_limit;

/// What is to be written where.
struct Setting {
    const Limit* limit;
    unsigned controller;
    Text file;  ///< in the container's group, or in a leaf: `web/memory.oom.group`
    Text value;
    bool unread = false;  ///< it lifts a limit, or puts one back: it may read otherwise
};

/// Whether that controller is one of version 2.
bool is_unified(const List<LimitedGroup>& groups, unsigned controller);

/// The limits of a spec in the files of these groups.
class Settings {
public:
    Settings(const List<LimitedGroup>& groups, const Spec& spec) : groups_(groups), spec_(spec) {}

    /// The container's.
    Result<void> collect();
    void collect_leaves();
    const List<Setting>& all() const { return all_; }

private:
    bool unified(unsigned controller) const { return is_unified(groups_, controller); }
    void add(const Limit& limit, Text value)
    {
        all_.push_back({&limit, limit.controller, limit.file[unified(limit.controller)], value});
    }
    Result<void> add_io(Text text);

    const List<LimitedGroup>& groups_;
    const Spec& spec_;
    List<Setting> all_;
};

/// Writes a limit and reads it back.
Result<void> apply(const List<LimitedGroup>& groups, const Setting& setting);
Error limit_failure(const Setting& setting, Phrase reason);

}  // namespace vial
