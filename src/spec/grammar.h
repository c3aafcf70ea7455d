// SPDX-License-Identifier: MIT
#pragma once

/// The small grammars inside a spec's strings: names, paths, mounts, maps and the like.
///
/// Each reads a text into a value and knows nothing of the file it stood in. Where a person needs more than "expected
/// a so-and-so", the answer is the fault in words.

#include "spec/spec.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace vial {

/// What is wrong with this as a container's or service's name; null: nothing.
Phrase name_fault(std::string_view name);
/// Names that would collide with the files of a cgroup directory, where containers and services have theirs.
bool is_cgroup_file(std::string_view name);
/// What the kernel takes as a network interface's name, printable.
bool is_interface_name(std::string_view name);
/// Something a system's user table might hold; see useradd(8).
bool is_user_name(std::string_view name);
/// An absolute path that the kernel would take.
bool is_path(std::string_view path);
/// A namespace to join: an absolute path, `pid:NUMBER` or `container:NAME`.
bool is_joinable(std::string_view text);
/// `sha256:` and 64 hexadecimal digits in lower case.
bool is_hash(std::string_view text);
/// A path below /proc/sys, without `.` and `..`.
bool is_sysctl(std::string_view path);
/// A path inside a container to put something on: absolute, not `/`, without `..`.
bool is_target(std::string_view path);
/// `read:PATH` and its like: an absolute path behind one of `landlock_kinds`.
inline constexpr const char* landlock_kinds = "read|write|exec";
bool is_landlock_rule(std::string_view text);
/// The words for "no limit".
bool is_max(std::string_view text);

/// The n-th of words like `no|on-failure|always`, and back: -1 where it is none of them.
std::string_view nth_word(std::string_view words, std::size_t index);
int word_index(std::string_view words, std::string_view word);

/// `02:00:00:00:00:01`, of one device: neither multicast nor all zero.
bool parse_mac(std::string_view text, std::uint8_t (&mac)[6]);
/// Permission bits in octal digits, up to 07777.
Maybe<std::uint32_t> parse_mode(std::string_view text);
/// `LIMIT` or `SOFT:HARD`, each a number, a size like 16M or `max`; the soft one is not above the hard one.
Maybe<ResourceLimit> parse_resource_limit(std::string_view text);
/// Per mille of a processor: `150%`, `12.5%`; at least 1%.
Maybe<std::int32_t> parse_cpu(std::string_view text);
/// Processors: `0,1,2, 5` becomes `0-2,5`, as the kernel reads it back.
Maybe<Text> parse_cpus(std::string_view text);
/// `/dev/sda rbps=10M wiops=100`. What is wrong with it; null: nothing.
Phrase parse_io_limit(std::string_view text, IoLimit& limit);
/// Controllers of control groups of version 1 and 2 whose files a spec may write.
inline constexpr const char* cgroup_controllers = "memory|pids|cpu|cpuacct|io|cpuset|hugetlb|rdma|misc|blkio";
/// What is wrong with this as the name of a file that a spec has written in its container's group; null: nothing.
Phrase cgroup_file_fault(std::string_view name);
/// `INSIDE OUTSIDE COUNT`.
Maybe<IdRange> parse_id_range(std::string_view text);

/// One word of a mount's options and the member it sets.
struct MountOption {
    const char* name;
    std::uint16_t offset;
    bool value;
    bool bind_only;
};
std::span<const MountOption> mount_options();
/// One option (`ro`, `size=4M`) or a whole `SOURCE:TARGET[:OPTIONS]` into `mount`. What is wrong with it; null: nothing.
Phrase parse_mount_option(std::string_view text, MountSpec& mount);
Phrase parse_mount(std::string_view text, MountSpec& mount);
/// The letters of a device's access, in the order of the bits.
inline constexpr std::string_view device_access = "mrw";
/// `PATH[:TARGET][:ACCESS]` into `device`. What is wrong with it; null: nothing.
Phrase parse_device(std::string_view text, DeviceSpec& device);

}  // namespace vial
