// SPDX-License-Identifier: MIT
#include "spec/plan.h"
#include "spec/read.h"
#include "spec/show.h"

#include "base/text.h"
#include "features.h"
#include "spec/address.h"
#include "spec/grammar.h"

#include <cstdlib>
#include <dirent.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using namespace vial;

namespace {

/// What a person sees, one line a problem.
std::string problems_of(const Reading& reading, std::string_view file)
{
    std::string text;
    for (const Diagnostic& problem : reading.problems)
        text += concat(format(problem, file), "\n");
    return text;
}

constexpr std::string_view head = "root = '/r'\ncommand = ['/bin/x']\n";

/// The problems of a small good spec with these lines after it (they begin in line 3).
std::string with(std::string_view lines)
{
    return problems_of(read_spec(concat(head, lines), "web.conf"), "web.conf");
}

Spec good(std::string_view lines)
{
    Reading reading = read_spec(concat(head, lines), "web.conf");
    CHECK(problems_of(reading, "web.conf") == "");
    return std::move(reading.spec);
}

std::string not_yet(std::string_view lines)
{
    std::string text;
    for (const Text key : good(lines).not_yet)
        text += concat(key, "\n");
    return text;
}

std::string set(std::initializer_list<std::string_view> settings, std::string_view text = "")
{
    return problems_of(read_spec(text, "", {settings.begin(), settings.size()}), "");
}

}  // namespace

TEST_CASE("the smallest useful spec" * with_network)
{
    const std::string_view text = "# web.conf\n"
                                  "root    = \"/srv/web.squashfs\"\n"
                                  "command = [\"/bin/httpd\", \"-f\", \"-p\", \"8080\"]\n"
                                  "restart = \"on-failure\"\n"
                                  "[network.eth0]\n"
                                  "bridge  = \"br-lan\"\n"
                                  "address = [\"10.0.3.2/24\"]\n"
                                  "gateway = \"10.0.3.1\"\n"
                                  "[limits]\n"
                                  "memory = \"16M\"\n"
                                  "tasks  = 32\n";
    const Reading reading = read_spec(text, "/etc/vial/web.conf");
    CHECK(problems_of(reading, "web.conf") == "");
    const Spec& spec = reading.spec;
    CHECK(spec.file == "/etc/vial/web.conf");
    CHECK(spec.name == "web");
    CHECK(spec.hostname == "web");
    CHECK(spec.root == "/srv/web.squashfs");
    CHECK(spec.read_only);
    CHECK(spec.init);
    REQUIRE(spec.services.size() == 1);
    CHECK(spec.services[0].name == "main");
    CHECK(spec.services[0].command == List<Text>{"/bin/httpd", "-f", "-p", "8080"});
    CHECK(spec.services[0].policy.restart == Restart::OnFailure);
    CHECK(spec.services[0].policy.stop_signal == 15);
    REQUIRE(spec.networks.size() == 1);
    CHECK(spec.networks[0].name == "eth0");
    CHECK(spec.networks[0].bridge == "br-lan");
    REQUIRE(spec.networks[0].addresses.size() == 1);
    CHECK(address_text(spec.networks[0].addresses[0], true) == "10.0.3.2/24");
    REQUIRE(spec.networks[0].gateways.size() == 1);
    CHECK(address_text(spec.networks[0].gateways[0], false) == "10.0.3.1");
    CHECK(spec.limits.memory == 16 << 20);
    CHECK(spec.limits.tasks == 32);
    CHECK(spec.limits.swap == unlimited);
    CHECK(spec.security.capabilities == default_capabilities);
    CHECK(spec.not_yet.empty());
}

TEST_CASE("several services")
{
    const Reading reading =
        read_spec("root = '/r'\n"
                  "[service.web]\ncommand = ['/w']\nuser = 33\ngroups = [1, 2]\n"
                  "[service.'log.er']\ncommand = ['/l']\nrestart = 'always'\nrestart_delay = '250ms'\n",
                  "two.conf");
    CHECK(problems_of(reading, "two.conf") == "");
    REQUIRE(reading.spec.services.size() == 2);
    CHECK(reading.spec.services[0].name == "web");
    CHECK(reading.spec.services[0].user == 33);
    CHECK(reading.spec.services[0].groups == List<Identifier>{1, 2});
    CHECK(reading.spec.services[1].name == "log.er");
    CHECK(reading.spec.services[1].policy.restart == Restart::Always);
    CHECK(reading.spec.services[1].policy.restart_delay == 250);

    CHECK(with("[service.web]\ncommand = ['/w']\n") == "web.conf:2:1: 'command' stands at the top, but this spec has "
                                                       "[service.NAME] tables: move it into one of them\n");
    const auto problems = [](std::string_view text) { return problems_of(read_spec(text, "f"), "f"); };
    CHECK(problems("root = '/'\n[service.web]\nuser = 1\n") == "f:2:1: [service.web] has no 'command'\n");
    CHECK(problems("root = '/'\n[service.init]\ncommand = ['x']\n") ==
          "f:2:1: init: this name is taken in the cgroup of the container\n");
    CHECK(problems("root = '/'\n[service.'memory.max']\ncommand = ['x']\n") ==
          "f:2:1: memory.max: this name is taken in the cgroup of the container\n");
    CHECK(problems("root = '/'\n[service.'a/b']\ncommand = ['x']\n") ==
          "f:2:1: a/b: a name has only letters, digits, '_', '.' and '-'\n");
    CHECK(problems("root = '/'\ninit = false\n[service.a]\ncommand = ['x']\n[service.b]\ncommand = ['x']\n") ==
          "f:2:1: init = false wants exactly one service: nothing is there to start the others\n");
    CHECK(problems("root = '/'\nservice = 1\n") ==
          "f:2:1: service: expected tables with names of their own, found the number 1\nf:2:1: 'command' is missing\n");
}

TEST_CASE("what is missing")
{
    CHECK(problems_of(read_spec("", "web.conf"), "web.conf") ==
          "web.conf: 'root' is missing: the directory or image that becomes the container's /\n"
          "web.conf: 'command' is missing\n");
    CHECK(problems_of(read_spec("root = '/'\ncommand = ['x']", ""), "") == "'name' is missing\n");
    CHECK(problems_of(read_spec("root = '/'\ncommand = ['x']", "a b.conf"), "a b.conf").find("set one: name") !=
          std::string::npos);
    CHECK(problems_of(read_spec("root = '/'\ncommand = ['x']", "tasks.conf"), "f").find("file in every cgroup") !=
          std::string::npos);
    // Where a part could not be read, what seems to be missing may be in it.
    CHECK(problems_of(read_spec("root = x\n", "f"), "f") == "f:1:8: text stands in quotes: write \"x\"\n");
}

TEST_CASE("unknown keys and where they belong" * with_network)
{
    CHECK(with("hostnam = 'x'") == "web.conf:3:1: unknown key 'hostnam'; did you mean 'hostname'?\n");
    CHECK(with("[limit]\nmemory = '1M'") == "web.conf:3:1: unknown table 'limit'; did you mean 'limits'?\n");
    CHECK(with("[limits]\nmemry = '1M'") == "web.conf:4:1: unknown key 'memry'; did you mean 'memory'?\n");
    CHECK(with("memory = '1M'") == "web.conf:3:1: unknown key 'memory'; it belongs in [limits]\n");
    CHECK(with("bridge = 'br0'") == "web.conf:3:1: unknown key 'bridge'; it belongs in [network.NAME]\n");
    CHECK(with("[limits]\nrestart = 'no'") ==
          "web.conf:4:1: unknown key 'restart'; it stands at the top of the file, before the first [table]\n");
    CHECK(with("[namespaces]\nnetwork = false") == "web.conf:4:1: unknown key 'network'; did you mean 'net'?\n");
    CHECK(with("[network.eth0]\nadress = '10.0.0.1/8'") ==
          "web.conf:4:1: unknown key 'adress'; did you mean 'address'?\n");
    CHECK(with("zzzzzz = 1") == "web.conf:3:1: unknown key 'zzzzzz'\n");
}

TEST_CASE("wrong values are named with what was expected")
{
    CHECK(with("read_only = 'yes'") == "web.conf:3:1: read_only: expected true or false, found \"yes\"\n");
    CHECK(with("hostname = 'a b'") ==
          "web.conf:3:1: hostname: \"a b\": a name has only letters, digits, '_', '.' and '-'\n");
    CHECK(with("name = 'a/b'") == "web.conf:3:1: name: \"a/b\": a name has only letters, digits, '_', '.' and '-'\n");
    CHECK(with("name = '-a'") == "web.conf:3:1: name: \"-a\": a name does not begin with '.' or '-'\n");
    CHECK(with("name = ''") == "web.conf:3:1: name: \"\": a name has 1 to 64 letters\n");
    CHECK(with("[limits]\nmemory = true") ==
          "web.conf:4:1: memory: expected a size like \"16M\", or \"max\", found true\n");
    CHECK(with("[limits]\nmemory = 0") ==
          "web.conf:4:1: memory: expected a size like \"16M\", or \"max\", found the number 0\n");
    CHECK(with("[limits]\nmemory = '16 M'").find("expected a size") != std::string::npos);
    CHECK(with("[limits]\ntasks = 0").find("whole number above 0") != std::string::npos);
    CHECK(with("[limits]\ncpu = 1").find("percentage") != std::string::npos);
    CHECK(with("[limits]\ncpu = '0%'").find("percentage") != std::string::npos);
    CHECK(with("restart = 'sometimes'") ==
          "web.conf:3:1: restart: expected one of \"no\", \"on-failure\", \"always\", found \"sometimes\"\n");
    CHECK(with("restart_delay = 'soon'").find("expected a duration like \"10s\", found \"soon\"") != std::string::npos);
    CHECK(with("restart_delay = -1").find("expected a duration") != std::string::npos);
    CHECK(with("stop_signal = 'BANG'").find("expected a signal like \"TERM\"") != std::string::npos);
    CHECK(with("stop_signal = 4294967311").find("expected a signal") != std::string::npos);
    CHECK(with("user = -1").find("expected a number or a name, found the number -1") != std::string::npos);
    CHECK(with("user = 4294967295").find("expected a number or a name") != std::string::npos);
    CHECK(with("user = 'a b'").find("expected a number or a name") != std::string::npos);
    CHECK(with("groups = 1").find("expected an array of numbers or names") != std::string::npos);
    CHECK(with("directory = 'x'").find("expected an absolute path") != std::string::npos);
    CHECK(with("environment = ['x']").find("expected \"NAME=VALUE\"") != std::string::npos);
    CHECK(with("environment = ['=x']").find("expected \"NAME=VALUE\"") != std::string::npos);
    CHECK(with("environment = { A = 1 }") == "web.conf:3:17: A: expected a string, found the number 1\n");
    CHECK(with("mask = ['/a/../b']").find("without '..'") != std::string::npos);
    CHECK(with("mask = ['/']").find("expected an absolute path") != std::string::npos);
    CHECK(with("[security]\ncapabilities = ['FLY']").find("expected a capability like") != std::string::npos);
    CHECK(with("[security]\nseccomp = 'on'").find("expected \"default\", \"off\"") != std::string::npos);
    CHECK(with("[log]\nsize = 100") == "web.conf:4:1: size: expected a size from 4K to 1024M\n");
    CHECK(with("overlay = 'tmpfs:'").find("expected \"tmpfs\"") != std::string::npos);
    CHECK(with("limits = 1") == "web.conf:3:1: limits: expected a table, found the number 1\n");
    CHECK(with("[[limits]]") == "web.conf:3:1: limits: expected a table, found an array\n");
    CHECK(with("mount = 1") == "web.conf:3:1: mount: expected an array of tables: [[mount]], found the number 1\n");
    CHECK(with("network = { eth0 = 1 }").find("expected a table: [network.NAME]") != std::string::npos);
    const auto of = [](std::string_view text) { return problems_of(read_spec(text, "f"), "f"); };
    CHECK(of("root = 'r'\ncommand = ['x']") == "f:1:1: root: expected an absolute path, found \"r\"\n");
    CHECK(of("root = '/'\ncommand = 'x'") == "f:2:1: command: expected an array of strings, found \"x\"\n");
    CHECK(of("root = '/'\ncommand = []").find("at least the program") != std::string::npos);
    CHECK(of("root = '/'\ncommand = ['']").find("at least the program") != std::string::npos);
    CHECK(of("root = '/'\ncommand = ['x', 1]") == "f:2:17: command: expected a string, found the number 1\n");
}

TEST_CASE("values" * with_network)
{
    CHECK(good("environment = ['A=1', 'B=x=y']").services[0].environment == List<Text>{"A=1", "B=x=y"});
    CHECK(good("[environment]\nA = '1'\nB = ''").services[0].environment == List<Text>{"A=1", "B="});
    CHECK(good("restart_delay = 5").services[0].policy.restart_delay == 5000);
    CHECK(good("stop_signal = 'SIGINT'").services[0].policy.stop_signal == 2);
    CHECK(good("stop_signal = 9").services[0].policy.stop_signal == 9);
    CHECK(good("user = '33'").services[0].user == 33);
    CHECK(good("[limits]\nmemory = 4096").limits.memory == 4096);
    CHECK(good("[limits]\nmemory = 'max'").limits.memory == unlimited);
    CHECK(good("[limits]\ntasks = 'unlimited'").limits.tasks == unlimited);
    CHECK(good("[limits]\ncpu = '150%'").limits.cpu == 1500);
    CHECK(good("[limits]\ncpu = '12.5%'").limits.cpu == 125);
    CHECK(good("[security]\ncapabilities = []").security.capabilities == 0);
    CHECK(good("[security]\ncapabilities = ['CHOWN', 'CAP_NET_ADMIN']").security.capabilities == 0x1001);
    CHECK(good("[security]\ncapabilities = ['ALL']").security.capabilities == (std::uint64_t{1} << 41) - 1);
    CHECK(good("[security]\nseccomp = 'off'").security.seccomp == SeccompChoice::Off);
    CHECK(good("[security]\nseccomp = '/etc/p'").security.seccomp == SeccompChoice::Profile);
    const List<Text> rules = good("[security]\nlandlock = ['read:/etc', 'write:/a:b', 'exec:/']").security.landlock;
    CHECK(rules.size() == 3);
    CHECK(rules[1] == "write:/a:b");
    for (const char* rule : {"", "read", "read:", "read:etc", "rw:/etc", ":/etc", "/etc"})
        CHECK(with("[security]\nlandlock = ['" + std::string(rule) + "']").find("\"exec:PATH\"") != std::string::npos);
    CHECK(with("[security]\nlandlock = ['read:/']\nno_new_privileges = false\nseccomp = 'off'")
              .find("landlock: wants no_new_privileges = true") != std::string::npos);
    CHECK(good("[security]\nseccomp = '/etc/p'").security.seccomp_profile == "/etc/p");
    CHECK(good("[namespaces]\ntime = true\nmonotonic_offset = '-1h'\nboottime_offset = 7").monotonic_offset == -3600);
    CHECK(good("[network.eth0]\nmac = '02:00:00:00:00:aB'\nmtu = 1400").networks[0].mac[5] == 0xab);
    CHECK(good("[network.eth0]\ntype = 'none'").networks[0].kind == NetworkKind::None);

    SUBCASE("an overlay is there to be written to")
    {
        CHECK_FALSE(good("overlay = 'tmpfs'").read_only);
        CHECK(good("overlay = 'tmpfs:16M'").overlay.size == 16 << 20);
        CHECK(good("overlay = '/var/web'").overlay.directory == "/var/web");
        CHECK(good("overlay = 'none'").read_only);
        CHECK(with("overlay = 'tmpfs'\nread_only = true").find("web.conf:4:1: read_only = true contradicts") == 0);
    }
    SUBCASE("the hash of an image")
    {
        const std::string hash = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        CHECK(good("root_hash = '" + hash + "'").root_hash == hash);
        CHECK(good("root_hash = '" + hash + "'\noverlay = 'tmpfs'").root_hash == hash);
        CHECK(with("root_hash = 'sha256:0123'") ==
              "web.conf:3:1: root_hash: expected \"sha256:\" with 64 hexadecimal digits in lower case, found "
              "\"sha256:0123\"\n");
        for (const std::string& wrong : {std::string(), hash + "0", hash.substr(0, 70), hash.substr(7),
                                         "sha512" + hash.substr(6), hash.substr(0, 70) + "F", hash.substr(0, 70) + "g"})
            CHECK(with("root_hash = '" + wrong + "'").find("web.conf:3:1: root_hash: expected") == 0);
        CHECK(with("root_hash = 1").find("web.conf:3:1: root_hash: expected") == 0);
        CHECK(with("root_hash = '" + hash + "'\nread_only = false").find("web.conf:4:1: read_only = false lets") == 0);
    }
    SUBCASE("init = false")
    {
        CHECK_FALSE(good("init = false").init);
        CHECK(with("init = false\nrestart = 'always'").find("web.conf:3:1: init = false leaves nobody") == 0);
    }
}

TEST_CASE("pods")
{
    const Spec spec = good("pod = 'hold'\n[namespaces]\nuts = true\n");
    CHECK(spec.pod == "hold");
    CHECK(spec.namespaces.join[2] == "container:hold");
    CHECK(spec.namespaces.join[3] == "container:hold");
    CHECK(spec.namespaces.join[4].empty());
    CHECK_FALSE(spec.namespaces.network);
    CHECK(spec.namespaces.uts);
    CHECK(good("pod = 'hold'\n[namespaces.join]\nnet = '/n'\n").namespaces.join[2] == "/n");
    CHECK(spec.required.empty());
    // At the host's boot it is required, too.
    const Reading at_boot = read_spec(concat(head, "pod = 'hold'\n"), "web.conf", {}, SpecKind::Host);
    REQUIRE(at_boot.spec.required.size() == 1);
    CHECK(at_boot.spec.required[0] == "hold");
    // Nothing runs where there is neither a command nor another key of a service.
    CHECK(problems_of(read_spec("root = '/r'", "web.conf"), "web.conf") == "");
    CHECK(problems_of(read_spec("root = '/r'\nuser = 5", "web.conf"), "web.conf") ==
          "web.conf: 'command' is missing\n");
    CHECK(problems_of(read_spec("[log]\n", "web.conf", {}, SpecKind::Services), "web.conf")
              .find("'command' is missing") != std::string::npos);
    CHECK(with("pod = 'web'\n") == "web.conf:3:1: pod: a container cannot be in a pod of its own\n");
}

TEST_CASE("devices")
{
    const Spec spec = good("devices = ['/dev/ttyUSB0', '/dev/kvm:r', '/dev/snd/x:/dev/y', '/dev/a:/dev/b/c:mw']\n");
    REQUIRE(spec.devices.size() == 4);
    CHECK(spec.devices[0].source == "/dev/ttyUSB0");
    CHECK(spec.devices[0].target == "/dev/ttyUSB0");
    CHECK(spec.devices[0].access == 6);
    CHECK(spec.devices[1].target == "/dev/kvm");
    CHECK(spec.devices[1].access == 2);
    CHECK(spec.devices[2].target == "/dev/y");
    CHECK(spec.devices[3].access == 5);
    CHECK(std::string(show_spec(spec))
              .find("devices = [\"/dev/ttyUSB0:/dev/ttyUSB0:rw\", \"/dev/kvm:/dev/kvm:r\", "
                    "\"/dev/snd/x:/dev/y:rw\", \"/dev/a:/dev/b/c:wm\"]") != std::string::npos);
    CHECK(with("devices = ['/dev/null']") ==
          "web.conf:3:12: devices: \"/dev/null\": every container has that in its /dev already\n");
}

TEST_CASE("mounts")
{
    const Spec spec = good("mounts = ['/srv/data:/data', '/etc/resolv.conf:/etc/resolv.conf:ro', "
                           "'tmpfs:/scratch:size=4M,mode=0755,noexec', '/a:/b:bind,suid,dev,optional']\n"
                           "[[mount]]\nsource = '/c:d'\ntarget = '/c'\noptions = ['ro']\n"
                           "[[mount]]\ntype = 'tmpfs'\ntarget = '/t'\n");
    REQUIRE(spec.mounts.size() == 6);
    CHECK(spec.mounts[0].source == "/srv/data");
    CHECK(spec.mounts[0].target == "/data");
    CHECK_FALSE(spec.mounts[0].read_only);
    CHECK(spec.mounts[1].read_only);
    CHECK(spec.mounts[2].kind == MountKind::Tmpfs);
    CHECK(spec.mounts[2].size == 4 << 20);
    CHECK(spec.mounts[2].mode == 0755);
    CHECK(spec.mounts[2].no_exec);
    CHECK_FALSE(spec.mounts[3].recursive);
    CHECK(spec.mounts[3].set_uid);
    CHECK(spec.mounts[3].devices);
    CHECK(spec.mounts[3].optional);
    CHECK(spec.mounts[4].source == "/c:d");
    CHECK(spec.mounts[4].read_only);
    CHECK(spec.mounts[5].kind == MountKind::Tmpfs);

    const Spec options = good("mounts = ['/a:/a:noatime,rslave', '/a:/b:rslave,rprivate']\n");
    CHECK(options.mounts[0].no_atime);
    CHECK(options.mounts[0].follow);
    CHECK_FALSE(options.mounts[1].follow);
    CHECK(with("mounts = ['/a:/b:rshared']").find("rslave lets the host's") != std::string::npos);

    CHECK(with("mounts = ['data:/data']") ==
          "web.conf:3:11: mounts: \"data:/data\": the source is not an absolute path\n");
    CHECK(with("mounts = ['/a']").find("the target is not") != std::string::npos);
    CHECK(with("mounts = ['/a:b']").find("the target is not") != std::string::npos);
    CHECK(with("mounts = ['/a:/b/../c']").find("the target is not") != std::string::npos);
    CHECK(with("mounts = ['/a:/']").find("the target is not") != std::string::npos);
    CHECK(with("mounts = ['/a:/b:rw:x']").find("the options are") != std::string::npos);
    CHECK(with("mounts = ['/a:/b:size=4M']").find("options of a tmpfs") != std::string::npos);
    CHECK(with("mounts = ['tmpfs:/b:mode=8']").find("octal") != std::string::npos);
    CHECK(with("mounts = ['tmpfs:/b:size=x']").find("size wants") != std::string::npos);
    CHECK(with("[[mount]]\nsource = '/a'") == "web.conf:3:1: mount: wants a 'target'\n");
    CHECK(with("[[mount]]\ntarget = '/a'") == "web.conf:3:1: mount: wants a 'source', or type = \"tmpfs\"\n");
    CHECK(with("[[mount]]\ntarget = '/a'\nsource = '/b'\ntype = 'tmpfs'").find("no source") != std::string::npos);
    CHECK(with("[[mount]]\ntarget = '/a'\nsource = '/b'\noptions = ['r']").find("web.conf:6:12: options: \"r\"") == 0);
}

TEST_CASE("networks" * with_network)
{
    CHECK(with("[network.eth0]\naddress = '10.0.3.2'") ==
          "web.conf:4:1: address: \"10.0.3.2\" has no prefix length; write \"10.0.3.2/24\"\n");
    CHECK(with("[network.eth0]\naddress = ['10.0.3.2/24', 'fd00::1']") ==
          "web.conf:4:27: address: \"fd00::1\" has no prefix length; write \"fd00::1/64\"\n");
    CHECK(with("[network.eth0]\naddress = '10.0.3.2/33'").find("expected an address") != std::string::npos);
    CHECK(with("[network.eth0]\naddress = '10.0.3.2/24'\ngateway = '10.0.4.1'") ==
          "web.conf:5:1: gateway: 10.0.4.1 is in none of the networks of 'address'\n");
    CHECK(with("[network.eth0]\ngateway = '10.0.4.1'").find("wants an 'address'") != std::string::npos);
    CHECK(with("[network.eth0]\naddress = '10.0.3.2/24'\ngateway = ['10.0.3.1', '10.0.3.3']").find("only one") !=
          std::string::npos);
    CHECK(with("[network.eth0]\naddress = 'fd00::2/64'\ngateway = 'fe80::1'") == "");
    CHECK(with("[network.eth0]\ngateway = '10.0.4.1/24'").find("expected an address like \"10.0.3.1\"") !=
          std::string::npos);
    CHECK(with("[network.lo]\n") == "web.conf:3:1: lo: every container has 'lo' anyway\n");
    CHECK(with("[network.abcdefghijklmnop]\n").find("1 to 15 letters") != std::string::npos);
    CHECK(with("[network.eth0]\nbridge = 'a/b'").find("expected the name of a network interface") != std::string::npos);
    CHECK(with("[network.eth0]\nmac = '01:00:00:00:00:01'").find("MAC address of one device") != std::string::npos);
    CHECK(with("[network.eth0]\nmac = '00:00:00:00:00:00'").find("MAC address") != std::string::npos);
    CHECK(with("[network.eth0]\nmac = '02:00:00:00:00:01:'").find("MAC address") != std::string::npos);
    CHECK(with("[network.eth0]\nmac = '02:00:00:00:00'").find("MAC address") != std::string::npos);
    CHECK(with("[network.eth0]\nmtu = 67") == "web.conf:4:1: mtu: expected a number from 68 to 65535\n");
    CHECK(with("[network.eth0]\ntype = 'none'\nbridge = 'br0'").find("no interface to set anything on") !=
          std::string::npos);
    CHECK(with("[namespaces]\nnet = false\n[network.eth0]\n").find("web.conf:4:1: without a network namespace") == 0);
}

TEST_CASE("namespaces and maps")
{
    const Spec spec = good("[user_namespace]\nuid_map = '0 100000 65536'\ngid_map = ['0 100000 10', '10 200000 1']\n");
    CHECK(spec.namespaces.user);
    REQUIRE(spec.gid_map.size() == 2);
    CHECK(spec.gid_map[1].outside == 200000);
    CHECK(with("[namespaces]\nuser = true") == "web.conf: a user namespace needs 'uid_map' in [user_namespace]\n"
                                               "web.conf: a user namespace needs 'gid_map' in [user_namespace]\n");
    CHECK(with("[user_namespace]\nuid_map = '0 1 1'") ==
          "web.conf:3:1: a user namespace needs 'gid_map' in [user_namespace]\n");
    CHECK(with("[namespaces]\nuser = false\n[user_namespace]\nuid_map = '0 1 1'\ngid_map = '0 1 1'")
              .find("contradicts the maps") != std::string::npos);
    for (const char* overlap :
         {"'0 100 10', '5 200 10'", "'0 100 10', '10 105 10'", "'5 200 10', '0 100 10'", "'0 1 1', '0 1 1'"})
        CHECK(with(concat("[user_namespace]\ngid_map = '0 1 1'\nuid_map = [", overlap, "]")).find("overlap") !=
              std::string::npos);
    for (const char* range : {"0 1", "0 1 0", "0 1 1 1", "a 1 1", "-1 1 1", "0 4294967295 1", "4294967290 0 10", ""})
        CHECK_MESSAGE(
            with(concat("[user_namespace]\ngid_map = '0 1 1'\nuid_map = '", range, "'")).find("range of ids") !=
                std::string::npos,
            range);
    CHECK(with("[user_namespace]\nuid_map = '1 1 1'\ngid_map = '0 1 1'").find("must map 0") != std::string::npos);
    CHECK(with("user = 7\n[user_namespace]\nuid_map = '0 1 1'\ngid_map = '0 1 1'") ==
          "web.conf:3:1: user: 7 is not mapped in [user_namespace]\n");
    CHECK(with("hostname = 'x'\n[namespaces]\nuts = false").find("needs a UTS namespace") != std::string::npos);
    CHECK(with("[namespaces]\nmonotonic_offset = 1").find("namespaces.time = true") != std::string::npos);
    CHECK(with("[namespaces]\nmonotonic_offset = '1ms'").find("whole seconds") != std::string::npos);
}

TEST_CASE("limits of processes, one or two, in numbers and sizes")
{
    const Reading reading =
        read_spec("root = '/r'\ncommand = ['/x']\numask = '027'\n[limits]\nfiles = 100\ncore = 'max'\n"
                  "[security]\ncapabilities = ['CHOWN', 'KILL']\nambient = ['KILL']\n"
                  "[security.rlimits]\nnproc = '10:20'\nfsize = '16M:max'\nstack = '8M'\nnofile = '1:2'\n",
                  "x.conf");
    REQUIRE(reading.problems.empty());
    const auto is = [](const ResourceLimit& limit, std::int64_t soft, std::int64_t hard) {
        return limit.soft == soft && limit.hard == hard;
    };
    CHECK(reading.spec.services[0].umask == 027);
    CHECK(is(reading.spec.limits.files, 100, 100));
    CHECK(is(reading.spec.limits.core, unlimited, unlimited));
    CHECK(reading.spec.security.ambient == 1U << 5);
    const List<PlanLimit> limits = process_limits(reading.spec);
    std::string all;
    for (const PlanLimit& limit : limits)
        all += std::string(resource_name(limit.resource)) + " " + std::to_string(limit.soft) + " " +
               std::to_string(limit.hard) + "\n";
    CHECK(all == "core -1 -1\nfsize 16777216 -1\nnofile 1 2\nnproc 10 20\nstack 8388608 8388608\n");
    // It says itself what it was told.
    const Reading again = read_spec(show_spec(reading.spec), "x.conf");
    REQUIRE(again.problems.empty());
    CHECK(again.spec.services[0].umask == 027);
    CHECK(again.spec.security.ambient == 1U << 5);
    CHECK(process_limits(again.spec).size() == 5);
    CHECK(is(again.spec.security.rlimits[9], 10, 20));

    for (const char* wrong :
         {"'20:10'", "'max:10'", "'1:2:3'", "':'", "'1:'", "''", "-1", "-2", "'-2'", "true", "'x'"}) {
        CAPTURE(std::string(wrong));
        CHECK(with("[security.rlimits]\nnproc = " + std::string(wrong)).find("nproc: expected a limit") !=
              std::string::npos);
    }
    CHECK(with("[security.rlimits]\nnfile = 1").find("did you mean 'nofile'?") != std::string::npos);
    for (const char* wrong : {"'8'", "''", "'01777'", "18"})
        CHECK(with("umask = " + std::string(wrong)).find("umask: expected") != std::string::npos);
    CHECK(with("[security]\nambient = ['SYS_ADMIN']").find("ambient: must be among") != std::string::npos);
}

TEST_CASE("sysctls are named with dots or slashes, and are a namespace's own")
{
    const std::string text =
        "root = '/r'\ncommand = ['/x']\n[security.sysctl]\nnet.ipv4.ip_forward = 1\n"
        "'net.core.somaxconn' = 64\n'net/ipv4/conf/eth0.1/rp_filter' = '0'\nkernel.sem = '1 2 3 4'\n"
        "fs.mqueue.msg_max = 5\nkernel.domainname = 'x'\n";
    for (const std::string& each : {text, std::string(show_spec(read_spec(text, "x.conf").spec))}) {
        const Reading reading = read_spec(each, "x.conf");
        REQUIRE(reading.problems.empty());
        CHECK(reading.spec.security.sysctls == List<Text>{"net/ipv4/ip_forward=1", "net/core/somaxconn=64",
                                                          "net/ipv4/conf/eth0.1/rp_filter=0", "kernel/sem=1 2 3 4",
                                                          "kernel/domainname=x", "fs/mqueue/msg_max=5"});
    }
    const auto says = [](const std::string& more, std::string_view words) {
        INFO(more);
        CHECK(with(more).find(words) != std::string::npos);
    };
    for (const char* name : {"'kernel.panic'", "'vm.swappiness'", "'kernel.hostname'", "'fs.file-max'", "'netx.a'",
                             "'kernel.domainnames'"})
        says("[security.sysctl]\n" + std::string(name) + " = 1", "it would change the host");
    for (const char* name :
         {"'../x'", "'net/../kernel/panic'", "'net/./x'", "'/net/x'", "'net/'", "'net//x'", "'net/a b'", "''"})
        says("[security.sysctl]\n" + std::string(name) + " = 1", "this is no name of a sysctl");
    says("[security.sysctl]\nnet.a = true", "expected a string or a whole number");
    says("[security]\nsysctl = 3", "expected a");
    says("[namespaces]\nipc = false\n[security.sysctl]\nkernel.sem = 1", "it has no such namespace of its own");
}

TEST_CASE("keys whose facility is to come are read, checked and remembered" * with_network)
{
    CHECK(not_yet("tty = true") == "tty\n");
    CHECK(not_yet("tty = false\ndevices = []\n[namespaces]\npid = true") == "");
    CHECK(not_yet("optional = ['db']\ntty = true") == "optional\ntty\n");
    CHECK(not_yet("[security]\nlabel = 'x'\nsecurebits = ['noroot']") == "security.label\nsecurity.securebits\n");
    CHECK(not_yet("dns = ['10.0.0.1', 'fd00::1']\n[log]\npath = '/x'") == "log.path\n");
    const Reading several = read_spec("root = '/'\n[service.web]\ncommand = ['x']\ntty = true", "f");
    CHECK(several.problems.empty());
    CHECK(several.spec.not_yet == List<Text>{"service.web.tty"});

    CHECK(with("autostart = 1").find("expected true or false") != std::string::npos);
    CHECK(with("after = ['a/b']").find("a name has only") != std::string::npos);
    CHECK(with("dns = ['x']").find("expected an address") != std::string::npos);
    CHECK(with("[health]\nintervall = 1").find("did you mean 'interval'") != std::string::npos);
    CHECK(with("[limits]\noom_score = 1001").find("from -1000 to 1000") != std::string::npos);
    CHECK(with("[security.sysctl]\n'a.b' = true").find("expected a string or a whole number") != std::string::npos);
}

TEST_CASE("limits with a grammar of their own")
{
    const auto limits = [](std::string_view text) {
        Reading reading = read_spec(concat("root = '/r'\ncommand = ['x']\n", text), "web.conf");
        CHECK(problems_of(reading, "web.conf") == "");
        return reading.spec.limits;
    };
    CHECK(limits("").cpus == "");
    CHECK(limits("[limits]\ncpus = '0'").cpus == "0");
    CHECK(limits("[limits]\ncpus = '3,1,0,2-2,7-9,8'").cpus == "0-3,7-9");
    CHECK(limits("[limits]\ncpus = '8191'").cpus == "8191");
    for (const char* wrong :
         {"", "a", "-", "1-", "-1", "3-1", "1,,2", "1,", "8192", "1 2", "1, 2", ",1", "0-1-2", "1.5"})
        CHECK_MESSAGE(
            with(concat("[limits]\ncpus = '", wrong, "'")).find("expected a list of processors") != Text::npos, wrong);
    CHECK(limits("[limits]\ncpus = 3").cpus == "3");
    CHECK(with("[limits]\ncpus = -1").find("expected a list of processors like \"0-2,5\", found the number -1") !=
          Text::npos);
    CHECK(with("[limits]\ncpus = true").find("expected a list of processors") != Text::npos);
    CHECK(with("[limits]\nmemory = 'max'\nswap = '1M'").find("wants a limit of 'memory' as well") != Text::npos);

    CHECK(limits("").oom_score == no_score);
    CHECK(limits("[limits]\noom_score = 0").oom_score == 0);
    CHECK(limits("[limits]\noom_score = -1000").oom_score == -1000);
    CHECK(limits("[limits]\ncpu_weight = 10000\nio_weight = 1").cpu_weight == 10000);
    CHECK(with("[limits]\ncpu_weight = 0").find("from 1 to 10000") != Text::npos);
    CHECK(with("[limits]\nio_weight = 10001").find("from 1 to 10000") != Text::npos);
    CHECK(with("[limits]\nmemory_high = 0").find("expected a size") != Text::npos);

    CHECK(limits("[limits]\nio = '/dev/sda rbps=1M'").io == List<Text>{"/dev/sda rbps=1M"});
    CHECK(limits("[limits]\nio = ['/dev/sda wiops=5 rbps=max', '/dev/sdb riops=1 wbps=1K']").io.size() == 2);
    CHECK(with("[limits]\nio = 'sda rbps=1M'") ==
          "web.conf:4:1: io: \"sda rbps=1M\": begins with a device like /dev/sda\n");
    for (const char* wrong : {"/dev/sda", "/dev/sda 5", "/dev/sda rbps", "/dev/sda rbps=", "/dev/sda rbps=0",
                              "/dev/sda wiops=1M", "/dev/sda bps=1M", "/dev/sda rbps=-1"})
        CHECK_MESSAGE(with(concat("[limits]\nio = '", wrong, "'")) != "", wrong);

    CHECK(limits("[limits.cgroup]\n'memory.low' = '1M'\n'pids.max' = 7").cgroup ==
          List<Text>{"memory.low=1M", "pids.max=7"});
    CHECK(limits("[limits]\ncgroup = ['cpu.max=max 1000']").cgroup == List<Text>{"cpu.max=max 1000"});
    for (const char* wrong :
         {"cgroup.procs", "cgroup.freeze", "cgroup.kill", "tasks", "release_agent", "notify_on_release", "memory", "",
          "../memory.max", "memory/x.max", "init/memory.max", "memory.max/..", "freezer.state", "devices.allow",
          "net_cls.classid", "memory.x y", ".", "..", "memory.\\n"}) {
        CHECK_MESSAGE(with(concat("[limits.cgroup]\n\"", wrong, "\" = '1'")) != "", wrong);
        CHECK_MESSAGE(with(concat("[limits]\ncgroup = [\"", wrong, "=1\"]")) != "", wrong);
    }
    CHECK(with("[limits.cgroup]\n'cgroup.procs' = '1'") ==
          "web.conf:4:1: cgroup.procs: no file of memory, pids, cpu, cpuset, io, hugetlb, rdma or misc: vial keeps the "
          "others to itself\n");
    CHECK(with("[limits.cgroup]\n'memory.max' = true").find("expected a string or a whole number") != Text::npos);
    CHECK(with("[limits]\ncgroup = ['memory.max']").find("expected a file of the control group") != Text::npos);
}

TEST_CASE("--set overrides the file" * with_network)
{
    const std::string_view text = "name = 'web'\nroot = '/r'\ncommand = ['x']\n[limits]\nmemory = '16M'\n";
    const auto spec = [&](std::initializer_list<std::string_view> settings) {
        Reading reading = read_spec(text, "web.conf", {settings.begin(), settings.size()});
        CHECK(problems_of(reading, "web.conf") == "");
        return std::move(reading.spec);
    };
    CHECK(spec({"limits.memory=8M"}).limits.memory == 8 << 20);
    CHECK(spec({"limits.memory=4096"}).limits.memory == 4096);
    CHECK(spec({"limits.memory = \"1M\""}).limits.memory == 1 << 20);
    CHECK(spec({"limits.memory=1M", "limits.memory=2M"}).limits.memory == 2 << 20);
    CHECK(spec({"limits={tasks = 3}"}).limits.tasks == 3);
    CHECK(spec({"limits={tasks = 3}"}).limits.memory == unlimited);
    CHECK(spec({"restart=on-failure"}).services[0].policy.restart == Restart::OnFailure);
    CHECK(spec({"command=[\"/bin/sh\", '-c']"}).services[0].command == List<Text>{"/bin/sh", "-c"});
    CHECK(spec({"network.eth0.address=10.0.3.2/24"}).networks[0].name == "eth0");
    CHECK(spec({"environment.HOME=/root", "environment.X="}).services[0].environment == List<Text>{"HOME=/root", "X="});
    CHECK(spec({"hostname=1.5"}).hostname == "1.5");

    CHECK(set({"root=/r", "name=x", "command=[\"sh\"]"}) == "");
    CHECK(set({"root=/r", "name=x/y", "command=[\"sh\"]"}) ==
          "--set name=x/y: \"x/y\": a name has only letters, digits, '_', '.' and '-'\n");
    CHECK(set({"limits.memory=lots"}, text) ==
          "--set limits.memory=lots: expected a size like \"16M\", or \"max\", found \"lots\"\n");
    CHECK(set({"memory=1M"}, text) == "--set memory=1M: unknown key 'memory'; it belongs in [limits]\n");
    CHECK(set({"foo"}, text) == "--set foo: expected KEY=VALUE\n");
    CHECK(set({"=x"}, text) == "--set =x: expected KEY=VALUE\n");
    CHECK(set({"command=[\"a\""}, text) == "--set command=[\"a\": the value begins like TOML but is not\n");
    CHECK(set({"name.x=1"}, text) == "--set name.x=1: 'name' is no table; give it as a whole\n");
    CHECK(set({"hostname=\xff"}, text) == "--set hostname=\xff: this is not UTF-8 text\n");
    const Text quoted = toml_string("a\"b\\c\n\x01é");
    CHECK(quoted == "\"a\\\"b\\\\c\\n\\u0001é\"");
    CHECK(spec({concat("command=[", quoted, "]")}).services[0].command[0] == "a\"b\\c\n\x01é");
}

TEST_CASE("a file that cannot be a spec")
{
    char directory[] = "/tmp/vial-read-XXXXXX";
    REQUIRE(mkdtemp(directory) != nullptr);
    const std::string path = std::string(directory) + "/x.conf";
    const auto write = [&](std::string_view text) {
        const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        CHECK(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
        ::close(fd);
    };
    const auto failure = [&](const std::string& file) {
        const auto loaded = load_spec_file(file.c_str());
        if (loaded)
            return std::string("it was read");
        CHECK(loaded.error()->exit == ExitCode::Usage);
        char buffer[description_capacity];
        return std::string(describe(loaded.error(), buffer, sizeof buffer));
    };
    write("root = '/'\n");
    CHECK(load_spec_file(path.c_str()).value() == "root = '/'\n");
    write("");
    CHECK(load_spec_file(path.c_str()).value() == "");
    write(std::string_view("\x7f"
                           "ELF\0",
                           5));
    CHECK(failure(path) == "cannot read " + path + ": a binary file, not a spec");
    write(std::string(10 << 20, '#'));
    CHECK(failure(path) == "cannot read " + path + ": larger than 1 MiB: no spec");
    CHECK(failure(directory) == "cannot read " + std::string(directory) + ": not a regular file");
    CHECK(failure("/dev/zero") == "cannot read /dev/zero: not a regular file");
    ::unlink(path.c_str());
    CHECK(failure(path) == "cannot read " + path + ": No such file or directory");
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    CHECK(failure(path) == "cannot read " + path + ": not a regular file");
    ::unlink(path.c_str());
    ::rmdir(directory);
}

TEST_CASE("addresses")
{
    const auto canonical = [](std::string_view text) {
        const auto address = parse_address(text);
        return address ? address_text(*address, false) : Text("-");
    };
    CHECK(canonical("10.0.3.2") == "10.0.3.2");
    CHECK(canonical("255.255.255.255") == "255.255.255.255");
    for (const char* wrong : {"", "10", "10.0.3", "10.0.3.2.1", "10.0.3.256", "10.0.3.02", "10.0.3.", ".0.3.2",
                              "10.0.3.2 ", "0x1.0.0.1", "+1.0.0.1"})
        CHECK_MESSAGE(canonical(wrong) == "-", wrong);
    CHECK(canonical("::") == "::");
    CHECK(canonical("::1") == "::1");
    CHECK(canonical("1::") == "1::");
    CHECK(canonical("FD00:0:0:1::00a0") == "fd00:0:0:1::a0");
    CHECK(canonical("1:0:0:2:0:0:0:3") == "1:0:0:2::3");
    CHECK(canonical("1:0:2:3:4:5:6:7") == "1:0:2:3:4:5:6:7");
    CHECK(canonical("::ffff:10.0.0.1") == "::ffff:a00:1");
    CHECK(canonical("1:2:3:4:5:6:10.0.0.1") == "1:2:3:4:5:6:a00:1");
    CHECK(canonical("1:2:3:4:5:6:7::") == "1:2:3:4:5:6:7:0");
    for (const char* wrong : {":", ":::", "1", "1:2", "1::2::3", "12345::", "1:2:3:4:5:6:7:8:9",
                              "1:2:3:4:5:6:7:", ":1::", "::1:", "g::", "fe80::1%eth0", "1:2:3:4:5:6:7:10.0.0.1",
                              "::10.0.0.1:1", "1:2:3:4:5:6:7:8::", "::10.0.0"})
        CHECK_MESSAGE(canonical(wrong) == "-", wrong);
    for (const char* wrong :
         {"10.0.3.2", "10.0.3.2/", "10.0.3.2/33", "10.0.3.2/024", "10.0.3.2/24/1", "fd00::/129", "/24"})
        CHECK_MESSAGE(!parse_network(wrong), wrong);
    CHECK(address_text(*parse_network("fd00::1/0"), true) == "fd00::1/0");
    CHECK(inside(*parse_address("10.0.3.1"), *parse_network("10.0.2.9/23")));
    CHECK_FALSE(inside(*parse_address("10.0.4.1"), *parse_network("10.0.2.9/23")));
    CHECK(inside(*parse_address("1.2.3.4"), *parse_network("10.0.0.1/0")));
    CHECK(inside(*parse_address("10.0.0.1"), *parse_network("10.0.0.1/32")));
    CHECK_FALSE(inside(*parse_address("fd00::1"), *parse_network("10.0.0.1/0")));
}

TEST_CASE("every example is a good spec" * with_network)
{
    const char* source = std::getenv("SOURCE");
    if (source == nullptr) {
        MESSAGE("SOURCE does not name the source tree");
        return;
    }
    int count = 0;
    const Text directory = concat(source, "/config/examples");
    DIR* const entries = ::opendir(directory.c_str());
    REQUIRE(entries != nullptr);
    while (const dirent* entry = ::readdir(entries)) {
        const Text path = concat(directory, "/", entry->d_name);
        if (path.size() < 5 || path.substr(path.size() - 5) != ".conf")
            continue;
        const Reading reading = read_spec(load_spec_file(path.c_str()).value(), path);
        CHECK_MESSAGE(problems_of(reading, path) == "", path);
        CHECK_MESSAGE(reading.spec.not_yet.empty(), path);
        ++count;
    }
    ::closedir(entries);
    CHECK(count >= 4);
}

TEST_CASE("supervision")
{
    const ServicePolicy& defaults = good("").services[0].policy;
    CHECK(defaults.ready == Ready::Start);
    CHECK(defaults.restart_limit == 0);
    const Spec spec = good(
        "restart_backoff = '1m'\nrestart_limit = '5/10m'\nstable_after = '20s'\nessential = true\nready = 'tcp:8080'\n"
        "start_timeout = '3s'\nreload_signal = 'USR1'\non_start = ['/a', 'b']\non_stop = ['/c']\non_failure = ['/d']\n"
        "[health]\ncommand = ['/h']\ninterval = '10s'\ntimeout = '2s'\nretries = 4\naction = 'stop'");
    const ServicePolicy& policy = spec.services[0].policy;
    CHECK(spec.not_yet.empty());
    CHECK(policy.restart_backoff == 60000);
    CHECK(policy.restart_limit == 5);
    CHECK(policy.restart_window == 600000);
    CHECK(policy.stable_after == 20000);
    CHECK(policy.essential);
    CHECK(policy.ready == Ready::Tcp);
    CHECK(policy.ready_number == 8080);
    CHECK(policy.start_timeout == 3000);
    CHECK(policy.reload_signal == SIGUSR1);
    CHECK(policy.health_interval == 10000);
    CHECK(policy.probe_timeout == 2000);
    CHECK(policy.health_retries == 4);
    CHECK(policy.health_action == HealthAction::Stop);
    CHECK(spec.services[0].task_command[0] == List<Text>{"/h"});
    CHECK(spec.services[0].task_command[1] == List<Text>{"/a", "b"});
    CHECK(spec.services[0].task_command[2] == List<Text>{"/c"});
    CHECK(spec.services[0].task_command[3] == List<Text>{"/d"});

    CHECK(good("oneshot = true").services[0].policy.start_timeout == unlimited);
    CHECK(good("oneshot = true\nstart_timeout = 5").services[0].policy.start_timeout == 5000);
    CHECK(good("restart_limit = 7").services[0].policy.restart_limit == 7);
    CHECK(good("ready = 'fd'").services[0].policy.ready_number == 3);
    CHECK(good("ready = 'fd:5'").services[0].policy.ready_number == 5);
    for (const char* wrong : {"tcp", "tcp:0", "tcp:65536", "fd:2", "notify:1", "soon", "exec:1"})
        CHECK(with(concat("ready = '", wrong, "'")).find("expected \"start\"") != std::string::npos);
    for (const char* wrong : {"0", "256", "'5/0s'", "'5/soon'", "'/1m'", "-1"})
        CHECK(with(concat("restart_limit = ", wrong)).find("expected a number of restarts") != std::string::npos);
    CHECK(with("ready = 'exec'") == "web.conf:3:1: ready = \"exec\" asks the command of [health]: there is none\n");
    CHECK(with("[health]\ninterval = 1") == "web.conf:3:1: [health] has no 'command'\n");
    CHECK(with("oneshot = true\nready = 'notify'").find("leave out 'ready'") != std::string::npos);
    CHECK(with("init = false\noneshot = true").find("nobody to run hooks") != std::string::npos);
    CHECK(good("pid_file = '/run/x.pid'").services[0].pid_file == "/run/x.pid");
    CHECK(with("pid_file = 'x.pid'").find("absolute path") != std::string::npos);
    for (const char* other : {"ready = 'notify'", "oneshot = true"})
        CHECK(with(concat("pid_file = '/x'\n", other)).find("leave out 'ready' and 'oneshot'") != std::string::npos);
    CHECK(with("init = false\npid_file = '/x'").find("whether the service is ready") != std::string::npos);
}

TEST_CASE("services that depend on each other")
{
    const auto problems = [](std::string_view more) {
        return problems_of(read_spec(concat("root = '/r'\n", more), "web.conf"), "web.conf");
    };
    const char* chain = "[service.a]\ncommand = ['x']\nafter = ['b']\n[service.b]\ncommand = ['x']\nrequires = ['c']\n"
                        "[service.c]\ncommand = ['x']\n";
    CHECK(problems(chain) == "");
    CHECK(problems(concat(chain, "after = ['a']")) ==
          "web.conf:2:1: the services wait for each other: a -> b -> c -> a\n");
    CHECK(problems(concat(chain, "after = ['c']")) == "web.conf:10:1: after: a service cannot wait for itself\n");
    CHECK(problems(concat(chain, "requires = ['d']")) ==
          "web.conf:10:1: requires: there is no service 'd' in this spec\n");
    // Who only leads into a cycle is not named.
    CHECK(problems("[service.a]\ncommand = ['x']\nafter = ['b']\n[service.b]\ncommand = ['x']\nafter = ['c']\n"
                   "[service.c]\ncommand = ['x']\nafter = ['b']\n")
              .find("b -> c -> b") != std::string::npos);
}
