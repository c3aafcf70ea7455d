# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# To be sourced: what is there that a container could leave behind, told so that two tellings can be compared.
#
#     snapshot IMAGE...   prints mounts, cgroups, processes in them, interfaces, loop devices over one of the
#                         IMAGEs, and vial's state; one a line, sorted, without numbers that differ from time to time
#     same_as FILE IMAGE...   true when the snapshot equals FILE within three seconds: a killed process takes a moment
#                         to vanish, a dead container's interface some ten milliseconds. Prints the difference if not.
#
# Works with dash, with bash and with BusyBox alone; in a sandbox (sandbox.sh) and in a machine of one's own.

snapshot_lines()
{
    sed 's/^[0-9]* [0-9]* /mount      /' /proc/self/mountinfo
    snapshot_points=$(awk '{ for (at = 7; $at != "-"; ++at); if ($(at + 1) ~ /^cgroup/) print $5 }' /proc/self/mountinfo)
    # shellcheck disable=SC2086  # a list of directories
    find $snapshot_points -type d | sed 's/^/cgroup     /'
    # Names of processes, but for the kernel's threads (children of 2) and for the programs of this very pipeline.
    # shellcheck disable=SC2086
    find $snapshot_points -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u | sed 's|.*|/proc/&/stat|' |
        xargs cat 2>/dev/null | sed -n 's/^[0-9]* (\(.*\)) . \([0-9]*\) .*/\2 \1/p' |
        sed -n '/^2 /d; / \(find\|cat\|sort\|sed\|xargs\)$/d; s/^[0-9]*/process   /p'
    ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/interface  \1/'
    for file in /sys/block/loop*/loop/backing_file; do
        for image in "$@"; do
            if [ -e "$file" ] && grep -qF -e "$image" "$file"; then echo "loop       $file"; fi
        done
    done
    # The directory itself and its lock stay: they are vial's, not a container's.
    find /run/vial -mindepth 1 ! -name .lock 2>/dev/null | sed 's/^/state      /'
}

snapshot() { snapshot_lines "$@" | sort -u; }

same_as()
{
    snapshot_file=$1
    shift
    snapshot_attempts=30
    until snapshot "$@" >"$snapshot_file.now" && cmp -s "$snapshot_file" "$snapshot_file.now"; do
        snapshot_attempts=$((snapshot_attempts - 1))
        if [ "$snapshot_attempts" = 0 ]; then
            diff "$snapshot_file" "$snapshot_file.now" | sed -n 's/^[-<]\([^-]\)/gone:  \1/p; s/^[+>]\([^+]\)/left:  \1/p'
            return 1
        fi
        sleep 0.1
    done
}
