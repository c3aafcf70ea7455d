// SPDX-License-Identifier: MIT
#include "spec/schema.h"

#include "base/text.h"
#include "boot/host_conf.h"
#include "features.h"
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
    {"Limits of processes", "security.rlimits.", Group::Rlimits},
    {"Namespaces", "namespaces.", Group::Namespaces},
    {"Namespaces of others", "namespaces.join.", Group::Join},
    {"User namespace", "user_namespace.", Group::UserNamespace},
    {"Log", "log.", Group::Log},
    {"", "health.", Group::Health},
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
    // What a spec waits for are other specs, what a service waits for others of its own.
    for (const SchemaKey& key : schema_keys(Group::Service)) {
        const SchemaKey* top = find_key(Group::Top, key.name());
        CHECK_MESSAGE((top == nullptr || top->later || top->type == Type::Names), key.name());
    }
}

TEST_CASE("vial-host.conf(5) has every key, and no other" * with_network)
{
    const char* source = std::getenv("SOURCE");
    if (source == nullptr) {
        MESSAGE("SOURCE does not name the source tree");
        return;
    }
    const auto page = load_spec_file((std::string(source) + "/config/man/vial-host.conf.5").c_str());
    REQUIRE(page.ok());
    std::string text;
    for (std::string_view rest = page.value(); !rest.empty();) {
        std::string_view line = take_until(rest, '\n');
        if (line.substr(0, 7) != ".It Ic ")
            continue;
        const std::string name(line.substr(7));
        // Each is known, with another value than it may have; and what is near to none is not.
        List<Text> complaints;
        const bool in_network = name == "address" || name == "gateway";
        (void)read_host_conf((in_network ? "[network.eth0]\n" : "") + name + " = true\n", "host.conf", complaints);
        REQUIRE(complaints.size() == 1);
        CHECK(complaints[0].find("expected") != std::string_view::npos);
        text += name + " ";
    }
    CHECK(text == "hostname modules sysctl mounts network address gateway console emergency watchdog watchdog_device "
                  "stop_timeout ");
}

TEST_CASE("what is wrong in host.conf is told with its place and left out, and the rest counts" * with_network)
{
    List<Text> complaints;
    const HostConf conf =
        read_host_conf("hostname = \"-no\"\nwatchdog = \"10s\"\nstop_timeout = \"soon\"\nmodules = 3\n"
                       "this is no line\nmounts = [\"a b c\"]\nconsole = \"/bin/sh\"\n"
                       "[sysctl]\nnet.a = 1\n\"net/b.c\" = \"x\"\nd = true\n"
                       "[network.eth0]\naddress = [\"10.0.0.1\"]\ngateway = \"10.0.0.2\"\n",
                       "host.conf", complaints);
    CHECK(conf.hostname.empty());
    CHECK(conf.watchdog == 10000);
    CHECK(conf.stop_timeout == 60000);
    CHECK(conf.modules.empty());
    CHECK(conf.mounts.size() == 1);
    CHECK(conf.console == List<Text>{"/bin/sh"});
    CHECK(conf.emergency == List<Text>{"/bin/sh"});
    REQUIRE(conf.sysctls.size() == 2);
    CHECK(conf.sysctls[0] == "net/a=1");
    CHECK(conf.sysctls[1] == "net/b.c=x");
    REQUIRE(conf.networks.size() == 1);
    CHECK(conf.networks[0].addresses.empty());
    CHECK(conf.networks[0].gateways.size() == 1);
    REQUIRE(complaints.size() == 6);
    for (const char* place :
         {"host.conf:1:1:", "host.conf:3:1:", "host.conf:4:1:", "host.conf:5:", "host.conf:11:1:", "host.conf:13:"}) {
        bool found = false;
        for (Text complaint : complaints)
            found |= complaint.starts_with(place);
        CHECK_MESSAGE(found, place);
    }
}
