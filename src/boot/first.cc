// SPDX-License-Identifier: MIT
#include "boot/first.h"

#include "base/events.h"
#include "base/os.h"
#include "base/text.h"
#include "boot/console.h"
#include "boot/specs.h"
#include "kernel/netlink.h"
#include "kernel/network.h"
#include "launch/environment.h"
#include "spec/grammar.h"
#include "spec/read.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <iterator>
#include <linux/watchdog.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace vial {

namespace {

struct Essential {
    const char* type;
    const char* target;
    unsigned long flags;
    const char* options;
};

constexpr Essential essentials[] = {
    {"proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr},
    {"sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr},
    {"devtmpfs", "/dev", MS_NOSUID, "mode=755"},
    {"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666"},
    {"tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777"},
    {"tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=755"},
};
constexpr const char* cgroup_root = "/sys/fs/cgroup";
constexpr unsigned long cgroup_flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

void say_failure(const Result<void>& result)
{
    if (!result.ok())
        say(result.error());
}

/// What is mounted there belongs to another file system than the directory it lies in.
bool is_mount_point(Text path)
{
    const auto here = os::lstat(AT_FDCWD, path.c_str());
    const auto above = os::lstat(AT_FDCWD, compose("%/..", path).c_str());
    return here.ok() && above.ok() && here.value().st_dev != above.value().st_dev;
}

Result<void> mount_on(const char* source, Text target, const char* type, unsigned long flags, const char* options)
{
    (void)os::mkdirat(AT_FDCWD, target.c_str(), 0755);
    if (is_mount_point(target))
        return {};
    return os::mount(source, target.c_str(), type, flags, options);
}

/// Version 2, or a mount for each controller where the kernel is too old for that.
void mount_cgroups()
{
    const auto unified = mount_on("cgroup2", cgroup_root, "cgroup2", cgroup_flags, nullptr);
    if (unified.ok())
        return;
    const Text known = os::read_file(AT_FDCWD, "/proc/cgroups").value_or({});
    std::string_view rest = known;
    bool any = false;
    while (!rest.empty()) {
        std::string_view line = take_until(rest, '\n');
        const Text name = take_word(line);
        take_word(line);
        take_word(line);
        if (take_word(line) != "1")
            continue;
        if (!std::exchange(any, true))
            say_failure(mount_on("tmpfs", cgroup_root, "tmpfs", cgroup_flags, "mode=755"));
        say_failure(mount_on("cgroup", compose("%/%", cgroup_root, name), "cgroup", cgroup_flags, name.c_str()));
    }
    if (!any)
        say("this kernel has no control groups (CONFIG_CGROUPS): no container can be limited"_p);
}

/// A file, by its path or by that in the running kernel's directory, and its parameters.
Result<void> load_module(std::string_view line)
{
    constexpr int is_compressed = 4;  // MODULE_INIT_COMPRESSED_FILE, 5.17
    std::string_view parameters = line;
    Text path = take_word(parameters);
    if (!path.starts_with('/')) {
        const Text release = TRY(os::read_file(AT_FDCWD, "/proc/sys/kernel/osrelease"));
        std::string_view rest = release;
        path = compose("/lib/modules/%/%", take_word(rest), path);
    }
    const Fd file = TRY(os::open(path.c_str(), O_RDONLY));
    auto loaded = os::load_module(file.get(), Text(parameters).c_str(), path.ends_with(".ko") ? 0 : is_compressed);
    if (loaded.ok() || loaded.number() == EEXIST)
        return {};
    return loaded.as("load the module"_p, path);
}

/// A line as of fstab(5).
Result<void> mount_line(std::string_view line)
{
    constexpr std::string_view words =
        "ro|nosuid|nodev|noexec|sync|noatime|nodiratime|relatime|bind|rw|defaults|nofail|auto";
    constexpr unsigned long bits[] = {
        MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_SYNCHRONOUS, MS_NOATIME, MS_NODIRATIME, MS_RELATIME, MS_BIND,
        0,         0,         0,        0};
    std::string_view rest = line;
    const Text source = take_word(rest), target = take_word(rest), type = take_word(rest);
    std::string_view options = take_word(rest);
    if (type.empty())
        return Error("it is not of the form SOURCE TARGET TYPE [OPTIONS]"_p, "mount", line);
    unsigned long flags = 0;
    Builder data;
    while (!options.empty()) {
        const std::string_view option = take_until(options, ',');
        const int known = word_index(words, option);
        if (known >= 0)
            flags |= bits[known];
        else
            data.compose("%%", data.empty() ? "" : ",", option);
    }
    TRY(mount_on(source.c_str(), target, type.c_str(), flags, Text(data).c_str()));
    // A bind mount heeds its flags only when it is mounted anew.
    if ((flags & MS_BIND) != 0 && flags != MS_BIND)
        return os::mount(nullptr, target.c_str(), nullptr, flags | MS_REMOUNT, nullptr);
    return {};
}

Result<void> configure(const NetworkSpec& network)
{
    NetlinkSocket socket = TRY(NetlinkSocket::open());
    return configure_interface(socket, network, true);
}

/// One whose driver takes its time holds up nobody: a process of its own waits for it, a minute at most.
void configure_when_there(const NetworkSpec& network)
{
    constexpr int interval = 200;  // milliseconds
    constexpr int most_looks = 300;
    auto done = configure(network);
    say_failure(done);
    if (done.number() != ENODEV)
        return;
    const auto child = os::clone({});
    if (!child.ok() || child.value() != 0)
        return;
    os::restore_signals();
    for (int look = 0; look < most_looks && done.number() == ENODEV; ++look) {
        (void)os::poll({}, interval);
        done = configure(network);
    }
    if (done.number() != ENODEV)
        say_failure(done);
    ::_exit(0);
}

HostConf load(Text file, bool aloud)
{
    List<Text> complaints;
    auto text = load_spec_file(file.c_str());
    HostConf conf = read_host_conf(text.value_or({}), file, complaints);
    if (!text.ok() && text.number() != ENOENT && aloud)
        say(text.error());
    for (Text line : complaints)
        if (aloud)
            say(line);
    return conf;
}

void apply(const HostConf& conf)
{
    if (!conf.hostname.empty())
        say_failure(os::sethostname(conf.hostname));
    for (Text line : conf.modules)
        say_failure(load_module(line));
    if (const Opened sysctls = os::open("/proc/sys", O_PATH | O_DIRECTORY); sysctls.ok())
        for (Text sysctl : conf.sysctls)
            say_failure(set_sysctl(sysctls.value(), sysctl));
    for (Text line : conf.mounts)
        say_failure(mount_line(line));
    say_failure(loopback_up());
    for (const NetworkSpec& network : conf.networks)
        configure_when_there(network);
}

/// What the child tells its parent.
struct Kept {
    Milliseconds watchdog, stop_timeout;
    char device[128];
};

Result<void> open_watchdog(const Kept& kept, Duties& duties)
{
    Fd device = TRY(os::open(kept.device, O_WRONLY));
    // In seconds; what it answers is what the hardware can.
    int seconds = static_cast<int>(std::max<Milliseconds>(kept.watchdog / 1000, 1));
    auto set = os::ioctl(device.get(), WDIOC_SETTIMEOUT, &seconds, "set the time of"_p);
    if (!set.ok() && !os::ioctl(device.get(), WDIOC_GETTIMEOUT, &seconds, "read the time of"_p).ok())
        return set.error().as("set the time of"_p, kept.device);
    duties.feed_interval = Milliseconds{std::max(seconds, 1)} * 500;
    duties.watchdog = std::move(device);
    return {};
}

ServiceSpec on_console(Text name, const List<Text>& command, int state)
{
    ServiceSpec service;
    service.name = name;
    service.command.push_back("/proc/self/exe");
    service.command.push_back(console_word);
    service.command.append(command.data(), command.size());
    service.policy.restart = Restart::Always;
    recognise(service, state);
    return service;
}

}  // namespace

void mount_essentials()
{
    for (const Essential& each : essentials)
        say_failure(mount_on(each.type, each.target, each.type, each.flags, each.options));
    mount_cgroups();
    constexpr const char* links[] = {"fd", "", "stdin", "/0", "stdout", "/1", "stderr", "/2"};
    for (std::size_t at = 0; at < std::size(links); at += 2)
        (void)os::symlinkat(compose("/proc/self/fd%", links[at + 1]).c_str(), AT_FDCWD,
                            compose("/dev/%", links[at]).c_str());
    // An initramfs may have none when the kernel looks for it.
    if (const Opened console = os::open("/dev/console", O_RDWR | O_NOCTTY); console.ok())
        for (int target = 0; target < 3; ++target)
            (void)os::duplicate_to(console.value().get(), target);
    os::occupy_standard();
}

Duties set_up_machine(Text file, bool again)
{
    const auto work = [&] {
        const HostConf conf = load(file, !again);
        if (!again)
            apply(conf);
        Kept kept{conf.watchdog, conf.stop_timeout, {}};
        Writer(kept.device, sizeof kept.device - 1).put(conf.watchdog_device);
        return kept;
    };
    Kept kept{0, HostConf{}.stop_timeout, {}};
    Fd end;
    if (auto pipe = os::pipe(); pipe.ok()) {
        const auto child = os::clone({});
        if (child.ok() && child.value() == 0) {
            const Kept found = work();
            (void)os::write(pipe.value().write.get(), &found, sizeof found);
            ::_exit(0);
        }
        pipe.value().write.reset();
        if (child.ok()) {
            Kept found{};
            if (os::read(pipe.value().read.get(), &found, sizeof found).value_or(0) == sizeof found)
                kept = found;
            (void)os::wait(child.value(), 0);
        }
    }
    Duties duties;
    duties.stop_timeout = kept.stop_timeout;
    if (kept.watchdog > 0)
        say_failure(open_watchdog(kept, duties));
    return duties;
}

void add_console_services(Text file, int state, Spec& spec)
{
    const HostConf conf = load(file, false);
    if (!conf.console.empty())
        spec.services.push_back(on_console("boot.console", conf.console, state));
    spec.services.push_back(on_console("boot.emergency", conf.emergency, state));
    spec.services.back().on_demand = true;
}

void run_emergency_shell()
{
    const auto child = os::clone({});
    if (child.ok() && child.value() == 0) {
        os::reset_signal_actions();
        char* words[] = {const_cast<char*>("/bin/sh"), nullptr};
        ::_exit(become_console(words));
    }
    if (child.ok())
        (void)os::wait(child.value(), 0);
    // Where there is none either, the console should stay readable.
    (void)os::poll({}, 1000);
}

}  // namespace vial
