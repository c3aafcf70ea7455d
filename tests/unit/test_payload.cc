// SPDX-License-Identifier: MIT
#include "kernel/payload.h"

#include "base/syscall_numbers.h"
#include "child.h"
#include "kernel/landlock.h"

#include <cstring>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace vial;

namespace {

constexpr std::uint64_t few = 0x4eb;

/// What this process has of what root is given by default.
std::uint64_t granted(std::uint64_t wanted)
{
    return wanted & std::strtoull(status_of("CapBnd").c_str(), nullptr, 16);
}

std::string hexadecimal(std::uint64_t set)
{
    std::string text;
    for (int shift = 60; shift >= 0; shift -= 4)
        text += "0123456789abcdef"[set >> shift & 15];
    return text;
}

/// Changing to other users, and cutting the bounding set, takes a real root.
bool is_root()
{
    if (::geteuid() == 0)
        return true;
    MESSAGE("not run: needs root");
    return false;
}

/// Runs `/bin/sh -c script` as the payload and returns what it wrote.
std::string output_of(const char* script, Payload payload, int expected_code = 0)
{
    auto pipe = os::pipe().take();
    payload.standard[1] = pipe.write.get();
    const char* arguments[] = {"sh", "-c", script, nullptr};
    const char* environment[] = {"PATH=/nowhere:/bin", "KEY=value", nullptr};
    payload.arguments = const_cast<char**>(arguments);
    payload.environment = const_cast<char**>(environment);
    const pid_t pid = os::clone({}).value();
    if (pid == 0) {
        const Error error = execute_payload(payload);
        char text[description_capacity];
        (void)os::write_all(pipe.write.get(), describe(error, text, sizeof text));
        ::_exit(exec_exit_code(error));
    }
    pipe.write.reset();
    std::string output;
    char buffer[4096];
    while (const std::size_t got = os::read(pipe.read.get(), buffer, sizeof buffer).value())
        output.append(buffer, got);
    CHECK(os::wait(pid, 0).value().exit_code() == expected_code);
    return output;
}

/// The error and the code of a program that cannot be executed.
std::string failure_of(const char* name, const char* path, int expected_code)
{
    auto pipe = os::pipe().take();
    const pid_t pid = os::clone({}).value();
    if (pid == 0) {
        const char* arguments[] = {name, nullptr};
        const char* environment[] = {path, nullptr};
        Payload payload;
        payload.arguments = const_cast<char**>(arguments);
        payload.environment = const_cast<char**>(environment);
        const Error error = execute_payload(payload);
        char text[description_capacity];
        (void)os::write_all(pipe.write.get(), describe(error, text, sizeof text));
        ::_exit(exec_exit_code(error));
    }
    pipe.write.reset();
    char text[description_capacity];
    const std::size_t size = os::read(pipe.read.get(), text, sizeof text).value();
    CHECK(os::wait(pid, 0).value().exit_code() == expected_code);
    return std::string(text, size);
}

std::string many(const char* text, int count)
{
    std::string whole;
    while (count-- > 0)
        whole += text;
    return whole;
}

constexpr const char* show_status =
    "grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp):' /proc/self/status | tr -s '\\t ' ' '";

}  // namespace

TEST_SUITE_BEGIN("payload" * doctest::skip(emulated()));

TEST_CASE("root keeps exactly the capabilities it is given")
{
    if (!is_root())
        return;
    Payload payload;
    payload.identity.capabilities = few;
    const std::string text = output_of(show_status, payload);
    const std::string kept = hexadecimal(granted(few));
    CHECK(text == "Uid: 0 0 0 0\nGid: 0 0 0 0\nGroups: \nCapInh: 0000000000000000\nCapPrm: " + kept + "\nCapEff: " +
                      kept + "\nCapBnd: " + kept + "\nCapAmb: 0000000000000000\nNoNewPrivs: 1\nSeccomp: 2\n");
}

TEST_CASE("any other user keeps none, whatever was inheritable or ambient before")
{
    if (!is_root())
        return;
    const std::uint32_t groups[] = {44, 70000};
    Payload payload;
    payload.identity = {1234, 70001, groups, few, 0, true, true};
    const auto ended = in_child([&] {
        const auto now = os::capget().value();
        (void)os::capset({now.effective, now.permitted, now.permitted});
        (void)os::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 0, "raise");
        const std::string text = output_of(show_status, payload);
        const std::string kept = hexadecimal(granted(few));
        return text == "Uid: 1234 1234 1234 1234\nGid: 70001 70001 70001 70001\nGroups: 44 70000 \n"
                       "CapInh: 0000000000000000\nCapPrm: 0000000000000000\nCapEff: 0000000000000000\n"
                       "CapBnd: " +
                           kept + "\nCapAmb: 0000000000000000\nNoNewPrivs: 1\nSeccomp: 2\n"
                   ? 0
                   : 1;
    });
    CHECK(ended.exit_code() == 0);
}

TEST_CASE("a filter without no_new_privs takes CAP_SYS_ADMIN, and says so")
{
    if (!is_root())
        return;
    Payload payload;
    payload.identity.capabilities = few;
    payload.identity.no_new_privileges = false;
    const std::string text = output_of("grep -E '^(NoNewPrivs|Seccomp|CapEff):' /proc/self/status", payload);
    CHECK(text == "CapEff:\t" + hexadecimal(granted(few)) + "\nNoNewPrivs:\t0\nSeccomp:\t2\n");

    const auto ended = in_child([&] {
        const auto now = os::capget().value();
        if (!os::capset({now.effective & ~(1ULL << 21), now.permitted & ~(1ULL << 21), 0}).ok())
            return 1;
        const auto assumed = assume(payload.identity);
        char buffer[description_capacity];
        return describe(assumed.error(), buffer, sizeof buffer) ==
                       "cannot limit the system calls: seccomp needs no_new_privileges"
                   ? 0
                   : 2;
    });
    CHECK(ended.exit_code() == 0);

    payload.identity.seccomp = false;
    CHECK(output_of("grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status", payload) == "NoNewPrivs:\t0\nSeccomp:\t0\n");
}

TEST_CASE("Landlock closes what no rule names")
{
    const auto there = require_landlock();
    if (!there.ok()) {
        // Refused by name, and nothing is executed.
        char text[description_capacity];
        const std::string why(describe(there.error(), text, sizeof text));
        CHECK(why.find("Landlock") != std::string::npos);
        return;
    }
    char directory[] = "/tmp/vial-landlock-XXXXXX";
    REQUIRE(::mkdtemp(directory) != nullptr);
    const std::string open = directory + std::string("/open");
    const std::string closed = directory + std::string("/closed");
    REQUIRE(::mkdir(open.c_str(), 0777) == 0);
    REQUIRE(::mkdir(closed.c_str(), 0777) == 0);
    REQUIRE(os::write_file(AT_FDCWD, "/dev/null", "").ok());
    const Fd secret = os::open((closed + "/secret").c_str(), O_WRONLY | O_CREAT, 0666).take();
    REQUIRE(os::write_all(secret.get(), "secret\n").ok());

    Payload payload;
    payload.directory = directory;
    const std::string write_rule = "write:" + open;
    const char* const rules[] = {"exec:/", write_rule.c_str()};
    payload.identity.landlock = rules;
    CHECK(output_of(
              "echo a >open/a && cat open/a && mkdir open/d && mv open/a open/d/b && rm open/d/b && rmdir open/d && "
              "ln -s x open/l && rm open/l && echo good; cat closed/secret",
              payload) == "a\ngood\nsecret\n");
    for (const char* script : {"echo a >closed/a", "echo a >>closed/secret", "mkdir closed/d", "rm closed/secret",
                               "mv closed/secret open/", "mknod closed/p p"}) {
        CAPTURE(script);
        CHECK(output_of((std::string("(") + script + ") 2>&1 && echo done || echo refused").c_str(), payload)
                  .find("refused\n") != std::string::npos);
    }

    // A file alone, and a program that may be read but not executed.
    const std::string file_rule = "write:" + closed + "/secret";
    const char* const single[] = {"exec:/", file_rule.c_str()};
    payload.identity.landlock = single;
    CHECK(output_of("echo b >closed/secret && cat closed/secret; (echo a >closed/a) 2>&1 || echo refused", payload)
              .find("b\n") == 0);
    const char* const unusable[] = {"read:/"};
    payload.identity.landlock = unusable;
    CHECK(output_of("true", payload, 126) == "cannot execute /bin/sh: Permission denied");
    const char* const missing_place[] = {"read:/", "read:/no/such/place"};
    payload.identity.landlock = missing_place;
    CHECK(output_of("true", payload, 125) ==
          "cannot limit access to files by Landlock, read:/no/such/place: No such file or directory");
    (void)::system(("rm -r " + std::string(directory)).c_str());
}

TEST_CASE("a user namespace without setgroups can have root with no groups")
{
    const std::string map = "0 " + std::to_string(::geteuid()) + " 1";
    const std::string group_map = "0 " + std::to_string(::getegid()) + " 1";
    const auto ended = in_child(
        [&] {
            if (!os::write_file(AT_FDCWD, "/proc/self/setgroups", "deny").ok() ||
                !os::write_file(AT_FDCWD, "/proc/self/uid_map", map).ok() ||
                !os::write_file(AT_FDCWD, "/proc/self/gid_map", group_map).ok())
                return 1;
            Identity identity;
            identity.capabilities = few;
            const std::uint32_t groups[] = {0};
            identity.groups = groups;
            const auto refused = in_child([&] { return assume(identity).number() == EPERM ? 0 : 1; });
            if (refused.exit_code() != 0)
                return 2;
            identity.groups = {};
            identity.user = 5;
            const auto unmapped = in_child([&] { return assume(identity).number() == EINVAL ? 0 : 1; });
            if (unmapped.exit_code() != 0)
                return 3;
            identity.user = 0;
            if (!assume(identity).ok())
                return 4;
            // The filter comes last of all, when there is nothing left to be done.
            return status_of("CapEff") == hexadecimal(few) && status_of("NoNewPrivs") == "1" ? 0 : 5;
        },
        {CLONE_NEWUSER, -1, nullptr});
    CHECK(ended.exit_code() == 0);
}

TEST_CASE("the parent-death signal survives the change of user")
{
    if (!is_root())
        return;
    const auto ended = in_child([] {
        (void)os::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, "arm");
        if (!assume({1234, 1234, {}, 0, 0, true, true}).ok())
            return 1;
        int signal = 0;
        (void)os::prctl(PR_GET_PDEATHSIG, reinterpret_cast<unsigned long>(&signal), 0, "read");
        return signal == SIGKILL ? 0 : 2;
    });
    CHECK(ended.exit_code() == 0);
}

TEST_CASE("the payload starts clean: signals, descriptors, session, directory, environment")
{
    if (!is_root())
        return;
    Payload payload;
    payload.directory = "/usr/..";
    const Fd leaked = os::open("/", O_RDONLY | O_DIRECTORY).take();
    CHECK(os::keep_across_exec(leaked.get()).ok());
    sigset_t every, before;
    ::sigfillset(&every);
    ::sigprocmask(SIG_SETMASK, &every, &before);
    const std::string signals = output_of("grep '^SigBlk:' /proc/self/status", payload);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    CHECK(signals == "SigBlk:\t" + std::string(2 * (_NSIG / 8), '0') + "\n");

    for (const int number : {0, ENOSYS}) {  // with close_range and without
        os::refuse(number == 0 ? nullptr : +[](long call) { return call == __NR_close_range ? ENOSYS : 0; });
        const std::string open = output_of(
            "fd=0; while test $fd -lt 99; do test -e /proc/$$/fd/$fd && echo -n \"$fd \"; fd=$((fd + 1)); done; :",
            payload);
        os::refuse(nullptr);
        CHECK(open == "0 1 2 ");
    }
    CHECK(output_of("pwd -P; echo $KEY; cut -d' ' -f6 /proc/$$/stat | grep -qx $$ && echo leader", payload) ==
          "/\nvalue\nleader\n");
}

TEST_CASE("standard descriptors may be exchanged")
{
    if (!is_root())
        return;
    auto pipe = os::pipe().take();
    const auto ended = in_child([&] {
        // 1 and 2 are the pipe's two ends, and are wanted the other way round.
        if (!os::duplicate_to(pipe.read.get(), 1).ok() || !os::duplicate_to(pipe.write.get(), 2).ok())
            return 1;
        const char* arguments[] = {"sh", "-c", "echo through; read word <&2; test \"$word\" = through", nullptr};
        const char* environment[] = {nullptr};
        Payload payload;
        payload.arguments = const_cast<char**>(arguments);
        payload.environment = const_cast<char**>(environment);
        payload.standard[1] = 2;
        payload.standard[2] = 1;
        return exec_exit_code(execute_payload(payload));
    });
    CHECK(ended.exit_code() == 0);
}

TEST_CASE("a terminal becomes the controlling one and belongs to the user")
{
    if (!is_root())
        return;
    int master, slave;
    REQUIRE(::openpty(&master, &slave, nullptr, nullptr, nullptr) == 0);
    const Fd master_end(master), slave_end(slave);
    Payload payload;
    payload.terminal = slave;
    payload.identity = {1234, 1234, {}, few, 0, true, true};
    const char* arguments[] = {
        "sh", "-c", "test -t 0 && test -t 1 && test -t 2 && : </dev/tty && : >/proc/self/fd/1 && exit 33", nullptr};
    const char* environment[] = {nullptr};
    payload.arguments = const_cast<char**>(arguments);
    payload.environment = const_cast<char**>(environment);
    const auto ended = in_child([&] { return exec_exit_code(execute_payload(payload)); });
    CHECK(ended.exit_code() == 33);
}

TEST_CASE("a program that cannot be executed is named, with the reason and the shell's code")
{
    if (!is_root())
        return;
    char directory[] = "/tmp/vial-unit-XXXXXX";
    REQUIRE(::mkdtemp(directory) != nullptr);
    const std::string at = directory;
    const auto make = [&](const char* name, mode_t mode, const char* content) {
        const Fd file = os::open((at + name).c_str(), O_WRONLY | O_CREAT, 0600).take();
        CHECK(os::write_all(file.get(), content).ok());
        CHECK(os::fchmod(file.get(), mode).ok());
    };
    make("/closed", 0644, "#!/bin/sh\n");
    make("/garbage", 0755, "garbage");
    make("/script", 0755, "#!/nowhere/interpreter\n");
    make("/good", 0755, "#!/bin/sh\nexit 21\n");
    CHECK(os::mkdirat(AT_FDCWD, (at + "/directory").c_str(), 0755).ok());
    CHECK(os::symlinkat("nowhere", AT_FDCWD, (at + "/dangling").c_str()).ok());
    const std::string path = "PATH=:/nowhere:" + at + ":" + std::string(5000, 'x') + many(":/nowhere", 40);
    const auto failure = [&](const std::string& name, int code) {
        return failure_of(name.c_str(), path.c_str(), code);
    };

    CHECK(failure("absent", 127) == "cannot execute absent: there is no such program in PATH");
    CHECK(failure("", 127) == "cannot execute: there is no such program in PATH");
    CHECK(failure("dangling", 127) == "cannot execute dangling: there is no such program in PATH");
    CHECK(failure("/nowhere/absent", 127) == "cannot execute /nowhere/absent: No such file or directory");
    CHECK(failure(at + "/closed/absent", 127) == "cannot execute " + at + "/closed/absent: Not a directory");
    CHECK(failure("closed", 126) == "cannot execute " + at + "/closed: Permission denied");
    CHECK(failure("directory", 126) == "cannot execute " + at + "/directory: it is a directory");
    CHECK(failure("/", 126) == "cannot execute /: it is a directory");
    CHECK(failure("garbage", 126) ==
          "cannot execute " + at + "/garbage: it is no program for this machine, and has no #! line");
    CHECK(failure("script", 127) ==
          "cannot execute " + at + "/script: it is there, but not the interpreter or loader that it asks for");
    CHECK(failure("good", 21).empty());

    for (const char* name : {"/closed", "/garbage", "/script", "/good", "/dangling"})
        CHECK(os::unlinkat(AT_FDCWD, (at + name).c_str()).ok());
    CHECK(os::unlinkat(AT_FDCWD, (at + "/directory").c_str(), AT_REMOVEDIR).ok());
    CHECK(os::unlinkat(AT_FDCWD, directory, AT_REMOVEDIR).ok());
}

TEST_CASE("what fails before the exec is vial's own failure")
{
    if (!is_root())
        return;
    Payload payload;
    payload.directory = "/nowhere/at/all";
    CHECK(output_of("exit 1", payload, 125) == "cannot enter the directory /nowhere/at/all: No such file or directory");
    payload.directory = "/";
    payload.terminal = 0;
    const Fd null = os::open("/dev/null", O_RDWR).take();
    payload.terminal = null.get();
    const auto ended = in_child([&] {
        const char* nothing[] = {nullptr};
        payload.arguments = payload.environment = const_cast<char**>(nothing);
        const Error error = execute_payload(payload);
        return exec_exit_code(error) == 125 && error->number == ENOTTY ? 0 : 1;
    });
    CHECK(ended.exit_code() == 0);
}

TEST_CASE("a directory outside the root is not entered")
{
    if (!is_root())
        return;
    const auto ended = in_child([] {
        const Fd outside = os::open("/", O_RDONLY | O_DIRECTORY).take();
        char path[64];
        std::snprintf(path, sizeof path, "/self/fd/%d", outside.get());
        // /proc as the root, so that the leaked descriptor has a name inside.
        if (!os::chroot("/proc").ok())
            return 1;
        const char* nothing[] = {nullptr};
        Payload payload;
        payload.arguments = payload.environment = const_cast<char**>(nothing);
        payload.directory = path;
        const Error error = execute_payload(payload);
        char words[description_capacity];
        return describe(error, words, sizeof words).ends_with(": it is not inside the root") ? 0 : 2;
    });
    CHECK(ended.exit_code() == 0);
}

TEST_SUITE_END();
