// SPDX-License-Identifier: MIT
#include "spec/read.h"

#include "base/directory.h"
#include "base/os.h"
#include "base/text.h"
#include "spec/address.h"
#include "spec/checks.h"
#include "spec/grammar.h"
#include "spec/schema.h"
#include "spec/toml.h"
#include "spec/values.h"

#include <fcntl.h>
#include <utility>

namespace vial {

using toml::Index;
using toml::Kind;

namespace {

/// Walks the document along the schema: each key to its row, each row to its member.
class Reader {
public:
    Reader(ReadContext& context, Spec& spec, SpecKind kind, bool at_boot)
        : context_(context), document_(context.document), spec_(spec), kind_(kind), at_boot_(at_boot)
    {
    }

    void whole()
    {
        ServiceSpec main;
        main_ = &main;
        main.name = "main";
        table(0, Group::Top, &spec_);
        main_ = nullptr;
        complete(main, 0);
        if (main_key_ == 0)
            return;
        if (spec_.services.empty())
            spec_.services.push_back(std::move(main));
        else
            document_.report(
                context_.problems, main_key_,
                compose("'%' stands at the top, but this spec has [service.NAME] tables: move it into one of them"_p,
                        document_[main_key_].key));
    }

private:
    void table(Index node, Group group, void* base);
    void entry(const SchemaKey& key, Index node, void* base);
    void named_table(const SchemaKey& key, Index node);
    void mount_list(Index node);
    /// A oneshot may take as long as it takes, unless its spec says otherwise.
    void complete(ServiceSpec& service, Index node) const
    {
        if (service.policy.oneshot && document_.find(node, "start_timeout") == 0)
            service.policy.start_timeout = unlimited;
    }

    ReadContext& context_;
    const toml::Document& document_;
    Spec& spec_;
    SpecKind kind_;
    bool at_boot_;
    ServiceSpec* main_ = nullptr;  ///< what the keys of the only service fill in, at the top
    Index main_key_ = 0;           ///< the first of them
};

void Reader::table(Index node, Group group, void* base)
{
    for (Index child = document_[node].first; child != 0 && !context_.problems.full(); child = document_[child].next) {
        const toml::Node& member = document_[child];
        const SchemaKey* key = find_key(group, member.key);
        void* to = base;
        if (key == nullptr && group == Group::Top) {
            key = find_key(Group::Service, member.key);
            if (key != nullptr) {
                to = main_;
                main_key_ = main_key_ != 0 ? main_key_ : child;
            }
        }
        const bool of_container = group == Group::Top && to == base && key != nullptr && key->group != Group::Service;
        const bool of_boot =
            at_boot_ && (member.key == "autostart" || member.key == "after" || member.key == "requires");
        if (of_container && kind_ == SpecKind::Services && member.key != "name" && !of_boot)
            document_.report(context_.problems, child,
                             concat("'", member.key, "' takes a launcher: here there are only services"));
        else if (key != nullptr)
            entry(*key, child, to);
        else
            document_.report(context_.problems, child, unknown_key(group, member.key, member.kind == Kind::Table));
    }
}

void Reader::entry(const SchemaKey& key, Index node, void* base)
{
    const toml::Node& value = document_[node];
    void* member = (key.later ? reinterpret_cast<char*>(&context_.discarded) : static_cast<char*>(base)) + key.offset;
    if (key.type > Type::FreeTable)
        return read_value(context_, key, node, member);
    if (value.kind == Kind::Broken)
        return;
    if (key.type == Type::TableList)
        return mount_list(node);
    if (value.kind != Kind::Table)
        return context_.expected(node, look_of(key.type));
    if (key.type == Type::NamedTables) {
        for (Index child = value.first; child != 0; child = document_[child].next)
            named_table(key, child);
        return;
    }
    if (key.later && value.first != 0)
        context_.remember(node);
    const bool outside = context_.inside_later;
    context_.inside_later = outside || key.later;
    if (key.type == Type::Table)
        table(node, key.group, member);
    for (Index child = key.type == Type::FreeTable ? value.first : 0; child != 0; child = document_[child].next) {
        if (document_[child].kind != Kind::String && document_[child].kind != Kind::Integer)
            context_.expected(child, look_of(key.type));
    }
    context_.inside_later = outside;
}

/// `[service.NAME]` or `[network.IFNAME]`.
void Reader::named_table(const SchemaKey& key, Index node)
{
    const toml::Node& value = document_[node];
    if (value.kind == Kind::Broken)
        return;
    if (value.kind != Kind::Table)
        return context_.complain(node, compose("expected a table: [%.NAME]"_p, key.name()));
    Phrase fault = nullptr;
    if (key.group == Group::Service) {
        ServiceSpec service;
        service.name = value.key;
        table(node, key.group, &service);
        complete(service, node);
        fault = name_fault(value.key);
        if (value.key == "init" || value.key == "exec" || is_cgroup_file(value.key))
            fault = "this name is taken in the cgroup of the container"_p;
        spec_.services.push_back(std::move(service));
    } else {
        NetworkSpec network;
        network.name = value.key;
        table(node, key.group, &network);
        if (!is_interface_name(value.key))
            fault = "the name of a network interface has 1 to 15 letters, no '/', ':' or blank"_p;
        else if (value.key == "lo")
            fault = "every container has 'lo' anyway"_p;
        spec_.networks.push_back(std::move(network));
    }
    if (fault)
        context_.complain(node, Text(fault));
}

/// `[[mount]]`, after those of `mounts`.
void Reader::mount_list(Index node)
{
    if (document_[node].kind != Kind::Array)
        return context_.expected(node, "an array of tables: [[mount]]"_p);
    for (Index child = document_[node].first; child != 0; child = document_[child].next) {
        if (document_[child].kind != Kind::Table) {
            context_.expected(child, "a table");
            continue;
        }
        MountSpec mount;
        table(child, Group::Mount, &mount);
        if (const Phrase fault = mount_fault(mount))
            context_.complain(child, Text(fault));
        spec_.mounts.push_back(std::move(mount));
    }
}

std::string_view stem(std::string_view file)
{
    const std::size_t slash = file.rfind('/');
    if (slash != std::string_view::npos)
        file.remove_prefix(slash + 1);
    const std::size_t dot = file.rfind('.');
    return dot == 0 ? file : slice(file, 0, dot);
}

}  // namespace

Reading read_spec(std::string_view text, std::string_view file, std::span<const std::string_view> settings,
                  SpecKind kind, std::span<const DropIn> drop_ins)
{
    Reading reading;
    Problems problems;
    std::size_t capacity = text.size();
    for (const DropIn& each : drop_ins)
        capacity += each.text.size();
    for (const std::string_view setting : settings)
        capacity += setting.size();
    toml::Document document(capacity);
    if (text.size() > spec_size_limit)
        problems.add(0, 0, "larger than 1 MiB"_p);
    else
        toml::read(document, text, problems);
    for (const DropIn& each : drop_ins)
        toml::lay_over(document, each.text, each.name, problems);
    const bool whole = problems.none();
    for (const std::string_view setting : settings)
        toml::set(document, setting, problems);

    const bool at_boot = kind == SpecKind::Host;
    if (at_boot)
        kind = document.find(0, "root") != 0 ? SpecKind::Container : SpecKind::Services;
    Spec& spec = reading.spec;
    spec.file = file;
    ReadContext context{document, problems, spec.not_yet};
    Reader(context, spec, kind, at_boot).whole();
    if (document.find(0, "name") == 0)
        spec.name = stem(file);
    if (document.find(0, "hostname") == 0)
        spec.hostname = spec.name;
    const Index namespaces = document.find(0, "namespaces");
    for (const NetworkSpec& network : spec.networks)
        if (network.kind == NetworkKind::Host && (namespaces == 0 || document.find(namespaces, "net") == 0))
            spec.namespaces.network = false;
    if (namespaces == 0 || document.find(namespaces, "user") == 0)
        spec.namespaces.user = spec.auto_ids || !spec.uid_map.empty() || !spec.gid_map.empty();
    // In the order of [namespaces.join]'s keys. What the spec says of one itself stands above the pod.
    constexpr const char* of_pod[] = {"net", "ipc", "uts"};
    const Index joins = document.find(namespaces, "join");
    for (std::size_t at = 0; at < std::size(of_pod) && !spec.pod.empty(); ++at)
        if (namespaces == 0 ||
            (document.find(namespaces, of_pod[at]) == 0 && (joins == 0 || document.find(joins, of_pod[at]) == 0)))
            spec.namespaces.join[at + 2] = concat("container:", spec.pod);
    static constexpr bool NamespacesSpec::*own[] = {&NamespacesSpec::network, &NamespacesSpec::ipc,
                                                    &NamespacesSpec::uts,     &NamespacesSpec::cgroup,
                                                    &NamespacesSpec::user,    &NamespacesSpec::time};
    for (std::size_t at = 0; at < std::size(own); ++at)
        if (!spec.namespaces.join[at + namespace_count - std::size(own)].empty())
            spec.namespaces.*own[at] = false;
    if (document.find(0, "read_only") == 0 && spec.overlay.kind != OverlayKind::None)
        spec.read_only = false;
    if (at_boot && !spec.pod.empty() && !spec.required.contains(spec.pod))
        spec.required.push_back(Text(spec.pod));
    // Where a part could not be read, what seems to be missing may well be in it.
    if (whole)
        check_spec(document, spec, kind, problems);
    reading.problems = problems.take();
    return reading;
}

Result<Text> load_spec_file(const char* path)
{
    const auto refuse = [&](Phrase reason) { return Error(reason, "read", path).exits(ExitCode::Usage); };
    // O_NONBLOCK: a FIFO must not keep us waiting for a writer.
    Opened file = os::open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!file)
        return file.error().as("read", path).exits(ExitCode::Usage);
    const auto status = os::fstat(file.value().get());
    if (!status)
        return status.error();
    if (!S_ISREG(status.value().st_mode))
        return refuse("not a regular file"_p);
    if (status.value().st_size > static_cast<off_t>(spec_size_limit))
        return refuse("larger than 1 MiB: no spec"_p);
    Builder text;
    // One byte more than it should have, to meet its end in one go; it may also have grown meanwhile.
    const std::size_t most = static_cast<std::size_t>(status.value().st_size) + 1;
    while (text.size() < most) {
        auto got = os::read(file.value().get(), text.room(most - text.size()), most - text.size());
        if (!got)
            return got.error().as("read", path).exits(ExitCode::Usage);
        if (got.value() == 0)
            break;
        text.took(got.value());
    }
    if (text.size() > spec_size_limit)
        return refuse("larger than 1 MiB: no spec"_p);
    if (contains(text.view(), '\0'))
        return refuse("a binary file, not a spec"_p);
    return Text(text);
}

List<Text> spec_files(const List<Text>& all)
{
    constexpr std::string_view suffix = ".conf";
    List<Text> files;
    for (Text name : all) {
        const std::string_view view = name;
        if (view.size() > suffix.size() && view.ends_with(suffix) && view.front() != '.')
            files.push_back(name);
    }
    // Shell's way to sort is the shortest that does not take for ever with ten thousand.
    for (std::size_t gap = files.size() / 2; gap > 0; gap /= 2)
        for (std::size_t next = gap; next < files.size(); ++next)
            for (std::size_t at = next; at >= gap && files[at] < files[at - gap]; at -= gap)
                std::swap(files[at], files[at - gap]);
    return files;
}

Result<List<DropIn>> load_drop_ins(Text path, bool trial)
{
    List<DropIn> found;
    const Text directory = compose("%.d", path);
    auto names = list_directory(directory);
    if (names.number() != ENOENT && names.number() != ENOTDIR) {
        for (Text name : spec_files(TRY(std::move(names)))) {
            const Text file = compose("%/%", directory, name);
            found.push_back({file, TRY(load_spec_file(file.c_str()))});
        }
    }
    for (const char* which : {"", ".new"}) {
        const Text choice = concat(path, choice_suffix, which);
        auto chosen = load_spec_file(choice.c_str());
        if (chosen.number() != ENOENT)
            found.push_back({choice, TRY(std::move(chosen))});
        if (!trial)
            break;
    }
    return found;
}

Text format(const Diagnostic& diagnostic, std::string_view file)
{
    if (diagnostic.line == 0 && (diagnostic.names_place || file.empty()))
        return diagnostic.message;
    if (diagnostic.line == 0)
        return compose("%: %", file, diagnostic.message);
    return compose("%:%:%: %", file, diagnostic.line, diagnostic.column, diagnostic.message);
}

Text toml_string(std::string_view text)
{
    constexpr std::string_view letters = "\b\t\n\f\r\"\\";
    constexpr std::string_view names = "btnfr\"\\";
    constexpr std::string_view digits = "0123456789abcdef";
    Builder quoted("\"");
    for (const char letter : text) {
        const auto byte = static_cast<unsigned char>(letter);
        if (const std::size_t which = position(letters, letter); which != std::string_view::npos) {
            quoted += '\\';
            quoted += names[which];
        } else if (byte < 0x20 || byte == 0x7f) {
            quoted += "\\u00";
            quoted += digits[byte >> 4];
            quoted += digits[byte & 15];
        } else {
            quoted += letter;
        }
    }
    quoted += '"';
    return quoted;
}

}  // namespace vial
