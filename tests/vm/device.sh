#!/bin/sh
# SPDX-License-Identifier: MIT
#
# device.sh VIAL
#
# Makes the device of `make image` with this program and boots it as `make boot` does, but that nobody sits at the terminal.
# Prints results as `run` reads them.
set -eu
vial=$1
here=$(cd "$(dirname "$0")" && pwd)
images=$here/../../images
. "$here/console.sh"

# ok DESCRIPTION COMMAND...
ok()
{
    description=$1
    shift
    number=$((number + 1))
    if "$@" >"$work/problem" 2>&1; then
        echo "ok $number - $description"
    else
        echo "not ok $number - $description"
        sed 's/^/# /' "$work/problem"
    fi
}

ok "the image is made, and is no larger than it may be" "$images/device.sh" --vial "$vial" "$work/device"
"$images/device.sh" --vial "$vial" "$work/again" >/dev/null
ok "the same input gives the same image" cmp "$work/device/initramfs" "$work/again/initramfs"

port=$((20000 + $$ % 10000))
while grep -q ":$(printf %04X $port) " /proc/net/tcp; do port=$((port + 1)); done
fetch()
{
    attempts=$limit
    until timeout 5 busybox wget -q -Y off -O "$work/page" "http://127.0.0.1:$port/" || [ "$attempts" = 0 ]; do
        attempts=$((attempts - 1))
        sleep 1
    done
}
mkfifo "$work/device.in"
{
    # shellcheck disable=SC2016  # for the shell of the machine
    printf '^watch  *ready\tvial exec web -- sh -c ": >/bin/busybox"; until vial logs watch | grep page; do sleep 1; done; echo said-$((40 + 2))\n'
    fetch 2>"$work/fetch"
    printf 'said-42\tvial poweroff\n'
} >"$work/device.in" &
converse device "$images/boot.sh" --port "$port" "$work/device"

said device "the containers come up in their order, and the status is shown" \
    '\[ ok \] web [0-9]* ms' '\[ ok \] watch [0-9]* ms' '^boot: running' '^watch  *ready' '^web  *ready'
ok "the page comes through the forwarded port" grep 'Hello from inside a vial container' "$work/page"
said device "the second container fetches it from the first" '^the page has [0-9]* bytes'
said device "the BusyBox that all share is written to by none" "can't create /bin/busybox: Read-only file system"
said device "poweroff stops in reverse order and ends the machine" \
    '\[stop\] watch' '\[stop\] web' 'vial: switching off' 'QEMU ended with 0'
echo "1..$number"
