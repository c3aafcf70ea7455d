#!/bin/sh
# SPDX-License-Identifier: MIT
#
# first.sh KERNEL VERSION TREE VIAL
#
# Boots vial as the machine's first process, with no init but it: as /init of an initramfs and by `init=` from a disk. What it
# does is read off the serial console, which is a shell's terminal as well, and from how QEMU ends. `run` calls it with a
# kernel's directory, its version, a root filesystem of BusyBox (images/rootfs.sh) and the program. Prints results as `run`
# reads them.
set -eu
kernel=$1 version=$2 tree=$3 vial=$4
here=$(cd "$(dirname "$0")" && pwd)
. "$here/kernel.sh"
. "$here/console.sh"
machine_of x86_64

# machine ROOT: a root filesystem with vial as /init and /sbin/vial, and the modules of this kernel that are named.
machine()
{
    cp -a "$tree" "$1"
    mkdir -p "$1/etc/vial" "$1/sbin" "$1/mnt" "$1/modules" "$1/srv/root"
    cp "$vial" "$1/init"
    cp "$vial" "$1/sbin/vial"
    ln -sf ../sbin/vial "$1/bin/vial"
    cp -a "$tree/." "$1/srv/root/"
    modules_of "$kernel" "$version" softdog veth bridge loop squashfs ext4 virtio_blk virtio_pci >"$work/list"
    modules=""
    while read -r file; do
        cp "$file" "$1/modules/"
        modules="$modules\"/modules/$(basename "$file")\", "
    done <"$work/list"
    cat >"$1/etc/vial/web.conf" <<'CONF'
root = "/srv/root"
autostart = true
command = ["/bin/httpd", "-f", "-p", "8080", "-h", "/var/www"]
requires = ["base"]
[namespaces]
net = false
[limits]
memory = "32M"
CONF
    cat >"$1/etc/vial/base.conf" <<'CONF'
autostart = true
command = ["/bin/sleep", "100000"]
CONF
}

# boot NAME COMMAND-LINE [QEMU OPTIONS...]: see converse.
boot()
{
    name=$1 line=$2
    shift 2
    # shellcheck disable=SC2086  # $machine is several words
    converse "$name" $machine -m 256 -serial stdio -kernel "$kernel/vmlinuz" \
        -append "console=ttyS0 quiet panic=-1 $line" "$@"
}

# ---- /init of an initramfs ------------------------------------------------------------------------------------------

machine "$work/initramfs"
cat >"$work/initramfs/etc/vial/host.conf" <<CONF
hostname = "gateway"
modules = [${modules%, }, "/modules/none.ko"]
mounts = ["none /mnt tmpfs size=1m"]
console = ["/bin/sh"]
watchdog = "10s"
nonsense = 1
[sysctl]
kernel.printk = "1"
CONF
(cd "$work/initramfs" && find . | sort | cpio --quiet -o -H newc -R 0:0) >"$work/initrd"
printf '\\[ ok \\] web\techo name is $(hostname); echo path is $PATH; grep -c "" /sys/fs/cgroup/vial/web/cgroup.procs; cat /sys/fs/cgroup/vial/web/memory.max; cat /proc/self/mounts; vial status boot; wget -q -O - http://127.0.0.1:8080/ | head -n 2; echo cad $(cat /proc/sys/kernel/ctrl-alt-del); cat /sys/class/watchdog/watchdog0/state /sys/class/watchdog/watchdog0/timeout; tty; sleep 15; echo still-$((40 + 2))\nstill-42\tvial poweroff\n' >"$work/init.in"
boot init "single" -initrd "$work/initrd"
said init "as /init: what host.conf says is done, and what is wrong in it is named" \
    'host.conf:[0-9]*:1: unknown key .nonsense' 'cannot open /modules/none.ko' 'name is gateway' 'path is /usr/local/sbin' '^none /mnt tmpfs'
said init "as /init: a host's service and a container with limits run" \
    '\[ ok \] base' '\[ ok \] web' '33554432' '^web  *ready' '<title>vial'
said init "as /init: proc, sys, dev, devpts, shm, run and the control groups are mounted" \
    '/proc proc' '/sys sysfs' '/dev devtmpfs' '/dev/pts devpts' '/dev/shm tmpfs' '/run tmpfs' '/sys/fs/cgroup cgroup2'
said init "as /init: Ctrl-Alt-Del is a signal to it" '^cad 0'
said init "as /init: the shell on the console has a terminal" '/dev/ttyS0'
said init "as /init: the watchdog is fed for longer than it takes to bite" '^active' '^10$' '^still-42'
said init "as /init: poweroff stops in order and switches off" \
    '\[stop\] web' '\[stop\] base' 'vial: switching off' 'QEMU ended with 0'

# ---- A fault -----------------------------------------------------------------------------------------------------

printf '\\[ ok \\] web\techo to-the-end; kill -SEGV 1\n' >"$work/fault.in"
boot fault "" -initrd "$work/initrd"
said fault "a fault of the first process is told, and the machine starts again" \
    'the first process got SIGSEGV' 'QEMU ended with 0'

# Nothing but the freezer of control groups can stop PID 1. Who bites is the kernel's own watchdog of software.
printf '\\[ ok \\] web\tmkdir /sys/fs/cgroup/ice; echo 1 >/sys/fs/cgroup/ice/cgroup.procs; echo 1 >/sys/fs/cgroup/ice/cgroup.freeze; echo frozen-$((40 + 2)); vial poweroff\n' >"$work/bite.in"
boot bite "" -initrd "$work/initrd"
said bite "the watchdog bites when the first process hangs" 'frozen-42' 'QEMU ended with 0'
! grep -q "vial: switching off" "$work/bite.out" || echo "not ok $number - it did not hang at all"

# ---- Control groups of version 1 ------------------------------------------------------------------------------------

# No kernel that vial runs on has nothing else; but whoever ran before it may have chosen them.
mkdir -p "$work/overlay/sbin"
ln -s vial "$work/overlay/sbin/init"
cat >"$work/overlay/init" <<'INIT'
#!/bin/sh
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /sys/fs/cgroup
for controller in memory pids cpu; do
    mkdir /sys/fs/cgroup/$controller
    mount -t cgroup -o $controller cgroup /sys/fs/cgroup/$controller
done
exec /sbin/init
INIT
chmod 755 "$work/overlay/init"
(cd "$work/overlay" && find . | sort | cpio --quiet -o -H newc -R 0:0) | cat "$work/initrd" - >"$work/initrd-v1"
printf '\\[ ok \\] web\tcat /sys/fs/cgroup/memory/vial/web/memory.limit_in_bytes /sys/fs/cgroup/pids/vial/web/pids.max; vial poweroff\n' >"$work/v1.in"
boot v1 "" -initrd "$work/initrd-v1"
said v1 "with control groups of version 1 a container has its limits, too" \
    '\[ ok \] web' '^33554432' '^512' 'vial: switching off' 'QEMU ended with 0'

# ---- init= from a disk ----------------------------------------------------------------------------------------------

machine "$work/disk"
rm "$work/disk/init"
cat >"$work/disk/etc/vial/host.conf" <<'CONF'
console = ["/bin/sh"]
CONF
truncate -s 8M "$work/disk/loop.ext4"
mkfs.ext4 -q "$work/disk/loop.ext4"
mkfs.ext4 -q -d "$work/disk" "$work/root.ext4" 128M >"$work/mkfs"
# The kernel has no driver for the disk built in: an initramfs of BusyBox loads it and goes on, as any distribution's does.
mkdir -p "$work/early"
cp -a "$tree/." "$work/early/"
mkdir -p "$work/early/modules" "$work/early/new"
cp "$work/disk/modules/"* "$work/early/modules/"
{
    printf '#!/bin/sh\nmount -t proc proc /proc; mount -t devtmpfs dev /dev\n'
    while read -r file; do echo "insmod /modules/$(basename "$file")"; done <"$work/list"
    printf 'until [ -e /dev/vda ]; do sleep 0.1; done\nmount -t ext4 /dev/vda /new\numount /proc\nmount --move /dev /new/dev\nexec switch_root /new /sbin/vial splash\n'
} >"$work/early/init"
chmod 755 "$work/early/init"
(cd "$work/early" && find . | sort | cpio --quiet -o -H newc -R 0:0) >"$work/initrd"
printf '\\[ ok \\] web\tlosetup /dev/loop5 /loop.ext4; mount /dev/loop5 /mnt; echo kept >/mnt/file; echo kept >/kept; cp /sbin/vial /sbin/new; mv /sbin/new /sbin/vial; sleep 1000 & echo ready-$((40 + 2))\nready-42\tvial reboot\n' >"$work/disk.in"
boot disk "" -initrd "$work/initrd" -drive "file=$work/root.ext4,format=raw,if=virtio"
said disk "from a disk: reboot ends all and starts the machine again" \
    '\[ ok \] web' 'ready-42' 'vial: starting the machine again' 'QEMU ended with 0'
number=$((number + 1))
# Mounted to the end, a journal would say so.
if dumpe2fs -h "$work/root.ext4" 2>/dev/null | grep -q needs_recovery; then
    echo "not ok $number - from a disk: the file system was not unmounted, though the program had been replaced"
elif [ "$(debugfs -R 'cat /kept' "$work/root.ext4" 2>/dev/null)" != kept ]; then
    echo "not ok $number - from a disk: what was written is lost"
else
    echo "ok $number - from a disk: all is written and unmounted, though the program was replaced and a loop device in use"
fi
debugfs -R "dump /loop.ext4 $work/loop.ext4" "$work/root.ext4" 2>/dev/null
number=$((number + 1))
if dumpe2fs -h "$work/loop.ext4" 2>/dev/null | grep -q needs_recovery; then
    echo "not ok $number - from a disk: the loop device's file system was not unmounted"
else
    echo "ok $number - from a disk: the loop device's file system was unmounted first"
fi
echo "1..$number"
