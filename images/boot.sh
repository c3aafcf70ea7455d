#!/bin/sh
# SPDX-License-Identifier: MIT
#
# boot.sh [--port PORT] DIRECTORY
#
# Boots the device that device.sh made in DIRECTORY, with QEMU and its console on this terminal. What comes to PORT of this
# machine's loopback address (8080) goes to port 8080 of the container `web`; the device itself reaches nothing of this
# machine or its network. Emulated: see tests/vm/kernel.sh. Needs no root.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
port=8080
if [ "${1:-}" = --port ]; then
    port=$2
    shift 2
fi
[ $# = 1 ] && [ -e "$1/initramfs" ] || { echo "boot: no device in '${1:-}' (make image)" >&2 && exit 1; }

. "$top/tests/vm/kernel.sh"
machine_of x86_64
echo "A device starts; this takes some seconds. Its page: http://127.0.0.1:$port/"
echo "Try: vial list; vial logs -f watch; vial exec -it web -- sh"
echo "To leave: vial poweroff; or, at any time, Ctrl-A X"
# The network card's ROM is for booting from it.
# shellcheck disable=SC2086  # $machine is several words
exec $machine -m 128 -serial mon:stdio -kernel "$1/vmlinuz" -initrd "$1/initramfs" \
    -append "console=$console quiet panic=-1" -device virtio-net-pci,netdev=lan,romfile= \
    -netdev "user,id=lan,restrict=on,net=10.0.2.0/24,hostfwd=tcp:127.0.0.1:$port-10.0.3.2:8080"
