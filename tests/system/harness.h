// SPDX-License-Identifier: MIT
#pragma once

/// What the system tests have in common: running the real binary, and seeing what it left behind.
///
/// A test program is started by sandbox.sh (config/build/sandboxed.sh), so it has a mount and a network namespace, a /run and
/// a part of every cgroup hierarchy to itself, and whatever it may leave goes with them. In the environment: VIAL, the
/// program under test; PAYLOADS, where the programs of payloads/ were built; SOURCE, the top of the source tree.
///
/// Every case begins with a `NothingLeft`. Nothing here sleeps to wait for something: what cannot be waited for is looked
/// at again and again (`eventually`).

#include "base/fd.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace vial::test {

using Words = std::vector<std::string>;

// ---- Running commands -----------------------------------------------------------------------------------------------

/// How a command ended.
struct Finished {
    int code = -1;  ///< its exit code, 128+n for signal n; -1: it went on for too long and was killed
    std::string out, err;
};

inline constexpr long time_limit = 30000;  ///< milliseconds; for commands that should take some hundredths of that

/// Runs a command to its end.
Finished run(Words words, std::string_view input = {}, long limit = time_limit);
/// The same with vial's arguments.
Finished ctl(Words words, std::string_view input = {}, long limit = time_limit);
/// `vial WORDS...` as a command for `run` and `Process`.
Words ctl_words(Words words);

/// Runs vial; it must succeed and have nothing to complain about. Returns what it printed.
std::string done(Words words);
/// Runs vial; it must fail with `code` and say why in exactly one line, which is returned without its newline.
std::string refused(int code, Words words);

/// A start that is refused, with one line in which every one of `named` stands.
void start_refused(int code, const std::string& file, const std::vector<std::string>& named);

/// While it lives, vial is run as on an older kernel: `oldkernel OPTIONS... -- vial ...`; see payloads/oldkernel.c.
class OnOldKernel {
public:
    explicit OnOldKernel(Words options);
    ~OnOldKernel();
    OnOldKernel(const OnOldKernel&) = delete;
    OnOldKernel& operator=(const OnOldKernel&) = delete;
};

/// How a process begins, where fork and exec alone will not do.
struct Birth {
    std::uint64_t namespaces = 0;   ///< CLONE_NEW*
    std::function<void()> prepare;  ///< runs in it before its exec, with its standard streams in place
};

/// A command that runs beside the test, with pipes or a terminal of its own for its standard streams.
class Process {
public:
    enum class Streams { Pipes, Terminal };
    explicit Process(Words words, Streams streams = Streams::Pipes, const Birth& birth = {});
    /// Kills it if it is still there.
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    pid_t pid() const { return pid_; }
    /// What it wrote so far: everything with a terminal, its standard output with pipes.
    const std::string& output() const { return out_; }
    const std::string& errors() const { return err_; }
    /// The master of its terminal.
    int terminal() const { return in_.get(); }

    void send(std::string_view text);
    void close_input();
    /// Closes the master of its terminal.
    void hang_up() { in_.reset(); }
    /// Reads until `text` comes, which is looked for after the last one that was found; false if it does not.
    bool expect(std::string_view text, long limit = time_limit);
    /// Reads until it has ended; -1 if it does not, and then it is killed.
    int wait(long limit = time_limit);
    void kill(int signal) const;
    /// It has ended, and waits to be waited for.
    bool has_ended();

private:
    bool read_some(long limit);

    pid_t pid_ = -1;
    Fd in_, out_fd_, err_fd_;
    bool terminal_;
    std::string out_, err_;
    std::size_t found_ = 0;
};

/// A connection to the control socket at that path.
class ControlLine {
public:
    explicit ControlLine(const std::string& path);
    explicit operator bool() const { return connected_; }
    int get() const { return fd_.get(); }

    bool send(std::string_view text) const;
    /// Reads until `text` has come, or nothing more does for `limit` milliseconds.
    bool expect(std::string_view text, int limit = 20000);
    /// Takes out of what came all up to and with the line that ends an answer, all of it where there is none.
    std::string answer();
    /// The answer to a request, with nothing that came before it.
    std::string ask(std::string_view request);
    /// What came so far.
    const std::string& heard() const { return heard_; }
    void half_close() const;
    /// Reads until the other end has closed it.
    bool is_closed(int limit = 5000);

private:
    bool read_more(int limit);

    Fd fd_;
    bool connected_;
    bool closed_ = false;
    std::string heard_;
};

/// How many descriptors a process has open.
std::size_t descriptors_of(pid_t pid);
/// Copies of what a process has open from 3 on: as if another had inherited it all.
std::vector<Fd> copies_of(pid_t pid);

/// Looks until it is so; false after `limit` milliseconds.
bool eventually(const std::function<bool()>& holds, long limit = 20000);

// ---- Files ----------------------------------------------------------------------------------------------------------

/// A directory for the test's files, on a tmpfs, readable by every user.
const std::string& work();
std::string read_text(const std::string& path);
void write_text(const std::string& path, std::string_view text);
bool exists(const std::string& path);
/// The directory, made anew: empty, with that mode.
std::string empty_directory(const std::string& name, mode_t mode = 0755);

/// Writes a spec and returns its path. In `text` ROOT stands for the directory of the root filesystem.
std::string spec(const std::string& name, std::string_view text);
/// A spec of a container that only sleeps, with `more` lines.
std::string sleeper(const std::string& name, std::string_view more = {});

/// One small root filesystem with BusyBox, in several forms, made at the first use. /srv inside is writable by
/// everybody; /data and /file are there to be mounted on.
enum class RootKind { Directory, Squashfs, Erofs, Ext4 };
/// `owner`: to whom its files belong, user and group.
const std::string& root(RootKind kind = RootKind::Directory, unsigned owner = 0);
inline constexpr unsigned mapped_root = 100000;  ///< the other owner there is: who is root in a user namespace
/// A program of payloads/.
std::string payload(const std::string& name);

// ---- What is there --------------------------------------------------------------------------------------------------

/// The value behind a path of keys and indices, as JSON, of a JSON text: `field(json, {"container", "state"})`.
/// Empty where there is none.
std::string field(std::string_view json, const std::vector<std::string>& path);
/// The object of `name` in `vial list --json`; empty where there is none.
std::string listed(const std::string& name);
/// `"running"` or `"exited"`, as `vial list` says it.
std::string state(const std::string& name);
bool ends(const std::string& name);
/// Waits for the container's end with `vial wait`, which prints the code.
std::string waited(const std::string& name);
/// PID 1 of a container as the host numbers it, 0 where there is none.
pid_t init_pid(const std::string& name);

/// A cgroup's directory beneath the root of the hierarchy that has `controller`: `cgroup("memory", "web/init")`.
std::string cgroup(const std::string& controller, const std::string& below);
bool cgroup_is_unified();
std::vector<std::string> lines(std::string_view text);
bool contains(std::string_view text, std::string_view part);
/// Network interfaces of this namespace.
std::vector<std::string> interfaces();
/// The packet filter's tables of this namespace, as `ip vial-vweb-1a2b3c`; none where the kernel has no nf_tables.
std::vector<std::string> filter_tables();
/// Mounts of this namespace, without numbers.
std::vector<std::string> mounts();

/// Looks at mounts, cgroups, interfaces, the packet filter's tables, loop devices, processes and vial's state where it is made, and again where it
/// ends: what is there then and was not before fails the test. Then everything of the kind is cleared away, so
/// that the next case starts from a clean table.
class NothingLeft {
public:
    NothingLeft();
    ~NothingLeft();
    NothingLeft(const NothingLeft&) = delete;
    NothingLeft& operator=(const NothingLeft&) = delete;

private:
    std::vector<std::string> before_;
};

}  // namespace vial::test
