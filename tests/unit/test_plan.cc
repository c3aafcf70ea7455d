// SPDX-License-Identifier: MIT
#include "spec/plan.h"

#include "base/os.h"

#include <cstring>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

using namespace vial;

namespace {

Spec two_services()
{
    Spec spec;
    spec.name = "web";
    spec.log.size = 8192;
    ServiceSpec& first = spec.services.emplace_back();
    first.name = "httpd";
    first.command = {"/bin/httpd", "-f", ""};
    first.user = 33;
    first.group = 34;
    first.groups = {1, 2, 3};
    first.directory = "/srv";
    first.policy.restart = Restart::Always;
    first.policy.restart_delay = 1500;
    first.policy.stop_timeout = 7000;
    first.policy.stop_signal = 2;
    ServiceSpec second;
    second.name = "log";
    second.command = {"/bin/log"};
    spec.services.push_back(std::move(second));
    return spec;
}

PlanDescriptors descriptors()
{
    PlanDescriptors numbers;
    numbers.channel = 3;
    numbers.control = 4;
    numbers.exit_file = 5;
    numbers.log[1] = 7;
    numbers.standard[2] = 9;
    for (std::int32_t index = 0; index < std::int32_t{StatCount}; ++index)
        numbers.stat[index] = 20 + index;
    numbers.services.emplace_back();
    numbers.services.emplace_back();
    numbers.services[1].join[0] = 30;
    numbers.services[1].terminal = 31;
    return numbers;
}

List<List<Text>> environments()
{
    List<List<Text>> both;
    both.push_back({"PATH=/bin", "A="});
    both.emplace_back();
    return both;
}

/// The bytes of a good plan, to be damaged.
std::string plan_bytes()
{
    Fd fd = make_plan(two_services(), 0, descriptors(), environments()).take();
    std::string bytes(static_cast<std::size_t>(os::fstat(fd.get()).value().st_size), '\0');
    CHECK(::pread(fd.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    return bytes;
}

bool maps(const std::string& bytes)
{
    const Fd fd = os::memfd("vial-test").take();
    CHECK(os::write_all(fd.get(), bytes).ok());
    CHECK(os::seal(fd.get()).ok());
    const auto plan = map_plan(fd.get());
    if (!plan)
        return false;
    ::munmap(const_cast<Plan*>(plan.value()), plan.value()->size);
    return true;
}

}  // namespace

TEST_CASE("a plan tells PID 1 all of the spec")
{
    const Fd fd = make_plan(two_services(), PlanForeground | PlanUnifiedCgroup, descriptors(), environments()).take();
    const Plan* plan = map_plan(fd.get()).value();
    CHECK(std::string_view(plan->text(plan->container)) == "web");
    CHECK(plan->flags == (PlanForeground | PlanUnifiedCgroup | PlanNoNewPrivileges | PlanSeccomp));
    CHECK(plan->capabilities == default_capabilities);
    CHECK(plan->log_size == 8192);
    CHECK(plan->channel == 3);
    CHECK(plan->control == 4);
    CHECK(plan->exit_file == 5);
    CHECK(plan->log[0] == -1);
    CHECK(plan->log[1] == 7);
    CHECK(plan->standard[2] == 9);
    CHECK(plan->stat[StatTasksLimit] == 20 + StatTasksLimit);

    REQUIRE(plan->all_services().size() == 2);
    const PlanService& first = plan->all_services()[0];
    CHECK(std::string_view(plan->text(first.name)) == "httpd");
    CHECK(std::string_view(plan->text(first.directory)) == "/srv");
    const auto arguments = plan->list(first.arguments, first.argument_count);
    REQUIRE(arguments.size() == 3);
    CHECK(std::string_view(plan->text(arguments[0])) == "/bin/httpd");
    CHECK(std::string_view(plan->text(arguments[1])) == "-f");
    CHECK(std::string_view(plan->text(arguments[2])) == "");
    const auto environment = plan->list(first.environment, first.environment_count);
    REQUIRE(environment.size() == 2);
    CHECK(std::string_view(plan->text(environment[1])) == "A=");
    const auto groups = plan->list(first.groups, first.group_count);
    REQUIRE(groups.size() == 3);
    CHECK(groups[2] == 3);
    CHECK(first.user == 33);
    CHECK(first.group == 34);
    const ServicePolicy& policy = plan->policy(first);
    CHECK(policy.stop_signal == 2);
    CHECK(policy.restart == Restart::Always);
    CHECK(policy.restart_delay == 1500);
    CHECK(policy.stop_timeout == 7000);
    CHECK(first.join[0] == -1);
    CHECK(first.kill_file == -1);

    const PlanService& second = plan->all_services()[1];
    CHECK(std::string_view(plan->text(second.name)) == "log");
    CHECK(second.environment_count == 0);
    CHECK(second.group_count == 0);
    CHECK(second.join[0] == 30);
    CHECK(second.terminal == 31);

    // Nobody can change it any more.
    CHECK(::pwrite(fd.get(), "x", 1, 0) < 0);
    CHECK(::ftruncate(fd.get(), 1) < 0);
    ::munmap(const_cast<Plan*>(plan), plan->size);
}

TEST_CASE("the spec's switches become flags")
{
    Spec spec = two_services();
    spec.services.pop_back();
    spec.init = false;
    spec.security.no_new_privileges = false;
    spec.security.seccomp = SeccompChoice::Off;
    const Fd fd = make_plan(spec, 0, descriptors(), {}).take();
    const Plan* plan = map_plan(fd.get()).value();
    CHECK(plan->flags == PlanNoInit);
    ::munmap(const_cast<Plan*>(plan), plan->size);
}

TEST_CASE("a filter of one's own is in it as it is")
{
    const sock_filter filter[] = {{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}};
    const Fd fd = make_plan(two_services(), 0, descriptors(), {}, filter).take();
    const Plan* plan = map_plan(fd.get()).value();
    REQUIRE(plan->all_of_filter().size() == 3);
    CHECK(plan->all_of_filter()[2].k == 12);
    ::munmap(const_cast<Plan*>(plan), plan->size);

    std::string bytes = plan_bytes();
    Plan damaged{};
    std::memcpy(&damaged, bytes.data(), sizeof damaged);
    CHECK(damaged.filter_size == 0);
    damaged.filter_size = damaged.size;
    damaged.filter = sizeof damaged;
    std::memcpy(bytes.data(), &damaged, sizeof damaged);
    CHECK_FALSE(maps(bytes));
}

TEST_CASE("what is no plan is refused")
{
    const std::string bytes = plan_bytes();
    CHECK(maps(bytes));
    CHECK_FALSE(maps(""));
    CHECK_FALSE(maps("short"));
    CHECK_FALSE(maps(std::string(bytes.size(), '\0')));
    CHECK_FALSE(maps(bytes + std::string(1, '\0')));
    CHECK_FALSE(maps(bytes.substr(0, bytes.size() - 1)));

    // Every reference of the header and of the services, led outside.
    const auto damaged = [&](std::size_t offset, std::uint32_t value) {
        std::string copy = bytes;
        std::memcpy(copy.data() + offset, &value, sizeof value);
        return !maps(copy);
    };
    const std::size_t services = reinterpret_cast<const Plan*>(bytes.data())->services;
    for (const std::uint32_t value : {0xffffffffU, static_cast<std::uint32_t>(bytes.size()), 0x80000000U}) {
        CHECK(damaged(offsetof(Plan, magic), value));
        CHECK(damaged(offsetof(Plan, container), value));
        CHECK(damaged(offsetof(Plan, services), value));
        CHECK(damaged(offsetof(Plan, service_count), value));
        for (const std::size_t field :
             {offsetof(PlanService, name), offsetof(PlanService, arguments), offsetof(PlanService, environment),
              offsetof(PlanService, directory), offsetof(PlanService, groups), offsetof(PlanService, argument_count),
              offsetof(PlanService, environment_count), offsetof(PlanService, group_count)})
            CHECK_MESSAGE(damaged(services + field, value), field);
        CHECK(damaged(services + sizeof(PlanService) + offsetof(PlanService, name), value));
    }
    CHECK(damaged(services + offsetof(PlanService, arguments), 1));  // misaligned, and inside the header
    CHECK(damaged(services + offsetof(PlanService, argument_count), 0));

    // A good one that can still be written to.
    const Fd open = os::memfd("vial-test").take();
    CHECK(os::write_all(open.get(), bytes).ok());
    CHECK_FALSE(map_plan(open.get()).ok());
    CHECK_FALSE(map_plan(-1).ok());
}

TEST_CASE("plan: a pid file decides when its service is ready")
{
    Spec spec = two_services();
    spec.services[1].pid_file = "/run/log.pid";
    const Fd fd = make_plan(spec, 0, descriptors(), {{"PATH=/bin"}, {"PATH=/bin"}}).take();
    const Plan* plan = map_plan(fd.get()).value();
    const auto services = plan->all_services();
    CHECK(services[0].pid_file == 0);
    CHECK(plan->policy(services[0]).ready == Ready::Start);
    CHECK(std::string_view(plan->text(services[1].pid_file)) == "/run/log.pid");
    CHECK(plan->policy(services[1]).ready == Ready::PidFile);
}

TEST_CASE("plan: supervision, and what is the same stands there once")
{
    Spec spec = two_services();
    spec.services[0].required = {"log"};
    spec.services[0].after = {"log"};
    spec.services[0].task_command[0] = {"/bin/probe", "-q"};
    spec.services[0].policy.ready = Ready::Tcp;
    spec.services.emplace_back();
    spec.services[2].name = "last";
    spec.services[2].command = {"/bin/log"};
    spec.services[2].after = {"httpd"};
    List<List<Text>> all;
    for (int i = 0; i < 3; ++i)
        all.push_back({"PATH=/bin"});
    const Fd fd = make_plan(spec, 0, descriptors(), all).take();
    const Plan* plan = map_plan(fd.get()).value();
    const auto services = plan->all_services();

    CHECK(plan->policy(services[0]).ready == Ready::Tcp);
    CHECK(plan->policy(services[0]).tasks == task_bit(Task::Health));
    const PlanCommand& probe = plan->commands(services[0].tasks)[command_index(Task::Health)];
    REQUIRE(probe.argument_count == 2);
    CHECK(std::string_view(plan->text(plan->list(probe.arguments, 2)[1])) == "-q");
    CHECK(services[1].tasks == 0);
    CHECK(services[1].policy == services[2].policy);
    CHECK(services[1].environment == services[2].environment);
    CHECK(services[0].policy != services[1].policy);

    REQUIRE(plan->edge_count == 2);
    const auto needs = plan->list(plan->needs.starts, 4);
    CHECK(std::vector<std::uint32_t>(needs.begin(), needs.end()) == std::vector<std::uint32_t>{0, 1, 1, 2});
    CHECK(plan->edges(plan->needs)[0].service() == 1);
    CHECK(plan->edges(plan->needs)[0].required());
    CHECK_FALSE(plan->edges(plan->needs)[1].required());
    const auto dependents = plan->list(plan->dependents.starts, 4);
    CHECK(std::vector<std::uint32_t>(dependents.begin(), dependents.end()) == std::vector<std::uint32_t>{0, 1, 2, 2});
    CHECK(plan->edges(plan->dependents)[0].service() == 2);
    CHECK(plan->edges(plan->dependents)[1].service() == 0);
}
