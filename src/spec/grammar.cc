// SPDX-License-Identifier: MIT
#include "spec/grammar.h"

#include "base/text.h"

#include <cstddef>

namespace vial {

namespace {

constexpr std::size_t path_limit = 4095;  // PATH_MAX without its NUL

bool is_letter_or_digit(char letter)
{
    const char lower = static_cast<char>(letter | 0x20);
    return (letter >= '0' && letter <= '9') || (lower >= 'a' && lower <= 'z');
}

Maybe<int> parse_hex_pair(std::string_view text)
{
    constexpr std::string_view digits = "0123456789abcdef";
    if (text.size() != 2)
        return {};
    std::size_t number = 0;
    for (const char letter : text) {
        const std::size_t digit =
            digits.find(letter >= 'A' && letter <= 'F' ? static_cast<char>(letter | 0x20) : letter);
        if (digit == std::string_view::npos)
            return {};
        number = number << 4 | digit;
    }
    return static_cast<int>(number);
}

}  // namespace

bool is_path(std::string_view path)
{
    return !path.empty() && path[0] == '/' && path.size() <= path_limit;
}

bool is_joinable(std::string_view text)
{
    if (is_path(text))
        return true;
    const std::string_view word = take_until(text, ':');
    const std::int64_t pid = parse_number(text).value_or(0);
    return word == "pid" ? pid > 0 && pid <= INT32_MAX : word == "container" && !name_fault(text);
}

bool is_hash(std::string_view text)
{
    return take_until(text, ':') == "sha256" && text.size() == 64 &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_max(std::string_view text)
{
    return text == "max" || text == "unlimited" || text == "infinity";
}

Phrase name_fault(std::string_view name)
{
    if (name.empty() || name.size() > 64)
        return "a name has 1 to 64 letters"_p;
    if (name[0] == '.' || name[0] == '-')
        return "a name does not begin with '.' or '-'"_p;
    for (const char letter : name) {
        if (!is_letter_or_digit(letter) && letter != '_' && letter != '.' && letter != '-')
            return "a name has only letters, digits, '_', '.' and '-'"_p;
    }
    return nullptr;
}

bool is_cgroup_file(std::string_view name)
{
    constexpr std::string_view files = "tasks|notify_on_release|release_agent";
    constexpr std::string_view controllers =
        "cgroup|memory|cpu|cpuset|cpuacct|pids|io|blkio|hugetlb|freezer|devices|misc|rdma|net_cls|net_prio|perf_event";
    const std::size_t dot = position(name, '.');
    return dot == std::string_view::npos ? word_index(files, name) >= 0
                                         : word_index(controllers, slice(name, 0, dot)) >= 0;
}

bool is_interface_name(std::string_view name)
{
    if (name.empty() || name.size() > 15 || name == "." || name == "..")
        return false;
    for (const char letter : name) {
        if (letter <= ' ' || letter > '~' || letter == '/' || letter == ':')
            return false;
    }
    return true;
}

bool is_landlock_rule(std::string_view text)
{
    return word_index(landlock_kinds, take_until(text, ':')) >= 0 && is_path(text);
}

bool is_target(std::string_view path)
{
    if (!is_path(path))
        return false;
    bool leads_anywhere = false;
    while (!path.empty()) {
        const std::string_view part = take_until(path, '/');
        if (part == "..")
            return false;
        leads_anywhere = leads_anywhere || (!part.empty() && part != ".");
    }
    return leads_anywhere;
}

int word_index(std::string_view words, std::string_view word)
{
    for (int index = 0; !words.empty(); ++index) {
        if (take_until(words, '|') == word)
            return index;
    }
    return -1;
}

std::string_view nth_word(std::string_view words, std::size_t index)
{
    while (index-- > 0)
        take_until(words, '|');
    return take_until(words, '|');
}

std::span<const MountOption> mount_options()
{
    static constexpr MountOption options[] = {
        {"ro", offsetof(MountSpec, read_only), true, false},
        {"rw", offsetof(MountSpec, read_only), false, false},
        {"noexec", offsetof(MountSpec, no_exec), true, false},
        {"exec", offsetof(MountSpec, no_exec), false, false},
        {"nodev", offsetof(MountSpec, devices), false, false},
        {"dev", offsetof(MountSpec, devices), true, false},
        {"nosuid", offsetof(MountSpec, set_uid), false, false},
        {"suid", offsetof(MountSpec, set_uid), true, false},
        {"rbind", offsetof(MountSpec, recursive), true, true},
        {"bind", offsetof(MountSpec, recursive), false, true},
        {"optional", offsetof(MountSpec, optional), true, true},
        {"noatime", offsetof(MountSpec, no_atime), true, false},
        {"rslave", offsetof(MountSpec, follow), true, true},
        {"rprivate", offsetof(MountSpec, follow), false, true},
    };
    return options;
}

bool is_sysctl(std::string_view path)
{
    if (path.empty() || path.ends_with('/'))
        return false;
    while (!path.empty()) {
        const std::string_view part = take_until(path, '/');
        if (part.empty() || part == "." || part == "..")
            return false;
        for (const char letter : part)
            if (!is_letter_or_digit(letter) && letter != '_' && letter != '-' && letter != '.')
                return false;
    }
    return true;
}

bool is_user_name(std::string_view name)
{
    if (name.empty() || name.size() > 32 || name[0] == '-')
        return false;
    for (const char letter : name) {
        if (!is_letter_or_digit(letter) && letter != '_' && letter != '-' && letter != '.')
            return false;
    }
    return true;
}

Maybe<std::uint32_t> parse_mode(std::string_view text)
{
    std::uint32_t mode = 0;
    for (const char letter : text) {
        if (letter < '0' || letter > '7' || mode > 0777)
            return {};
        mode = mode << 3 | static_cast<std::uint32_t>(letter - '0');
    }
    return text.empty() ? Maybe<std::uint32_t>() : mode;
}

Maybe<ResourceLimit> parse_resource_limit(std::string_view text)
{
    const auto one = [](std::string_view word) {
        return is_max(word) ? unlimited : parse_size(word).value_or(as_it_is);
    };
    const std::size_t colon = position(text, ':');
    const std::int64_t soft = one(slice(text, 0, colon));
    const std::int64_t hard = colon == std::string_view::npos ? soft : one(slice(text, colon + 1));
    const bool ordered = hard == unlimited || (soft != unlimited && soft <= hard);
    return soft < unlimited || hard < unlimited || !ordered ? Maybe<ResourceLimit>() : ResourceLimit{soft, hard};
}

bool parse_mac(std::string_view text, std::uint8_t (&mac)[6])
{
    unsigned any = 0;
    for (std::size_t index = 0; index < 6; ++index) {
        const auto byte = parse_hex_pair(slice(text, 0, 2));
        if (!byte || (index < 5 ? text.size() < 3 || text[2] != ':' : text.size() != 2))
            return false;
        mac[index] = static_cast<std::uint8_t>(*byte);
        any |= mac[index];
        text.remove_prefix(index < 5 ? 3 : 2);
    }
    return any != 0 && (mac[0] & 1) == 0;  // the lowest bit says multicast
}

Maybe<std::int32_t> parse_cpu(std::string_view text)
{
    if (text.empty() || text.back() != '%')
        return {};
    text.remove_suffix(1);
    const std::size_t point = position(text, '.');
    const auto whole = parse_number(slice(text, 0, point));
    std::int64_t tenth = 0;
    if (point != std::string_view::npos) {
        const auto digit = parse_number(slice(text, point + 1));
        if (!digit || text.size() - point != 2)
            return {};
        tenth = *digit;
    }
    if (!whole || *whole > 1'000'000 || *whole < 1)
        return {};
    return static_cast<std::int32_t>(*whole * 10 + tenth);
}

Maybe<Text> parse_cpus(std::string_view text)
{
    constexpr std::size_t most = 8192;  // the most that Linux can be built for
    bool chosen[most + 1] = {};
    if (text.ends_with(','))
        return {};
    do {
        const std::string_view word = take_until(text, ',');
        std::string_view range = word;
        const auto first = parse_number(take_until(range, '-'));
        const auto last = range.empty() ? first : parse_number(range);
        if (!first || !last || *first > *last || *last >= std::int64_t{most} || word.ends_with('-'))
            return {};
        for (std::int64_t each = *first; each <= *last; ++each)
            chosen[each] = true;
    } while (!text.empty());
    Builder list;
    for (std::size_t first = 0; first < most; ++first) {
        if (!chosen[first])
            continue;
        std::size_t last = first;
        while (chosen[last + 1])
            ++last;
        list.compose("%%", list.empty() ? "" : ",", first);
        if (last > first)
            list.compose("-%", last);
        first = last;
    }
    return Text(list);
}

Phrase parse_io_limit(std::string_view text, IoLimit& limit)
{
    limit.device = Text(take_word(text));
    if (!is_path(limit.device))
        return "begins with a device like /dev/sda"_p;
    bool any = false;
    for (std::string_view word; !(word = take_word(text)).empty(); any = true) {
        const int which = word_index(io_limit_keys, take_until(word, '='));
        if (which < 0)
            return "a device's limits are rbps, wbps, riops and wiops"_p;
        const auto most = which < 2 ? parse_size(word) : parse_number(word);
        if (!is_max(word) && (!most || *most < 1))
            return "rbps and wbps want a size like 10M, riops and wiops a number"_p;
        limit.most[which] = is_max(word) ? unlimited : *most;
    }
    return any ? Phrase(nullptr) : "limits nothing of the device: rbps=10M"_p;
}

Phrase cgroup_file_fault(std::string_view name)
{
    for (const char letter : name)
        if (!(letter >= 'a' && letter <= 'z') && !(letter >= 'A' && letter <= 'Z') &&
            !(letter >= '0' && letter <= '9') && letter != '_' && letter != '.')
            return "this is no file of a control group"_p;
    if (!contains(name, '.') || word_index(cgroup_controllers, take_until(name, '.')) < 0)
        return "no file of memory, pids, cpu, cpuset, io, hugetlb, rdma or misc: vial keeps the others to itself"_p;
    return nullptr;
}

Maybe<IdRange> parse_id_range(std::string_view text)
{
    std::int64_t numbers[3];
    for (std::int64_t& number : numbers) {
        const auto parsed = parse_number(take_word(text));
        if (!parsed || *parsed > 0xffffffff)
            return {};
        number = *parsed;
    }
    // The last id, 2^32 - 1, means "no id" to the kernel.
    constexpr std::int64_t end = 0xffffffff;
    if (!take_word(text).empty() || numbers[2] < 1 || numbers[0] + numbers[2] > end || numbers[1] + numbers[2] > end)
        return {};
    return IdRange{static_cast<std::uint32_t>(numbers[0]), static_cast<std::uint32_t>(numbers[1]),
                   static_cast<std::uint32_t>(numbers[2])};
}

Phrase parse_mount_option(std::string_view text, MountSpec& mount)
{
    std::string_view rest = text;
    const std::string_view name = take_until(rest, '=');
    if (name.size() != text.size() && name == "size") {
        const auto size = parse_size(rest);
        if (!size || *size < 1)
            return "size wants a size like 4M"_p;
        mount.size = *size;
        return nullptr;
    }
    if (name.size() != text.size() && name == "mode") {
        const auto mode = parse_mode(rest);
        if (!mode)
            return "mode wants an octal number like 0755"_p;
        mount.mode = *mode;
        return nullptr;
    }
    for (const MountOption& option : mount_options()) {
        if (text == option.name) {
            *reinterpret_cast<bool*>(reinterpret_cast<char*>(&mount) + option.offset) = option.value;
            return nullptr;
        }
    }
    if (text == "shared" || text == "rshared")
        return "the container's mounts would appear on the host; rslave lets the host's appear in the container"_p;
    return "the options are ro rw noexec exec nodev dev nosuid suid noatime bind rbind rprivate rslave optional, of a "
           "tmpfs "
           "also size= mode="_p;
}

namespace {

/// A path below /dev that is written the one way it can be.
bool is_device_path(std::string_view path)
{
    if (path.size() > path_limit || !take_until(path, '/').empty() || take_until(path, '/') != "dev" || path.empty())
        return false;
    while (!path.empty()) {
        const bool last = !contains(path, '/');
        const std::string_view part = take_until(path, '/');
        if (part.empty() || part == "." || part == ".." || (!last && path.empty()))
            return false;
    }
    return true;
}

}  // namespace

Phrase parse_device(std::string_view text, DeviceSpec& device)
{
    constexpr std::string_view own = "null|zero|full|random|urandom|tty|fd|stdin|stdout|stderr|ptmx|pts|shm|console";
    std::string_view rest = text;
    const std::string_view source = take_until(rest, ':');
    const std::string_view target = rest.starts_with('/') ? take_until(rest, ':') : source;
    device.source = source;
    device.target = target;
    device.access = rest.empty() ? 6 : 0;
    for (const char letter : rest) {
        const std::size_t bit = device_access.find(letter);
        if (bit == std::string_view::npos)
            return "the access is some of the letters r, w and m"_p;
        device.access |= static_cast<std::uint8_t>(1U << bit);
    }
    if (!is_device_path(source) || !is_device_path(target))
        return "a device is a path below /dev, and so is its target, without '..'"_p;
    std::string_view inside = target.substr(5);
    if (word_index(own, take_until(inside, '/')) >= 0)
        return "every container has that in its /dev already"_p;
    return nullptr;
}

Phrase parse_mount(std::string_view text, MountSpec& mount)
{
    const std::string_view source = take_until(text, ':');
    const std::string_view target = take_until(text, ':');
    mount.target = target;
    if (source == "tmpfs") {
        mount.kind = MountKind::Tmpfs;
    } else {
        mount.source = source;
        if (!is_path(source))
            return "the source is not an absolute path"_p;
    }
    if (!is_target(target))
        return "the target is not an absolute path without '..'"_p;
    while (!text.empty()) {
        if (const Phrase fault = parse_mount_option(take_until(text, ','), mount))
            return fault;
    }
    if (mount.kind == MountKind::Bind && (mount.size != unlimited || mount.mode != MountSpec{}.mode))
        return "size and mode are options of a tmpfs"_p;
    return nullptr;
}

}  // namespace vial
