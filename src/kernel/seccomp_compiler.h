// SPDX-License-Identifier: MIT
#pragma once

/// From what becomes of each call to a program that the kernel runs: at build time for the default wall, when a spec is
/// read for a profile of one's own.
///
/// The numbers of all calls are laid out as runs of one fate. A few single numbers that lie in a longer run make no runs of
/// their own: they are asked for one by one in it (a segment). The program finds a call's segment by binary search, a
/// comparison a step, each splitting what is left where about as many frequent calls are on either side. The fates stand
/// at the end, shared by all. It is written from its end to its beginning, so that whatever is jumped to
/// is there already: a place is told by how many instructions lie from it to the end.

#include "kernel/seccomp_fates.h"

#include <cerrno>
#include <cstddef>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <span>
#include <sys/ioctl.h>

namespace vial::seccomp {

#if defined(__x86_64__)
inline constexpr std::uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__i386__)
inline constexpr std::uint32_t architecture = AUDIT_ARCH_I386;
#elif defined(__aarch64__) && defined(__AARCH64EL__)
inline constexpr std::uint32_t architecture = AUDIT_ARCH_AARCH64;
#elif defined(__arm__) && defined(__ARMEL__)
inline constexpr std::uint32_t architecture = AUDIT_ARCH_ARM;
#elif defined(__mips__) && defined(_ABIO32) && _MIPS_SIM == _ABIO32
inline constexpr std::uint32_t architecture =
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? AUDIT_ARCH_MIPSEL : AUDIT_ARCH_MIPS;
#elif defined(__mips__) && defined(_ABI64) && _MIPS_SIM == _ABI64
inline constexpr std::uint32_t architecture =
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? AUDIT_ARCH_MIPSEL64 : AUDIT_ARCH_MIPS64;
#elif defined(__riscv) && __riscv_xlen == 64
inline constexpr std::uint32_t architecture = AUDIT_ARCH_RISCV64;
#elif defined(__powerpc64__)
inline constexpr std::uint32_t architecture =
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? AUDIT_ARCH_PPC64LE : AUDIT_ARCH_PPC64;
#else
// No filter, and whoever asks for one is told. (s390 would also need a look of its own at clone, whose flags are
// its second argument there.)
inline constexpr std::uint32_t architecture = 0;
#endif

#if defined(__x86_64__) && !defined(__ILP32__)
/// The x32 ABI has the same architecture word and numbers of its own, from here on.
inline constexpr std::uint32_t x32_first = 0x40000000;
#else
inline constexpr std::uint32_t x32_first = 0;  ///< there is none
#endif

inline constexpr std::uint16_t load = BPF_LD | BPF_W | BPF_ABS;
inline constexpr std::uint16_t equal = BPF_JMP | BPF_JEQ | BPF_K;
inline constexpr std::uint16_t at_least = BPF_JMP | BPF_JGE | BPF_K;
inline constexpr std::uint16_t greater = BPF_JMP | BPF_JGT | BPF_K;
inline constexpr std::uint16_t any_bit = BPF_JMP | BPF_JSET | BPF_K;
inline constexpr std::uint16_t jump = BPF_JMP | BPF_JA;
inline constexpr std::uint16_t leave = BPF_RET | BPF_K;

/// All that make a namespace, CLONE_NEWTIME aside: that bit is another thing to clone, and harmless by itself.
inline constexpr std::uint32_t new_namespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

/// Where the lower half of a call's argument lies in what the program sees. The upper one is of no account: the
/// kernel takes flags and requests as 32 bits, and a filter that compared all 64 was walked around (CVE-2019-10063).
constexpr std::uint32_t argument(unsigned index)
{
    constexpr unsigned lower_half = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0;
    return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + 8 * index + lower_half);
}

/// The numbers from `first` up to the next run's.
struct Run {
    std::uint32_t first;
    std::uint8_t fate;    ///< a Fate, or one of the caller's own answers from FateCount on
    std::uint8_t weight;  ///< how much is called in it
};

template <std::size_t capacity>
class Compiler {
public:
    static constexpr std::size_t most_answers = 64;

    /// `runs` begin at 0.
    constexpr explicit Compiler(std::span<const Run> runs)
    {
        write_fates();
        fates_ = size_;
        write(runs);
    }

    /// `fates` and where each stands: another program's end. `answers`: what the fates from FateCount on return.
    constexpr Compiler(std::span<const Run> runs, std::span<const sock_filter> fates,
                       std::span<const std::uint8_t> places, std::span<const std::uint32_t> answers)
    {
        for (; fates_ < fates.size(); ++fates_)
            code_[capacity - fates.size() + fates_] = fates[fates_];
        size_ = fates_;
        for (std::size_t fate = 0; fate < places.size(); ++fate)
            place_[fate] = places[fate];
        for (std::size_t index = 0; index < answers.size(); ++index)
            place_[FateCount + index] = answer(answers[index]);
        write(runs);
    }

    constexpr std::span<const sock_filter> program() const { return {code_ + capacity - size_, size_}; }
    /// How many instructions at the end are those of the fates: the same for all programs without answers of their own.
    constexpr std::size_t fates() const { return fates_; }
    /// Where `fate` stands, counted from the end.
    constexpr std::size_t place(std::size_t fate) const { return place_[fate]; }

private:
    using Place = std::size_t;

    constexpr void write(std::span<const Run> runs)
    {
        find_segments(runs);
        const Place whole = search(runs, 0, segment_count_ - 1);
        if (whole != size_)  // all calls have one fate
            append(jump, static_cast<std::uint32_t>(size_ - whole));
        append(load, offsetof(seccomp_data, nr));
        branch(equal, architecture, size_, place_[Kill]);
        append(load, offsetof(seccomp_data, arch));
    }

    struct Segment {
        std::uint16_t begin, end;  ///< runs
        std::uint32_t weight;
    };

    constexpr Place append(std::uint16_t operation, std::uint32_t value, std::size_t yes = 0, std::size_t no = 0)
    {
        size_++;
        code_[capacity - size_] = {operation, static_cast<__u8>(yes), static_cast<__u8>(no), value};
        return size_;
    }

    /// What is too far away for a conditional jump is reached through another one.
    constexpr Place reach(Place place)
    {
        constexpr std::size_t farthest = 250;
        return size_ - place < farthest ? place : append(jump, static_cast<std::uint32_t>(size_ - place));
    }

    constexpr Place branch(std::uint16_t operation, std::uint32_t value, Place yes, Place no)
    {
        yes = reach(yes);
        no = reach(no);
        return append(operation, value, size_ - yes, size_ - no);
    }

    constexpr Place answer(std::uint32_t value) { return append(leave, value); }

    constexpr void write_fates()
    {
        // An answer that a capability changes stands alone: see `grant`.
        for (std::size_t fate = 0; fate < FateCount; ++fate) {
            if (fate < Namespaces || fate > Family)
                place_[fate] =
                    answer(fate == Allow                                 ? std::uint32_t{SECCOMP_RET_ALLOW}
                           : fate == Kill                                ? std::uint32_t{SECCOMP_RET_KILL_PROCESS}
                           : fate == Missing || fate == NamespacesUnseen ? std::uint32_t{SECCOMP_RET_ERRNO | ENOSYS}
                                                                         : std::uint32_t{SECCOMP_RET_ERRNO | EPERM});
        }
        const Place allow = place_[Allow];
        const Place refuse = place_[Refuse];

        branch(any_bit, new_namespaces, refuse, allow);
        place_[Namespaces] = append(load, argument(0));

        [[maybe_unused]] Place other = allow;
#ifdef TIOCLINUX
        other = branch(equal, TIOCLINUX, refuse, allow);
#endif
        branch(equal, TIOCSTI, refuse, other);
        place_[Terminal] = append(load, argument(1));

        // 0xffffffff only asks; PER_LINUX, PER_LINUX32 and UNAME26 change what uname says.
        other = branch(any_bit, ~std::uint32_t{0x20008}, refuse, allow);
        branch(equal, 0xffffffff, allow, other);
        place_[Domain] = append(load, argument(0));

        // Local, IPv4 and IPv6, netlink, packet, and what devices speak: CAN, Bluetooth (which the kernel itself keeps to
        // the host's network). The others are seldom used, loaded on demand, and were holes: AF_ALG and AF_VSOCK among them.
        other = answer(SECCOMP_RET_ERRNO | EAFNOSUPPORT);
        for (const std::uint32_t family : {31U, 29U, 17U, 16U, 10U})
            other = branch(equal, family, allow, other);
        branch(greater, 2, other, allow);
        place_[Family] = append(load, argument(0));
    }

    /// A run, and with it what goes on behind single numbers of other fates.
    constexpr void find_segments(std::span<const Run> runs)
    {
        constexpr std::size_t most_singles = 3;
        for (std::size_t at = 0; at < runs.size();) {
            std::size_t end = at + 1;
            while (end + 1 < runs.size() && end - at < 2 * most_singles && runs[end + 1].fate == runs[at].fate &&
                   runs[end + 1].first == runs[end].first + 1)
                end += 2;
            Segment& segment = segments_[segment_count_++];
            segment = {static_cast<std::uint16_t>(at), static_cast<std::uint16_t>(end), 1};
            for (; at < end; ++at)
                segment.weight += runs[at].weight;
        }
    }

    /// In the segments `first` to `last`, of which the number is known to be in one.
    constexpr Place search(std::span<const Run> runs, std::size_t first, std::size_t last)
    {
        if (first == last) {
            const Segment& segment = segments_[first];
            Place other = place_[runs[segment.begin].fate];
            for (std::size_t at = segment.begin + 1U; at < segment.end; at += 2)
                other = branch(equal, runs[at].first, place_[runs[at].fate], other);
            return other;
        }
        std::uint32_t total = 0;
        for (std::size_t at = first; at <= last; ++at)
            total += segments_[at].weight;
        std::size_t right = first + 1;  // begins the right part
        std::uint32_t below = segments_[first].weight;
        while (right < last && 2 * below + segments_[right].weight <= total)
            below += segments_[right++].weight;

        const Place behind = search(runs, right, last);
        const Place before = search(runs, first, right - 1);
        return branch(at_least, runs[segments_[right].begin].first, behind, before);
    }

    sock_filter code_[capacity] = {};
    std::size_t size_ = 0;
    std::size_t fates_ = 0;
    Place place_[FateCount + most_answers] = {};
    Segment segments_[capacity] = {};
    std::size_t segment_count_ = 0;
};

}  // namespace vial::seccomp
