#!/bin/sh
# SPDX-License-Identifier: MIT
#
# look [WORD...]: looks around inside a container, as root, and names everything that is not as it should be.
# WORDs tell what is to be expected: `writable` or `read-only` of the root filesystem, `no-init` where PID 1 is the
# command itself, `user` in a user namespace, `data` with mounts on /data (writable) and /file (read-only).
# The exit code is 0 when all is well.

code=0
wrong()
{
    echo "wrong: $*"
    code=1
}
expects() { case " $words " in *" $1 "*) ;; *) false ;; esac; }
words="$*"

# type PATH: of the topmost filesystem mounted there.
type_of() { awk -v path="$1" '$5 == path { for (at = 7; $at != "-"; ++at); type = $(at + 1) } END { print type }' /proc/self/mountinfo; }
options_of() { awk -v path="$1" '$5 == path { options = $6 } END { print options }' /proc/self/mountinfo; }

mounted() # PATH TYPE
{
    [ "$(type_of "$1")" = "$2" ] || wrong "on $1 is '$(type_of "$1")', not $2"
}
mounted /proc proc
mounted /sys sysfs
mounted /dev tmpfs
mounted /dev/pts devpts
mounted /dev/shm tmpfs
mounted /run tmpfs
mounted /tmp tmpfs

# The host's mounts are gone, and none of ours is connected with them.
awk '{ print $5 }' /proc/self/mountinfo | while read -r point; do
    case $point in
    / | /proc | /proc/* | /sys | /sys/* | /dev | /dev/pts | /dev/shm | /dev/console | /run | /tmp) ;;
    /data | /file) ;;
    /dev/null | /dev/zero | /dev/full | /dev/random | /dev/urandom | /dev/tty) expects user || echo "wrong: a mount on $point" ;;
    *) echo "wrong: an unknown mount on $point" ;;
    esac
done >/tmp/unknown
[ ! -s /tmp/unknown ] || { cat /tmp/unknown; code=1; }
! grep -E ' (shared|master|propagate_from):' /proc/self/mountinfo || wrong "the mounts above are not private"
[ "$(ls /..)" = "$(ls /)" ] || wrong "there is something above /"

# Where one may write, and where not.
for directory in /tmp /run /dev/shm; do
    { echo text >$directory/written && [ "$(cat $directory/written)" = text ]; } || wrong "cannot write in $directory"
done
if expects writable; then
    { echo text >/srv/written && [ "$(cat /srv/written)" = text ]; } || wrong "cannot write in /srv"
    rm -f /srv/written  # the next one to look may be another user
else
    { echo text >/srv/written; } 2>/dev/null && wrong "/srv can be written to"
    case $(options_of /) in ro | ro,*) ;; *) wrong "/ is mounted $(options_of /)" ;; esac
fi
for file in /sys/kernel/uevent_helper /sys/written /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/written; do
    { echo text >$file; } 2>/dev/null && wrong "$file can be written to"
done
case $(options_of /sys) in ro,*) ;; *) wrong "/sys is mounted $(options_of /sys)" ;; esac
[ ! -s /proc/kcore ] || [ ! -r /proc/kcore ] || [ "$(head -c 4 /proc/kcore | wc -c)" = 0 ] || wrong "/proc/kcore can be read"
[ "$(head -c 1 /proc/keys 2>/dev/null | wc -c)" = 0 ] || wrong "/proc/keys can be read"

# Devices.
for name in null zero full random urandom tty console ptmx; do
    [ -c /dev/$name ] || wrong "/dev/$name is no device"
done
[ -z "$(ls -A /dev | grep -vxE 'null|zero|full|random|urandom|tty|console|ptmx|pts|shm|fd|stdin|stdout|stderr|core|mqueue')" ] ||
    wrong "unexpected in /dev: $(ls -A /dev)"
{ echo text >/dev/null; } || wrong "cannot write to /dev/null"
[ "$(head -c 3 /dev/zero | tr '\0' z)" = zzz ] || wrong "/dev/zero gives no zeros"
[ "$(head -c 8 /dev/urandom | wc -c)" = 8 ] || wrong "/dev/urandom gives nothing"
{ echo text >/dev/full; } 2>/dev/null && wrong "/dev/full is not full"
{ echo text >/dev/console; } 2>/dev/null || wrong "cannot write to /dev/console"
[ "$(echo text | cat /dev/stdin)" = text ] || wrong "/dev/stdin does not work"
[ "$(echo text >/dev/stdout)" = text ] || wrong "/dev/stdout does not work"

# Processes.
[ "$(id -u)" = 0 ] || wrong "I am user $(id -u)"
[ "$(pwd)" = / ] || wrong "I am in $(pwd)"
case $(tr '\0' ' ' </proc/1/cmdline) in
vial-init*) expects no-init && wrong "PID 1 is vial" ;;
*) expects no-init || wrong "PID 1 is $(tr '\0' ' ' </proc/1/cmdline)" ;;
esac
[ "$(ls /proc/self/fd | wc -l)" -le 4 ] || wrong "open descriptors: $(ls -l /proc/self/fd)"
for number in 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    [ ! -e /proc/$$/fd/$number ] || [ "$(readlink /proc/$$/fd/$number)" = "$0" ] ||
        [ "$(readlink /proc/$$/fd/$number)" = /bin/look ] || wrong "open descriptor $number: $(readlink /proc/$$/fd/$number)"
done
grep -q '^NoNewPrivs:.1$' /proc/self/status || wrong "privileges can be gained"
grep -q '^Seccomp:.2$' /proc/self/status || wrong "there is no seccomp filter"
grep -q '^SigBlk:.0*$' /proc/self/status || wrong "signals are blocked"
[ "$(cat /proc/self/cgroup | grep -c '/vial/')" = 0 ] || wrong "the host's cgroups show: $(cat /proc/self/cgroup)"
[ "$(ls /sys/class/net)" = lo ] || wrong "interfaces: $(ls /sys/class/net)"
ip -o addr show lo | grep -q 127.0.0.1 || wrong "lo is down"
if expects user; then
    [ "$(awk '{ print $2 }' /proc/self/uid_map)" = 100000 ] || wrong "the user namespace: $(cat /proc/self/uid_map)"
fi

if expects data; then
    { echo inside >/data/written; } || wrong "cannot write in /data"
    [ "$(cat /data/host)" = "from the host" ] || wrong "/data has not what the host put there"
    [ "$(cat /file)" = "a file of the host" ] || wrong "/file is not the host's"
    { echo text >/file; } 2>/dev/null && wrong "/file can be written to"
fi
exit $code
