// SPDX-License-Identifier: MIT
#include "launch/state.h"

#include "base/directory.h"
#include "base/features.h"
#include "base/os.h"
#include "base/text.h"
#include "kernel/bridge.h"
#include "kernel/cgroup.h"
#include "kernel/mounts.h"
#include "kernel/netlink.h"
#include "launch/lend.h"
#include "launch/ordinary_user.h"
#include "launch/publish.h"

#include <cstdlib>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <unistd.h>

namespace vial {

namespace {

/// Everything the state of many containers needs, log segments included, and a bound for what may go wrong.
constexpr const char* state_mount_options = "mode=0700,size=50%,nr_inodes=100k";

bool is_memory_filesystem(int fd)
{
    const auto magic = os::filesystem_magic(fd);
    return magic.ok() && (magic.value() == TMPFS_MAGIC || magic.value() == RAMFS_MAGIC);
}

Result<Fd> open_state_root()
{
    const char* const path = state_root();
    const auto made = os::mkdirat(AT_FDCWD, path, 0700);
    if (!made.ok() && made.number() != EEXIST) {
        Error error = made.error();
        error.as("make", path);
        if (error->number == ENOENT)
            error.advise("/run is missing: mount a tmpfs there");
        return error;
    }
    Fd root = TRY(os::open(path, O_RDONLY | O_DIRECTORY));
    if (is_memory_filesystem(root.get()) || is_ordinary_user())
        return root;
    // A disk. The lock is on the directory below, so that two commands do not mount one over the other.
    TRY(os::lock(root.get(), LOCK_EX));
    Fd again = TRY(os::open(path, O_RDONLY | O_DIRECTORY));
    if (is_memory_filesystem(again.get()))
        return again;
    TRY(os::mount("vial", path, "tmpfs", MountNoSuid | MountNoDev | MountNoExec, state_mount_options));
    return os::open(path, O_RDONLY | O_DIRECTORY);
}

/// Where an ordinary user's things are that do not outlast the machine's run.
Text runtime_directory()
{
    const char* const given = ::getenv("XDG_RUNTIME_DIR");
    return given != nullptr && *given == '/' ? Text(given) : concat("/run/user/", ::geteuid());
}

/// Field 22 of /proc/PID/stat, and field 3. The second field, the command's name, may hold anything but ends with
/// the last `)`.
struct ProcessStat {
    char state = 'X';
    std::int64_t start_time = 0;
};
Result<ProcessStat> read_stat(pid_t pid)
{
    // No memory from the arena: some wait for the end of a process by looking again and again.
    char path[32] = {};
    Writer(path, sizeof path - 1).put("/proc/").decimal(pid).put("/stat");
    char buffer[1024];
    const std::string_view text = TRY(os::read_small(AT_FDCWD, path, buffer));
    const std::size_t name_end = text.rfind(')');
    std::string_view rest = name_end == std::string_view::npos ? std::string_view() : slice(text, name_end + 1);
    ProcessStat found;
    const std::string_view state = take_word(rest);
    for (int field = 4; field < 22; ++field)
        take_word(rest);
    const auto start = parse_number(take_word(rest));
    if (state.empty() || !start)
        return Error("it does not read as proc(5) says"_p, "read", path);
    found.state = state.front();
    found.start_time = *start;
    return found;
}

ProcessId parse_process(std::string_view value)
{
    const auto pid = parse_number(take_word(value));
    const auto start = parse_number(take_word(value));
    return {pid ? static_cast<pid_t>(*pid) : 0, start.value_or(0)};
}

void read_line(Record& record, std::string_view line)
{
    const std::string_view word = take_until(line, ' ');
    if (word == "init")
        record.init = parse_process(line);
    else if (word == "file")
        record.file = line;
    else if (word == "cgroup")
        record.cgroups.push_back(line);
    else if (word == "interface")
        record.host_ends.push_back(line);
    else if (word == "pod")
        record.pod = line;
    else if (word == "member")
        record.members.push_back(line);
    else if (word == "bridge")
        record.bridges.push_back(line);
    else if (word == "port")
        record.ports.push_back(line);
    else if (word == "nat")
        record.nat.push_back(line);
    else if (word == "lent")
        record.lent.push_back(line);
    else if (word == "lent-at")
        record.lent_at.push_back(line);
    else if (word == "localnet")
        record.localnets.push_back(line);
    else if (word == "ids") {
        const auto start = parse_number(take_word(line)), count = parse_number(take_word(line));
        record.ids.push_back(
            {0, static_cast<std::uint32_t>(start.value_or(0)), static_cast<std::uint32_t>(count.value_or(0))});
    } else if (word == "started")
        record.started_at = parse_number(line).value_or(0);
    else if (word == "started-boot")
        record.started_boot = parse_number(line).value_or(0);
    else if (word == "foreground")
        record.foreground = true;
    else if (word == "by-boot")
        record.by_boot = true;
    else if (word == "no-init")
        record.has_init = false;
    else if (word == "running")
        record.running = true;
    else if (word == "stopping")
        record.stopping = true;
    else if (word == "first")
        record.first = true;
    else if (word == "paused")
        record.paused = line == "yes";
    else if (word == "cleared")
        record.cleared = true;
}

/// Its launcher has claimed the journal: neither its child nor anybody else can keep that up for it.
bool is_being_started(std::string_view name)
{
    const Opened journal = os::open(state_path(name, "journal").c_str(), O_RDONLY);
    return journal.ok() && os::is_claimed(journal.value().get()).value_or(true);
}

/// Gives back the bridges of `ended`, and what led over them; it may still be on record as being started, by us, if its start has failed.
Result<void> release_bridges(const Record& ended)
{
    NetlinkSocket netlink = TRY(NetlinkSocket::open());
    const List<Record*> others = TRY(read_records());
    List<Text> host_ends, bridges, localnets;
    for (const Record* other : others) {
        if (other->phase == Phase::Ended || other->name == ended.name)
            continue;
        host_ends.append(other->host_ends.data(), other->host_ends.size());
        bridges.append(other->bridges.data(), other->bridges.size());
        localnets.append(other->localnets.data(), other->localnets.size());
    }
    TRY(unpublish(ended, localnets));
    for (Text bridge : ended.bridges) {
        if (!bridges.contains(bridge))  // one that has no port on it yet uses it, too
            (void)TRY(release_bridge(netlink, bridge, host_ends));
    }
    return {};
}

/// The kernel objects that a journal names.
Result<void> undo(const Record& record)
{
    for (Text cgroup : record.cgroups)
        TRY(remove_cgroup(cgroup));
    if (built_with(Feature::Network))
        TRY(take_back(record));
    return !built_with(Feature::Network) || record.bridges.empty() ? Result<void>() : release_bridges(record);
}

/// Removes a container's directory.
Result<void> forget(Text name)
{
    const Text directory = state_path(name);
    const auto remove_file = [&](std::string_view file) {
        return os::unlinkat(AT_FDCWD, compose("%/%", directory, file).c_str());
    };
    // The journal goes last: without it nobody knows what the rest is.
    for (const char* file : {"control", "spec", "exit", "log.0", "log.1", "journal"})
        (void)remove_file(file);
    auto removed = os::unlinkat(AT_FDCWD, directory.c_str(), AT_REMOVEDIR);
    if (removed.number() != ENOTEMPTY)
        return removed;
    for (Text file : TRY(list_directory(directory)))
        TRY(remove_file(file));
    return os::unlinkat(AT_FDCWD, directory.c_str(), AT_REMOVEDIR);
}

}  // namespace

const char* state_root()
{
    static const char* known;
    if (known == nullptr)
        known = is_ordinary_user() ? concat(runtime_directory(), "/vial").c_str() : "/run/vial";
    return known;
}

Result<void> check_state_root()
{
    if (!is_ordinary_user())
        return {};
    const Text path = runtime_directory();
    const auto found = os::lstat(AT_FDCWD, path.c_str());
    Error error(found.number(), "keep what is to be known of containers in"_p, path);
    if (found.ok() && S_ISDIR(found.value().st_mode) && found.value().st_uid == ::geteuid() &&
        (found.value().st_mode & 022) == 0)
        return {};
    if (found.ok())
        error.because("it is not a directory that only you may write to"_p);
    return error.advise("set XDG_RUNTIME_DIR to one of your own"_p);
}

Result<StateLock> StateLock::take()
{
    const Fd root = TRY(open_state_root());
    Fd lock = TRY(os::openat(root.get(), ".lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600).as("lock", state_root()));
    TRY(os::lock(lock.get(), LOCK_EX).as("lock", state_root()));
    return StateLock(std::move(lock));
}

Result<ProcessId> identify(pid_t pid)
{
    const ProcessStat found = TRY(read_stat(pid));
    return ProcessId{pid, found.start_time};
}

bool is_alive(const ProcessId& process)
{
    if (process.pid <= 0)
        return false;
    const auto found = read_stat(process.pid);
    if (!found.ok())  // it cannot be told whether it has gone, unless that is what the kernel says
        return found.number() != ENOENT && found.number() != ESRCH;
    return found.value().start_time == process.start_time && found.value().state != 'Z' && found.value().state != 'X';
}

Text state_path(std::string_view name, std::string_view file)
{
    return compose("%/%%%", state_root(), name, file.empty() ? "" : "/", file);
}

Result<Record*> read_record(std::string_view name)
{
    Record& record = make<Record>();
    record.name = name;
    const auto journal = os::read_file(AT_FDCWD, state_path(name, "journal").c_str());
    // A directory without a journal is one whose launcher was killed in between; it is cleared like any other. One whose journal
    // cannot be read now may belong to a container that runs: nobody may take it for an ended one.
    if (!journal.ok() && journal.number() != ENOENT && journal.number() != ENOTDIR)
        return journal.error();
    if (journal.number() == ENOTDIR || (!journal.ok() && !os::lstat(AT_FDCWD, state_path(name).c_str()).ok()))
        return Error("no such container"_p, "", name).exits(ExitCode::NotFound).advise("see `vial list`"_p);
    std::string_view rest = journal.ok() ? std::string_view(journal.value()) : std::string_view();
    while (!rest.empty())
        read_line(record, take_until(rest, '\n'));
    if (record.running ? is_alive(record.init) : is_being_started(name))
        record.phase = record.running ? Phase::Running : Phase::Starting;
    return &record;
}

Result<List<Record*>> read_records()
{
    List<Record*> records;
    const auto names = list_directory(state_root());
    if (names.number() == ENOENT)
        return records;
    if (!names.ok())
        return names.error();
    for (Text name : names.value()) {
        if (name.front() == '.')
            continue;
        auto record = read_record(name);
        if (!record.ok() && record.error()->exit == ExitCode::NotFound)
            continue;  // removed since
        if (!record.ok())
            return record.error();
        std::size_t at = records.size();
        records.push_back(record.take());
        for (; at > 0 && records[at]->name < records[at - 1]->name; --at)
            std::swap(records[at], records[at - 1]);
    }
    return records;
}

Result<Journal> Journal::claim(Text name, const StateLock& lock)
{
    const Text directory = state_path(name);
    auto made = os::mkdirat(AT_FDCWD, directory.c_str(), 0700);
    if (made.number() == EEXIST) {
        const Record& record = *TRY(read_record(name));
        if (record.phase != Phase::Ended) {
            return Error(record.phase == Phase::Running ? "it is running already"_p : "it is being started already"_p,
                         "start", name)
                .advise("see `vial list`; `vial restart` starts it anew"_p);
        }
        TRY(remove(record, lock));
        made = os::mkdirat(AT_FDCWD, directory.c_str(), 0700);
    }
    if (!made.ok())
        return made.error();
    Opened file = os::open(state_path(name, "journal").c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND, 0600);
    if (!file.ok()) {
        (void)os::unlinkat(AT_FDCWD, directory.c_str(), AT_REMOVEDIR);
        return file.error();
    }
    Journal journal;
    journal.record_.name = name;
    journal.fd_ = file.take();
    const auto locked = os::claim(journal.fd_.get());
    if (!locked.ok()) {
        (void)forget(name);
        return locked.error();
    }
    return journal;
}

Result<void> Journal::note(std::string_view lines)
{
    TRY(os::write_all(fd_.get(), lines).as("write to", state_path(record_.name, "journal")));
    while (!lines.empty())
        read_line(record_, take_until(lines, '\n'));
    return {};
}

Result<void> Journal::remove_container()
{
    const StateLock lock = TRY(StateLock::take());
    if (TRY(os::fstat(fd_.get())).st_nlink == 0)
        return {};
    return remove(record_, lock);
}

namespace {

Result<void> add_line(Text name, std::string_view line)
{
    const Opened file = os::open(state_path(name, "journal").c_str(), O_WRONLY | O_APPEND);
    return file.ok() ? os::write_all(file.value().get(), line) : Result<void>();
}

}  // namespace

Result<void> note_member(Text pod, Text member)
{
    if (!TRY(read_record(pod))->members.contains(member))
        TRY(add_line(pod, compose("member %\n", member)));
    const Record& record = *TRY(read_record(pod));
    if (record.phase != Phase::Running || record.stopping)
        return Error("it is not running"_p, "join the pod"_p, pod);
    return {};
}

void note_stopping(Text name)
{
    (void)add_line(name, "stopping now\n");
}

Result<void> note_paused(Text name, bool paused, Text group)
{
    const Text lines = group.empty() ? Text() : compose("cgroup %\n", group);
    return add_line(name, compose("%paused %\n", lines, paused ? "yes" : "no"));
}

Result<void> clear(Record& record, const StateLock&)
{
    if (record.cleared)
        return {};
    TRY(undo(record));
    TRY(add_line(record.name, "cleared now\n"));
    (void)os::unlinkat(AT_FDCWD, state_path(record.name, "control").c_str());
    record.cleared = true;
    return {};
}

Result<void> remove(const Record& record, const StateLock&)
{
    if (!record.cleared)
        TRY(undo(record));
    return forget(record.name);
}

namespace {

/// Something is left of it that nobody will ask for: kernel objects, or the record of what never was in the background.
bool is_litter(const Record& record)
{
    return record.phase == Phase::Ended && (!record.cleared || !record.running || record.foreground);
}

}  // namespace

Result<List<Record*>> look_around()
{
    List<Record*> records = TRY(read_records());
    bool work = false;
    for (const Record* record : records)
        work = work || is_litter(*record);
    if (!work)
        return records;
    const StateLock lock = TRY(StateLock::take());
    records = TRY(read_records());
    for (Record* record : records) {
        if (!is_litter(*record))
            continue;
        (void)(record->running && !record->foreground ? clear(*record, lock) : remove(*record, lock));
    }
    return read_records();
}

}  // namespace vial
