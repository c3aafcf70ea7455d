// SPDX-License-Identifier: MIT
#include "kernel/device_rules.h"

#include "base/os.h"
#include "base/text.h"

#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/resource.h>

namespace vial {

namespace {

/// `c 1:3 rw`, as the kernel itself writes it in devices.list.
Text line_of(const DeviceRule& rule)
{
    return compose("% %:% %%%", rule.block ? "b" : "c", rule.major,
                   rule.minor == DeviceRule::any ? Text("*") : decimal(rule.minor),
                   (rule.access & DeviceRead) != 0 ? "r" : "", (rule.access & DeviceWrite) != 0 ? "w" : "",
                   (rule.access & DeviceMake) != 0 ? "m" : "");
}

Result<void> write_rules(const Fd& group, const List<DeviceRule>& rules, Text what)
{
    TRY(os::write_file(group.get(), "devices.deny", "a").as("deny", what));
    Builder expected;
    for (const DeviceRule& rule : rules) {
        const Text line = line_of(rule);
        TRY(os::write_file(group.get(), "devices.allow", line).as("allow", what));
        expected.compose("%\n", line);
    }
    const Text back = TRY(os::read_file(group.get(), "devices.list").as("read back"_p, what));
    if (back != expected.view())
        return Error("the kernel took other rules"_p, "set", what);
    return {};
}

/// The program, grown instruction by instruction. It answers 1 to what is allowed.
class Program {
public:
    /// Register 2 becomes the type, 3 the access that is wanted, 4 and 5 the device's numbers.
    Program()
    {
        load(2, offsetof(bpf_cgroup_dev_ctx, access_type));
        load(4, offsetof(bpf_cgroup_dev_ctx, major));
        load(5, offsetof(bpf_cgroup_dev_ctx, minor));
        add(BPF_ALU64 | BPF_MOV | BPF_X, 3, 2);
        add(BPF_ALU64 | BPF_RSH | BPF_K, 3, 0, 16);
        add(BPF_ALU64 | BPF_AND | BPF_K, 2, 0, 0xffff);
    }

    void allow(const DeviceRule& rule)
    {
        // Each question is one instruction that skips all that is left of the rule.
        const bool one = rule.minor != DeviceRule::any;
        std::int16_t left = one ? 7 : 6;
        const auto unless = [&](std::uint8_t how, std::uint8_t reg, std::uint32_t value) {
            add(static_cast<std::uint8_t>(BPF_JMP | how | BPF_K), reg, 0, value, --left);
        };
        unless(BPF_JNE, 2, rule.block ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
        unless(BPF_JNE, 4, rule.major);
        if (one)
            unless(BPF_JNE, 5, rule.minor);
        add(BPF_ALU64 | BPF_MOV | BPF_X, 0, 3);
        --left;
        // Whatever is wanted beyond what the rule gives.
        unless(BPF_JSET, 0, 7U & ~static_cast<std::uint32_t>(rule.access));
        answer(1);
    }

    void answer(std::uint32_t value)
    {
        add(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, value);
        add(BPF_JMP | BPF_EXIT, 0, 0);
    }

    const List<bpf_insn>& instructions() const { return instructions_; }

private:
    void load(std::uint8_t reg, std::size_t offset)
    {
        add(BPF_LDX | BPF_MEM | BPF_W, reg, 1, 0, static_cast<std::int16_t>(offset));
    }
    void add(std::uint8_t code, std::uint8_t to, std::uint8_t from, std::uint32_t value = 0, std::int16_t jump = 0)
    {
        bpf_insn one{};
        one.code = code;
        one.dst_reg = to & 15U;
        one.src_reg = from & 15U;
        one.off = jump;
        one.imm = static_cast<std::int32_t>(value);
        instructions_.push_back(one);
    }

    List<bpf_insn> instructions_;
};

/// Before 5.11 a program counts against what the user may lock in memory, all of root's together.
class UnlimitedLocking {
public:
    UnlimitedLocking() : before_(os::getrlimit(RLIMIT_MEMLOCK).value_or({RLIM_INFINITY, RLIM_INFINITY}))
    {
        (void)os::setrlimit(RLIMIT_MEMLOCK, {RLIM_INFINITY, RLIM_INFINITY});
    }
    ~UnlimitedLocking() { (void)os::setrlimit(RLIMIT_MEMLOCK, before_); }
    UnlimitedLocking(const UnlimitedLocking&) = delete;
    UnlimitedLocking& operator=(const UnlimitedLocking&) = delete;

private:
    rlimit before_;
};

Result<void> attach_program(const Fd& group, const List<DeviceRule>& rules)
{
    Program program;
    for (const DeviceRule& rule : rules)
        program.allow(rule);
    program.answer(0);

    const UnlimitedLocking locking;
    bpf_attr load{};
    load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    load.insn_cnt = static_cast<std::uint32_t>(program.instructions().size());
    load.insns = reinterpret_cast<std::uintptr_t>(program.instructions().data());
    load.license = reinterpret_cast<std::uintptr_t>("");
    const Fd loaded(static_cast<int>(TRY(os::bpf(BPF_PROG_LOAD, &load, sizeof load))));
    // Beside those of the groups above (systemd's): each of them has to allow a device.
    const Fd directory = TRY(os::openat(group.get(), ".", O_RDONLY | O_DIRECTORY));
    bpf_attr attach{};
    attach.target_fd = static_cast<std::uint32_t>(directory.get());
    attach.attach_bpf_fd = static_cast<std::uint32_t>(loaded.get());
    attach.attach_type = BPF_CGROUP_DEVICE;
    attach.attach_flags = BPF_F_ALLOW_MULTI;
    (void)TRY(os::bpf(BPF_PROG_ATTACH, &attach, sizeof attach));
    return {};
}

}  // namespace

List<DeviceRule> rules_of_everybody()
{
    constexpr std::uint8_t use = DeviceRead | DeviceWrite;
    List<DeviceRule> rules;
    for (const std::uint32_t minor : {3U, 5U, 7U, 8U, 9U})
        rules.push_back({false, 1, minor, use});  // null zero full random urandom
    rules.push_back({false, 5, 0, use});          // tty
    rules.push_back({false, 5, 2, use});          // ptmx
    rules.push_back({false, 136, DeviceRule::any, use});
    return rules;
}

void allow_device(List<DeviceRule>& rules, const DeviceRule& rule)
{
    for (DeviceRule& known : rules) {
        if (known.block == rule.block && known.major == rule.major && known.minor == rule.minor) {
            known.access |= rule.access;
            return;
        }
    }
    rules.push_back(rule);
}

Result<void> limit_devices(const Fd& group, bool unified, const List<DeviceRule>& rules, std::string_view name)
{
    const Text what = concat("devices of ", name);
    if (!unified)
        return write_rules(group, rules, what);
    auto attached = attach_program(group, rules).as("limit the"_p, what);
    if (attached.number() == ENOSYS || attached.number() == EINVAL)
        attached.error()
            .because("this kernel has no rules for devices in control groups of version 2"_p)
            .advise("it needs CONFIG_CGROUP_BPF, Linux 4.15"_p);
    return attached;
}

}  // namespace vial
