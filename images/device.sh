#!/bin/sh
# SPDX-License-Identifier: MIT
#
# device.sh [--vial PROGRAM] DIRECTORY
#
# Makes a whole device for QEMU in DIRECTORY: `initramfs`, in which vial is the first process, and beside it Debian's
# `vmlinuz` (tests/vm/kernel.sh). images/boot.sh boots it. The same input gives the same initramfs, byte for byte. Needs no root.
#
# BusyBox is in it once. The image of the containers, /srv/web.squashfs, has the names of its programs, and an empty file
# where their specs mount the host's BusyBox.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
most=2500000   # bytes, compressed

fail()
{
    echo "device: $*" >&2
    exit 1
}
lacks()
{
    fail "$* is missing"
}

. "$top/tests/vm/kernel.sh"

vial=$top/build/vial
while [ $# -gt 1 ]; do
    case $1 in
    --vial) vial=$(readlink -f "$2") && shift ;;
    *) fail "unknown option $1 (see the head of $0)" ;;
    esac
    shift
done
[ $# = 1 ] || fail "usage: device.sh [--vial PROGRAM] DIRECTORY"
output=$1
[ -x "$vial" ] || fail "no program '$vial' (make, or --vial)"
PATH=$PATH:/usr/sbin:/sbin
for program in cpio depmod mksquashfs; do
    command -v "$program" >/dev/null || lacks "$program (config/build/packages.sh vm)"
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
umask 022

machine_of x86_64
fetch_kernel "$work"

tree=$work/tree
MOUNTED_BUSYBOX=yes sh "$here/rootfs.sh" "$work/web.squashfs"
sh "$here/rootfs.sh" "$tree"
mv "$work/web.squashfs" "$tree/srv/"
rm -r "$tree/var/www"

mkdir -p "$tree/sbin" "$tree/etc/vial" "$tree/lib/modules"
${STRIP:-strip} -o "$tree/sbin/vial" "$vial"
for name in init bin/vial bin/ctl; do
    ln -s /sbin/vial "$tree/$name"
done

cp -r "$top/config/examples/web.conf" "$here/device/web.conf.d" "$here/device/watch.conf" "$tree/etc/vial/"
cp "$here/device/console" "$tree/bin/"
chmod 755 "$tree/bin/console"
{
    echo 'modules = ['
    for file in $(modules_of "$kernel" "$version" virtio_pci virtio_net veth bridge loop squashfs); do
        cp "$file" "$tree/lib/modules/"
        echo "    \"/lib/modules/${file##*/}\","
    done
    echo ']'
    cat "$here/device/host.conf"
} >"$tree/etc/vial/host.conf"

mkdir -p "$output"
find "$tree" -exec touch -h -d @0 {} +
(cd "$tree" && find . | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc -R 0:0) | gzip -9n >"$work/initramfs"
size=$(wc -c <"$work/initramfs")
[ "$size" -le "$most" ] || fail "the initramfs has $size bytes, and may have $most"
mv "$work/initramfs" "$output/initramfs"
cp "$kernel/vmlinuz" "$output/vmlinuz"

echo "$output/initramfs: $size bytes, of at most $most (gzip); alone, compressed like it:"
for part in sbin/vial bin/busybox lib/modules srv/web.squashfs; do
    printf '  %-18s %7d\n' "$part" "$(find "$tree/$part" -type f -exec cat {} + | gzip -9n | wc -c)"
done
