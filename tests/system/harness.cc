// SPDX-License-Identifier: MIT
#include "harness.h"

#include "base/json.h"
#include "base/os.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
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
    struct stat what{};
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

std::string joined(const Words& words)
{
    std::string text;
    for (const std::string& word : words)
        text += (text.empty() ? "" : " ") + word;
    return text;
}

}  // namespace

// ---- Running commands -----------------------------------------------------------------------------------------------

Process::Process(Words words, Streams streams) : terminal_(streams == Streams::Terminal)
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
    pid_ = ::fork();
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
    return pid_ <= 0 || (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_);
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
    const std::int64_t deadline = os::boottime_ms() + limit;
    for (;;) {
        const std::size_t at = out_.find(text, found_);
        if (at != out_.npos) {
            found_ = at + text.size();
            return true;
        }
        const std::int64_t left = deadline - os::boottime_ms();
        if (left <= 0 || !read_some(std::min<long>(left, 50)))
            return false;
    }
}

int Process::wait(long limit)
{
    const std::int64_t deadline = os::boottime_ms() + limit;
    int status = 0;
    bool ended = false;
    while (pid_ > 0 && !ended) {
        ended = ::waitpid(pid_, &status, WNOHANG) == pid_;
        if (ended)
            break;
        if (os::boottime_ms() >= deadline) {
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

bool eventually(const std::function<bool()>& holds)
{
    const std::int64_t deadline = os::boottime_ms() + 20000;
    do {
        if (holds())
            return true;
        pause_ms(10);
    } while (os::boottime_ms() < deadline);
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
    auto text = os::read_file(AT_FDCWD, path.c_str(), 16U << 20);
    return text.ok() ? text.take() : "";
}

void write_text(const std::string& path, std::string_view text)
{
    const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!file || !os::write_all(file.get(), text).ok())
        give_up("cannot write " + path);
}

bool exists(const std::string& path)
{
    struct stat what{};
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

const std::string& root(RootKind kind)
{
    static const std::vector<std::string>* roots = [] {
        auto* made = new std::vector<std::string>;
        const std::string tree = work() + "/root";
        const std::string image = tree + ".image-";
        const std::string programs = "EXTRA_PROGRAMS=hog=" + payload("hog");
        const Words commands[] = {
            {"env", programs, "sh", from_environment("SOURCE") + "/images/rootfs.sh", tree},
            {"cp", from_environment("SOURCE") + "/tests/system/payloads/look.sh", tree + "/bin/look"},
            {"chmod", "755", tree + "/bin/look"},
            {"mkdir", "-m", "755", tree + "/data", tree + "/scratch"},
            {"touch", tree + "/file"},
            {"chmod", "1777", tree + "/srv"},
            {"mksquashfs", tree, image + "squashfs", "-no-progress", "-quiet", "-comp", "gzip"},
            {"mkfs.erofs", "--quiet", image + "erofs", tree},
            {"mkfs.ext4", "-q", "-d", tree, image + "ext4", "24M"},
        };
        for (const Words& command : commands) {
            const Finished finished = run(command);
            if (finished.code != 0)
                give_up("cannot make a root filesystem: " + joined(command) + ": " + finished.err);
        }
        *made = {tree, image + "squashfs", image + "erofs", image + "ext4"};
        return made;
    }();
    return (*roots)[static_cast<std::size_t>(kind)];
}

std::string payload(const std::string& name)
{
    return from_environment("PAYLOADS") + "/payload-" + name;
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

pid_t init_pid(const std::string& name)
{
    return static_cast<pid_t>(std::atol(field(listed(name), {"pid"}).c_str()));
}

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
    const std::int64_t deadline = os::boottime_ms() + 3000;
    for (after = snapshot(); after != before_ && os::boottime_ms() < deadline; after = snapshot())
        pause_ms(20);
    if (after == before_)
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
