// SPDX-License-Identifier: MIT
#include "harness.h"

#include "base/json.h"
#include "base/os.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace vial::test {

namespace {

Words kernel_options;

[[noreturn]] void give_up(const std::string& why)
{
    std::fprintf(stderr, "system test: %s\n", why.c_str());
    ::_exit(125);
}

std::string from_environment(const char* name)
{
    const char* value = ::getenv(name);
    if (value == nullptr || ::getenv("VIAL_SANDBOX") == nullptr)
        give_up(std::string(name) + " is not set, or this is no sandbox: start me with config/build/sandboxed.sh");
    return value;
}

void pause_ms(long milliseconds)
{
    const timespec time{milliseconds / 1000, (milliseconds % 1000) * 1000000};
    ::nanosleep(&time, nullptr);
}

std::int64_t now_ms()
{
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1000000;
}

std::string joined(const Words& words)
{
    std::string text;
    for (const std::string& word : words)
        text += (text.empty() ? "" : " ") + word;
    return text;
}

}  // namespace

// ---- Running commands -----------------------------------------------------------------------------------------------

Process::Process(Words words, Streams streams, const Birth& birth) : terminal_(streams == Streams::Terminal)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
    std::string slave;
    if (terminal_) {
        in_ = Fd(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
        int number = 0, unlock = 0;
        if (!in_ || ::ioctl(in_.get(), TIOCSPTLCK, &unlock) != 0 || ::ioctl(in_.get(), TIOCGPTN, &number) != 0)
            give_up("cannot make a terminal");
        slave = "/dev/pts/" + std::to_string(number);
    } else {
        if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0)
            give_up("cannot make a pipe");
        in_ = Fd(in[1]);
        out_fd_ = Fd(out[0]);
        err_fd_ = Fd(err[0]);
    }
    std::vector<char*> arguments;
    for (std::string& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    os::CloneArguments how;
    how.flags = birth.namespaces;
    pid_ = os::clone(how).value_or(-1);
    if (pid_ == 0) {
        if (terminal_) {
            ::setsid();
            in[0] = out[1] = err[1] = ::open(slave.c_str(), O_RDWR);
        }
        ::dup2(in[0], 0);
        ::dup2(out[1], 1);
        ::dup2(err[1], 2);
        if (terminal_ && in[0] > 2)
            ::close(in[0]);
        if (birth.prepare)
            birth.prepare();
        ::execvp(arguments[0], arguments.data());
        ::perror(arguments[0]);
        ::_exit(127);
    }
    for (const int fd : {in[0], out[1], err[1]})
        if (fd >= 0)
            ::close(fd);
}

Process::~Process()
{
    if (pid_ > 0)
        (void)wait(0);
}

void Process::kill(int signal) const
{
    if (pid_ > 0)
        ::kill(pid_, signal);
}

bool Process::has_ended()
{
    (void)read_some(0);
    siginfo_t info{};
    return pid_ <= 0 ||
           (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_);
}

void Process::send(std::string_view text)
{
    ::signal(SIGPIPE, SIG_IGN);
    while (in_ && !text.empty()) {
        const ssize_t put = ::write(in_.get(), text.data(), text.size());
        if (put <= 0)
            return;
        text.remove_prefix(static_cast<std::size_t>(put));
    }
}

void Process::close_input()
{
    if (!terminal_)
        in_.reset();
}

/// False when nothing came and nothing will.
bool Process::read_some(long limit)
{
    const int sources[2] = {terminal_ ? in_.get() : out_fd_.get(), err_fd_.get()};
    pollfd entries[2] = {{sources[0], POLLIN, 0}, {sources[1], POLLIN, 0}};
    if (sources[0] < 0 && sources[1] < 0)
        return false;
    if (::poll(entries, 2, static_cast<int>(limit)) <= 0)
        return true;
    for (int at = 0; at < 2; at++) {
        if (entries[at].revents == 0)
            continue;
        char buffer[65536];
        const ssize_t got = ::read(sources[at], buffer, sizeof buffer);
        if (got > 0)
            (at == 0 ? out_ : err_).append(buffer, static_cast<std::size_t>(got));
        else if (at == 0)
            (terminal_ ? in_ : out_fd_).reset();
        else
            err_fd_.reset();
    }
    return true;
}

bool Process::expect(std::string_view text, long limit)
{
    const std::int64_t deadline = now_ms() + limit;
    for (;;) {
        const std::size_t at = out_.find(text, found_);
        if (at != out_.npos) {
            found_ = at + text.size();
            return true;
        }
        const std::int64_t left = deadline - now_ms();
        if (left <= 0 || !read_some(std::min<long>(left, 50)))
            return false;
    }
}

int Process::wait(long limit)
{
    const std::int64_t deadline = now_ms() + limit;
    int status = 0;
    bool ended = false;
    while (pid_ > 0 && !ended) {
        ended = ::waitpid(pid_, &status, WNOHANG) == pid_;
        if (ended)
            break;
        if (now_ms() >= deadline) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, &status, 0);
            pid_ = -1;
            return -1;
        }
        if (!read_some(5))
            pause_ms(2);
    }
    pid_ = -1;
    // What it wrote is there now; others may hold its pipes still, so this does not wait for their end.
    for (std::size_t before = out_.size() + err_.size() + 1; before != out_.size() + err_.size();) {
        before = out_.size() + err_.size();
        if (!read_some(0))
            break;
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Finished run(Words words, std::string_view input, long limit)
{
    Process process(std::move(words));
    process.send(input);
    process.close_input();
    Finished finished;
    finished.code = process.wait(limit);
    finished.out = process.output();
    finished.err = process.errors();
    return finished;
}

Words ctl_words(Words words)
{
    Words all;
    if (!kernel_options.empty()) {
        all.push_back(payload("oldkernel"));
        all.insert(all.end(), kernel_options.begin(), kernel_options.end());
        all.push_back("--");
    }
    all.push_back(from_environment("VIAL"));
    all.insert(all.end(), words.begin(), words.end());
    return all;
}

Finished ctl(Words words, std::string_view input, long limit)
{
    return run(ctl_words(std::move(words)), input, limit);
}

std::string done(Words words)
{
    const Finished finished = ctl(words);
    INFO("vial ", joined(words), ": ", finished.out, finished.err);
    CHECK(finished.code == 0);
    CHECK(finished.err == "");
    return finished.out;
}

std::string refused(int code, Words words)
{
    const Finished finished = ctl(words);
    INFO("vial ", joined(words), ": ", finished.out, finished.err);
    CHECK(finished.code == code);
    CHECK(lines(finished.err).size() == 1);
    return finished.err.substr(0, finished.err.find('\n'));
}

OnOldKernel::OnOldKernel(Words options)
{
    kernel_options = std::move(options);
}

OnOldKernel::~OnOldKernel()
{
    kernel_options.clear();
}

std::size_t descriptors_of(pid_t pid)
{
    std::size_t count = 0;
    DIR* all = ::opendir(("/proc/" + std::to_string(pid) + "/fd").c_str());
    for (const dirent* one; all != nullptr && (one = ::readdir(all)) != nullptr;)
        count += one->d_name[0] != '.';
    if (all != nullptr)
        ::closedir(all);
    CHECK(count > 0);
    return count;
}

std::vector<Fd> copies_of(pid_t pid)
{
    std::vector<Fd> copies;
    const Opened process = os::pidfd_open(pid);
    for (int fd = 3; fd < 100 && process.ok(); fd++) {
        if (const long copy = ::syscall(438, process.value().get(), fd, 0); copy >= 0)  // pidfd_getfd(2)
            copies.emplace_back(static_cast<int>(copy));
    }
    return copies;
}

ControlLine::ControlLine(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    connected_ = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

bool ControlLine::send(std::string_view text) const
{
    while (!text.empty()) {
        const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

bool ControlLine::read_more(int limit)
{
    pollfd entry{fd_.get(), POLLIN, 0};
    char buffer[65536];
    if (::poll(&entry, 1, limit) != 1)
        return false;
    const ssize_t got = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    closed_ = got <= 0;
    if (!closed_)
        heard_.append(buffer, static_cast<std::size_t>(got));
    return !closed_;
}

bool ControlLine::expect(std::string_view text, int limit)
{
    while (heard_.find(text) == heard_.npos) {
        if (!read_more(limit))
            return false;
    }
    return true;
}

std::string ControlLine::answer()
{
    std::size_t end = heard_.npos;
    if (expect("{\"ok\":")) {
        const std::size_t last = heard_.find("{\"ok\":");
        while ((end = heard_.find('\n', last)) == heard_.npos && read_more(20000)) {
        }
    }
    const std::string text = heard_.substr(0, end == heard_.npos ? end : end + 1);
    heard_.erase(0, text.size());
    return text;
}

std::string ControlLine::ask(std::string_view request)
{
    heard_.clear();
    (void)send(std::string(request) + "\n");
    return answer();
}

void ControlLine::half_close() const
{
    ::shutdown(fd_.get(), SHUT_WR);
}

bool ControlLine::is_closed(int limit)
{
    (void)expect("\x01never", limit);
    return closed_;
}

bool eventually(const std::function<bool()>& holds, long limit)
{
    const std::int64_t deadline = now_ms() + limit;
    do {
        if (holds())
            return true;
        pause_ms(10);
    } while (now_ms() < deadline);
    return false;
}

// ---- Files ----------------------------------------------------------------------------------------------------------

const std::string& work()
{
    static const std::string* path = [] {
        (void)from_environment("VIAL");
        const auto* made = new std::string("/run/vial-system-test-" + std::to_string(::getpid()));
        if (::mkdir(made->c_str(), 0755) != 0)
            give_up("cannot make " + *made);
        return made;
    }();
    return *path;
}

std::string read_text(const std::string& path)
{
    std::string text;
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    char buffer[65536];
    while (file) {
        const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
        if (got <= 0)
            break;
        text.append(buffer, static_cast<std::size_t>(got));
    }
    return text;
}

void write_text(const std::string& path, std::string_view text)
{
    const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    while (file && !text.empty()) {
        const ssize_t put = ::write(file.get(), text.data(), text.size());
        if (put <= 0)
            break;
        text.remove_prefix(static_cast<std::size_t>(put));
    }
    if (!file || !text.empty())
        give_up("cannot write " + path);
}

bool exists(const std::string& path)
{
    struct stat what {};
    return ::lstat(path.c_str(), &what) == 0;
}

std::string empty_directory(const std::string& name, mode_t mode)
{
    const std::string path = work() + "/" + name;
    (void)run({"rm", "-rf", path});
    if (::mkdir(path.c_str(), 0755) != 0 || ::chmod(path.c_str(), mode) != 0)
        give_up("cannot make " + path);
    return path;
}

std::string spec(const std::string& name, std::string_view text)
{
    std::string filled(text);
    for (std::size_t at = filled.find("ROOT"); at != filled.npos; at = filled.find("ROOT", at + 1))
        filled.replace(at, 4, root());
    const std::string path = work() + "/" + name + ".conf";
    write_text(path, filled);
    return path;
}

std::string sleeper(const std::string& name, std::string_view more)
{
    return spec(name, std::string("root = \"ROOT\"\ncommand = [\"/bin/sleep\", \"1000\"]\n").append(more));
}

const std::string& root(RootKind kind, unsigned owner)
{
    static const std::vector<std::string>* roots = [] {
        auto* made = new std::vector<std::string>;
        const std::string tree = work() + "/root";
        std::vector<Words> commands = {
            {"env", "EXTRA_PROGRAMS=hog=" + payload("hog"), "sh", from_environment("SOURCE") + "/images/rootfs.sh",
             tree},
            {"cp", from_environment("SOURCE") + "/tests/system/payloads/look.sh", tree + "/bin/look"},
            {"chmod", "755", tree + "/bin/look"},
            {"mkdir", "-m", "755", tree + "/data", tree + "/scratch"},
            {"touch", tree + "/file"},
            {"chmod", "1777", tree + "/srv"},
            {"cp", "-a", tree, tree + "-mapped"},
            {"chown", "-hR", std::to_string(mapped_root) + ":" + std::to_string(mapped_root), tree + "-mapped"},
        };
        for (const std::string& from : {tree, tree + "-mapped"}) {
            commands.push_back({"mksquashfs", from, from + ".squashfs", "-no-progress", "-quiet", "-comp", "gzip"});
            commands.push_back({"mkfs.erofs", "--quiet", from + ".erofs", from});
            commands.push_back({"mkfs.ext4", "-q", "-d", from, from + ".ext4", "24M"});
            made->insert(made->end(), {from, from + ".squashfs", from + ".erofs", from + ".ext4"});
        }
        for (const Words& command : commands) {
            const Finished finished = run(command);
            if (finished.code != 0)
                give_up("cannot make a root filesystem: " + joined(command) + ": " + finished.err);
        }
        return made;
    }();
    return (*roots)[static_cast<std::size_t>(kind) + (owner == mapped_root ? 4 : 0)];
}

std::string payload(const std::string& name)
{
    return from_environment("PAYLOADS") + "/payload-" + name;
}

void start_refused(int code, const std::string& file, const std::vector<std::string>& named)
{
    const std::string why = refused(code, {"start", file});
    INFO(why);
    for (const std::string& name : named)
        CHECK(contains(why, name));
    CHECK_FALSE(contains(why, "/proc/self/fd"));
    CHECK(lines(ctl({"list"}).out).size() == 1);
}

// ---- What is there --------------------------------------------------------------------------------------------------

std::string field(std::string_view text, const std::vector<std::string>& path)
{
    while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
        text.remove_suffix(1);
    if (!json::valid(text))
        return "";
    for (const std::string& step : path) {
        if (text.substr(0, 1) != "[") {
            text = json::member(text, step);
            continue;
        }
        json::Raw rest = text;
        for (long left = std::atol(step.c_str()); left >= 0; left--)
            text = json::next_element(rest);
    }
    return std::string(text);
}

std::string listed(const std::string& name)
{
    const std::string all = ctl({"list", "--json"}).out;
    for (int at = 0;; at++) {
        const std::string one = field(all, {std::to_string(at)});
        if (one.empty() || field(one, {"name"}) == "\"" + name + "\"")
            return one;
    }
}

std::string state(const std::string& name)
{
    return field(listed(name), {"state"});
}

bool ends(const std::string& name)
{
    return eventually([&] { return state(name) == "\"exited\""; });
}

std::string waited(const std::string& name)
{
    return done({"wait", name});
}

pid_t init_pid(const std::string& name)
{
    return static_cast<pid_t>(std::atol(field(listed(name), {"pid"}).c_str()));
}

std::vector<std::string> lines(std::string_view text)
{
    std::vector<std::string> all;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        all.emplace_back(text.substr(0, end));
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
    }
    return all;
}

bool contains(std::string_view text, std::string_view part)
{
    return text.find(part) != text.npos;
}

}  // namespace vial::test
