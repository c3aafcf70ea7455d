// SPDX-License-Identifier: MIT
#include "launch/identity.h"

#include "base/os.h"
#include "base/text.h"
#include "kernel/beneath.h"
#include "supervise/channel.h"

#include <sys/stat.h>

namespace vial {

namespace {

constexpr std::size_t file_limit = 1U << 20;
constexpr std::size_t most_groups = 64;  // further ones, which fit into one message
constexpr std::size_t longest_home = 255;

/// passwd or group, read once.
struct Table {
    const char* name;
    std::size_t field_count;
    Phrase missing, damaged;
    Text text;
    bool read = false;
};

/// The colon-separated fields of a line, by number; false where there are more or fewer than `count`.
bool split(std::string_view line, std::string_view* fields, std::size_t count)
{
    for (std::size_t at = 0; at < count; ++at) {
        if (at > 0 && line.data() == nullptr)
            return false;
        const std::size_t end = position(line, ':');
        fields[at] = slice(line, 0, end);
        line = end == std::string_view::npos ? std::string_view() : slice(line, end + 1);
    }
    return line.data() == nullptr;
}

Maybe<std::uint32_t> id_of(std::string_view digits)
{
    const auto number = parse_number(digits);
    if (!number || *number < 0 || *number >= 0xffffffff)
        return {};
    return static_cast<std::uint32_t>(*number);
}

class Lookup {
public:
    explicit Lookup(const Fd& root) : root_(root) {}

    Result<void> service(ServiceSpec& service)
    {
        if (!service.user.name.empty())
            TRY(person(service));
        if (!service.group.name.empty())
            service.group.number = TRY(group(service.group.name));
        for (Identifier& one : service.groups)
            if (!one.name.empty())
                one.number = TRY(group(one.name));
        return {};
    }

private:
    Result<std::string_view> text(Table& table)
    {
        if (!table.read) {
            const Text path = concat("/etc/", table.name);
            const Fd directory = TRY(open_beneath(root_, "etc").as("look up names in"_p, path));
            const struct stat found = TRY(os::lstat(directory.get(), table.name).as("look up names in"_p, path));
            if (!S_ISREG(found.st_mode))
                return Error("it is no regular file"_p, "look up names in"_p, path);
            table.text = TRY(os::read_file(directory.get(), table.name, file_limit).as("look up names in"_p, path));
            table.read = true;
        }
        return std::string_view(table.text);
    }

    /// The first line that is about `name`.
    Result<void> find(Table& table, std::string_view name, std::string_view* fields)
    {
        std::string_view rest = TRY(text(table));
        while (!rest.empty()) {
            const std::string_view line = take_until(rest, '\n');
            if (slice(line, 0, position(line, ':')) != name || line.size() == name.size())
                continue;
            if (!split(line, fields, table.field_count) || !id_of(fields[2]) ||
                (table.field_count > 4 && !id_of(fields[3])))
                return Error(table.damaged, "look up"_p, name);
            return {};
        }
        return Error(table.missing, "look up"_p, name);
    }

    Result<void> person(ServiceSpec& service)
    {
        std::string_view fields[7];
        TRY(find(passwd_, service.user.name, fields));
        service.user.number = *id_of(fields[2]);
        const std::string_view home = fields[5];
        service.home = home.size() <= longest_home && home.starts_with('/') ? home : "/";
        if (service.group.given || !service.groups.empty())
            return {};
        service.group = *id_of(fields[3]);
        return memberships(service);
    }

    /// A system without /etc/group has no further groups.
    Result<void> memberships(ServiceSpec& service)
    {
        const auto all = text(group_);
        if (all.number() == ENOENT)
            return {};
        std::string_view rest = TRY(all);
        while (!rest.empty()) {
            std::string_view fields[4];
            if (!split(take_until(rest, '\n'), fields, 4))
                continue;
            const auto id = id_of(fields[2]);
            if (!id || *id == service.group.number)
                continue;
            for (std::string_view members = fields[3]; !members.empty();) {
                if (take_until(members, ',') != service.user.name)
                    continue;
                if (service.groups.size() == most_groups)
                    return Error("it is in more than 64 groups"_p, "look up"_p, service.user.name);
                service.groups.push_back(*id);
                break;
            }
        }
        return {};
    }

    Result<std::uint32_t> group(std::string_view name)
    {
        std::string_view fields[4];
        TRY(find(group_, name, fields));
        return *id_of(fields[2]);
    }

    const Fd& root_;
    Table passwd_{"passwd", 7, "no such user in its /etc/passwd"_p, "damaged line in its /etc/passwd"_p, {}};
    Table group_{"group", 4, "no such group in its /etc/group"_p, "damaged line in its /etc/group"_p, {}};
};

}  // namespace

bool has_names(const ServiceSpec& service)
{
    if (!service.user.name.empty() || !service.group.name.empty())
        return true;
    for (const Identifier& group : service.groups)
        if (!group.name.empty())
            return true;
    return false;
}

bool has_names(const Spec& spec)
{
    for (const ServiceSpec& service : spec.services)
        if (has_names(service))
            return true;
    return false;
}

Result<void> look_up_names(Spec& spec, const Fd& root)
{
    Lookup lookup(root);
    for (ServiceSpec& service : spec.services)
        TRY(lookup.service(service));
    return {};
}

Result<void> tell_identities(const Spec& spec, const Fd& channel)
{
    for (const ServiceSpec& service : spec.services) {
        if (!has_names(service))
            continue;
        Builder message;
        message += static_cast<char>(ChannelLetter::Identity);
        message.compose("% % % %", &service - spec.services.begin(), service.user.number, service.group.number,
                        service.groups.size());
        for (const Identifier& group : service.groups)
            message.compose(" %", group.number);
        message.compose(" %", service.home);
        TRY(os::send(channel.get(), message.view().data(), message.size(), -1));
    }
    return {};
}

bool take_identity(Spec& spec, std::string_view message)
{
    if (!message.starts_with(static_cast<char>(ChannelLetter::Identity)))
        return false;
    message.remove_prefix(1);
    const auto next = [&] { return id_of(take_word(message)).value_or(0xffffffff); };
    const std::uint32_t index = next();
    if (index >= spec.services.size())
        return false;
    ServiceSpec& service = spec.services[index];
    service.user.number = next();
    service.group.number = next();
    service.group.given = true;
    const std::uint32_t count = next();
    service.groups.clear();
    while (service.groups.size() < count && !message.empty())
        service.groups.push_back(next());
    service.home = slice(message, position(message, '/'));
    return service.groups.size() == count;
}

}  // namespace vial
