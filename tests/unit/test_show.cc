// SPDX-License-Identifier: MIT
#include "spec/show.h"

#include "base/json.h"
#include "base/text.h"
#include "features.h"
#include "spec/read.h"
#include "spec/schema.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <set>
#include <string>

using namespace vial;

namespace {

/// Reads, shows, and reads what was shown: both must show the same.
Text shown(std::string_view text)
{
    const Reading first = read_spec(text, "web.conf");
    for (const Diagnostic& problem : first.problems)
        FAIL_CHECK(format(problem, "web.conf"));
    const Text show = show_spec(first.spec);
    const Reading second = read_spec(show, "web.conf");
    for (const Diagnostic& problem : second.problems)
        FAIL_CHECK(format(problem, "shown"), "\n", show);
    CHECK(show_spec(second.spec) == show);
    CHECK(show_spec_json(second.spec) == show_spec_json(first.spec));
    CHECK(json::valid(show_spec_json(first.spec)));
    return show;
}

bool has(std::string_view text, std::string_view line)
{
    const bool found = concat("\n", text).find(concat("\n", line, "\n")) != std::string::npos;
    if (!found)
        MESSAGE(text);
    return found;
}

}  // namespace

TEST_CASE("show fills in every default")
{
    const Text text = shown("root = '/r'\ncommand = ['/bin/x', 'a \"b\"']\n");
    for (const char* line :
         {"name = \"web\"",
          "hostname = \"web\"",
          "read_only = true",
          "overlay = \"none\"",
          "init = true",
          "command = [\"/bin/x\", \"a \\\"b\\\"\"]",
          "restart = \"no\"",
          "restart_delay = \"1s\"",
          "stop_signal = \"TERM\"",
          "stop_timeout = \"10s\"",
          "user = 0",
          "directory = \"/\"",
          "[namespaces]",
          "net = true",
          "user = false",
          "[limits]",
          "memory = \"max\"",
          "tasks = 512",
          "cpu = \"max\"",
          "[security]",
          "seccomp = \"default\"",
          "[log]",
          "size = \"64K\"",
          "capabilities = [\"CHOWN\", \"DAC_OVERRIDE\", \"FOWNER\", \"KILL\", \"SETGID\", \"SETUID\", "
          "\"NET_BIND_SERVICE\"]"})
        CHECK(has(text, line));
    // Every key that is supported is shown, but for those that have no value where they are not set.
    const std::set<std::string_view> unset = {
        "environment_file", "pod",        "uid_map",  "gid_map",   "restart_limit", "on_start",
        "on_stop",          "on_failure", "pid_file", "root_hash", "cpu_weight",    "cpus",
        "io_weight",        "oom_score",  "files",    "core",      "umask",         "group"};
    for (const Group group : {Group::Top, Group::Service, Group::Namespaces, Group::UserNamespace, Group::Limits,
                              Group::Security, Group::Log}) {
        for (const SchemaKey& key : schema_keys(group)) {
            if (key.later || key.type <= Type::FreeTable || key.type == Type::Mounts || unset.count(key.name()) != 0)
                continue;
            CHECK_MESSAGE(text.find(concat("\n", key.name(), " = ")) + text.find(concat(key.name(), " = ")) !=
                              2 * std::string::npos,
                          key.name());
        }
    }
}

TEST_CASE("what was shown reads as the same spec" * with_network)
{
    const Text text =
        shown("name = 'other'\nroot = '/r'\nhostname = 'h.example'\noverlay = 'tmpfs:16M'\n"
              "mounts = ['/a:/b:ro,suid', 'tmpfs:/t:size=4M,mode=0700,noexec', '/c:/d:bind,optional']\n"
              "mask = ['/x']\nread_only_paths = ['/y', '/z']\n"
              "command = ['/bin/x']\nuser = 1\ngroup = 2\ngroups = [3, 4]\ndirectory = '/d'\n"
              "environment = { A = '1', 'b c' = 'x=\\y' }\nenvironment_file = '/etc/env'\npid_file = '/run/x.pid'\n"
              "restart = 'always'\nrestart_delay = '1500ms'\nstop_signal = 'RTMIN+3'\nstop_timeout = '1m30s'\n"
              "[[mount]]\nsource = '/e:f'\ntarget = '/e'\n"
              "[namespaces]\nipc = false\ntime = true\nmonotonic_offset = -5\nboottime_offset = '1d'\n"
              "[user_namespace]\nuid_map = ['0 100000 10', '10 200000 5']\ngid_map = '0 100000 10'\n"
              "[network.'eth0.7']\nbridge = 'br0'\naddress = ['10.0.3.2/24', 'fd00::2/64']\ngateway = ['10.0.3.1', "
              "'fd00::1']\n"
              "mac = '02:00:00:00:00:0f'\nmtu = 1400\n"
              "[network.none]\ntype = 'none'\n"
              "[limits]\nmemory = 1000\nswap = 0x100000\ncpu = '12.5%'\ntasks = 'max'\n"
              "memory_high = '900K'\ncpu_weight = 7\ncpus = '0,1'\nio = '/dev/a rbps=1'\noom_score = -5\n"
              "cgroup = { 'memory.low' = 3 }\n"
              "[security]\ncapabilities = ['ALL']\nno_new_privileges = false\nseccomp = 'off'\n"
              "[log]\nsize = '1M'\n");
    for (const char* line : {"name = \"other\"",
                             "overlay = \"tmpfs:16M\"",
                             "read_only = false",
                             "environment = [\"A=1\", \"b c=x=\\\\y\"]",
                             "pid_file = \"/run/x.pid\"",
                             "restart_delay = \"1500ms\"",
                             "stop_timeout = \"90s\"",
                             "stop_signal = \"RTMIN+3\"",
                             "monotonic_offset = -5",
                             "uid_map = [\"0 100000 10\", \"10 200000 5\"]",
                             "[network.\"eth0.7\"]",
                             "mac = \"02:00:00:00:00:0f\"",
                             "memory = \"1000\"",
                             "swap = \"1M\"",
                             "cpu = \"12.5%\"",
                             "tasks = \"max\"",
                             "memory_high = \"900K\"",
                             "cpu_weight = 7",
                             "cpus = \"0-1\"",
                             "io = [\"/dev/a rbps=1\"]",
                             "oom_score = -5",
                             "oom_group = false",
                             "cgroup = [\"memory.low=3\"]",
                             "capabilities = [\"ALL\"]",
                             "options = [\"ro\", \"exec\", \"nodev\", \"suid\", \"rbind\", \"rprivate\"]",
                             "options = [\"rw\", \"noexec\", \"nodev\", \"nosuid\", \"size=4M\", \"mode=0700\"]",
                             "source = \"/e:f\""})
        CHECK(has(text, line));

    const Text hash = "root_hash = \"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"\n";
    CHECK(has(shown(concat("root = '/r'\ncommand = ['x']\n", hash)), slice(hash, 0, hash.size() - 1)));
    CHECK(shown("root = '/r'\ncommand = ['x']\n").find("root_hash") == std::string::npos);

    const Text two = shown("root = '/r'\ninit = true\noverlay = '/var/o'\n[namespaces]\nuts = false\n"
                           "[limits]\ncpu = '150%'\n"
                           "[service.a]\ncommand = ['/a']\n[service.'b.c']\ncommand = ['/b', '']\n");
    CHECK(has(two, "[service.a]"));
    CHECK(has(two, "[service.\"b.c\"]"));
    CHECK(has(two, "overlay = \"/var/o\""));
    CHECK(has(two, "cpu = \"150%\""));
    const Text kept = shown("root = '/r'\ncommand = ['x']\nautostart = true\nafter = ['a']\nrequires = ['b', 'c']\n");
    CHECK(has(kept, "autostart = true\nafter = [\"a\"]\nrequires = [\"b\", \"c\"]"));
    const Reading later = read_spec("root = '/r'\ncommand = ['x']\ntty = true\n", "web.conf");
    CHECK(has(show_spec(later.spec), "# not supported yet: tty"));
}

TEST_CASE("a spec as JSON" * with_network)
{
    const Reading reading = read_spec("root = '/r'\ncommand = ['/x']\n[network.eth0]\naddress = '10.0.3.2/24'\n"
                                      "[[mount]]\ntype = 'tmpfs'\ntarget = '/t'\n",
                                      "web.conf");
    const Text text = show_spec_json(reading.spec);
    CHECK(json::valid(text));
    CHECK(json::string(json::member(text, "name")) == "web");
    CHECK(json::boolean(json::member(text, "read_only")) == true);
    CHECK(json::number(json::member(json::member(text, "limits"), "tasks")) == 512);
    const json::Raw main = json::member(json::member(text, "service"), "main");
    CHECK(json::member(main, "command") == "[\"/x\"]");
    CHECK(json::member(json::member(json::member(text, "network"), "eth0"), "address") == "[\"10.0.3.2/24\"]");
    json::Raw mounts = json::member(text, "mount");
    CHECK(json::string(json::member(json::next_element(mounts), "target")) == "/t");
}
