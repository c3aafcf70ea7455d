#!/bin/sh
# SPDX-License-Identifier: MIT
#
# rootfs.sh OUTPUT
#
# Makes the smallest root filesystem the demonstration needs: BusyBox with a name for each of its programs, two
# accounts and a web page. OUTPUT is a directory, or a squashfs image when its name ends in .squashfs; the
# same input gives the same image, byte for byte. BUSYBOX names another static busybox than the PATH's, EMULATOR the
# program to run it by if it is another machine's. With MOUNTED_BUSYBOX=yes there is an empty file in its place, for a spec to
# mount the host's. Needs no root.
set -eu

fail()
{
    echo "rootfs: $*" >&2
    exit 1
}

[ $# = 1 ] || fail "usage: rootfs.sh DIRECTORY | IMAGE.squashfs"
output=$1
busybox=${BUSYBOX:-$(command -v busybox)} || fail "busybox is missing (Debian: busybox-static)"
# One file must be enough: there is no library inside.
# shellcheck disable=SC2086  # there may be no word
${EMULATOR:-} "$busybox" --help >/dev/null 2>&1 || fail "$busybox does not run"
if ldd "$busybox" >/dev/null 2>&1; then
    fail "$busybox is not static (Debian: busybox-static)"
fi

make_tree()
{
    tree=$1
    umask 022
    for directory in bin dev etc home/app proc root run srv sys tmp var/www; do
        mkdir -p "$tree/$directory"
    done
    chmod 755 "$tree"
    chmod 1777 "$tree/tmp"
    if [ "${MOUNTED_BUSYBOX:-no}" = yes ]; then
        : >"$tree/bin/busybox"
    else
        cp "$busybox" "$tree/bin/busybox"
    fi
    chmod 755 "$tree/bin/busybox"
    for applet in $(${EMULATOR:-} "$busybox" --list); do
        [ "$applet" = busybox ] || ln -s busybox "$tree/bin/$applet"
    done
    printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'app:x:1000:1000:app:/home/app:/bin/sh' \
        'nobody:x:65534:65534:nobody:/:/bin/false' >"$tree/etc/passwd"
    printf '%s\n' 'root:x:0:' 'app:x:1000:' 'nogroup:x:65534:' >"$tree/etc/group"
    printf '%s\n' '127.0.0.1 localhost' '::1 localhost' >"$tree/etc/hosts"
    : >"$tree/etc/resolv.conf"
    cat >"$tree/var/www/index.html" <<'PAGE'
<!DOCTYPE html>
<title>vial</title>
<p>Hello from inside a vial container.</p>
PAGE
    # Extra files of the caller's: NAME=SOURCE words, copied into bin.
    for extra in ${EXTRA_PROGRAMS:-}; do
        cp "${extra#*=}" "$tree/bin/${extra%%=*}"
        chmod 755 "$tree/bin/${extra%%=*}"
    done
}

case $output in
*.squashfs)
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM HUP
    make_tree "$work/root"
    rm -f "$output"
    # SOURCE_DATE_EPOCH in the environment would contradict the times fixed here.
    env -u SOURCE_DATE_EPOCH mksquashfs "$work/root" "$output" -all-root -no-xattrs -no-progress -quiet \
        -processors 1 -mkfs-time 0 -all-time 0 >/dev/null || fail "mksquashfs failed (Debian: squashfs-tools)"
    ;;
*)
    [ ! -e "$output/bin/busybox" ] || fail "$output holds a root filesystem already"
    make_tree "$output"
    ;;
esac
