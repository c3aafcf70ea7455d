// SPDX-License-Identifier: MIT
#include "launch/environment.h"

#include "base/os.h"
#include "base/text.h"
#include "spec/plan.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace vial {

namespace {

Result<void> read_environment_file(List<Text>& environment, Text path)
{
    const Text text = TRY(os::read_file(AT_FDCWD, path.c_str(), 64U << 10).as("read the environment file"_p, path));
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::string_view line = take_until(rest, '\n');
        if (line.empty() || line.front() == '#')
            continue;
        const std::size_t equals = position(line, '=');
        if (equals == std::string_view::npos || equals == 0 || contains(line, '\0'))
            return Error("a line is not KEY=VALUE"_p, "read the environment file"_p, path).exits(ExitCode::Usage);
        set_variable(environment, line);
    }
    return {};
}

}  // namespace

void set_variable(List<Text>& environment, std::string_view assignment)
{
    const std::string_view key = slice(assignment, 0, position(assignment, '=') + 1);
    for (Text& variable : environment) {
        if (variable.compare(0, key.size(), key) == 0) {
            variable = assignment;
            return;
        }
    }
    environment.push_back(assignment);
}

Result<void> add_environment(List<Text>& environment, const ServiceSpec& service)
{
    if (!service.environment_file.empty())
        TRY(read_environment_file(environment, service.environment_file));
    for (Text variable : service.environment)
        set_variable(environment, variable);
    if (service.policy.ready == Ready::Notify)
        set_variable(environment, concat("NOTIFY_SOCKET=", notify_directory, "/", service.name));
    return {};
}

Result<void> allow_limits(const Spec& spec)
{
    for (const PlanLimit& limit : process_limits(spec)) {
        rlimit now = TRY(os::getrlimit(static_cast<int>(limit.resource)));
        const auto wanted = static_cast<rlim_t>(limit.hard);
        if (wanted <= now.rlim_max)
            continue;
        now.rlim_max = wanted;
        TRY(os::setrlimit(static_cast<int>(limit.resource), now)
                .as("raise the limit"_p, resource_name(limit.resource)));
    }
    return {};
}

Result<void> set_sysctl(const Fd& directory, std::string_view sysctl)
{
    const Text path = take_until(sysctl, '=');
    return os::write_file(directory.get(), path.c_str(), sysctl).as("set the sysctl"_p, path);
}

Result<Text> make_start_id()
{
    // Unlike getrandom(2) this never waits, early at boot either.
    const Text uuid = TRY(os::read_file(AT_FDCWD, "/proc/sys/kernel/random/uuid"));
    Builder digits;
    for (const char letter : uuid) {
        if (letter > ' ' && letter != '-')
            digits += letter;
    }
    return Text(digits);
}

Result<List<Text>> environment_of(const ServiceSpec& service, bool terminal, std::string_view id)
{
    List<Text> environment{
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        concat("HOME=", !service.home.empty() ? service.home
                        : service.user == 0   ? "/root"
                                              : "/"),
        "container=vial",
    };
    if (!id.empty())
        environment.push_back(concat("container_uuid=", id));
    if (terminal) {
        const char* term = find_variable(::environ, "TERM");
        environment.push_back(compose("TERM=%", term != nullptr ? term : "linux"));
    }
    TRY(add_environment(environment, service));
    return environment;
}

}  // namespace vial
