// SPDX-License-Identifier: MIT
#include "kernel/freezer.h"

#include "base/directory.h"
#include "base/os.h"
#include "kernel/cgroup.h"

#include <fcntl.h>

namespace vial {

namespace {

constexpr int looks = 13;  // each twice as long after the one before: eight seconds

Result<void> write_to(Text directory, const char* file, std::string_view value)
{
    return os::write_file(AT_FDCWD, compose("%/%", directory, file).c_str(), value);
}

Text read_from(Text directory, const char* file)
{
    return os::read_file(AT_FDCWD, compose("%/%", directory, file).c_str()).value_or({});
}

bool has_file(Text directory, const char* file)
{
    return os::lstat(AT_FDCWD, compose("%/%", directory, file).c_str()).ok();
}

Error stuck(Text directory)
{
    return Error("a process in it waits in the kernel"_p, "freeze", directory).advise("try again"_p);
}

/// Writes `value` until `file` has `sign` in it.
Result<void> freeze_group(Text directory, const char* knob, const char* value, const char* file, std::string_view sign)
{
    for (int look = 0; look < looks; ++look) {
        TRY(write_to(directory, knob, value).as("freeze", directory));
        if (read_from(directory, file).find(sign) != Text::npos)
            return {};
        (void)os::poll({}, std::int64_t{1} << look);
    }
    return stuck(directory);
}

/// Moves whoever is in the leaves into `group`. Whom those fork meanwhile is born there, or met by the next look.
Result<void> gather(Text directory, Text group, pid_t init)
{
    Text before;
    for (int look = 0; look < looks; ++look) {
        Builder all;
        bool newcomer = false;  // PID 1's child, on its way to its leaf
        for (Text leaf : TRY(list_directory(directory, true))) {
            const Text list = read_from(compose("%/%", directory, leaf), "cgroup.procs");
            all += list;
            std::string_view rest = list;
            while (!rest.empty()) {
                const std::string_view pid = take_until(rest, '\n');
                if (leaf == "init")
                    newcomer = newcomer || pid != Decimal(init);
                else if (auto moved = write_to(group, "cgroup.procs", pid); !moved.ok() && moved.number() != ESRCH)
                    return moved.error().as("freeze a process in"_p, group);
            }
        }
        if (!newcomer && all.view() == before)
            return {};
        before = all;
        (void)os::poll({}, newcomer ? std::int64_t{1} << look : 0);
    }
    return stuck(directory);
}

}  // namespace

Result<Text> freezer_of(const List<Text>& directories, Text name)
{
    if (directories.empty())
        return Error("it has no control group"_p, "pause", name);
    if (has_file(directories.front(), "init/cgroup.freeze"))
        return Text();
    const List<Hierarchy> found = TRY(find_hierarchies(FreezerController));
    if (found.empty() || has_file(directories.front(), "cgroup.controllers"))
        return Error("this kernel cannot freeze control groups"_p, "pause", name)
            .advise("it takes version 2 and Linux 5.2, or version 1 with its freezer mounted"_p);
    return cgroup_directory(found.front(), name);
}

Result<void> freeze(const List<Text>& directories, Text group, pid_t init)
{
    if (!group.empty()) {
        Text parent = group.substr(0, group.rfind('/'));
        for (Text each : {parent, group})
            if (auto made = os::mkdirat(AT_FDCWD, each.c_str(), 0755); !made.ok() && made.number() != EEXIST)
                return made;
        TRY(write_to(group, "freezer.state", "FROZEN").as("freeze", group));
        TRY(gather(directories.front(), group, init));
        return freeze_group(group, "freezer.state", "FROZEN", "freezer.state", "FROZEN");
    }
    // Who comes from outside while all stand still stands still, too.
    (void)os::mkdirat(AT_FDCWD, compose("%/exec", directories.front()).c_str(), 0755);
    for (Text leaf : TRY(list_directory(directories.front(), true)))
        if (leaf != "init")
            TRY(freeze_group(compose("%/%", directories.front(), leaf), "cgroup.freeze", "1", "cgroup.events",
                             "frozen 1"));
    return {};
}

void thaw(const List<Text>& directories)
{
    for (Text directory : directories) {
        (void)write_to(directory, "freezer.state", "THAWED");
        for (Text leaf : list_directory(directory, true).value_or({}))
            (void)write_to(compose("%/%", directory, leaf), "cgroup.freeze", "0");
    }
}

}  // namespace vial
