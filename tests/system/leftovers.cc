// SPDX-License-Identifier: MIT
//
// The part of harness.h that looks at the kernel: cgroups, mounts, interfaces, loop devices, and what is left of them.

#include "harness.h"
#include "kernel/netlink.h"

#include <algorithm>
#include <cstdlib>
#include <dirent.h>
#include <doctest/doctest.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vial::test {

namespace {

std::vector<std::string> names_in(const std::string& path)
{
    std::vector<std::string> names;
    DIR* directory = ::opendir(path.c_str());
    while (const dirent* entry = directory != nullptr ? ::readdir(directory) : nullptr) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..")
            names.push_back(name);
    }
    if (directory != nullptr)
        ::closedir(directory);
    std::sort(names.begin(), names.end());
    return names;
}

bool is_directory(const std::string& path)
{
    struct stat what {};
    return ::lstat(path.c_str(), &what) == 0 && S_ISDIR(what.st_mode);
}

struct Hierarchy {
    std::string point, options;
    bool unified;
};

std::vector<Hierarchy> hierarchies()
{
    std::vector<Hierarchy> found;
    for (const std::string& line : lines(read_text("/proc/self/mounts"))) {
        std::string_view rest = line;
        const auto word = [&] {
            const std::string_view one = rest.substr(0, rest.find(' '));
            rest.remove_prefix(std::min(one.size() + 1, rest.size()));
            return std::string(one);
        };
        (void)word();
        const std::string point = word(), type = word(), options = word();
        if (type == "cgroup" || type == "cgroup2")
            found.push_back({point, options, type == "cgroup2"});
    }
    return found;
}

/// The directories beneath a cgroup, deepest last.
void walk(const std::string& path, std::vector<std::string>& found)
{
    for (const std::string& name : names_in(path)) {
        const std::string below = path + "/" + name;
        if (is_directory(below)) {
            found.push_back(below);
            walk(below, found);
        }
    }
}

std::vector<std::string> cgroups()
{
    std::vector<std::string> found;
    for (const Hierarchy& hierarchy : hierarchies())
        walk(hierarchy.point, found);
    return found;
}

/// Everybody who lives in our part of the cgroups, but for us and our parents.
std::vector<std::string> processes()
{
    std::vector<std::string> groups = cgroups(), found;
    for (const Hierarchy& hierarchy : hierarchies())
        groups.push_back(hierarchy.point);
    for (const std::string& group : groups) {
        for (const std::string& pid : lines(read_text(group + "/cgroup.procs"))) {
            std::string name = read_text("/proc/" + pid + "/comm");
            const std::string state = read_text("/proc/" + pid + "/stat");
            // A zombie has ended, and 0 is nobody we can see.
            if (!name.empty() && pid != "0" && state.find(") Z ") == state.npos)
                found.push_back(pid + " " + name.substr(0, name.find('\n')));
        }
    }
    return found;
}

std::vector<std::string> loop_devices()
{
    std::vector<std::string> found;
    for (const std::string& name : names_in("/sys/block")) {
        const std::string file = read_text("/sys/block/" + name + "/loop/backing_file");
        if (file.find(work().substr(work().rfind('/'))) != file.npos)
            found.push_back(name + " over " + file.substr(0, file.find('\n')));
    }
    return found;
}

std::vector<std::string> snapshot()
{
    std::vector<std::string> all;
    const auto add = [&](const char* kind, const std::vector<std::string>& found) {
        for (const std::string& one : found)
            all.push_back(std::string(kind) + one);
    };
    add("mount ", mounts());
    add("cgroup ", cgroups());
    add("process ", processes());
    add("interface ", interfaces());
    add("table ", filter_tables());
    add("loop device ", loop_devices());
    for (const std::string& name : names_in("/run/vial"))
        if (name != ".lock")
            all.push_back("state /run/vial/" + name);
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

std::vector<std::string> without(const std::vector<std::string>& all, const std::vector<std::string>& some)
{
    std::vector<std::string> rest;
    std::set_difference(all.begin(), all.end(), some.begin(), some.end(), std::back_inserter(rest));
    return rest;
}

}  // namespace

bool cgroup_is_unified()
{
    bool unified = true;
    for (const Hierarchy& hierarchy : hierarchies())
        unified = unified && hierarchy.unified;
    return unified;
}

std::string cgroup(const std::string& controller, const std::string& below)
{
    for (const Hierarchy& hierarchy : hierarchies()) {
        const std::string options = "," + hierarchy.options + ",";
        if (options.find("," + controller + ",") != options.npos || (hierarchy.unified && cgroup_is_unified()))
            return hierarchy.point + "/vial/" + below;
    }
    return "/no-such-hierarchy";
}

std::vector<std::string> interfaces()
{
    std::vector<std::string> found;
    for (const std::string& line : lines(read_text("/proc/self/net/dev"))) {
        const std::size_t colon = line.find(':');
        const std::size_t start = line.find_first_not_of(' ');
        if (colon != line.npos)
            found.push_back(line.substr(start, colon - start));
    }
    return found;
}

std::vector<std::string> filter_tables()
{
    std::vector<std::string> found;
    auto socket = NetlinkSocket::open(NETLINK_NETFILTER);
    if (!socket.ok())
        return found;
    NetlinkMessage message(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, NLM_F_DUMP, nfgenmsg{});
    const auto look = [](const NetlinkReply& reply, void* context) {
        if (reply.payload.size() < sizeof(nfgenmsg))
            return;
        auto rest = reply.payload.subspan(sizeof(nfgenmsg));
        NetlinkAttribute attribute;
        while (take_attribute(rest, attribute))
            if (attribute.type == NFTA_TABLE_NAME)
                static_cast<std::vector<std::string>*>(context)->push_back(
                    (reply.payload[0] == AF_INET6 ? "ip6 " : "ip ") + std::string(attribute.text()));
    };
    (void)socket.value().request(message, look, &found, "list tables", "").ok();
    return found;
}

std::vector<std::string> mounts()
{
    std::vector<std::string> found = lines(read_text("/proc/self/mounts"));
    std::sort(found.begin(), found.end());
    return found;
}

NothingLeft::NothingLeft()
{
    (void)root();
    before_ = snapshot();
}

NothingLeft::~NothingLeft()
{
    // A killed process takes a moment to vanish, a dead container's interface some tens of milliseconds.
    std::vector<std::string> after;
    const auto as_before = [&] {
        after = snapshot();
        return after == before_;
    };
    if (eventually(as_before, 3000))
        return;
    for (const std::string& one : without(after, before_))
        FAIL_CHECK("left behind: ", one);
    for (const std::string& one : without(before_, after))
        FAIL_CHECK("gone: ", one);

    for (const std::string& name : names_in("/run/vial")) {
        if (name != ".lock")
            (void)ctl({"stop", "--timeout=0s", name}, {}, 5000);
    }
    for (const std::string& one : without(snapshot(), before_)) {
        const std::string what = one.substr(one.find(' ') + 1);
        if (one.substr(0, 8) == "process ") {
            ::kill(static_cast<pid_t>(std::atol(what.c_str())), SIGKILL);
        } else if (one.substr(0, 10) == "interface ") {
            (void)run({"ip", "link", "delete", what});
        } else if (one.substr(0, 6) == "state ") {
            (void)run({"rm", "-rf", what});
        } else if (one.substr(0, 6) == "mount ") {
            const std::size_t point = what.find(' ') + 1;
            (void)run({"umount", "-l", what.substr(point, what.find(' ', point) - point)});
        }
    }
    std::vector<std::string> groups = cgroups();
    for (std::size_t at = groups.size(); at-- > 0;) {
        const std::string line = "cgroup " + groups[at];
        if (!std::binary_search(before_.begin(), before_.end(), line))
            ::rmdir(groups[at].c_str());
    }
}

}  // namespace vial::test
