// SPDX-License-Identifier: MIT
#include "boot/host_conf.h"

#include "base/features.h"
#include "spec/read.h"
#include "spec/toml.h"
#include "spec/values.h"

#include <cstddef>
#include <iterator>
#include <span>
#include <type_traits>

namespace vial {

using toml::Index;
using toml::Kind;

namespace {

struct Row {
    char name[16];
    Type type;
    std::uint8_t offset;
};

static_assert(std::is_standard_layout_v<HostConf>);
#define IN(member) offsetof(HostConf, member)
constexpr Row host_keys[] = {
    {"hostname", Type::Name, IN(hostname)},
    {"modules", Type::Texts, IN(modules)},
    {"mounts", Type::Texts, IN(mounts)},
    {"console", Type::Texts, IN(console)},
    {"emergency", Type::Texts, IN(emergency)},
    {"watchdog", Type::Duration, IN(watchdog)},
    {"watchdog_device", Type::Path, IN(watchdog_device)},
    {"stop_timeout", Type::Duration, IN(stop_timeout)},
    {"sysctl", Type::Sysctls, IN(sysctls)},
    {"network", Type::NamedTables, IN(networks)},
};
#undef IN
constexpr Row network_keys[] = {
    {"address", Type::Networks, offsetof(NetworkSpec, addresses)},
    {"gateway", Type::Addresses, offsetof(NetworkSpec, gateways)},
};

class ConfReader {
public:
    ConfReader(const toml::Document& document, std::string_view file, List<Text>& complaints)
        : document_(document), file_(file), complaints_(complaints)
    {
    }
    void whole(HostConf& conf);
    /// True: nothing was wrong.
    bool told(Problems& problems);

private:
    const Row* find(std::span<const Row> rows, Index node);
    void value(const Row& row, Index node, void* base);
    void network(Index node, HostConf& conf);
    void complain(Index node, std::string_view message);

    const toml::Document& document_;
    std::string_view file_;
    List<Text>& complaints_;
};

bool ConfReader::told(Problems& problems)
{
    const List<Diagnostic> list = problems.take();
    for (const Diagnostic& problem : list)
        complaints_.push_back(format(problem, file_));
    return list.empty();
}

void ConfReader::complain(Index node, std::string_view message)
{
    Problems problems;
    document_.report(problems, node, message);
    (void)told(problems);
}

/// Null: there is no such key, which has been told.
const Row* ConfReader::find(std::span<const Row> rows, Index node)
{
    const std::string_view name = document_[node].key;
    std::string_view names[std::size(host_keys)];
    for (std::size_t at = 0; at < rows.size(); ++at) {
        if (name == rows[at].name)
            return &rows[at];
        names[at] = rows[at].name;
    }
    const std::string_view near = nearest(name, names, rows.size());
    complain(node, compose(near.empty() ? "unknown key '%'"_p : "unknown key '%'; did you mean '%'?"_p, name, near));
    return nullptr;
}

/// Into something that nobody looks at first: what is stored of a wrong value may be anything.
void ConfReader::value(const Row& row, Index node, void* base)
{
    Problems problems;
    List<Text> not_yet;
    const ReadContext context{document_, problems, not_yet};
    const SchemaKey key{0, 0, row.type, false, Group::Count, 0};
    alignas(std::max_align_t) char trial[sizeof(List<Text>)] = {};
    static_assert(sizeof trial >= sizeof(Text) && sizeof trial >= sizeof(Milliseconds));
    read_value(context, key, node, trial);
    // Of sysctls each stands for itself.
    if (told(problems) || row.type == Type::Sysctls)
        read_value(context, key, node, static_cast<char*>(base) + row.offset);
}

void ConfReader::network(Index node, HostConf& conf)
{
    if (!built_with(Feature::Network))
        return complain(node, left_out("network", Feature::Network));
    NetworkSpec& network = conf.networks.emplace_back();
    network.name = document_[node].key;
    for (Index child = document_[node].first; child != 0; child = document_[child].next)
        if (const Row* known = find(network_keys, child); known != nullptr)
            value(*known, child, &network);
}

void ConfReader::whole(HostConf& conf)
{
    for (Index node = document_[0].first; node != 0; node = document_[node].next) {
        const Row* known = find(host_keys, node);
        if (known == nullptr || document_[node].kind == Kind::Broken)
            continue;
        if (known->type > Type::FreeTable)
            value(*known, node, &conf);
        else if (document_[node].kind != Kind::Table)
            complain(node, "expected a table");
        else
            for (Index child = document_[node].first; child != 0; child = document_[child].next)
                network(child, conf);
    }
}

}  // namespace

HostConf read_host_conf(std::string_view text, std::string_view file, List<Text>& complaints)
{
    HostConf conf;
    Problems problems;
    toml::Document document(text.size());
    toml::read(document, text, problems);
    ConfReader reader(document, file, complaints);
    (void)reader.told(problems);
    reader.whole(conf);
    if (conf.emergency.empty())
        conf.emergency.push_back("/bin/sh");
    return conf;
}

}  // namespace vial
