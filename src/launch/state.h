// SPDX-License-Identifier: MIT
#pragma once

/// What vial remembers of a container between two commands: the directory /run/vial/NAME, or where an ordinary user has such things.
///
/// There is no daemon. The launcher notes each thing in the container's journal *before* it makes it, so that
/// whoever comes next can undo exactly that, whether the launcher failed, was killed, or left long ago:
///
///     journal   lines of `word value`, see read_line in state.cc; locked for as long as its launcher is there
///     spec      the spec as started, in TOML; 0600, it may hold secrets; with the limits that are changed since,
///               and spec.started without them
///     control   PID 1's socket
///     seccomp   the filter that was made of a profile
///     log.0 log.1   the log's two segments
///     exit      one JSON line, written by PID 1 when the container ends
///
/// /run/vial is 0700 and always a tmpfs; where /run is a disk, vial mounts one there. One lock, held for
/// moments, orders those who take, clear and remove names.

#include "base/fd.h"
#include "base/list.h"
#include "base/result.h"
#include "base/text.h"
#include "spec/spec.h"

#include <cstdint>
#include <sys/types.h>

namespace vial {

/// Of an ordinary user `vial` in $XDG_RUNTIME_DIR, where that is set to a path, or in /run/user/UID; of everybody else /run/vial.
const char* state_root();
/// Fails where an ordinary user has no such directory, or others may write to it.
Result<void> check_state_root();
/// The name of the host's supervisor (`vial boot`) among the containers, which none of them can have.
inline constexpr const char* boot_name = "boot";

/// Makes the directory of all if it is not there and holds its lock until it is destroyed.
class StateLock {
public:
    static Result<StateLock> take();

private:
    explicit StateLock(Fd fd) : fd_(std::move(fd)) {}
    Fd fd_;
};

/// A process that may have gone: its number alone could be another's by now.
struct ProcessId {
    pid_t pid = 0;
    std::int64_t start_time = 0;  ///< clock ticks since boot, field 22 of /proc/PID/stat
};
Result<ProcessId> identify(pid_t pid);
/// A zombie counts as gone.
bool is_alive(const ProcessId& process);

enum class Phase : std::uint8_t {
    Starting,  ///< its launcher is at work, and holds the journal's lock
    Running,
    Ended,  ///< PID 1 or its launcher has gone
};

/// A container's journal, read; kept in the arena.
struct Record {
    Text name;
    Text file;  ///< the spec's, an absolute path; empty: there is none, or nobody has noted it
    Phase phase = Phase::Ended;
    ProcessId init;
    bool running = false;  ///< it got as far as running
    bool foreground = false;
    bool by_boot = false;           ///< the host's supervisor has started it
    bool has_init = true;           ///< vial is its PID 1
    bool stopping = false;          ///< somebody has begun to stop it, and does not want it to be kept
    bool first = false;             ///< the machine's first process
    bool paused = false;            ///< somebody has begun to freeze it, and nobody to thaw it
    bool cleared = false;           ///< nothing of it is left but this record
    std::int64_t started_at = 0;    ///< CLOCK_REALTIME, ms
    std::int64_t started_boot = 0;  ///< CLOCK_BOOTTIME, ms
    Text pod;                       ///< see Spec::pod
    List<Text> members;             ///< who has ever joined it as a pod
    List<Text> cgroups, host_ends, bridges;
    List<Text> ports, nat, localnets;  ///< see launch/publish.h
    List<IdRange> ids;                 ///< users and groups of the host that those of its user namespace are
    List<Text> lent, lent_at;          ///< see launch/lend.h
};

Text state_path(std::string_view name, std::string_view file = {});

/// ExitCode::NotFound where there is no such container.
Result<Record*> read_record(std::string_view name);
/// Every container there is a directory of, by name.
Result<List<Record*>> read_records();

/// Writes the journal of a container that is being started.
class Journal {
public:
    Journal() = default;
    /// Takes `name`: exactly one of two that try gets it. What an ended container of that name left is removed first.
    static Result<Journal> claim(Text name, const StateLock&);

    /// Appends whole lines.
    Result<void> note(std::string_view lines);
    /// What was noted so far. Its phase is not looked at.
    const Record& record() const { return record_; }

    /// Removes the container, whose processes must have gone. Nothing happens where somebody else has done so already, and
    /// maybe taken the name since.
    Result<void> remove_container();

private:
    Record record_;
    Fd fd_;
};

/// Notes that `member` joins `pod`, which must be running and not being stopped. Whoever stops it notes that first and looks for
/// members then: one of the two sees the other.
Result<void> note_member(Text pod, Text member);

/// Notes in the journal of one that runs that it is being stopped.
void note_stopping(Text name);
/// Notes that it is being frozen, for which `group` is made unless that is empty, or has been thawed.
Result<void> note_paused(Text name, bool paused, Text group = {});

/// Undoes what the journal of an ended container names: control groups, bridges, address translation, interfaces that were lent. The record stays.
/// Interfaces go with their network namespace, mounts with their mount namespace, loop devices with their mount.
Result<void> clear(Record& record, const StateLock&);

/// The same, and removes the container's directory: nothing of it is left.
Result<void> remove(const Record& record, const StateLock&);

/// Clears whatever ended since somebody last looked, and returns all records. Failures to clear are not the looker's:
/// they are tried again next time.
Result<List<Record*>> look_around();

}  // namespace vial
