#!/bin/sh
# SPDX-License-Identifier: MIT
#
# demo.sh [--vial PROGRAM] [--image IMAGE.squashfs]
#
# The tour behind `make demo`: a web server in a container, from an image of one megabyte and a spec of a dozen lines
# (config/examples/web.conf). It is started, fetched from over the network, looked at, entered and stopped; a
# second container runs into its memory limit; and at the end nothing of it all is left, which is shown.
#
# It disturbs nothing: the "host" of this tour is a mount and a network namespace and a cgroup of its own
# (tests/system/sandbox.sh). Needs root, busybox-static, squashfs-tools, iproute2 and musl-gcc (or CC).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
[ "${VIAL_SANDBOX:-}" ] || exec sh "$top/tests/system/sandbox.sh" --network sh "$0" "$@"

fail()
{
    echo "demo: $*" >&2
    exit 1
}

. "$top/tests/system/compile.sh"
. "$top/tests/system/snapshot.sh"

vial=$top/build/vial image=$here/demo.squashfs
while [ $# -gt 0 ]; do
    case $1 in
    --vial) vial=$(readlink -f "$2") && shift ;;
    --image) image=$2 && shift ;;
    *) fail "unknown option $1 (see the head of $0)" ;;
    esac
    shift
done
[ -x "$vial" ] || fail "no program '$vial' (make, or --vial)"

bold="" plain=""
if [ -t 1 ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi
number=0
heading()
{
    number=$((number + 1))
    printf '\n%s%d. %s%s\n' "$bold" "$number" "$*" "$plain"
}
# Shows a command as one would type it, and runs it.
say()
{
    line=""
    for word in "$@"; do
        case $word in *[\ \;\$]*) word="'$word'" ;; esac
        line="$line $word"
    done
    printf '%s$%s%s\n' "$bold" "$line" "$plain" | sed "s|$vial|vial|; s|$work/||g; s|$top/||g"
}
show()
{
    say "$@"
    "$@"
}

work=$(mktemp -d /run/demo.XXXXXX)   # the sandbox's tmpfs: goes by itself
finish()
{
    status=$?
    for name in web hog; do
        "$vial" stop "$name" >/dev/null 2>&1 || :
    done
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# ---------------------------------------------------------------------------------------------------------------------
heading "An image: BusyBox, a web page, and a program that wants too much memory"
compile "$top/tests/system/payloads/hog.c" "$work/hog"
EXTRA_PROGRAMS="hog=$work/hog" sh "$here/rootfs.sh" "$image"
image=$(readlink -f "$image")
ls -l "$image" | awk '{ print $9 ": " $5 " bytes" }' | sed "s|$top/||"

heading "The spec"
spec=$top/config/examples/web.conf
show cat "$spec"
root=$(sed -n 's/^root *= *"\([^"]*\)".*/\1/p' "$spec")
address=$(sed -n 's|^address *= *\[ *"\([^/]*\)/.*|\1|p' "$spec" | head -n 1)
port=$(sed -n 's/^command.*"-p", *"\([0-9]*\)".*/\1/p' "$spec")
[ "$root" ] && [ "$address" ] && [ "$port" ] || fail "$spec: no root, address or port to be found"
# The image goes where the spec looks for it; only our mount namespace sees that.
directory=$(dirname "$root")
[ -d "$directory" ] || fail "$directory (where $spec has its root) is not a directory on this machine"
mount -t tmpfs -o mode=755 tmpfs "$directory"
cp "$image" "$root"
snapshot "$image" "$root" >"$work/before"

heading "Start it"
show "$vial" start "$spec"

heading "Fetch the page, from the host, over the bridge"
attempts=50
until page=$(busybox wget -q -O - "http://$address:$port/" 2>"$work/error"); do
    attempts=$((attempts - 1))
    [ "$attempts" -gt 0 ] || fail "no answer from http://$address:$port/: $(cat "$work/error")"
    sleep 0.1
done
say wget -q -O - "http://$address:$port/"
echo "$page"

heading "Look at it"
show "$vial" list
show "$vial" status web
show "$vial" stats web

heading "Enter it"
show "$vial" exec web -- /bin/sh -c 'echo "I am $(id -un) on $(hostname), and this is all I see:"; ps -o pid,user,args; ip -4 -o addr'

heading "A memory limit of 100 MB, and a program that takes 10 MB at a time"
swap=""
# Without this the hog would fill the machine's swap first.
[ "$(wc -l </proc/swaps)" -lt 2 ] || swap='swap = 0'
cat >"$work/hog.conf" <<SPEC
root = "$root"
command = ["/bin/hog"]

[limits]
memory = "100M"
$swap
SPEC
show cat "$work/hog.conf"
show "$vial" start "$work/hog.conf" || :   # it may be dead before `start` has said so
show "$vial" wait hog
say "$vial" logs hog "|" tail -n 4
"$vial" logs hog | tail -n 4
say "$vial" status hog
"$vial" status hog | tee "$work/status"
grep -qi oom "$work/status" || fail "status does not say that the OOM killer did it"
free -m 2>/dev/null | awk '/^Mem:/ { print "The machine itself has " $7 " MB available." }'
show "$vial" list

heading "Stop it"
show "$vial" stop web
"$vial" stop hog >/dev/null 2>&1 || :   # takes its entry off the list

heading "What is left"
same_as "$work/before" "$image" "$root" || fail "the above differs from before the start"
awk '{ ++count[$1] } END { for (kind in count) print "  " kind ": " count[kind] " before, the same " count[kind] " now" }' \
    "$work/before" | sort
echo "Nothing: mounts, cgroups, interfaces, loop devices, processes and state are what they were."
