// SPDX-License-Identifier: MIT
#include "spec/schema.h"

#include "base/text.h"
#include "spec/read.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <set>
#include <string>

using namespace vial;

namespace {

struct Part {
    const char* heading;  ///< of the man page
    const char* prefix;   ///< of a key's dotted name
    Group group;
};

/// Where vial.conf(5) tells the keys of which table.
constexpr Part parts[] = {
    {"THE CONTAINER", "", Group::Top},
    {"SERVICES", "", Group::Service},
    {"Mounts, the long form", "mount.", Group::Mount},
    {"Networks", "network.IFNAME.", Group::Network},
    {"Limits", "limits.", Group::Limits},
    {"Security", "security.", Group::Security},
    {"Namespaces", "namespaces.", Group::Namespaces},
    {"User namespace", "user_namespace.", Group::UserNamespace},
    {"Log", "log.", Group::Log},
    {"", "health.", Group::Health},
    {"", "namespaces.join.", Group::Join},
};

struct Names {
    std::set<std::string> now, later;
};

Names documented(std::string_view page)
{
    Names names;
    std::string heading;
    while (!page.empty()) {
        std::string_view line = take_until(page, '\n');
        const std::string_view macro = line.substr(0, 4);
        if (macro == ".Sh " || macro == ".Ss ")
            heading = line.substr(4);
        if (line.substr(0, 7) != ".It Ic ")
            continue;
        line.remove_prefix(7);
        while (!line.empty()) {
            const std::string_view name = take_word(line);
            if (name.empty() || name == ",")
                continue;
            if (heading == "NOT SUPPORTED YET") {
                names.later.emplace(name);
                continue;
            }
            bool known = false;
            for (const Part& part : parts) {
                if (heading == part.heading) {
                    names.now.insert(std::string(concat(part.prefix, name)));
                    known = true;
                }
            }
            CHECK_MESSAGE(known, name, " stands under the heading ", heading);
        }
    }
    return names;
}

}  // namespace

TEST_CASE("vial.conf(5) has every key, and no other")
{
    const char* source = std::getenv("SOURCE");
    if (source == nullptr) {
        MESSAGE("SOURCE does not name the source tree");
        return;
    }
    const Text page = load_spec_file(concat(source, "/config/man/vial.conf.5").c_str()).value();
    const Names names = documented(page);
    Names schema;
    for (const Part& part : parts) {
        for (const SchemaKey& key : schema_keys(part.group)) {
            if (!key.later && key.type <= Type::FreeTable)
                continue;  // tables have their own part
            (key.later ? schema.later : schema.now).insert(std::string(concat(part.prefix, key.name())));
        }
    }
    CHECK(names.now.size() > 30);
    for (const std::string& key : schema.now)
        CHECK_MESSAGE(names.now.count(key) == 1, key, " is not in the page");
    for (const std::string& key : names.now)
        CHECK_MESSAGE(schema.now.count(key) == 1, key, " is in the page, but no supported key");
    for (const std::string& key : schema.later)
        CHECK_MESSAGE(names.later.count(key) == 1, key, " is not in NOT SUPPORTED YET");
    // A supported key stands there as well where some of its values are to come.
    for (const std::string& key : names.later)
        CHECK_MESSAGE(schema.later.count(key) + schema.now.count(key) >= 1, key, " is in the page, but no key");
}

TEST_CASE("the rows of the schema are sound")
{
    for (int index = 0; index < static_cast<int>(Group::Count); ++index) {
        const auto group = static_cast<Group>(index);
        CHECK_FALSE(schema_keys(group).empty());
        std::set<std::string_view> seen;
        for (const SchemaKey& key : schema_keys(group)) {
            CHECK_MESSAGE(seen.insert(key.name()).second, key.name());
            CHECK(find_key(group, key.name()) == &key);
            CHECK_MESSAGE((key.type == Type::Choice) == (*key.words() != '\0'), key.name());
            CHECK_MESSAGE((key.group != Group::Count) == (key.type < Type::FreeTable), key.name());
        }
    }
    // A key must not mean one thing at the top and another as the only service's.
    for (const SchemaKey& key : schema_keys(Group::Service)) {
        const SchemaKey* top = find_key(Group::Top, key.name());
        CHECK_MESSAGE((top == nullptr || top->later), key.name());
    }
}
