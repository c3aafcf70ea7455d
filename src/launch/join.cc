// SPDX-License-Identifier: MIT
#include "launch/join.h"

#include "base/os.h"
#include "base/text.h"
#include "kernel/namespaces.h"
#include "launch/state.h"
#include "spec/grammar.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/sched.h>

namespace vial {

namespace {

constexpr Phrase other_kind = "it is no namespace of that kind"_p;

Result<Fd> open_of_process(pid_t pid, const char* file)
{
    return os::open(compose("/proc/%/ns/%", pid, file).c_str(), O_RDONLY);
}

Result<Fd> open_of_container(std::string_view name, const char* file)
{
    const Record& record = *TRY(read_record(name));
    if (record.phase != Phase::Running)
        return Error("it is not running"_p, "");
    Fd fd = TRY(open_of_process(record.init.pid, file));
    // Only now is it certain that what was opened is not of a later owner of the number.
    if (!is_alive(record.init))
        return Error("it has ended"_p, "");
    return fd;
}

Result<Fd> open_named(std::string_view value, const NamespaceKind& kind)
{
    std::string_view rest = value;
    const std::string_view word = take_until(rest, ':');
    Fd fd;
    if (is_path(value))
        fd = TRY(os::open(Text(value).c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY));
    else if (word == "pid")
        fd = TRY(open_of_process(static_cast<pid_t>(parse_number(rest).value_or(0)), kind.file));
    else
        fd = TRY(open_of_container(rest, kind.file));
    const Error other(other_kind, "");
    if (TRY(os::filesystem_magic(fd.get())) != NSFS_MAGIC)
        return other;
    // Before 4.11 the kernel does not tell, but refuses what is of another kind when it is joined.
    const auto type = os::ioctl(fd.get(), NS_GET_NSTYPE, std::uint64_t{0}, "ask what it is"_p);
    if (type.ok() && type.value() != static_cast<int>(kind.flag))
        return other;
    return fd;
}

}  // namespace

Result<List<Joined>> open_joined(const NamespacesSpec& spec)
{
    List<Joined> joined;
    for (const NamespaceKind& kind : namespace_kinds()) {
        const Text& value = spec.join[&kind - namespace_kinds().data()];
        if (value.empty())
            continue;
        Opened opened = open_named(value, kind);
        const Text name = compose("% (namespaces.join.%)", value, kind.key);
        if (!opened.ok())
            return opened.error().as("join", name).exits(ExitCode::Failed);
        joined.push_back({static_cast<int>(kind.flag), name, opened.take()});
    }
    return joined;
}

namespace {

Result<void> join_those(const List<Joined>& namespaces, bool cgroup)
{
    for (const Joined& one : namespaces) {
        if ((one.flag == CLONE_NEWCGROUP) != cgroup)
            continue;
        auto joined = os::setns(one.fd.get(), one.flag).as("join", one.name);
        if (joined.number() == EINVAL)
            joined.error().because(other_kind);
        TRY(std::move(joined));
    }
    return {};
}

}  // namespace

Result<void> join(const List<Joined>& namespaces)
{
    return join_those(namespaces, false);
}

Result<void> join_cgroup_namespace(const List<Joined>& namespaces)
{
    return join_those(namespaces, true);
}

}  // namespace vial
