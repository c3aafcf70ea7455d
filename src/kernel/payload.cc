// SPDX-License-Identifier: MIT
#include "kernel/payload.h"

#include "base/events.h"
#include "base/os.h"
#include "base/text.h"
#include "kernel/capabilities.h"
#include "kernel/landlock.h"
#include "kernel/seccomp.h"

#include <algorithm>
#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vial {

namespace {

// --- Identity ---

/// A user namespace that an unprivileged user made has setgroups(2) switched off for good: see user_namespaces(7).
bool groups_are_fixed()
{
    char text[8];
    const auto said = os::read_small(AT_FDCWD, "/proc/self/setgroups", text);
    return said.ok() && said.value().starts_with("deny");
}

Result<void> become_user(const Identity& identity)
{
    auto grouped = os::setgroups(identity.groups);
    if (!grouped.ok() && !(grouped.number() == EPERM && identity.groups.empty() && groups_are_fixed()))
        return grouped;
    TRY(os::setresgid(identity.group).as("change to group"_p, Decimal(identity.group)));
    return os::setresuid(identity.user).as("change to user"_p, Decimal(identity.user));
}

/// A change of credentials disarms the parent-death signal. Whoever armed it wants it still, and our parent may
/// have died in between (0 stands for one in another PID namespace, of which we cannot know).
class ParentDeathSignal {
public:
    ParentDeathSignal() : parent_(::getppid())
    {
        (void)os::prctl(PR_GET_PDEATHSIG, reinterpret_cast<unsigned long>(&signal_), 0,
                        "read the parent-death signal"_p);
    }

    Result<void> arm_again() const
    {
        if (signal_ == 0)
            return {};
        TRY(os::prctl(PR_SET_PDEATHSIG, static_cast<unsigned long>(signal_), 0, "set the parent-death signal"_p));
        return ::getppid() == parent_ ? Result<void>() : os::kill(::getpid(), signal_);
    }

private:
    pid_t parent_;
    int signal_ = 0;
};

Result<void> filter_calls(const Identity& identity)
{
    if (!identity.seccomp)
        return {};
    return identity.filter.empty() ? install_default_filter(identity.capabilities) : install_filter(identity.filter);
}

}  // namespace

Result<void> assume(const Identity& identity)
{
    const ParentDeathSignal parent_death_signal;

    // Without one of its own the program would possess the keys of whoever started the container. A kernel
    // without keys, a spent key quota or an outer container's filter are no reason not to start: the default
    // filter refuses all use of keys as well.
    (void)os::new_session_keyring();

    // While there is still the privilege for it: without no_new_privs, the filter must come before that is given up.
    if (!identity.no_new_privileges) {
        auto installed = filter_calls(identity);
        if (installed.number() == EACCES)
            return Error("seccomp needs no_new_privileges"_p, "limit the system calls"_p);
        TRY(installed);
    }
    TRY(limit_bounding_set(identity.capabilities));
    const bool keeps = identity.user != 0 && identity.ambient != 0;
    if (keeps)
        TRY(os::prctl(PR_SET_KEEPCAPS, 1, 0, "keep capabilities"_p));
    TRY(become_user(identity));
    if (keeps)
        TRY(make_ambient(identity.ambient));
    else
        TRY(limit_process_sets(identity.user == 0 ? identity.capabilities : 0));
    TRY(parent_death_signal.arm_again());
    if (identity.no_new_privileges)
        TRY(os::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, "forbid new privileges"_p));
    return {};
}

namespace {

// --- Session and standard descriptors ---

Result<void> new_session()
{
    auto made = os::setsid();
    // The leader of a session has it already, as PID 1 may have.
    if (made.number() == EPERM && ::getsid(0) == ::getpid())
        return {};
    return made;
}

Result<void> take_terminal(const Payload& payload)
{
    // Opening /dev/stdout opens the terminal anew, which takes the right to it. Where we may not grant that, whoever
    // made the terminal had to.
    if (payload.identity.user != 0)
        (void)os::fchown(payload.terminal, payload.identity.user, static_cast<gid_t>(-1));
    (void)TRY(os::ioctl(payload.terminal, TIOCSCTTY, std::uint64_t{0}, "make it the controlling terminal"_p));
    for (int target = 0; target < 3; ++target)
        TRY(os::duplicate_to(payload.terminal, target));
    return {};
}

Result<void> place_standard(const int (&standard)[3])
{
    // One that is about to be overwritten goes out of the way first.
    Fd moved[3];
    for (int target = 0; target < 3; ++target) {
        if (standard[target] >= 0 && standard[target] < 3 && standard[target] != target)
            moved[target] = TRY(os::duplicate(standard[target]));
    }
    for (int target = 0; target < 3; ++target) {
        const int from = moved[target] ? moved[target].get() : standard[target];
        if (from >= 0)
            TRY(os::duplicate_to(from, target));
    }
    return {};
}

/// A descriptor of the host's that is still open makes a path like /proc/self/fd/7/.. lead out of the root
/// (CVE-2024-21626): so the kernel is asked where we are.
Result<void> enter_directory(const char* directory)
{
    TRY(os::chdir(directory));
    char path[PATH_MAX];
    if (!TRY(os::getcwd(path)).starts_with('/'))
        return Error("it is not inside the root"_p, "enter the directory"_p, directory);
    return {};
}

Result<void> prepare(const Payload& payload)
{
    TRY(new_session());
    if (payload.terminal >= 0)
        TRY(take_terminal(payload));
    else
        TRY(place_standard(payload.standard));
    os::set_blocked({});
    for (const PlanLimit& limit : payload.limits)
        TRY(os::setrlimit(static_cast<int>(limit.resource),
                          {static_cast<rlim_t>(limit.soft), static_cast<rlim_t>(limit.hard)})
                .as("set the limit"_p, resource_name(limit.resource)));
    if (payload.umask != no_umask)
        ::umask(payload.umask);
    Fd landlock;  // made while root looks the paths up
    if (const auto rules = payload.identity.landlock; !rules.empty())
        landlock = TRY(make_landlock(rules));
    if (!payload.keep_identity)
        TRY(assume(payload.identity));
    TRY(enter_directory(payload.directory));
    TRY(os::close_on_exec_from(3));
    if (landlock)
        TRY(os::landlock_restrict(landlock.release()));  // the exec closes it: a filter may forbid us to
    if (payload.passed >= 0)
        TRY(os::duplicate_to(payload.passed, payload.passed_as));
    // Last: a profile need not allow what we still had to do.
    if (!payload.keep_identity && payload.identity.no_new_privileges)
        TRY(filter_calls(payload.identity));
    return {};
}

// --- Finding and executing the program ---

constexpr int not_found = 127;
constexpr int not_executable = 126;
constexpr int own_failure = 125;

std::string_view search_path(char* const* environment)
{
    const char* path = find_variable(environment, "PATH");
    return path != nullptr ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

/// Returns only to fail.
Error execute_by_shell(const char* path, const Payload& payload)
{
    std::size_t count = 1;
    while (payload.arguments[count] != nullptr)
        count++;
    auto** words = static_cast<char**>(__builtin_alloca((count + 2) * sizeof(char*)));
    words[0] = const_cast<char*>("sh");
    words[1] = const_cast<char*>(path);
    std::copy_n(payload.arguments + 1, count, words + 2);
    return os::execute("/bin/sh", words, payload.environment).as("execute", path);
}

/// Returns only to fail. `there`: whether there is such a file at all.
Error attempt(const char* path, const Payload& payload, bool& there)
{
    Error error = os::execute(path, payload.arguments, payload.environment);
    if (error->number == ENOEXEC && payload.shell)
        error = execute_by_shell(path, payload);
    const Opened file = os::open(path, O_PATH);
    there = file.ok();
    if (!there)
        return error;
    if (error->number == ENOENT)
        error.because("it is there, but not the interpreter or loader that it asks for"_p);
    else if (error->number == ENOEXEC)
        error.because("it is no program for this machine, and has no #! line"_p);
    else if (const auto found = os::fstat(file.value().get()); found.ok() && S_ISDIR(found.value().st_mode))
        error.because("it is a directory"_p);
    return error;
}

Error ended(Error error, int code)
{
    return error.exits(static_cast<ExitCode>(code));
}

Error exec_failed(const Error& error)
{
    const bool absent = error->number == ENOENT || error->number == ENOTDIR;
    return ended(error, absent ? not_found : not_executable);
}

}  // namespace

/// As execvp(3) does it, but an empty part of PATH is passed over: it would mean the working directory.
Error find_and_execute(const Payload& payload)
{
    const std::string_view name = payload.arguments[0] != nullptr ? payload.arguments[0] : "";
    bool there = false;
    if (contains(name, '/'))
        return exec_failed(attempt(payload.arguments[0], payload, there));

    char path[PATH_MAX];
    const auto attempt_in = [&](std::string_view directory) {
        Writer candidate(path, sizeof path - 1);
        candidate.put(directory).put('/').put(name);
        there = false;
        if (candidate.overflowed())
            return Error(ENAMETOOLONG, "execute", name);
        path[candidate.text().size()] = '\0';
        return attempt(path, payload, there);
    };
    // What is found but cannot be executed is told if there is nothing better further on. Only its place is kept:
    // an Error does not outlive many others.
    std::string_view found_in;
    for (std::string_view rest = name.empty() ? name : search_path(payload.environment); !rest.empty();) {
        const std::string_view directory = take_until(rest, ':');
        if (directory.empty())
            continue;
        (void)attempt_in(directory);
        if (there && found_in.empty())
            found_in = directory;
    }
    if (found_in.empty())
        return ended(Error("there is no such program in PATH"_p, "execute", name), not_found);
    return exec_failed(attempt_in(found_in));
}

Error execute_payload(const Payload& payload)
{
    auto prepared = prepare(payload);
    if (!prepared.ok())
        return ended(prepared.error(), own_failure);
    return find_and_execute(payload);
}

int exec_exit_code(const Error& error)
{
    const int code = static_cast<int>(error->exit);
    return code == not_found || code == not_executable ? code : own_failure;
}

}  // namespace vial
