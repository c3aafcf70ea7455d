// SPDX-License-Identifier: MIT

#include "bare_init.h"

#include "base/json.h"
#include "base/os.h"
#include "base/text.h"

#include <cstdlib>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vial::test {

int memory_file(std::int64_t size)
{
    const int fd = ::memfd_create("test", MFD_CLOEXEC);
    REQUIRE(fd >= 0);
    REQUIRE(::ftruncate(fd, size) == 0);
    return fd;
}

ServiceSpec shell(std::string script, std::string name)
{
    ServiceSpec service;
    service.name = std::string_view(name);
    service.command = {"/bin/sh", "-c", std::string_view(script)};
    return service;
}

void BareInit::start()
{
    char name[] = "/tmp/vial-test-init-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    directory_ = name;
    Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket_path().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener.get(), 64) == 0);
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    channel_.reset(pair[0]);
    const timeval limit{20, 0};
    REQUIRE(::setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    Fd theirs(pair[1]);
    exit_file_.reset(memory_file(0));
    for (Fd& segment : log_)
        segment.reset(memory_file(log_size));
    int output[2];
    REQUIRE(::pipe2(output, O_CLOEXEC) == 0);
    output_.reset(output[0]);
    Fd output_end(output[1]);

    Spec spec;
    spec.name = "box";
    for (const ServiceSpec& service : services)
        spec.services.push_back(ServiceSpec(service));
    spec.log.size = log_size;
    PlanDescriptors descriptors;
    descriptors.channel = theirs.get();
    descriptors.control = listener.get();
    descriptors.requests = requests;
    descriptors.answers = answers;
    descriptors.exit_file = exit_file_.get();
    descriptors.log[0] = log_[0].get();
    descriptors.log[1] = log_[1].get();
    for (std::size_t i = 0; i < StatCount; i++)
        descriptors.stat[i] = stat[i];
    if ((flags & PlanForeground) != 0)
        descriptors.standard[1] = descriptors.standard[2] = output_end.get();
    List<List<Text>> environments;
    for (std::size_t i = 0; i < services.size(); i++) {
        descriptors.services.push_back(i < leaves.size() ? leaves[i] : ServiceDescriptors());
        environments.push_back({"PATH=/bin:/usr/bin"});
    }
    Opened plan = make_plan(spec, flags, descriptors, environments);
    REQUIRE(plan.ok());

    os::CloneArguments arguments;
    arguments.flags = CLONE_NEWPID;
    // As the launcher does it, or a signal that comes before PID 1 blocks it would be lost.
    sigset_t all, before;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);
    auto pid = os::clone(arguments);
    if (pid.ok() && pid.value() == 0) {
        channel_.reset();
        if (prepare)
            prepare();
        ::_exit(run_init(plan.value().get()));
    }
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    REQUIRE(pid.ok());
    pid_ = pid.value();
}

std::string BareInit::exit_record() const
{
    char buffer[4096];
    const ssize_t got = ::pread(exit_file_.get(), buffer, sizeof buffer, 0);
    std::string text(buffer, got > 0 ? static_cast<std::size_t>(got) : 0);
    return text.substr(0, text.find('\0'));
}

BareInit::~BareInit()
{
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    if (!directory_.empty()) {
        ::unlink((directory_ + "/control").c_str());
        ::rmdir(directory_.c_str());
    }
}

std::string BareInit::hear()
{
    char buffer[1024];
    const ssize_t got = ::recv(channel_.get(), buffer, sizeof buffer, 0);
    return {buffer, got > 0 ? static_cast<std::size_t>(got) : 0};
}

int BareInit::end()
{
    int status = 0;
    REQUIRE(::waitpid(pid_, &status, 0) == pid_);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string BareInit::request(std::string_view line) const
{
    ControlLine client(socket_path());
    client.send(std::string(line) + "\n");
    return client.answer();
}

std::string BareInit::status(std::string_view service, std::string_view key) const
{
    std::string text = request("status");
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::string_view line = take_until(rest, '\n');
        if (json::string(json::member(line, "service")) == service)
            return std::string(json::member(line, key));
    }
    return "";
}

std::string BareInit::log(LogStream stream) const
{
    LogReader reader(log_[0].get(), log_[1].get());
    std::string text;
    for (LogRecord record; reader.next(record);) {
        if (record.stream == stream)
            text += record.data;
    }
    return text;
}

std::string BareInit::output()
{
    char buffer[4096];
    const ssize_t got = ::read(output_.get(), buffer, sizeof buffer);
    return {buffer, got > 0 ? static_cast<std::size_t>(got) : 0};
}

std::string BareInit::children() const
{
    const std::string name = std::to_string(pid_);
    return read_text("/proc/" + name + "/task/" + name + "/children");
}

long BareInit::context_switches() const
{
    const std::string text = read_text("/proc/" + std::to_string(pid_) + "/status");
    const std::size_t at = text.find("voluntary_ctxt_switches:");
    REQUIRE(at != std::string::npos);
    return std::atol(text.c_str() + at + 24);
}

}  // namespace vial::test
