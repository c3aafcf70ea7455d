#!/bin/sh
# SPDX-License-Identifier: MIT
#
# upgrade.sh KERNEL VERSION TREE VIAL CUTS SEED
#
# Cuts the power of a machine in the middle of `vial upgrade`, again and again: QEMU is killed at a random moment, and what
# the kernel inside had not yet written to its disk is lost. Each boot looks at what the last cut has left, and begins the
# next upgrade at once. The container must come up each time, from the image it had or from the one that it was to get, of which a
# hash of the whole image sees to it that it is complete; from the one it was to get, where the upgrade had said that it was done.
# `run` calls it as it does first.sh, with so many cuts; the same SEED makes the same moments. Prints results as `run` reads them.
set -eu
. "$(dirname "$0")/kernel.sh"
kernel=$1 version=$2 tree=$3 vial=$4 cuts=$5 seed=$6
work=$(mktemp -d)
qemu=""
finish()
{
    status=$?
    [ -z "$qemu" ] || kill -9 "$qemu" 2>/dev/null || :
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# ---- The disk: a spec, and three images that only differ in a file ------------------------------------------------------

mkdir -p "$work/disk/etc" "$work/disk/srv" "$work/disk/new"
for name in first second third; do
    echo "$name" >"$tree/version"
    mksquashfs "$tree" "$work/disk/new/$name.squashfs" -all-root -no-progress -quiet -comp gzip
done
mv "$work/disk/new/first.squashfs" "$work/disk/srv/web.squashfs"
cat >"$work/disk/etc/web.conf" <<CONF
root = "/disk/srv/web.squashfs"
root_hash = "sha256:$(sha256sum "$work/disk/srv/web.squashfs" | cut -d ' ' -f 1)"
autostart = true
command = ["/bin/sleep", "100000"]
stable_after = "300ms"
CONF
mkfs.ext4 -q -d "$work/disk" "$work/disk.ext4" 32M >"$work/mkfs"

# ---- The machine --------------------------------------------------------------------------------------------------------

root=$work/root
cp -a "$tree" "$root"
mkdir -p "$root/disk" "$root/modules"
cp "$vial" "$root/bin/vial"
modules_of "$kernel" "$version" loop squashfs ext4 virtio_blk virtio_pci >"$work/list"
{
    cat <<'INIT'
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev; mount -t tmpfs run /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
INIT
    while read -r file; do
        cp "$file" "$root/modules/"
        echo "insmod /modules/$(basename "$file")"
    done <"$work/list"
    cat <<'INIT'
until [ -e /dev/vda ]; do sleep 0.1; done
# What nobody has asked to be written stays in memory for long.
mount -t ext4 -o commit=300 /dev/vda /disk
vial boot /disk/etc &
until vial status boot 2>/dev/null | grep -q '^web  *ready'; do sleep 0.3; done
version=$(vial exec web -- cat /version)
echo "files $(cd /disk && echo etc/* srv/*)"
while :; do
    echo "runs $version"
    next=second
    [ "$version" != second ] || next=third
    read -r begun rest </proc/uptime
    echo "begins $next"
    vial upgrade web /disk/new/$next.squashfs || break
    read -r done rest </proc/uptime
    version=$(vial exec web -- cat /version)
    [ "$version" = $next ] || break
    echo "took $begun $done"
done
echo "failed"
INIT
} >"$root/init"
chmod 755 "$root/init"
(cd "$root" && find . | sort | cpio --quiet -o -H newc -R 0:0) >"$work/initrd"

# The check of the timer fails where this machine has much else to do, and the kernel panics then.
start()
{
    : >"$work/console"
    qemu-system-x86_64 -accel tcg -cpu max -m 256 -nodefaults -no-reboot -display none -serial stdio \
        -kernel "$kernel/vmlinuz" -initrd "$work/initrd" -append "console=ttyS0 quiet panic=-1 no_timer_check" \
        -drive "file=$work/disk.ext4,format=raw,if=virtio" </dev/null >"$work/console" 2>&1 &
    qemu=$!
}
cut_power()
{
    kill -9 "$qemu"
    wait "$qemu" 2>/dev/null || :
    qemu=""
    tr -d '\r' <"$work/console" >"$work/said"
}
# says WORD: waits until it has been said; false where the machine says that it failed, or nothing for two minutes.
says()
{
    attempts=0
    until grep -q "^$1" "$work/console"; do
        attempts=$((attempts + 1))
        ! grep -q '^failed' "$work/console" && [ $attempts -lt 1200 ] && kill -0 "$qemu" 2>/dev/null || return 1
        sleep 0.1
    done
}
give_up()
{
    cut_power
    echo "not ok $((passed + 1)) - $1"
    tail -n 30 "$work/said" | sed 's/^/# /'
    echo "1..$((passed + 1))"
    exit 0
}
last() { sed -n "s/^$1 //p" "$work/said" | tail -n 1; }

# comes_up CUTS: the container runs from the one image or the other, and nothing lies about but what may.
comes_up()
{
    says begins || give_up "after $1 cuts the container does not come up"
    tr -d '\r' <"$work/console" >"$work/said"
    found=$(sed -n 's/^runs //p' "$work/said" | head -n 1)
    case $found in
    "$runs") old=$((old + 1)) ;;
    "$next") new=$((new + 1)) ;;
    *) give_up "after $1 cuts it runs neither $runs nor $next, but '$found'" ;;
    esac
    for file in $(last files); do
        case $file in
        etc/web.conf | etc/web.conf.upgrade | etc/web.conf.upgrade.new | srv/web.squashfs | srv/web.upgrade-[12]) ;;
        *) give_up "after $1 cuts $file is left" ;;
        esac
    done
}

old=0 new=0 passed=0
# How long an upgrade takes here, without a cut.
start
says "runs second" || give_up "there is no upgrade even without a power cut"
cut_power
took=$(last took | awk '{ print $2 - $1 }')
runs=$(last runs) next=$(last begins) cut=0
echo "# an upgrade takes $took s; $cuts cuts, --seed $seed"
# Half of the moments lie about the end, where the choice is made.
awk -v seed="$seed" -v cuts="$cuts" \
    'BEGIN { srand(seed); while (cuts-- > 0) print cuts % 2 ? rand() * 1.1 : 0.9 + rand() * 0.2 }' >"$work/moments"
while read -r part; do
    start
    comes_up $cut
    cut=$((cut + 1))
    sleep "$(awk -v part="$part" -v took="$took" 'BEGIN { print part * took }')"
    cut_power
    runs=$(last runs) next=$(last begins)
    echo "# cut $cut: $part of the way from $runs to $next, after a boot from $found"
done <"$work/moments"
start
comes_up "$cuts"
echo "ok 1 - after each of $cuts power cuts it comes up: $old times from the image it had, $new times from the one to come"
passed=1
says took || give_up "after $cuts cuts there is no upgrade any more"
cut_power
echo "ok 2 - after them an upgrade goes on as ever"
echo "1..2"
