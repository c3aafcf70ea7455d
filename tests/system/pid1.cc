// SPDX-License-Identifier: MIT
#include "pid1.h"

#include "base/events.h"

#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vial::test {

namespace {

std::string peer()
{
    const char* path = ::getenv("PID1");
    return path == nullptr ? "" : path;
}

std::string peer_name()
{
    const std::string path = peer();
    return path.substr(path.rfind('/') + 1);
}

/// What a peer calls an option of vial's, and how it writes the value; {} where it has it always.
struct Translation {
    const char *peer, *option, *flag;
};
constexpr Translation translations[] = {
    {"tini", "--group", "-g"},        {"tini", "--remap", "-e"},        {"tini", "--parent-death", "-p"},
    {"tini", "--subreaper", "-s"},    {"tini", "--no-grace", ""},       {"tini", "--verbose", "-vvv"},
    {"dumb-init", "--group", ""},     {"dumb-init", "--rewrite", "-r"}, {"dumb-init", "--no-grace", ""},
    {"dumb-init", "--verbose", "-v"}, {"catatonit", "--group", "-g"},   {"catatonit", "--pause", "-P"},
    {"catatonit", "--no-grace", ""},  {"catatonit", "--verbose", ""},   {"dumb-init", "--subreaper", ""},
    {"catatonit", "--subreaper", ""},
};

/// An option in the words of the peer under test; as it is where the peer has none such, and then the peer will
/// complain.
Words translated(const Words& options)
{
    Words all;
    for (std::size_t at = 0; at < options.size(); at++) {
        std::string option = options[at];
        // None gives any time to those who are left; what it does without shall be seen.
        if (option == "--grace" && peer_name() != "payload-naive") {
            at++;
            continue;
        }
        for (const Translation& one : translations) {
            if (peer_name() == one.peer && option == one.option)
                option = one.flag;
        }
        // tini has a signal's whole name, and maps an exit code to 0 only.
        if (peer_name() == "tini" && (option == "KILL" || option == "TERM"))
            option.insert(0, "SIG");
        if (peer_name() == "tini" && option.ends_with(":0"))
            option.resize(option.size() - 2);
        if (!option.empty())
            all.push_back(option);
    }
    return all;
}

}  // namespace

const long patience = ::getenv("PID1_PATIENCE") != nullptr ? std::atol(::getenv("PID1_PATIENCE")) : 15000;

bool is_vial()
{
    return peer().empty();
}

Words pid1(Words options, Words command)
{
    Words all = is_vial() ? ctl_words({"init"}) : Words{peer()};
    for (const std::string& option : is_vial() ? options : translated(options))
        all.push_back(option);
    all.push_back("--");
    all.insert(all.end(), command.begin(), command.end());
    return all;
}

Words not_pid1(Words options, Words command)
{
    Words all{payload("witness"), "outer"};
    for (const std::string& word : pid1(std::move(options), std::move(command)))
        all.push_back(word);
    return all;
}

Words witness(Words words)
{
    words.insert(words.begin(), payload("witness"));
    return words;
}

Words script(std::string text)
{
    for (std::size_t at = text.find("WITNESS"); at != text.npos; at = text.find("WITNESS", at + 1))
        text.replace(at, 7, payload("witness"));
    return {"/bin/sh", "-c", text};
}

void set_signals(const std::vector<int>& blocked, const std::vector<int>& ignored)
{
    os::reset_signal_actions();  // those of the libc, too, which make(1) leaves ignored
    for (const int number : ignored)
        ::signal(number, SIG_IGN);
    std::uint64_t mask = 0;
    for (const int number : blocked)
        mask |= std::uint64_t{1} << (number - 1);
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, nullptr, 8);
}

Birth contained(std::function<void()> prepare)
{
    return {CLONE_NEWPID | CLONE_NEWNS, [prepare = std::move(prepare)] {
                set_signals({}, {});
                if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
                    ::_exit(124);
                if (prepare)
                    prepare();
            }};
}

Finished run_contained(Words words, std::function<void()> prepare, long limit)
{
    Contained process(std::move(words), std::move(prepare));
    Finished finished;
    finished.code = process.wait(limit);
    finished.out = process.output();
    finished.err = process.errors();
    return finished;
}

Gate::Gate()
{
    int ends[2];
    CHECK(::pipe2(ends, O_CLOEXEC) == 0);
    end.reset(ends[0]);
    opener.reset(ends[1]);
}

void Gate::wait()
{
    opener.reset();
    char byte;
    (void)!::read(end.get(), &byte, 1);
}

Words inside(pid_t init, const Words& words)
{
    Words all{"nsenter", "--target", std::to_string(init), "--pid", "--mount"};
    all.insert(all.end(), words.begin(), words.end());
    return all;
}

std::string status_of(pid_t pid, const std::string& field)
{
    for (const std::string& line : lines(read_text("/proc/" + std::to_string(pid) + "/status"))) {
        if (line.starts_with(field + ":\t"))
            return line.substr(field.size() + 2);
    }
    return "";
}

char state_of(pid_t pid)
{
    const std::string state = status_of(pid, "State");
    return state.empty() ? '\0' : state[0];
}

std::vector<pid_t> children_of(pid_t pid)
{
    const std::string number = std::to_string(pid);
    const std::string text = read_text("/proc/" + number + "/task/" + number + "/children");
    std::vector<pid_t> children;
    // Each number has a space after it.
    for (std::size_t at = 0; text.find(' ', at) != text.npos; at = text.find(' ', at) + 1)
        children.push_back(static_cast<pid_t>(std::atol(text.c_str() + at)));
    return children;
}

pid_t child_of(pid_t pid)
{
    CHECK(eventually([&] { return !children_of(pid).empty(); }, patience));
    const std::vector<pid_t> children = children_of(pid);
    return children.empty() ? -1 : children.front();
}

std::string signal_set(const std::vector<int>& signals)
{
    std::uint64_t mask = 0;
    for (const int number : signals)
        mask |= std::uint64_t{1} << (number - 1);
    char text[32];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(mask));
    return text;
}

Traced::Traced(pid_t pid, long options)
    : pid_(pid), held_(pid > 1 && ::ptrace(PTRACE_SEIZE, pid, nullptr, options | PTRACE_O_EXITKILL) == 0)
{
    CHECK(held_);
}

Traced::Traced(pid_t made) : pid_(made), held_(made > 1)
{
    CHECK((held_ && ::waitpid(made, nullptr, WNOHANG | __WALL) == made));
}

Traced::~Traced()
{
    if (held_ && state_of(pid_) != '\0') {
        (void)send_signal(pid_, SIGKILL);
        int status = 0;
        while (::waitpid(pid_, &status, __WALL) == pid_ && !WIFEXITED(status) && !WIFSIGNALED(status))
            ::ptrace(PTRACE_CONT, pid_, nullptr, nullptr);
    }
}

int Traced::stop() const
{
    int status = 0;
    const bool came = eventually([&] { return ::waitpid(pid_, &status, WNOHANG | __WALL) == pid_; }, patience);
    return came && WIFSTOPPED(status) ? status : 0;
}

pid_t Traced::made() const
{
    // The kernel has it stop where it has made the child, and the child at its first instruction. One that is made later, and
    // that nobody takes, would keep everything of the namespace from ending: so it goes with us.
    REQUIRE((stop() >> 16) != 0);
    unsigned long child = 0;
    ::ptrace(PTRACE_GETEVENTMSG, pid_, nullptr, &child);
    const auto pid = static_cast<pid_t>(child);
    CHECK(eventually([&] { return state_of(pid) == 't'; }, patience));
    return pid;
}

void Traced::go_on() const
{
    ::ptrace(PTRACE_CONT, pid_, nullptr, nullptr);
}

bool Traced::go_to(long call) const
{
    const std::string file = "/proc/" + std::to_string(pid_) + "/syscall", number = std::to_string(call) + " ";
    for (int turn = 0; turn < 10000; turn++) {
        ::ptrace(PTRACE_SYSCALL, pid_, nullptr, nullptr);
        if (stop() == 0)
            return false;
        if (read_text(file).starts_with(number))
            return true;
    }
    return false;
}

void Traced::let_go()
{
    held_ = ::ptrace(PTRACE_DETACH, pid_, nullptr, nullptr) != 0;
    CHECK_FALSE(held_);
}

bool send_signal(pid_t pid, int signal)
{
    CHECK(pid > 1);
    return pid > 1 && ::kill(pid, signal) == 0;
}

bool taken(pid_t pid, int signal)
{
    return send_signal(pid, signal) &&
           eventually(
               [&] {
                   const std::string pending = status_of(pid, "ShdPnd");
                   return pending.empty() || (std::strtoull(pending.c_str(), nullptr, 16) >> (signal - 1) & 1) == 0;
               },
               patience);
}

}  // namespace vial::test
