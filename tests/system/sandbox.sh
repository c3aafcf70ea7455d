#!/bin/sh
# SPDX-License-Identifier: MIT
#
# sandbox.sh [--network] COMMAND [ARGUMENTS...]
#
# Runs COMMAND where it can start containers and disturb nobody:
#   - a mount namespace of its own, private, with an empty tmpfs on /run;
#   - a cgroup of its own in every hierarchy, which COMMAND sees as the root of that hierarchy
#     (a cgroup namespace, and the hierarchies mounted anew), so that `vial/NAME` lies beneath it;
#   - with --network a network namespace of its own, `lo` up, and a /sys that shows it.
# Works on cgroup v1, on v2 and on the hybrid of both. Needs root.
#
# The exit code is COMMAND's. What COMMAND leaves running is named on stderr, ended (it is ours: it sits in
# our cgroup) and turns a success into 1; what it leaves in the cgroups is removed.
#
# A script that wants to live here begins with
#     [ "${VIAL_SANDBOX:-}" ] || exec sh .../sandbox.sh sh "$0" "$@"
# and a test program is simply started by it.
set -eu

fail()
{
    echo "sandbox: $*" >&2
    exit 125
}

# One line for each mounted hierarchy: type, mount point, the directory of the cgroup we are in, mount options.
hierarchies()
{
    awk '
        FILENAME == "/proc/self/cgroup" {
            controllers = $0; sub(/^[0-9]*:/, "", controllers); sub(/:.*/, "", controllers)
            path = $0; sub(/^[0-9]*:[^:]*:/, "", path)
            own[controllers] = path
            next
        }
        {
            for (at = 7; $at != "-"; ++at);
            type = $(at + 1)
            if (type != "cgroup" && type != "cgroup2") next
            key = ""; options = ""
            if (type == "cgroup2") {
                options = "rw"
            } else {
                count = split($(at + 3), option, ",")
                for (i = 1; i <= count; ++i) {
                    if (option[i] ~ /^(rw|ro|xattr|noprefix|clone_children|cpuset_v2_mode|release_agent=.*)$/) continue
                    key = key (key == "" ? "" : ",") option[i]
                }
                options = key ~ /^name=/ ? "none," key : key
            }
            if (!(key in own)) next
            # The mount may show only a part of the hierarchy, from $4 down.
            path = own[key]
            if ($4 != "/" && index(path "/", $4 "/") == 1) path = substr(path, length($4) + 1)
            if (path == "/") path = ""
            print type "\t" $5 "\t" $5 path "\t" options
        }' /proc/self/cgroup /proc/self/mountinfo
}

# The second half, in the new namespaces.
if [ "${1:-}" = --inside ]; then
    shift
    # The list is taken first: /proc/self/mountinfo changes under the loop.
    list=$(hierarchies)
    tab=$(printf '\t')
    while IFS=$tab read -r type point own options; do
        umount "$point" 2>/dev/null || umount -l "$point" || fail "cannot unmount $point"
        mount -t "$type" -o "$options" "$type" "$point" || fail "cannot mount $type ($options) on $point"
        if [ "$type" = cgroup2 ]; then
            # v2 gives no controllers to the children of a group that has processes: move one down.
            mkdir "$point/sandbox"
            echo 0 >"$point/sandbox/cgroup.procs"
        fi
    done <<LIST
$list
LIST
    mount -t tmpfs -o mode=755,nosuid,nodev tmpfs /run || fail "cannot mount a tmpfs on /run"
    if [ "$1" = --network ]; then
        shift
        ip link set lo up
        # /sys/class/net shows the namespace that sysfs was mounted in: mount it anew, under the same control groups.
        mkdir /run/cgroup
        mount --move /sys/fs/cgroup /run/cgroup
        umount -l /sys
        mount -t sysfs sysfs /sys
        mount --move /run/cgroup /sys/fs/cgroup
        rmdir /run/cgroup
    fi
    export VIAL_SANDBOX=1
    exec "$@"
fi

[ $# -gt 0 ] || fail "usage: sandbox.sh [--network] COMMAND [ARGUMENTS...]"
[ "$(id -u)" = 0 ] || fail "needs root (mounts, cgroups)"
self=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
namespaces="--mount --propagation private --cgroup"
[ "$1" != --network ] || namespaces="$namespaces --net"

groups=""    # each one a directory that is ours
joins=""     # the file of each to write 0 into

make_groups()
{
    tab=$(printf '\t')
    while IFS=$tab read -r type point own options; do
        case " $groups" in *" $point/"*) continue ;; esac
        if [ "$type" = cgroup2 ]; then
            # At the top, since a group with processes (the one we are in) cannot have children with controllers.
            group=$point/vial-sandbox-$$
            mkdir "$group" || fail "cannot make the cgroup $group"
            for controller in $(cat "$point/cgroup.controllers"); do
                echo "+$controller" >"$point/cgroup.subtree_control" 2>/dev/null || :
            done
            joins="$joins $group/cgroup.procs"
        else
            group=$own/vial-sandbox-$$
            mkdir "$group" || fail "cannot make the cgroup $group"
            for file in cpuset.cpus cpuset.mems; do
                [ ! -e "$group/$file" ] || [ -n "$(cat "$group/$file")" ] || cat "$own/$file" >"$group/$file"
            done
            joins="$joins $group/tasks"
        fi
        groups="$groups $group"
    done <<LIST
$(hierarchies)
LIST
}

# Pids still in one of our groups.
inhabitants()
{
    for group in $groups; do
        find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null || :
    done | sort -un
}

clean_up()
{
    status=$?
    trap '' INT TERM HUP
    # A process that has just been killed may need a moment to vanish.
    attempts=10
    while left=$(inhabitants) && [ "$left" ] && [ "$attempts" -gt 0 ]; do
        attempts=$((attempts - 1))
        sleep 0.1
    done
    if [ "$left" ]; then
        for pid in $left; do
            command=$({ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null) || command="(gone meanwhile)"
            echo "sandbox: left running: $pid $command" >&2
            kill -9 "$pid" 2>/dev/null || :
        done
        [ "$status" != 0 ] || status=1
        sleep 0.3
    fi
    for group in $groups; do
        find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null ||
            echo "sandbox: cannot remove the cgroup $group" >&2
    done
    exit "$status"
}

trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
make_groups
(
    trap - EXIT HUP INT TERM
    for file in $joins; do
        echo 0 >"$file" || fail "cannot join $file"
    done
    # shellcheck disable=SC2086  # a list of options
    exec unshare $namespaces sh "$self" --inside "$@"
)
