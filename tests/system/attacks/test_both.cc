// SPDX-License-Identifier: MIT
//
// Each attack of the list with every default, with a user namespace and without, and on old kernels' paths; and each once more where
// nothing stands in its way, so that it is known to be one: with the guard in question turned off, or on the host itself.

#include "ground.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

struct Attack {
    const char* what;
    Words words;        ///< the program and what it is told
    Words without;      ///< the guards that must be gone for it to succeed; empty: it is shown on the host
    bool by_kernel;     ///< the kernel may lack what is attacked
    bool in_namespace;  ///< without the guards it succeeds in a user namespace as well
};

Finished tried(const std::string& where, const Words& words, const Words& settings)
{
    Words all{"run", "--root", where};
    for (const std::string& setting : settings)
        all.insert(all.end(), {"--set", setting});
    all.push_back("--");
    all.insert(all.end(), words.begin(), words.end());
    return ctl(all);
}

Words both(Words settings, const Words& more)
{
    settings.insert(settings.end(), more.begin(), more.end());
    return settings;
}

/// The attack from a plain chroot(2) with the host's /proc in it: what there was before there were containers.
Finished on_the_host(const std::string& where, const Words& words)
{
    Words all{"unshare",
              "--mount",
              "/bin/sh",
              "-c",
              "mount -t proc proc " + where + "/proc && mount --bind /sys " + where + "/sys && exec chroot " + where +
                  " \"$@\"",
              "sh"};
    all.insert(all.end(), words.begin(), words.end());
    return run(all);
}

/// A key of the host's root, in its user keyring.
class Key {
public:
    Key() : key_(::syscall(SYS_add_key, "user", "vial-test-secret", "secret", 6, -4)) {}
    ~Key() { (void)::syscall(SYS_keyctl, 21 /* KEYCTL_INVALIDATE */, key_); }
    Key(const Key&) = delete;
    Key& operator=(const Key&) = delete;
    bool is_there() const { return key_ >= 0; }

private:
    long key_;
};

}  // namespace

TEST_CASE("every attack, with a user namespace and without: refused, and known to bite")
{
    const NothingLeft nothing_left;
    const Key key;
    const std::string where = image("both");
    const std::string marker = work();
    const Words& open = no_walls;
    const Attack attacks[] = {
        {"chroot's classic escape", {"/attacker", "chroot", marker}, {}, false, false},
        {"a node of the host's disk",
         {"/attacker", "disk", "7", "0"},
         {"security.capabilities=[\"MKNOD\"]", "devices=[\"/dev/loop0:rwm\"]"},
         false,
         false},
        {"PID 1 traced", {"/attacker", "trace", "1"}, {}, false, false},
        {"PID 1's memory and root", {"/attacker", "process", "1"}, open, false, true},
        {"sysrq", {"/attacker", "write", "/proc/sysrq-trigger"}, {}, true, false},
        {"core_pattern", {"/attacker", "write", "/proc/sys/kernel/core_pattern"}, {}, false, false},
        {"modprobe's path", {"/attacker", "write", "/proc/sys/kernel/modprobe"}, {}, true, false},
        {"the helper of uevents", {"/attacker", "write", "/sys/kernel/uevent_helper"}, {}, true, false},
        {"a read-only path remounted", {"/intruder", "writable", "/proc/sys/kernel"}, open, false, true},
        {"a read-only root remounted", {"/intruder", "writable", "/etc"}, open, false, false},
        {"a mask unmounted", {"/attacker", "unmask", "/proc/keys"}, open, true, true},
        {"a directory's mask unmounted", {"/attacker", "unmask", "/sys/firmware"}, open, true, true},
        {"a control group", {"/attacker", "control-group"}, open, false, false},
        {"a module", {"/intruder", "module", "/intruder"}, open, true, false},
        {"a key of the host's root", {"/intruder", "keyring", "vial-test-secret"}, no_filter, !key.is_there(), false},
        {"a raw socket", {"/attacker", "raw-socket"}, {"security.capabilities=[\"NET_RAW\"]"}, false, true},
        {"a process of the host's", {"/attacker", "kill", std::to_string(::getpid())}, {}, false, false},
        {"the host's files by a process's root", {"/intruder", "by-root", marker}, {}, false, false},
        {"the host's files by `..`", {"/attacker", "outside", marker}, {}, false, false},
        {"a descriptor too many", {"/attacker", "descriptors"}, {}, false, false},
        {"letters typed into a terminal", {"/attacker", "type-ahead"}, no_filter, false, true},
        {"a user namespace of its own", {"/attacker", "new-user-clone"}, no_filter, false, true},
        {"the host's name", {"/attacker", "host-name"}, open, false, true},
        {"the binary of PID 1", {"/attacker", "write-exe", "1"}, {}, false, false},
    };
    for (const Attack& attack : attacks) {
        INFO(std::string(attack.what));
        for (const Words& settings : {Words{}, mapped}) {
            const Finished inside = tried(where, attack.words, settings);
            const std::string kind = settings.empty() ? "without" : "with";
            INFO(kind, " a user namespace: ", inside.out, inside.err);
            if (inside.code != NotTried || !attack.by_kernel)
                CHECK(inside.code == Refused);
            if (attack.without.empty() || (!settings.empty() && !attack.in_namespace))
                continue;
            const Finished bare = tried(where, attack.words, both(settings, attack.without));
            INFO("without the guards: ", bare.out, bare.err);
            if (bare.code != NotTried || !attack.by_kernel)
                CHECK(bare.code == Succeeded);
        }
        const OnOldKernel old({"--kernel", "4.19"});
        const Finished inside = tried(where, attack.words, {});
        INFO("on an old kernel: ", inside.out, inside.err);
        CHECK(inside.code != Succeeded);
    }
    CHECK(run({"rm", "-rf", where}).code == 0);
}

TEST_CASE("those that no single guard keeps out succeed on the host")
{
    const NothingLeft nothing_left;
    const std::string where = image("both");
    const std::string marker = work();
    Process victim({"/bin/sleep", "1000"});
    const std::string pid = std::to_string(victim.pid());
    for (const Words& words :
         {Words{"/attacker", "chroot", marker}, Words{"/attacker", "write", "/proc/sys/kernel/core_pattern"},
          Words{"/attacker", "trace", pid}, Words{"/intruder", "by-root", marker}, Words{"/attacker", "kill", pid}}) {
        INFO(words[1]);
        const Finished finished = on_the_host(where, words);
        INFO(finished.out, finished.err);
        CHECK(finished.code == Succeeded);
    }
    if (exists("/proc/sysrq-trigger"))
        CHECK(on_the_host(where, {"/attacker", "write", "/proc/sysrq-trigger"}).code == Succeeded);
    CHECK(victim.wait() == 128 + SIGKILL);
    CHECK(run({"rm", "-rf", where}).code == 0);
}
