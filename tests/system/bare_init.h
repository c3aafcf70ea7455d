// SPDX-License-Identifier: MIT
#pragma once

/// PID 1 without a launcher: `run_init` as the first process of a real PID namespace, with a plan made by `make_plan`,
/// and the test in the launcher's place.

#include "harness.h"

#include "base/fd.h"
#include "init/init.h"
#include "spec/plan.h"
#include "supervise/log_format.h"

#include <doctest/doctest.h>
#include <functional>
#include <signal.h>
#include <string>
#include <vector>

namespace vial::test {

/// A service that is a shell with `script`.
ServiceSpec shell(std::string script, std::string name = "main");

/// A file in memory of a fixed size; what the launcher makes on tmpfs.
int memory_file(std::int64_t size);

/// A container reduced to its PID 1. Ends with the object, whatever state it is in.
class BareInit {
public:
    std::vector<ServiceSpec> services;
    std::uint32_t flags = 0;
    std::int64_t log_size = 64 * 1024;
    std::vector<int> stat = std::vector<int>(StatCount, -1);
    int requests = -1, answers = -1;  ///< a pair in addition to the socket
    std::function<void()> prepare;    ///< runs in PID 1 before `run_init`

    BareInit() = default;
    explicit BareInit(std::vector<ServiceSpec> wanted) : services(std::move(wanted)) {}
    explicit BareInit(ServiceSpec wanted) { services.push_back(std::move(wanted)); }
    BareInit(const BareInit&) = delete;
    BareInit& operator=(const BareInit&) = delete;
    ~BareInit();

    void start();
    /// Starts and waits for the launcher's good news.
    void run()
    {
        start();
        REQUIRE(hear() == "R");
    }

    std::vector<ServiceDescriptors> leaves;

    pid_t pid() const { return pid_; }
    std::string socket_path() const { return directory_ + "/control"; }
    /// The next message to the launcher; empty: PID 1 has closed its end.
    std::string hear();
    void hang_up() { channel_.reset(); }
    void signal(int number) const { REQUIRE(::kill(pid_, number) == 0); }

    /// How PID 1 ends, as a shell says it.
    int end();
    std::string exit_record() const;
    std::string request(std::string_view line) const;
    /// A member of a service's status line.
    std::string status(std::string_view service, std::string_view key) const;
    pid_t service_pid(std::string_view service = "main") const
    {
        return static_cast<pid_t>(std::atoi(status(service, "pid").c_str()));
    }
    /// All that services have written, or PID 1 about them.
    std::string log(LogStream stream = LogStream::Output) const;
    bool eventually_logs(std::string_view text) const
    {
        return eventually([&] { return log().find(text) != std::string::npos; });
    }
    /// What a foreground container has written, so far.
    std::string output();
    std::string children() const;
    long context_switches() const;
    int segment(int which) const { return log_[which].get(); }

private:
    pid_t pid_ = 0;
    std::string directory_;
    Fd channel_, exit_file_, log_[2], output_;
};

}  // namespace vial::test
