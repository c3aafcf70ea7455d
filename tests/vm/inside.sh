#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The tests that need a machine of their own: cgroup v2, an initramfs as root, all the privileges there are. Runs as root
# under BusyBox in the machine that `run` boots; a case is a function here and one line `check` at the end of the
# file. Inside a case every command must succeed (set -e); what it prints is shown when it fails; and whatever it
# leaves behind (mounts, cgroups, interfaces, loop devices, processes, state) fails it too.
#
# In the environment: cgroup=v1|v2|hybrid, root=initramfs|tmpfs, only=PATTERN of the cases wanted.

. /tests/snapshot.sh
tree=/srv/root image=/srv/web.squashfs
number=0

# check DESCRIPTION FUNCTION [ARGUMENTS...]
check()
{
    description=$1
    shift
    case $description in *${only:-}*) ;; *) return ;; esac
    number=$((number + 1))
    snapshot "$image" >/tmp/before
    # Not as a condition: the shell would ignore `set -e` in it.
    (
        set -eu
        "$@"
    ) >/tmp/output 2>&1 </dev/null
    status=$?
    if [ "$status" = 0 ] && same_as /tmp/before "$image" >>/tmp/output; then
        echo "ok $number - $description"
        return
    fi
    echo "not ok $number - $description"
    [ "$status" = 0 ] || echo "# exit code $status"
    sed 's/^/# /' /tmp/output | tail -n 30
    # The next case starts from a clean table.
    vial list 2>/dev/null | awk 'NR > 1 { print $1 }' | while read -r name; do vial stop "$name" >/dev/null 2>&1; done
}

fail()
{
    echo "$*"
    exit 1
}
# equal EXPECTED FOUND [WHAT]
equal() { [ "$1" = "$2" ] || fail "${3:-value}: expected '$1', found '$2'"; }
# contains TEXT PART
contains() { case $1 in *"$2"*) ;; *) fail "'$2' is not in: $1" ;; esac; }
# exits CODE COMMAND...
exits()
{
    expected=$1 code=0
    shift
    "$@" || code=$?
    equal "$expected" "$code" "exit code of: $*"
}
# eventually COMMAND...: within ten seconds (the machine is emulated, and slow).
eventually()
{
    attempts=100
    until "$@"; do
        attempts=$((attempts - 1))
        [ "$attempts" -gt 0 ] || fail "never came true: $*"
        sleep 0.1
    done
}
# spec NAME < TEXT: a spec file; prints its path.
spec()
{
    cat >"/tmp/$1.conf"
    echo "/tmp/$1.conf"
}
sleeper() # NAME [LINES...]: starts a container that just sleeps
{
    sleeper_name=$1
    shift
    {
        printf 'root = "%s"\ncommand = ["/bin/sleep", "1000"]\n' "$tree"
        for line in "$@"; do printf '%s\n' "$line"; done
    } | spec "$sleeper_name" >/dev/null
    vial start "/tmp/$sleeper_name.conf"
}
# group CONTROLLER: where that hierarchy's vial/ lies.
group()
{
    case "$cgroup" in
    v2) echo /sys/fs/cgroup/vial ;;
    *) if [ "$1" = cpu ]; then echo /sys/fs/cgroup/cpu,cpuacct/vial; else echo "/sys/fs/cgroup/$1/vial"; fi ;;
    esac
}

# ---- Running --------------------------------------------------------------------------------------------------------

run_gives_the_code()
{
    exits 0 vial run --root "$tree" -- /bin/true
    exits 7 vial run --root "$tree" -- /bin/sh -c 'exit 7'
    exits 143 vial run --root "$tree" -- /bin/sh -c 'kill -TERM $$'
    exits 127 vial run --root "$tree" -- /bin/not-there
}

run_from_an_image()
{
    equal "Hello from inside a vial container." \
        "$(vial run --root "$image" -- /bin/sh -c 'sed -n "s/<p>\(.*\)<.p>/\1/p" /var/www/index.html')"
}

landlock_closes_the_rest()
{
    # Not every machine's kernel is built with it.
    if [ "$(uname -m)" != x86_64 ] && ! message=$(vial run --root "$tree" --set 'security.landlock=["exec:/"]' -- /bin/true 2>&1); then
        contains "$message" Landlock
        return
    fi
    equal "hosts closed" "$(vial run --root "$tree" --set 'security.landlock=["exec:/bin", "read:/etc/hosts"]' -- \
        /bin/sh -c 'head -n 1 /etc/hosts | grep -q localhost && echo hosts; cat /etc/passwd 2>&1 | grep -q denied && echo closed' |
        tr '\n' ' ' | sed 's/ $//')"
}

overlay_keeps_nothing()
{
    equal new "$(vial run --root "$image" --set overlay=tmpfs -- /bin/sh -c 'echo new >/var/www/x; cat /var/www/x')"
    exits 1 vial run --root "$image" -- /bin/sh -c '{ echo new >/var/www/x; } 2>/dev/null'
}

world_of_its_own()
{
    equal box "$(vial run --root "$tree" --name box -- /bin/hostname)"
    equal vm "$(hostname)"
    equal "lo" "$(vial run --root "$tree" -- /bin/sh -c 'ls /sys/class/net')"
    # vial, and the shell with its children: nobody else's processes.
    contains "$(vial run --root "$tree" -- /bin/ps -o pid,args)" "1 "
    exits 1 vial run --root "$tree" -- /bin/sh -c 'ps -o args | grep "[i]nside.sh"'
    # The old root must be gone altogether.
    exits 1 vial run --root "$tree" -- /bin/sh -c 'ls /tests || grep -e /tests -e /modules /proc/self/mountinfo'
    exits 1 vial run --root "$tree" -- /bin/sh -c '{ echo x >/new-file; } 2>/dev/null'
}

failed_starts_leave_nothing()
{
    exits 125 vial run --root /srv/missing -- /bin/true
    exits 125 vial run --root /init -- /bin/true
    exits 3 vial stop nobody
    printf 'root = "%s"\ncommand = ["/bin/not-there"]\n' "$tree" | spec broken >/dev/null
    exits 1 vial start /tmp/broken.conf
}

# ---- Limits ---------------------------------------------------------------------------------------------------------

limits_are_in_the_kernel()
{
    sleeper limited '[limits]' 'memory = "64M"' 'tasks = 64' 'cpu = "50%"'
    case $cgroup in
    v2)
        equal 67108864 "$(cat "$(group memory)/limited/memory.max")" memory.max
        equal "50000 100000" "$(cat "$(group cpu)/limited/cpu.max")" cpu.max
        ;;
    *)
        equal 67108864 "$(cat "$(group memory)/limited/memory.limit_in_bytes")" memory.limit_in_bytes
        equal 50000 "$(cat "$(group cpu)/limited/cpu.cfs_quota_us")" cpu.cfs_quota_us
        ;;
    esac
    equal 64 "$(cat "$(group pids)/limited/pids.max")" pids.max
    vial stop limited
}

# What version 2 alone has, or has otherwise.
limits_of_version_2()
{
    [ "$cgroup" = v2 ] || return 0
    sleeper high '[limits]' 'memory_high = "40M"' 'cpu_weight = 50' 'cpus = "0"' 'oom_group = true' 'oom_score = -500' \
        'io = "/dev/loop7 rbps=1M wiops=50"' '[limits.cgroup]' '"memory.low" = "4M"' '"cpu.max" = "30000 100000"'
    at=$(group memory)/high
    equal 41943040 "$(cat "$at/memory.high")" memory.high
    equal 4194304 "$(cat "$at/memory.low")" memory.low
    equal "30000 100000" "$(cat "$at/cpu.max")" cpu.max
    equal 50 "$(cat "$at/cpu.weight")" cpu.weight
    equal 0 "$(cat "$at/cpuset.cpus")" cpuset.cpus
    equal 1 "$(cat "$at/main/memory.oom.group")" memory.oom.group
    equal 0 "$(cat "$at/init/memory.oom.group")" "memory.oom.group of PID 1"
    equal -500 "$(cat "/proc/$(cat "$at/main/cgroup.procs")/oom_score_adj")" oom_score_adj
    equal -500 "$(vial exec high -- /bin/cat /proc/self/oom_score_adj)" "oom_score_adj of exec"
    contains "$(cat "$at/io.max")" "7:7 rbps=1048576 wbps=max riops=max wiops=50"
    vial stop high
    for wrong in 'cpus = "0,7"' 'io = "/dev/null rbps=1M"' 'io_weight = 50'; do
        code=0
        sleeper wrong '[limits]' "$wrong" 2>/tmp/message || code=$?
        [ "$code" != 0 ] || case $wrong in io_weight*) vial stop wrong && continue ;; *) fail "$wrong was taken" ;; esac
        equal 1 "$(wc -l </tmp/message)" "lines of: $(cat /tmp/message)"
        contains "$(cat /tmp/message)" "limits.${wrong%% *}"
    done
}

# One process takes too much, and the whole service goes; the other service and PID 1 do not notice.
oom_group_ends_a_service()
{
    [ "$cgroup" = v2 ] || return 0
    printf '%s\n' "root = \"$tree\"" '[service.steady]' 'command = ["/bin/sleep", "1000"]' '[service.pair]' \
        'command = ["/bin/sh", "-c", "sleep 1000 & sleep 0.2; /bin/hog; sleep 1000"]' '[limits]' 'memory = "40M"' \
        'oom_group = true' | spec pair >/dev/null
    vial start /tmp/pair.conf
    eventually sh -c 'vial status pair | grep -q "pair.*killed by the OOM killer"'
    eventually sh -c "[ -z \"\$(cat '$(group memory)/pair/pair/cgroup.procs')\" ]"
    contains "$(vial status pair | grep steady)" ready
    vial stop pair
}

# All or nothing, and what was not asked for at the start as well.
update_changes_limits()
{
    [ "$cgroup" = v2 ] || return 0
    sleeper live '[limits]' 'memory = "32M"'
    at=$(group memory)/live
    vial update live limits.memory=48M limits.memory_high=40M limits.cpu=50% limits.cpus=0 limits.oom_group=true \
        'limits.io=/dev/loop7 rbps=1M'
    equal 50331648 "$(cat "$at/memory.max")" memory.max
    equal 41943040 "$(cat "$at/memory.high")" memory.high
    equal "50000 100000" "$(cat "$at/cpu.max")" cpu.max
    equal 0 "$(cat "$at/cpuset.cpus")" cpuset.cpus
    equal 1 "$(cat "$at/main/memory.oom.group")" memory.oom.group
    contains "$(cat "$at/io.max")" "7:7 rbps=1048576"
    contains "$(vial show live)" 'memory_high = "40M"'
    exits 1 vial update live limits.memory=16M limits.memory_high=max limits.cpu=max limits.io=[] limits.cpus=0,7 2>/tmp/message
    contains "$(cat /tmp/message)" "limits.cpus (cpuset.cpus)"
    equal 1 "$(wc -l </tmp/message)"
    equal 50331648 "$(cat "$at/memory.max")" memory.max
    equal 41943040 "$(cat "$at/memory.high")" memory.high
    equal "50000 100000" "$(cat "$at/cpu.max")" cpu.max
    equal 0 "$(cat "$at/cpuset.cpus")" cpuset.cpus
    contains "$(cat "$at/io.max")" "7:7 rbps=1048576"
    contains "$(vial show live)" 'memory = "48M"'
    vial update live limits.memory=max limits.memory_high=max limits.cpu=max limits.io=[] limits.oom_group=false
    equal max "$(cat "$at/memory.max")" memory.max
    equal "max 100000" "$(cat "$at/cpu.max")" cpu.max
    equal 0 "$(cat "$at/main/memory.oom.group")" memory.oom.group
    equal "" "$(cat "$at/io.max")" io.max
    vial restart live
    equal max "$(cat "$at/memory.max")" memory.max
    equal 0 "$(cat "$at/cpuset.cpus")" cpuset.cpus
    vial stop live
}

# What is hit is told by itself; and where nothing is, PID 1 sleeps.
limits_that_are_hit()
{
    # It does nothing until a file says so.
    rm -rf /srv/data && mkdir -p /srv/data
    printf '%s\n' "root = \"$tree\"" 'mounts = ["/srv/data:/srv"]' '[service.idle]' 'command = ["/bin/sleep", "1000"]' \
        '[service.forker]' 'command = ["/bin/sh", "-c", "read x </srv/go; for i in 1 2 3 4 5 6; do sleep 1 & done; wait"]' \
        'restart = "no"' '[limits]' 'tasks = 6' 'memory = "40M"' | spec full >/dev/null
    mkfifo /srv/data/go
    vial start /tmp/full.conf
    vial events full >/tmp/events &
    pid=$(cat "$(group pids)/full/init/cgroup.procs")
    eventually grep -q ready /tmp/events
    sleep 1
    before=$(grep voluntary_ctxt /proc/$pid/status)
    sleep 12
    equal "$before" "$(grep voluntary_ctxt /proc/$pid/status)" "wake-ups of PID 1"
    echo go >/srv/data/go
    eventually grep -q "limit: tasks, " /tmp/events
    if [ "$cgroup" = v2 ]; then
        exits 137 vial exec full -- /bin/hog
        eventually grep -q "limit: oom_kills, 1" /tmp/events
        eventually grep -q "limit: memory, " /tmp/events
        contains "$(vial stats --json full)" '"oom_kills":1'
        contains "$(vial stats --json full)" '"swap":0'
        vial update full limits.memory_high=20M
        vial exec full -- /bin/sh -c 'head -c 25000000 /dev/zero >/tmp/x'
        eventually grep -q "limit: memory_high, " /tmp/events
    fi
    vial stop full
    wait
    rm -r /tmp/events /srv/data
}

layout_is_a_promise()
{
    sleeper layout '[limits]' 'memory = "64M"'
    for at in $(group memory)/layout $(group pids)/layout; do
        equal "" "$(cat "$at/cgroup.procs")" "processes in $at"
        equal 1 "$(wc -l <"$at/init/cgroup.procs")" "processes in $at/init"
        equal 1 "$(wc -l <"$at/main/cgroup.procs")" "processes in $at/main"
        equal "/bin/sleep 1000 " "$(tr '\0' ' ' <"/proc/$(cat "$at/main/cgroup.procs")/cmdline")"
    done
    vial stop layout
}

memory_hog_is_killed()
{
    printf 'root = "%s"\ncommand = ["/bin/hog"]\n[limits]\nmemory = "50M"\n' "$tree" | spec hog >/dev/null
    vial start /tmp/hog.conf
    vial wait hog || :
    contains "$(vial logs hog)" "holding 30 MB"
    case $(vial logs hog) in *"holding 60 MB"*) fail "the limit of 50 MB did not hold" ;; esac
    contains "$(vial status hog | tr a-z A-Z)" OOM
    vial stop hog || :
}

fork_bomb_is_bounded()
{
    contains "$(vial run --root "$tree" --set limits.tasks=12 -- /bin/sh -c \
        'for i in $(seq 40); do sleep 100 & done' 2>&1 || :)" "fork"
}

# What a build machine mostly has no privilege for: as PID 1 of somebody's container vial is not to be chosen where memory
# runs out, and its command is as it would have been without.
init_is_spared()
{
    echo 100 >/proc/self/oom_score_adj
    equal "-1000 100" "$(unshare -p -f --mount-proc vial init -- /bin/sh -c \
        'echo $(cat /proc/1/oom_score_adj) $(cat /proc/self/oom_score_adj)')"
}

# Rules for devices, which version 2 has a program for.
devices_are_limited()
{
    equal "read" "$(vial run --root "$tree" --set 'devices=["/dev/loop-control:/dev/control:r"]' -- /bin/sh -c \
        'exec 2>/dev/null; (: </dev/control) && echo read; (: >/dev/control) && echo write; true')"
    equal "" "$(vial run --root "$tree" --set 'security.capabilities=["MKNOD"]' -- /bin/sh -c \
        'exec 2>/dev/null; mknod /dev/x c 10 237 && echo made; mknod /dev/z c 1 5 && echo made; true')"
    equal "made" "$(vial run --root "$tree" --set 'security.capabilities=["MKNOD"]' \
        --set 'devices=["/dev/loop-control:rwm"]' -- /bin/sh -c \
        'exec 2>/dev/null; mknod /dev/x c 10 237 && (: </dev/x) && echo made; mknod /dev/z c 1 5 && echo made; true')"
}

# Devices and pressure are told where version 2 counts them. The image is a device: a loop.
stats_tell_devices_and_pressure()
{
    printf 'root = "%s"\ncommand = ["/bin/sh", "-c", "cat /bin/busybox >/dev/null; exec sleep 1000"]\n' "$image" |
        spec counted >/dev/null
    echo 3 >/proc/sys/vm/drop_caches
    vial start /tmp/counted.conf
    if [ "$cgroup" = v2 ]; then
        eventually sh -c 'vial stats --json counted >/tmp/stats; grep -q "\"io\":{\"read_bytes\":[1-9]" /tmp/stats'
        for resource in memory cpu io; do
            grep -q "\"$resource\":{\"some_avg10\":[0-9.]*,\"some_usec\":[0-9]" /tmp/stats || fail "$(cat /tmp/stats)"
        done
    else
        contains "$(vial stats --json counted)" '"io":null'
    fi
    vial stop counted
}

# All but PID 1 stand still, those from outside too; and go on.
pause_freezes()
{
    printf 'root = "%s"\ncommand = ["/bin/sh", "-c", "trap \\"echo bye; exit 0\\" TERM; while :; do sleep 0.1; done"]\n' "$tree" |
        spec iced >/dev/null
    vial start /tmp/iced.conf
    for round in 1 2; do
        vial pause iced
        vial pause iced
        contains "$(vial list)" paused
        contains "$(vial status iced)" "iced: paused for"
        exits 125 vial exec iced -- /bin/true
        if [ "$cgroup" = v2 ]; then
            at=$(group pids)/iced
            grep -q "frozen 1" "$at/main/cgroup.events" || fail "the service's leaf is not frozen"
            grep -q "frozen 0" "$at/init/cgroup.events" || fail "PID 1's leaf is frozen"
        else
            equal FROZEN "$(cat /sys/fs/cgroup/freezer/vial/iced/freezer.state)"
        fi
        vial resume iced
        [ "$cgroup" != v2 ] || grep -q "frozen 0" "$at/main/cgroup.events" || fail "the service's leaf is still frozen"
        equal in "$(vial exec iced -- /bin/echo in)"
    done
    vial pause iced
    vial stop iced
    # A PID 1 that is killed takes the frozen along.
    vial start /tmp/iced.conf
    vial pause iced
    vial kill iced
    contains "$(vial list)" exited
    vial stop iced
}

# Each has its own descriptors on the way to PID 1, which on version 2 are open before the container is born.
many_services()
{
    {
        echo "root = \"$tree\""
        for n in $(seq 30); do printf '[service.s%s]\ncommand = ["/bin/sleep", "1000"]\n' "$n"; done
    } | spec many >/dev/null
    vial start /tmp/many.conf
    equal 30 "$(vial status many | grep -c ready)"
    vial stop many
}

# ---- Living with one ------------------------------------------------------------------------------------------------

exec_enters()
{
    sleeper entered
    exits 5 vial exec entered -- /bin/sh -c 'exit 5'
    equal entered "$(vial exec entered -- /bin/hostname)"
    equal lo "$(vial exec entered -- /bin/ls /sys/class/net)"
    equal "$(cat "$(group pids)/entered/main/cgroup.procs" | wc -l)" 1
    # What is executed inside is limited as the rest: it is in a leaf beside the service's, told relative to init's.
    groups=$(vial exec entered -- /bin/cat /proc/self/cgroup)
    case $cgroup in
    v2) contains "$groups" "0::/../exec" ;;
    *)
        contains "$groups" ":memory:/../exec"
        contains "$groups" ":pids:/../exec"
        ;;
    esac
    # And it outlives the service.
    mkfifo /tmp/entering
    vial exec -i entered -- /bin/cat </tmp/entering >/tmp/entering.out &
    exec 3>/tmp/entering
    echo in >&3
    eventually grep -q in /tmp/entering.out
    vial restart --service main entered
    echo still >&3
    eventually grep -q still /tmp/entering.out
    exec 3>&-
    wait $!
    rm /tmp/entering /tmp/entering.out
    exits 127 vial exec entered -- /bin/not-there
    vial stop entered
    exits 125 vial exec entered -- /bin/true
}

killed_from_outside()
{
    sleeper victim
    kill -9 "$(cat "$(group pids)/victim/init/cgroup.procs")"
    eventually sh -c 'vial list >/tmp/list; ! grep -q "victim.*running" /tmp/list'
    vial stop victim || :
}

web_server_over_a_bridge()
{
    cat >/tmp/web.conf <<SPEC
root    = "$image"
command = ["/bin/httpd", "-f", "-p", "8080", "-h", "/var/www"]
restart = "on-failure"

[network.eth0]
bridge  = "br-test"
address = ["10.0.3.2/24", "fd00:3::2/64"]
gateway = "10.0.3.1"

[limits]
memory = "16M"
tasks  = 32
SPEC
    vial start /tmp/web.conf
    ip -o addr show br-test | grep -q '10\.0\.3\.1/24' || fail "the bridge has no address: $(ip addr)"
    eventually wget -q -O /tmp/page http://10.0.3.2:8080/
    grep -q 'inside a vial container' /tmp/page
    contains "$(vial exec web -- /bin/ip route)" "default via 10.0.3.1"
    contains "$(vial list)" web
    vial stats web
    vial stop web
}

two_share_a_bridge()
{
    for n in 2 3; do
        printf '%s\n' "root = \"$tree\"" 'command = ["/bin/httpd", "-f", "-p", "80", "-h", "/var/www"]' \
            '[network.eth0]' 'bridge = "br-pair"' "address = [\"10.0.4.$n/24\"]" 'gateway = "10.0.4.1"' |
            spec "pair$n" >/dev/null
        vial start "/tmp/pair$n.conf"
    done
    eventually vial exec pair2 -- /bin/wget -q -O - http://10.0.4.3/
    vial stop pair2
    ip link show br-pair >/dev/null || fail "the bridge went with the first of two"
    vial stop pair3
}

# From 127.0.0.1, from the host's other addresses, and from a container on another bridge, whose way leads through the host.
published_ports()
{
    for n in 5 6; do
        printf '%s\n' "root = \"$tree\"" 'command = ["/bin/httpd", "-f", "-p", "80", "-h", "/var/www"]' \
            "ports = [\"808$n:80\"]" '[network.eth0]' "bridge = \"br-pub$n\"" "address = [\"10.0.$n.2/24\", \"fd00:$n::2/64\"]" \
            "gateway = [\"10.0.$n.1\", \"fd00:$n::1\"]" 'masquerade = true' | spec "pub$n" >/dev/null
        vial start "/tmp/pub$n.conf"
    done
    for url in 127.0.0.1:8085 10.0.6.1:8085 '[fd00:5::1]:8085' 127.0.0.1:8086; do
        eventually wget -q -O /tmp/page "http://$url/"
    done
    vial exec pub6 -- /bin/wget -q -O - http://10.0.6.1:8085/ >/tmp/page
    grep -q 'inside a vial container' /tmp/page
    vial exec pub6 -- /bin/wget -q -O - 'http://[fd00:6::1]:8085/' >/tmp/page
    vial stop pub5
    vial stop pub6
}

# Two containers on one interface of the host.
shared_parent() # TYPE
{
    ip link add par0 type dummy
    ip link set par0 up
    for n in 2 3; do
        printf '%s\n' "root = \"$tree\"" 'command = ["/bin/httpd", "-f", "-p", "80", "-h", "/var/www"]' \
            '[network.eth0]' "type = \"$1\"" 'parent = "par0"' "address = [\"10.0.7.$n/24\"]" | spec "shared$n" >/dev/null
        vial start "/tmp/shared$n.conf"
    done
    eventually vial exec shared2 -- /bin/wget -q -O - http://10.0.7.3/
    vial restart shared2
    vial stop shared2
    vial stop shared3
    ip link delete par0
}

# ---- The matrix: kernels x init x user namespace --------------------------------------------------------------------

user_namespace='[namespaces]
user = true
[user_namespace]
uid_map = ["0 100000 65536"]
gid_map = ["0 100000 65536"]'

# matrix KERNEL INIT USER ROOT
matrix()
{
    {
        printf 'root = "%s"\ncommand = ["/bin/sleep", "1000"]\ninit = %s\nmounts = ["/srv/data:/srv:ro"]\n' "$4" "$2"
        [ "$3" = off ] || echo "$user_namespace"
    } | spec cell >/dev/null
    mkdir -p /srv/data && echo shared >/srv/data/file
    old="oldkernel --kernel $1 --"
    exits 9 $old vial run --name cellrun /tmp/cell.conf -- /bin/sh -c 'exit 9'
    $old vial start /tmp/cell.conf
    equal shared "$($old vial exec cell -- /bin/cat /srv/file)"
    exits 4 $old vial exec cell -- /bin/sh -c 'exit 4'
    # Without vial as PID 1 there is nobody to ask.
    [ "$2" = false ] || contains "$($old vial status cell)" running
    $old vial stop cell
    rm -rf /srv/data
}

# What is missing of a target is made where that is possible, as on the container's /tmp.
target_is_made() # KERNEL
{
    mkdir -p /srv/data && echo shared >/srv/data/file
    printf 'root = "%s"\ncommand = ["/bin/cat", "/tmp/some/where/file"]\nmounts = ["/srv/data:/tmp/some/where"]\n' "$tree" |
        spec target >/dev/null
    equal shared "$(oldkernel --kernel "$1" -- vial run /tmp/target.conf)"
    rm -rf /srv/data
}

# One call missing, all others there: no kernel is like that, but filters are (container managers', for one).
without() # CALL
{
    exits 9 oldkernel --without "$1" -- vial run --root "$image" -- /bin/sh -c 'exit 9'
}

# Before mount_setattr an image cannot be mounted for a user namespace: that is said, not tried.
image_for_a_user_namespace_is_refused() # KERNEL
{
    printf 'root = "%s"\ncommand = ["/bin/true"]\n%s\n' "$image" "$user_namespace" | spec refused >/dev/null
    exits 1 oldkernel --kernel "$1" -- vial start /tmp/refused.conf 2>/tmp/message
    contains "$(cat /tmp/message)" "needs Linux 5.12"
}

# The unit tests of what differs from machine to machine: here it is a kernel that answers, and no emulator of programs.
units()
{
    mkdir /usr
    /tests/unit --no-version --source-file='*/test_machine.cc,*/test_os.cc,*/test_seccomp*.cc,*/test_payload.cc'
    rmdir /usr
}

# ---------------------------------------------------------------------------------------------------------------------

[ ! -x /tests/unit ] || check "units: this machine's numbers and layouts" units
check "run: the payload's exit code" run_gives_the_code
check "run: from a squashfs image" run_from_an_image
check "run: a writable overlay" overlay_keeps_nothing
check "run: Landlock" landlock_closes_the_rest
check "run: a world of its own" world_of_its_own
check "start: failures leave nothing" failed_starts_leave_nothing
check "limits: memory, tasks, cpu read back" limits_are_in_the_kernel
check "limits: of version 2" limits_of_version_2
check "limits: those that are hit are told" limits_that_are_hit
check "limits: changed while it runs" update_changes_limits
check "limits: the OOM killer ends a service as a whole" oom_group_ends_a_service
check "limits: the cgroup layout" layout_is_a_promise
check "limits: a memory hog is killed, and status says so" memory_hog_is_killed
check "limits: a fork bomb is bounded" fork_bomb_is_bounded
check "limits: init is spared where memory runs out, its command is not" init_is_spared
check "limits: devices" devices_are_limited
check "stats: devices and pressure" stats_tell_devices_and_pressure
check "pause: all but PID 1 stand still" pause_freezes
check "services: thirty of them" many_services
check "exec: enters, limits hold, codes come back" exec_enters
check "crash: PID 1 killed from outside" killed_from_outside
check "network: a web server over a bridge" web_server_over_a_bridge
check "network: two share a bridge" two_share_a_bridge
check "network: published ports" published_ports
check "network: macvlan" shared_parent macvlan
check "network: ipvlan" shared_parent ipvlan
for kernel in 6.1 5.10 4.19; do
    for init in true false; do
        for user in off on; do
            check "matrix: calls of $kernel, init = $init, user namespace $user" matrix "$kernel" "$init" "$user" "$tree"
        done
        if [ "$kernel" = 6.1 ]; then
            check "matrix: calls of $kernel, init = $init, user namespace on, from an image" \
                matrix "$kernel" "$init" on "$image"
        fi
        check "matrix: calls of $kernel, init = $init, from an image" matrix "$kernel" "$init" off "$image"
    done
done
for kernel in 6.1 5.10 5.1; do
    check "matrix: calls of $kernel, a mount's target is made" target_is_made "$kernel"
done
check "matrix: an image for a user namespace before 5.12" image_for_a_user_namespace_is_refused 5.10
for call in open_tree mount_setattr openat2 clone3 close_range fsopen pidfd_open ioctl:LOOP_CONFIGURE; do
    check "matrix: without $call alone" without "$call"
done
echo "1..$number"
