// SPDX-License-Identifier: MIT
#include "launch/id_maps.h"

#include "base/os.h"
#include "base/text.h"
#include "kernel/payload.h"
#include "launch/ordinary_user.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vial {

namespace {

// --- Choosing ---

/// What systemd, too, has set apart for containers; the step is what one gets.
constexpr std::uint32_t first_id = 0x80000, step = 0x10000, steps = 0x6ff8;

/// A line of subuid(5): `inside` means nothing.
struct Given {
    std::string_view owner;
    IdRange range;
};

Result<List<Given>> read_given(const char* path)
{
    List<Given> given;
    auto text = os::read_file(AT_FDCWD, path);
    if (text.number() == ENOENT)
        return given;
    std::string_view rest = TRY(std::move(text));
    while (!rest.empty()) {
        std::string_view line = take_until(rest, '\n');
        const std::string_view owner = take_until(line, ':');
        const std::int64_t start = parse_number(take_until(line, ':')).value_or(0);
        const std::int64_t count = parse_number(line).value_or(0);
        if (start > 0 && count > 0 && start + count <= 0xffffffff)
            given.push_back({owner, {0, static_cast<std::uint32_t>(start), static_cast<std::uint32_t>(count)}});
    }
    return given;
}

Text name_of(std::uint32_t user)
{
    const Text text = os::read_file(AT_FDCWD, "/etc/passwd").value_or({});
    std::string_view rest = text;
    while (!rest.empty()) {
        std::string_view line = take_until(rest, '\n');
        const std::string_view name = take_until(line, ':');
        take_until(line, ':');
        if (parse_number(take_until(line, ':')).value_or(-1) == user)
            return name;
    }
    return {};
}

/// Himself as root, and the first range that he was given for the others.
Result<List<IdRange>> own_map(const char* path, std::uint32_t id, Text name)
{
    List<IdRange> map;
    map.push_back({0, id, 1});
    const Text user = decimal(::geteuid());
    for (const Given& given : TRY(read_given(path))) {
        if (given.owner != name && given.owner != user)
            continue;
        map.push_back({1, given.range.outside, given.range.count});
        return map;
    }
    return Error("it gives nothing to you"_p, "take a range of ids from"_p, path)
        .advise("have root give you one: usermod --add-subuids, --add-subgids"_p);
}

bool is_free(std::uint32_t start, const List<IdRange>& taken)
{
    for (const IdRange& range : taken)
        if (start < range.outside ? range.outside - start < step : start - range.outside < range.count)
            return false;
    return true;
}

Result<std::uint32_t> choose(Text name)
{
    List<IdRange> taken;
    for (const char* path : {"/etc/subuid", "/etc/subgid"})
        for (const Given& given : TRY(read_given(path)))
            taken.push_back(given.range);
    for (const Record* record : TRY(read_records()))
        if (record->phase != Phase::Ended && record->name != name)
            taken.append(record->ids.data(), record->ids.size());
    std::uint32_t place = 2166136261;  // FNV-1a
    for (const char letter : name)
        place = (place ^ static_cast<unsigned char>(letter)) * 16777619;
    for (std::uint32_t tried = 0; tried < steps; ++tried) {
        const std::uint32_t start = first_id + (place % steps + tried) % steps * step;
        if (is_free(start, taken))
            return start;
    }
    return Error("all are taken"_p, "choose a range of ids for"_p, name);
}

// --- Writing ---

bool is_own(const List<IdRange>& map, std::uint32_t id)
{
    return map.size() == 1 && map[0].outside == id && map[0].count == 1;
}

Result<void> write_map(pid_t pid, const char* file, const List<IdRange>& ranges)
{
    Builder text;
    for (const IdRange& range : ranges)
        text.compose("% % %\n", range.inside, range.outside, range.count);
    const Text path = compose("/proc/%/%", pid, file);
    auto written = os::write_file(AT_FDCWD, path.c_str(), text).as("write", file);
    if (written.number() == EINVAL)
        written.error().because("the kernel refuses the ranges"_p);
    if (written.number() == EPERM)
        written.error().because("not all of these ids are there where vial itself runs"_p);
    return written;
}

/// Has newuidmap(1) or newgidmap(1) write it, and passes on what that says.
Result<void> have_written(pid_t pid, const char* program, const char* file, const List<IdRange>& ranges)
{
    List<Text> words{program, decimal(pid)};
    for (const IdRange& range : ranges)
        for (const std::uint32_t number : {range.inside, range.outside, range.count})
            words.push_back(decimal(number));
    List<char*> arguments;
    for (Text word : words)
        arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    os::Pipe pipe = TRY(os::pipe());
    const pid_t helper = TRY(os::clone({}));
    char said[256];
    if (helper == 0) {
        (void)os::duplicate_to(pipe.write.get(), STDERR_FILENO);
        Payload payload{};
        payload.arguments = arguments.data();
        payload.environment = ::environ;
        const Error error = find_and_execute(payload);
        (void)os::write_all(STDERR_FILENO, describe(error, said, sizeof said));
        ::_exit(exec_exit_code(error));
    }
    pipe.write.reset();
    std::size_t size = 0;
    while (const std::size_t got = TRY(os::read(pipe.read.get(), said + size, sizeof said - size)))
        size += got;
    pipe.read.reset();  // it may have more to say, but must not wait for us
    if (TRY(os::wait(helper, WEXITED)).exit_code() == 0)
        return {};
    std::string_view rest(said, size);
    return Error("", "", compose("cannot write %: %", file, take_until(rest, '\n')));
}

Result<void> write_one(pid_t pid, const char* file, const List<IdRange>& ranges, std::uint32_t own, const char* program)
{
    return is_ordinary_user() && !is_own(ranges, own) ? have_written(pid, program, file, ranges)
                                                      : write_map(pid, file, ranges);
}

}  // namespace

Result<void> settle_ids(Spec& spec, const StateLock&)
{
    if (!spec.auto_ids || is_ordinary_user())
        return {};
    const IdRange chosen{0, TRY(choose(spec.name)), step};
    for (List<IdRange>* map : {&spec.uid_map, &spec.gid_map}) {
        map->clear();
        map->push_back(chosen);
    }
    return check_mapped(spec, false);
}

void note_ids(const Spec& spec, Builder& lines)
{
    for (const List<IdRange>* map : {&spec.uid_map, &spec.gid_map})
        for (const IdRange& range : *map)
            lines.compose("ids % %\n", range.outside, range.count);
}

Result<void> settle_own_ids(Spec& spec)
{
    const Text name = name_of(::geteuid());
    spec.uid_map = TRY(own_map("/etc/subuid", ::geteuid(), name));
    spec.gid_map = TRY(own_map("/etc/subgid", ::getegid(), name));
    return {};
}

Result<void> write_id_maps(pid_t pid, const Spec& spec)
{
    // The kernel lets an ordinary user map his group only where setgroups(2) is given up, which may be there to keep people out.
    if (is_ordinary_user() && is_own(spec.gid_map, ::getegid())) {
        const Text path = compose("/proc/%/setgroups", pid);
        auto denied = os::write_file(AT_FDCWD, path.c_str(), "deny");
        if (denied.number() != ENOENT)  // before 3.19
            TRY(std::move(denied));
    }
    TRY(write_one(pid, "uid_map", spec.uid_map, ::geteuid(), "newuidmap"));
    return write_one(pid, "gid_map", spec.gid_map, ::getegid(), "newgidmap");
}

}  // namespace vial
