// SPDX-License-Identifier: MIT
#pragma once

/// What a container shall be: a spec file (vial.conf(5)) as plain values, defaults filled in.
///
/// Nothing here touches the system: a Spec can be read, checked and shown without root and on another
/// machine than the one it is for. `spec/read.h` makes one from a file, `spec/show.h` prints one.

#include "base/list.h"
#include "base/name_table.h"
#include "base/text.h"

#include <cstdint>

namespace vial {

using Milliseconds = std::int64_t;
using Bytes = std::int64_t;
inline constexpr std::int64_t unlimited = -1;

enum class Restart : std::uint8_t { No, OnFailure, Always };
/// What says that a service is ready. `PidFile` is not written as such: the plan of a service with a `pid_file` has it.
enum class Ready : std::uint8_t { Start, Notify, Fd, Exec, Tcp, PidFile };
enum class HealthAction : std::uint8_t { Restart, Stop, None };
enum class SeccompChoice : std::uint8_t { Default, Off, Profile };

/// The capabilities a service keeps unless its spec says otherwise; bits as in capabilities(7):
/// CHOWN DAC_OVERRIDE FOWNER KILL SETGID SETUID NET_BIND_SERVICE (0 1 3 5 6 7 10).
inline constexpr std::uint64_t default_capabilities = 0x4eb;

/// What supervision follows (supervise/service.h), as the plan carries it. Milliseconds; negative: without end.
struct ServicePolicy {
    Milliseconds restart_delay = 1000;
    Milliseconds restart_backoff = 0;  ///< the longest delay; where it is shorter than the first, delays do not grow
    Milliseconds restart_window = 60000;
    Milliseconds stable_after = 10000;
    Milliseconds start_timeout = 60000;
    Milliseconds stop_timeout = 10000;  ///< from the stop signal until SIGKILL
    Milliseconds health_interval = 30000;
    Milliseconds probe_timeout = 5000;
    Milliseconds hook_timeout = 10000;
    std::uint32_t restart_limit = 0;  ///< within restart_window, up to 255; 0: there is none
    std::uint32_t health_retries = 3;
    Restart restart = Restart::No;
    Ready ready = Ready::Start;
    HealthAction health_action = HealthAction::Restart;
    bool essential = false;
    bool oneshot = false;
    std::uint8_t tasks = 0;          ///< which commands there are, see `task_bit`
    std::uint16_t ready_number = 3;  ///< Fd: the descriptor's; Tcp: the port
    int stop_signal = 15;
    int reload_signal = 1;
};

/// What may run beside a service's main process. Those from Health on have a command of their own.
enum class Task : std::uint8_t { None, Readiness, Health, OnStart, OnStop, OnFailure, Cancelled };
inline constexpr std::size_t task_commands = 4;

constexpr std::size_t command_index(Task task)
{
    return task <= Task::Health ? 0 : static_cast<std::size_t>(task) - static_cast<std::size_t>(Task::Health);
}
constexpr std::uint8_t task_bit(Task task)
{
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(task));
}

/// In place of the process of a oneshot that has done its work already.
inline constexpr std::int32_t done_before = -1;

/// Of a ServicePast (supervise/service.h), in bytes.
inline constexpr std::size_t past_size = 48;

/// A user or group. By name it has no number before the container's own files were asked, see launch/identity.h.
struct Identifier {
    std::uint32_t number = 0;
    bool given = false;
    Text name;  ///< empty: it was given by number

    constexpr Identifier() = default;
    constexpr Identifier(std::uint32_t id) : number(id), given(true) {}  // NOLINT(google-explicit-constructor)
    operator std::uint32_t() const { return number; }                    // NOLINT(google-explicit-constructor)
};

inline constexpr std::uint32_t no_umask = ~0U;

struct ServiceSpec {
    Text name;           ///< `main` for the keys at the top of a spec
    List<Text> command;  ///< never empty in a checked spec
    Identifier user = 0;
    Identifier group;         ///< not given: 0, or of a user by name what the container's files say
    List<Identifier> groups;  ///< supplementary; the same where neither is given
    Text home;                ///< of a user by name, once it was looked up
    Text directory = "/";
    std::uint32_t umask = no_umask;  ///< `no_umask`: what init has, 022
    List<Text> environment;          ///< `KEY=VALUE`, in the order written
    Text environment_file;           ///< a host path, read by the launcher; empty: none
    Text pid_file;                   ///< a path inside; not empty: what is started goes into the background
    ServicePolicy policy;
    List<Text> after, required;              ///< names of other services
    List<Text> task_command[task_commands];  ///< health, on_start, on_stop, on_failure; empty: none

    // At the host's boot.
    bool is_container = false;      ///< the command is a launcher, whose container is the service
    bool on_demand = false;         ///< it is only started where it is asked for, or required
    bool renewed = false;           ///< what runs of it is not what its spec says by now
    std::int32_t running = 0;       ///< the main process that runs already; `done_before`; 0: none
    std::int64_t started = 0;       ///< when that process was, in clock ticks since boot
    std::uint32_t fingerprint = 0;  ///< of its spec
    Text past;                      ///< a ServicePast, byte by byte; empty: none is known
};

/// One end of a dependency. Bit 0 says whether it is `requires`; the rest is the service at the other end.
struct Dependency {
    std::uint32_t value;

    constexpr Dependency(std::uint32_t service, bool required) : value(service << 1 | required) {}
    constexpr std::uint32_t service() const { return value >> 1; }
    constexpr bool required() const { return (value & 1) != 0; }
};

enum class MountKind : std::uint8_t { Bind, Tmpfs };

struct MountSpec {
    MountKind kind = MountKind::Bind;
    Text source;                 ///< Bind: an absolute host path
    Text target;                 ///< absolute, inside
    Bytes size = unlimited;      ///< Tmpfs
    std::uint32_t mode = 01777;  ///< Tmpfs
    bool read_only = false;
    bool no_exec = false;
    bool devices = false;   ///< default nodev
    bool set_uid = false;   ///< default nosuid
    bool recursive = true;  ///< Bind: the mounts below it too
    bool optional = false;  ///< a source that is missing is passed over
    bool no_atime = false;
    bool follow = false;  ///< Bind: what the host mounts below the source later is seen, too
};

struct DeviceSpec {
    Text source;              ///< the host's node, a path below /dev
    Text target;              ///< the same inside
    std::uint8_t access = 0;  ///< DeviceAccess (kernel/device_rules.h)
};

enum class OverlayKind : std::uint8_t { None, Tmpfs, Directory };

struct OverlaySpec {
    OverlayKind kind = OverlayKind::None;
    Bytes size = unlimited;  ///< Tmpfs
    Text directory;          ///< Directory: holds the changes (`upper`) and the kernel's `work`
};

inline constexpr std::size_t namespace_count = 8;

/// Which namespaces the container gets of its own. PID and mount are not a choice yet.
struct NamespacesSpec {
    bool network = true;
    bool ipc = true;
    bool uts = true;
    bool cgroup = true;
    bool user = false;
    bool time = false;
    /// Whose it joins instead: a path, `pid:NUMBER` or `container:NAME`; empty: nobody's. In the order of [namespaces.join]'s keys;
    /// one that is joined is not one of its own.
    Text join[namespace_count];
};

/// One line of /proc/PID/uid_map: `inside outside count`, see user_namespaces(7).
struct IdRange {
    std::uint32_t inside = 0;
    std::uint32_t outside = 0;
    std::uint32_t count = 0;
};

enum class NetworkKind : std::uint8_t { Veth, None, Macvlan, Ipvlan, Host, Physical };

struct IpAddress {
    std::uint8_t family = 0;      ///< AF_INET or AF_INET6
    std::uint8_t bytes[16] = {};  ///< network order, 4 or 16 of them
    std::uint8_t prefix = 0;
};

struct RouteSpec {
    IpAddress destination;  ///< with its prefix
    IpAddress gateway;      ///< of the same family
};

struct NetworkSpec {
    Text name;  ///< the interface's name inside, 1-15 bytes
    NetworkKind kind = NetworkKind::Veth;
    Text bridge;  ///< Veth: the host's bridge; empty: the host end stays alone
    Text parent;  ///< Macvlan, Ipvlan: the host's interface that it shares; Physical: that is lent to it
    List<IpAddress> addresses;
    List<IpAddress> gateways;  ///< at most one a family; prefix unused
    List<RouteSpec> routes;
    std::uint8_t mac[6] = {};
    bool has_mac = false;
    std::uint32_t mtu = 0;    ///< 0: the kernel's default
    bool masquerade = false;  ///< what it sends beyond the bridge goes out as the host's own
};

/// A port of the host that leads into the container.
struct PortSpec {
    IpAddress address;  ///< of the host; family 0: any
    std::uint16_t host = 0, container = 0;
    bool udp = false;
};

inline constexpr std::int64_t as_it_is = -2;

/// Of a process, see setrlimit(2); `unlimited`, or `as_it_is` for what the launcher has.
struct ResourceLimit {
    std::int64_t soft = as_it_is, hard = as_it_is;
};

/// Those that [security.rlimits] may name, in the order of its keys.
inline constexpr std::size_t resource_count = 15;

/// `/dev/sda rbps=1M wiops=100`
struct IoLimit {
    Text device;
    std::int64_t most[4] = {unlimited, unlimited, unlimited, unlimited};  ///< in the order of io_limit_keys
};
inline constexpr const char* io_limit_keys = "rbps|wbps|riops|wiops";

/// The OOM score is whoever starts vial's.
inline constexpr std::int32_t no_score = INT32_MIN;

struct LimitsSpec {
    Bytes memory = unlimited;
    Bytes memory_high = unlimited;
    Bytes swap = unlimited;                       ///< swap alone, not memory + swap
    std::int64_t tasks = 512;                     ///< `unlimited` for none
    bool tasks_given = false;                     ///< it is no default
    std::int32_t cpu = 0;                         ///< per mille of one processor: 1500 is "150%"; 0: no limit
    std::uint32_t cpu_weight = 0, io_weight = 0;  ///< 0: the kernel's default, which is 100
    Text cpus;                                    ///< `0-2,5`, as the kernel writes it; empty: all
    List<Text> io;                                ///< each an IoLimit's text
    std::int32_t oom_score = no_score;
    bool oom_group = false;     ///< the OOM killer ends a service as a whole
    List<Text> cgroup;          ///< `FILE=VALUE`, written as they are
    ResourceLimit files, core;  ///< of each process; `rlimits` stands above them
};

struct SecuritySpec {
    std::uint64_t capabilities = default_capabilities;
    std::uint64_t ambient = 0;  ///< those of them that services of other users than root have, too
    ResourceLimit rlimits[resource_count];
    List<Text> sysctls;  ///< `PATH=VALUE`, the path below /proc/sys
    bool no_new_privileges = true;
    SeccompChoice seccomp = SeccompChoice::Default;
    Text seccomp_profile;  ///< the file, an absolute path
    List<Text> landlock;   ///< `read:PATH`, `write:PATH` or `exec:PATH` each; empty: no limits
};

struct LogSpec {
    Bytes size = 64 * 1024;   ///< of each of the two segments
    bool prefix = false;      ///< `vial logs` shows which service a line is of
    bool timestamps = false;  ///< and when it was written
};

struct Spec {
    Text file;  ///< where it was read from, an absolute path once it is to be started; empty: made by `vial run --root`
    Text name;
    Text root;       ///< an absolute host path: a directory or an image
    Text root_hash;  ///< what the image's content must be, as `sha256:DIGITS`; empty: whatever it is
    bool read_only = true;
    OverlaySpec overlay;
    Text hostname;  ///< the name, unless said otherwise
    Text pod;  ///< the container whose net, ipc and UTS namespaces it joins, and with which it is stopped; empty: none
    bool init = true;
    bool autostart = false;      ///< `vial boot` starts it
    List<Text> after, required;  ///< names of other specs, for `vial boot`
    List<ServiceSpec> services;  ///< none in a checked spec: it holds a pod's namespaces
    List<MountSpec> mounts;
    List<DeviceSpec> devices;
    List<Text> mask;             ///< paths inside, beside the built-in ones
    List<Text> read_only_paths;  ///< the same
    NamespacesSpec namespaces;
    List<IdRange> uid_map, gid_map;                          ///< not empty where namespaces.user, unless `auto_ids`
    bool auto_ids = false;                                   ///< vial chooses the maps, at each start
    std::int64_t monotonic_offset = 0, boottime_offset = 0;  ///< seconds, time namespace
    List<NetworkSpec> networks;
    List<PortSpec> ports;
    List<IpAddress> dns;  ///< name servers; empty: the image's own /etc/resolv.conf
    List<Text> hosts;     ///< lines of /etc/hosts; empty: the image's own
    LimitsSpec limits;
    SecuritySpec security;
    LogSpec log;
    List<Text> not_yet;  ///< keys that were read and checked, but whose facility is to come
};

/// The places of the services, by their names.
NameTable number_services(const Spec& spec);

}  // namespace vial
