#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs the Debian packages that a part of the work needs and that are not there yet, and says so.
#
#   packages.sh GROUP...     groups: build toolchain check peers demo bench ci vm dist check-packages, cross-ARCH
#                            (a toolchain for another machine), check-cross (what its unit tests are run with) and
#                            vm-ARCH (that machine)
#
# Quiet where nothing is missing. Without root or apt-get it names what is missing and fails; on a system
# without dpkg it leaves it to each tool to be there or not.
set -eu

compiler_for() {
    case $1 in
        aarch64) echo g++-12-aarch64-linux-gnu ;;
        armhf)   echo g++-12-arm-linux-gnueabihf ;;
        mipsel)  echo g++-12-mipsel-linux-gnu ;;
        riscv64) echo g++-12-riscv64-linux-gnu ;;
        *)       return 0 ;; # musl-cxx.sh says so
    esac
}

packages() {
    case $1 in
        build)     echo meson ninja-build ;;
        toolchain) echo g++-12 gcc-12-source musl-tools linux-libc-dev make xz-utils ;;
        cross-*)   compiler_for "${1#cross-}" && echo gcc-12-source make xz-utils ;;
        check-cross) echo doctest-dev qemu-user-static python3 ;;
        check)     echo doctest-dev musl-tools busybox-static squashfs-tools erofs-utils e2fsprogs iproute2 python3 uidmap
                   echo crun systemd shellcheck ;; # systemd does not become this machine's init
        peers)     echo bash python3-pytest python3-py python3-psutil python3-prctl ;;
        demo)      echo musl-tools busybox-static squashfs-tools iproute2 ;;
        bench)     echo musl-tools busybox-static iproute2 crun runc golang-github-containers-common bubblewrap tini dumb-init catatonit
                   echo s6 runit finit ;;  # none of them becomes this machine's init
        dist)      echo git xz-utils ;;
        check-packages) echo git xz-utils python3 python3-kconfiglib binutils ;;
        ci)        echo g++ clang-format-14 clang-tidy-14 ;;
        vm)        echo musl-tools busybox-static cpio gzip kmod qemu-system-x86 squashfs-tools e2fsprogs systemd ;;
        vm-x86_64) ;;
        vm-aarch64 | vm-armhf) echo qemu-system-arm qemu-user-static ;;
        vm-mipsel) echo qemu-system-mips qemu-user-static ;;
        *)         echo "packages: no group $1" >&2; return 2 ;;
    esac
}

command -v dpkg-query >/dev/null || exit 0
missing=
for group in "$@"; do
    for package in $(packages "$group"); do
        case " $missing " in *" $package "*) continue ;; esac
        status=$(dpkg-query -W -f '${db:Status-Status} ' "$package" 2>/dev/null) || true
        case " $status" in *" installed "*) ;; *) missing="$missing $package" ;; esac
    done
done
missing=${missing# }
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "packages: missing: $missing; as root: apt-get install $missing" >&2
    exit 1
fi
echo "packages: installing $missing" >&2

export DEBIAN_FRONTEND=noninteractive
install() {
    # shellcheck disable=SC2086 # a list of words
    apt-get install -qq -y --no-install-recommends $missing </dev/null >/dev/null
}
# A machine whose package lists are empty or old gets new ones, once.
# shellcheck disable=SC2086
if apt-cache show --no-all-versions $missing >/dev/null 2>&1 && install; then
    exit 0
fi
apt-get update -qq </dev/null >&2
install
