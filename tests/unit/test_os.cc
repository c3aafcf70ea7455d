// SPDX-License-Identifier: MIT
#include "base/os.h"
#include "base/syscall_numbers.h"

#include "child.h"

#include <cstring>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <stdlib.h>
#include <string>
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace vial;

namespace {

/// A directory of its own for each test, gone with everything in it at the end.
struct Scratch {
    char path[32] = "/tmp/vial-unit-XXXXXX";
    Fd directory;

    Scratch()
    {
        REQUIRE(::mkdtemp(path) != nullptr);
        directory = os::open(path, O_RDONLY | O_DIRECTORY).take();
    }
    ~Scratch()
    {
        for (const char* name : {"file", "other", "link"})
            ::unlinkat(directory.get(), name, 0);
        ::unlinkat(directory.get(), "sub", AT_REMOVEDIR);
        ::rmdir(path);
    }
};

long refused_call = 0;
int refused_number = 0;

/// While it lives, one call fails with the given errno.
struct Refuse {
    Refuse(long call, int number)
    {
        refused_call = call;
        refused_number = number;
        os::refuse([](long asked) { return asked == refused_call ? refused_number : 0; });
    }
    ~Refuse() { os::refuse(nullptr); }
};

bool is_open(int fd)
{
    return ::fcntl(fd, F_GETFD) >= 0;
}

bool closes_on_exec(const Fd& fd)
{
    return (::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0;
}

}  // namespace

TEST_CASE("a descriptor has one owner, who closes it")
{
    int number;
    {
        Fd first = os::open("/dev/null", O_RDWR).take();
        number = first.get();
        CHECK(closes_on_exec(first));
        Fd second = std::move(first);
        CHECK_FALSE(first);
        CHECK(second.get() == number);
        first = std::move(second);
        Fd& same = first;
        first = std::move(same);
        CHECK(first.get() == number);
        CHECK(is_open(number));
    }
    CHECK_FALSE(is_open(number));
    Fd released = os::open("/dev/null", O_RDWR).take();
    number = released.release();
    released.reset();
    CHECK(is_open(number));
    ::close(number);
}

TEST_CASE("what was opened has an owner")
{
    const int lowest = os::duplicate(2).take().get();
    {
        const Opened kept = os::duplicate(2);
        REQUIRE(kept.ok());
        CHECK(kept.value().get() == lowest);
        CHECK(is_open(lowest));
    }
    CHECK(!is_open(lowest));
    Fd taken;
    {
        Opened given = os::duplicate(2);
        taken = given.take();
    }
    CHECK(is_open(lowest));
    taken = os::duplicate(-1).value_or(Fd());
    CHECK(!is_open(lowest));
    const Result<Fd> failed = os::duplicate(-1).as("open", "it");
    CHECK(!failed.take());
    CHECK(std::string(failed.error()->object) == "it");
}

TEST_CASE("an error names the call's object")
{
    const Opened missing = os::open("/nowhere/at/all", O_RDONLY);
    CHECK(missing.number() == ENOENT);
    CHECK(std::string(missing.error()->step) == "open");
    CHECK(std::string(missing.error()->object) == "/nowhere/at/all");
    CHECK(os::mount("none", "/nowhere", "tmpfs", 0, "").number() != 0);
    CHECK(std::string(os::chdir("/nowhere").error()->object) == "/nowhere");
    char* none[] = {nullptr};
    CHECK(std::string(os::execute("/nowhere/program", none, none)->object) == "/nowhere/program");
}

TEST_CASE("open_within stays on its file system, where the kernel can say so" * doctest::skip(emulated()))
{
    const Fd root = os::open("/", O_PATH | O_DIRECTORY).take();
    CHECK(Opened(os::open_within(root.get(), "proc/self/stat", O_RDONLY)).number() == EXDEV);
    const Fd proc = os::open("/proc", O_PATH | O_DIRECTORY).take();
    CHECK(Opened(os::open_within(proc.get(), "self/stat", O_RDONLY)).ok());
    CHECK(Opened(os::open_within(proc.get(), "none", O_RDONLY)).number() == ENOENT);
    for (const int number : {ENOSYS, EPERM}) {
        const Refuse refuse(__NR_openat2, number);
        CHECK(Opened(os::open_within(root.get(), "proc/self/stat", O_RDONLY)).ok());
    }
}

TEST_CASE("peek_descriptors tells how many come along, and leaves the message where it is" * doctest::skip(emulated()))
{
    const os::Pair pair = os::socketpair(SOCK_DGRAM).take();
    int passed[4];
    CHECK(os::peek_descriptors(pair.second.get(), passed).number() == EAGAIN);
    REQUIRE(os::send(pair.first.get(), "text", 4).ok());
    CHECK(os::peek_descriptors(pair.second.get(), passed).value() == 0);
    char text[8];
    CHECK(os::receive(pair.second.get(), text, sizeof text).value() == 4);

    const int many[] = {0, 0, 0, 0, 0};
    REQUIRE(os::send_descriptors(pair.first.get(), "text", 4, std::span(many).first(3)).ok());
    CHECK(os::peek_descriptors(pair.second.get(), passed).value() == 3);
    for (const int each : std::span(passed).first(3)) {
        CHECK(is_open(each));
        Fd(each).reset();
    }
    CHECK(os::receive(pair.second.get(), text, sizeof text).value() == 4);

    REQUIRE(os::send_descriptors(pair.first.get(), "text", 4, many).ok());
    const int next = Fd(os::duplicate(0).take()).get();  // the lowest that is free
    CHECK(os::peek_descriptors(pair.second.get(), passed).number() == EMFILE);
    CHECK_FALSE(is_open(next));
    CHECK(os::receive(pair.second.get(), text, sizeof text).value() == 4);
}

TEST_CASE("tee does not wait for room, though the pipe would let it")
{
    const os::Pipe from = os::pipe().take(), to = os::pipe().take();
    REQUIRE(os::write(from.write.get(), "text", 4).ok());
    REQUIRE(os::tee(from.read.get(), to.write.get(), 4).ok());
    char text[8];
    CHECK(os::read(to.read.get(), text, sizeof text).value() == 4);
    int turns = 0;
    while (os::tee(from.read.get(), to.write.get(), 4).ok() && turns < 10000)
        turns++;
    CHECK(turns < 10000);
    CHECK(os::tee(from.read.get(), to.write.get(), 4).number() == EAGAIN);
}

TEST_CASE("a test may refuse any call")
{
    {
        Refuse refuse(SYS_openat, EMFILE);
        CHECK(Opened(os::open("/dev/null", O_RDONLY)).number() == EMFILE);
        CHECK(os::read_file(AT_FDCWD, "/proc/self/comm").number() == EMFILE);
    }
    CHECK(Opened(os::open("/dev/null", O_RDONLY)).ok());
    {
        Refuse refuse(__NR_mount_setattr, ENOSYS);
        CHECK(os::missing(os::mount_setattr(-1, "", 0, mount_attr{})));
    }
}

TEST_CASE("files are written, read and removed")
{
    Scratch scratch;
    const int at = scratch.directory.get();
    {
        const Fd file = os::openat(at, "file", O_RDWR | O_CREAT | O_EXCL, 0600).take();
        CHECK(os::write_all(file.get(), std::string(100000, 'x')).ok());
        CHECK(os::pwrite(file.get(), "yz", 2, 10).value() == 2);
        CHECK(os::fstat(file.get()).value().st_size == 100000);
        CHECK(os::fchmod(file.get(), 0640).ok());
        CHECK(os::fallocate(file.get(), 200000).ok());
        CHECK(os::filesystem_magic(file.get()).value() != 0);
    }
    CHECK((os::lstat(at, "file").value().st_mode & 07777) == 0640);
    const Text content = os::read_file(at, "file").value();
    CHECK(content.size() == 200000);
    CHECK(content.substr(8, 4) == "xxyz");
    CHECK(os::read_file(at, "file", 200000).value() == content);
    CHECK(os::read_file(at, "file", 199999).number() == EFBIG);
    CHECK(os::read_file(at, "file", 0).number() == EFBIG);
    char small[11];
    CHECK(os::read_small(at, "file", small).value() == "xxxxxxxxxxy");
    CHECK(os::write_file(at, "file", "new").ok());
    CHECK(os::read_small(at, "file", small).value().substr(0, 4) == "newx");
    CHECK(os::write_file(at, "other", "new").number() == ENOENT);

    CHECK(os::symlinkat("target", at, "link").ok());
    CHECK(os::readlinkat(at, "link").value() == "target");
    CHECK(S_ISLNK(os::lstat(at, "link").value().st_mode));
    CHECK(os::mkdirat(at, "sub", 0700).ok());
    CHECK(os::mkdirat(at, "sub", 0700).number() == EEXIST);
    CHECK(os::renameat(at, "file", "other").ok());
    CHECK(os::unlinkat(at, "other").ok());
    CHECK(os::unlinkat(at, "other").number() == ENOENT);
    CHECK(os::read_file(AT_FDCWD, "/dev/null").value().empty());
    CHECK_FALSE(os::read_file(AT_FDCWD, "/proc/self/status").value().empty());
}

TEST_CASE("a sealed memory file never changes again")
{
    const Fd file = os::memfd("plan").take();
    CHECK(os::write_all(file.get(), "plan").ok());
    CHECK(os::seal(file.get()).ok());
    CHECK(os::write(file.get(), "x", 1).number() == EPERM);
    CHECK(os::seal(file.get()).number() == EPERM);
}

TEST_CASE("everything from a number on is closed, with close_range and without")
{
    for (const int number : {0, ENOSYS}) {
        Refuse refuse(__NR_close_range, number);
        const auto ended = in_child([] {
            // Numbers with gaps, more than one buffer of directory entries takes.
            for (int target = 100; target < 400; target += 3) {
                if (!os::duplicate_to(2, target).ok())
                    return 1;
            }
            if (!os::close_from(130).ok())
                return 2;
            for (int fd = 130; fd < 400; ++fd) {
                if (is_open(fd))
                    return 3;
            }
            return is_open(100) && is_open(127) && is_open(2) ? 0 : 4;
        });
        CHECK(ended.exit_code() == 0);
    }
}

TEST_CASE("descriptors are duplicated for exec and away from 0 to 2")
{
    const Fd null = os::open("/dev/null", O_RDWR).take();
    Fd high = os::duplicate(null.get(), 50).take();
    CHECK(high.get() >= 50);
    CHECK(closes_on_exec(high));
    CHECK(os::duplicate_to(high.get(), high.get()).ok());
    CHECK_FALSE(closes_on_exec(high));
    CHECK(os::duplicate_to(-1, high.get()).number() == EBADF);
}

TEST_CASE("a child is made by clone3, and by clone where the kernel has no clone3")
{
    for (const int number : {0, ENOSYS}) {
        Refuse refuse(__NR_clone3, number);
        Fd pidfd;
        const pid_t parent = ::getpid();
        const pid_t pid = os::clone({0, -1, &pidfd}).value();
        if (pid == 0)
            ::_exit(::getppid() == parent ? 7 : 1);
        CHECK(pidfd);
        CHECK(closes_on_exec(pidfd));
        const auto ended = os::wait(pid, 0).value();
        CHECK(ended.pid == pid);
        CHECK(ended.code == CLD_EXITED);
        CHECK(ended.exit_code() == 7);
        CHECK(os::pidfd_send_signal(pidfd.get(), 0).number() == ESRCH);
    }
    Refuse refuse(__NR_clone3, ENOSYS);
    CHECK(os::clone({CLONE_INTO_CGROUP, 0, nullptr}).number() == ENOSYS);
    CHECK(os::clone({CLONE_NEWTIME, -1, nullptr}).number() == ENOSYS);
}

TEST_CASE("waiting tells how a process ended, or that none has")
{
    Fd pidfd;
    const pid_t pid = os::clone({0, -1, &pidfd}).value();
    if (pid == 0) {
        for (;;)
            ::pause();
    }
    CHECK(os::wait(pid, WNOHANG).value().pid == 0);
    CHECK(os::pidfd_send_signal(pidfd.get(), SIGKILL).ok());
    const auto ended = os::wait(pid, 0).value();
    CHECK(ended.code == CLD_KILLED);
    CHECK(ended.status == SIGKILL);
    CHECK(ended.exit_code() == 137);
    CHECK(os::wait(pid, 0).number() == ECHILD);
}

TEST_CASE("an open file is executed without its name" * doctest::skip(emulated()))
{
    const Fd program = os::open("/bin/sh", O_PATH).take();
    const auto ended = in_child([&] {
        char name[] = "sh", option[] = "-c", text[] = "exit $CODE", variable[] = "CODE=9";
        char* arguments[] = {name, option, text, nullptr};
        char* environment[] = {variable, nullptr};
        (void)os::execute(program.get(), arguments, environment);
        return 1;
    });
    CHECK(ended.exit_code() == 9);
}

TEST_CASE("namespaces are made with the process" * doctest::skip(emulated()))
{
    // Works for everybody where user namespaces do; as root it needs none.
    const std::uint64_t flags = ::geteuid() == 0 ? CLONE_NEWUTS : CLONE_NEWUSER | CLONE_NEWUTS;
    const auto ended = in_child(
        [] {
            if (!os::sethostname("inside").ok())
                return 1;
            char name[16] = {};
            ::gethostname(name, sizeof name);
            return std::strcmp(name, "inside") == 0 ? 0 : 2;
        },
        {flags, -1, nullptr});
    CHECK(ended.exit_code() == 0);
}

TEST_CASE("messages keep their bounds and carry at most one descriptor")
{
    auto pair = os::socketpair(SOCK_SEQPACKET).take();
    auto pipe = os::pipe(O_NONBLOCK).take();
    CHECK(closes_on_exec(pair.first));
    CHECK(closes_on_exec(pipe.read));
    CHECK(os::send(pair.first.get(), "T", 1, pipe.write.get()).value() == 1);
    CHECK(os::send(pair.first.get(), "plain", 5).value() == 5);

    char text[16];
    Fd passed;
    CHECK(os::receive(pair.second.get(), text, sizeof text, &passed).value() == 1);
    REQUIRE(passed);
    CHECK(closes_on_exec(passed));
    CHECK(os::write_all(passed.get(), "through").ok());
    CHECK(os::read(pipe.read.get(), text, sizeof text).value() == 7);
    CHECK(os::read(pipe.read.get(), text, sizeof text).number() == EAGAIN);

    passed.reset();
    CHECK(os::receive(pair.second.get(), text, sizeof text, &passed).value() == 5);
    CHECK_FALSE(passed);

    // A peer that sends two descriptors at once, and one who is sent to an end that wants none.
    const int two[] = {pipe.read.get(), pipe.write.get()};
    const int lowest = os::duplicate(2).take().get();
    iovec part{text, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof two)] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof two);
    std::memcpy(CMSG_DATA(header), two, sizeof two);
    REQUIRE(::sendmsg(pair.first.get(), &message, 0) == 1);
    CHECK(os::receive(pair.second.get(), text, sizeof text, &passed).value() == 1);
    passed.reset();
    CHECK(os::send(pair.first.get(), "x", 1, 2).ok());
    CHECK(os::receive(pair.second.get(), text, sizeof text).value() == 1);
    CHECK(os::duplicate(2).take().get() == lowest);  // nothing stayed open

    pair.first.reset();
    CHECK(os::receive(pair.second.get(), text, sizeof text, &passed).value() == 0);
    CHECK(os::send(pair.second.get(), "x", 1).number() == EPIPE);  // and no SIGPIPE
}

TEST_CASE("a stream socket listens, connects and is closed")
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = "vial-unit-" + std::to_string(::getpid());  // in the abstract namespace
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    const auto* where = reinterpret_cast<const sockaddr*>(&address);
    const Fd server = os::socket(AF_UNIX, SOCK_STREAM, 0).take();
    const Fd client = os::socket(AF_UNIX, SOCK_STREAM, 0).take();
    const auto refused = os::connect(client.get(), where, length, "web's control socket");
    CHECK(refused.number() == ECONNREFUSED);
    CHECK(std::string(refused.error()->object) == "web's control socket");
    CHECK(os::bind(server.get(), where, length, name).ok());
    CHECK(os::listen(server.get(), 1).ok());
    CHECK(os::connect(client.get(), where, length, name).ok());
    const Fd accepted = os::accept(server.get()).take();
    CHECK(closes_on_exec(accepted));
    CHECK(os::set_nonblocking(accepted.get()).ok());
    char letter;
    CHECK(os::receive(accepted.get(), &letter, 1).number() == EAGAIN);
}

TEST_CASE("poll reports what is ready, and a timeout as nothing")
{
    auto pipe = os::pipe().take();
    pollfd entries[] = {{pipe.read.get(), POLLIN, 0}, {pipe.write.get(), POLLOUT, 0}};
    CHECK(os::poll(entries, -1).value() == 1);
    CHECK(entries[1].revents == POLLOUT);
    CHECK(os::poll({entries, 1}, 0).value() == 0);
    const auto before = os::boottime_ms();
    CHECK(os::poll({entries, 1}, 20).value() == 0);
    CHECK(os::boottime_ms() >= before + 19);
    CHECK(os::write_all(pipe.write.get(), "x").ok());
    CHECK(os::poll({entries, 1}, INT64_MAX / 4).value() == 1);
    CHECK(os::realtime_ms() > 1'500'000'000'000);
}

TEST_CASE("limits, sessions and prctl apply to this process alone")
{
    const auto ended = in_child([] {
        if (!os::setsid().ok() || ::getsid(0) != ::getpid())
            return 1;
        if (!os::setrlimit(RLIMIT_CORE, {0, 0}).ok())
            return 2;
        if (!os::prctl(PR_SET_DUMPABLE, 0, 0, "become undumpable").ok() || ::prctl(PR_GET_DUMPABLE) != 0)
            return 3;
        return os::prctl(-1, 0, 0, "nothing").number() == EINVAL ? 0 : 4;
    });
    CHECK(ended.exit_code() == 0);
}
