# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# To be sourced, with lacks() defined: which machines there are in QEMU, and Debian's kernel for one. The kernel package is
# fetched with apt-get and unpacked into a cache, never installed: ${XDG_CACHE_HOME:-~/.cache}/vial/vm.
#
# QEMU emulates (TCG), and is never told to use KVM: that is not usable on every machine whose /dev/kvm exists, and what is
# seen shall not depend on where one looks.

# machine_of ARCH: sets debian and flavour, what Debian calls the machine and its kernel package; console; emulator, that of
# single programs; machine, that of a whole one. False where there is none: Debian 12 has no kernel for riscv64.
# shellcheck disable=SC2034  # who sources this uses them
machine_of()
{
    case $1 in
    x86_64)  debian=amd64 flavour=cloud-amd64 console=ttyS0 emulator="" machine="qemu-system-x86_64 -cpu max" ;;
    aarch64) debian=arm64 flavour=arm64 console=ttyAMA0 emulator=qemu-aarch64-static
             machine="qemu-system-aarch64 -M virt -cpu cortex-a57" ;;
    armhf)   debian=armhf flavour=armmp console=ttyAMA0 emulator=qemu-arm-static
             machine="qemu-system-arm -M virt -cpu cortex-a15" ;;
    mipsel)  debian=mipsel flavour=4kc-malta console=ttyS0 emulator=qemu-mipsel-static
             machine="qemu-system-mipsel -M malta -cpu 24Kf" ;;
    *)       return 1 ;;
    esac
    machine="$machine -accel tcg -nodefaults -no-reboot -display none"
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/vial/vm
    [ -z "$emulator" ] || cache=$cache/$1
}

# of_machine apt-get|apt-cache ARGUMENTS...: for another machine with lists of their own: nothing is changed for the system's apt.
of_machine()
{
    tool=$1
    shift
    [ -z "$emulator" ] ||
        set -- -o "Dir::State::lists=$cache/lists" -o "Dir::State::status=$cache/status" -o "Dir::Cache=$cache" \
            -o "Dir::Etc::sourcelist=$cache/sources.list" -o Dir::Etc::sourceparts=- -o "APT::Architecture=$debian" \
            -o "APT::Architectures::=$debian" -o APT::Sandbox::User= "$@"
    "$tool" "$@"
}

# fetch_kernel DIRECTORY: sets kernel, a directory with vmlinuz and lib/modules/$version. DIRECTORY is for what is needed
# meanwhile.
fetch_kernel()
{
    if [ "$emulator" ]; then
        mkdir -p "$cache/lists/partial" "$cache/archives/partial"
        : >"$cache/status"
        if [ ! -e "$cache/listed" ]; then
            # shellcheck disable=SC2016  # for apt-get to fill in
            apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
                'Created-By: Packages' 'Origin: Debian' 'Component: main' | sort -u >"$cache/sources.list"
            # A list that fails is tried again at the next run; what is on the others is found all the same.
            ! of_machine apt-get update -qq >&2 || touch "$cache/listed"
        fi
    fi
    # The concrete package behind the name that always means the newest one.
    package=$(of_machine apt-cache depends "linux-image-$flavour" 2>/dev/null |
        sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
    if [ -z "$package" ] || [ ! -e "$cache/$package/complete" ]; then
        mkdir -p "$cache"
        if [ "$package" ] && (cd "$1" && of_machine apt-get download "$package" >"$1/apt" 2>&1); then
            echo "vm: unpacking $package into $cache" >&2
            dpkg -x "$1/$package"_*.deb "$1/unpacked"
            version=${package#linux-image-}
            mkdir -p "$1/kernel/lib"
            mv "$1/unpacked/boot/vmlinuz-$version" "$1/kernel/vmlinuz"
            mv "$1/unpacked/lib/modules" "$1/kernel/lib/modules"
            depmod -b "$1/kernel" "$version"
            touch "$1/kernel/complete"
            rm -rf "${cache:?}/$package"
            mv "$1/kernel" "$cache/$package"
        else
            # Offline, or the package lists are older than the archive: the newest one that is here already.
            [ ! -e "$1/apt" ] || tail -n 2 "$1/apt" >&2
            complete=$(find "$cache" -mindepth 2 -maxdepth 2 -name complete 2>/dev/null | sort -V | tail -n 1)
            [ "$complete" ] || lacks "the package linux-image-$flavour (apt-get update, or a network)"
            package=$(basename "$(dirname "$complete")")
        fi
    fi
    kernel=$cache/$package
    version=${package#linux-image-}
}

# modules_of KERNEL VERSION NAME...: the files of these modules and of what they need, in the order of their loading. What is
# built into the kernel has none.
modules_of()
{
    directory=$1 release=$2
    shift 2
    for module in "$@"; do
        modprobe -d "$directory" -S "$release" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
    done | awk '!seen[$0]++'
}
