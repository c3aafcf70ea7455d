#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The first process of the test machine (`run` puts it at /init): sets the machine up as the kernel's command line
# asks, runs the tests, switches the machine off.
#     vial.cgroup=v2|v1|hybrid   how the control groups are mounted
#     vial.root=initramfs|tmpfs  what / is: the initramfs itself, which nobody can pivot away from, or a tmpfs
#                                whose mounts are shared, as systemd makes them
export PATH=/bin HOME=/root TERM=dumb

parameter() { sed -n "s/.*\bvial\.$1=\([^ ]*\).*/\1/p" /proc/cmdline; }

if [ ! -e /proc/self ]; then
    mount -t proc proc /proc
    mount -t sysfs sysfs /sys
    mount -t devtmpfs devtmpfs /dev
    mkdir -p /dev/pts /dev/shm
    mount -t devpts devpts /dev/pts
    for module in $(cat /modules/order); do
        insmod "/modules/$module" || echo "# insmod $module failed"
    done
fi

if [ "$(parameter root)" = tmpfs ] && [ ! -e /.switched ]; then
    mkdir /new
    mount -t tmpfs -o mode=755 tmpfs /new
    for entry in bin init modules root srv tests; do
        cp -a "/$entry" /new/
    done
    mkdir -p /new/proc /new/sys /new/dev /new/run /new/tmp /new/etc
    touch /new/.switched
    for point in proc sys dev; do
        mount --move "/$point" "/new/$point"
    done
    exec switch_root /new /init
fi
[ ! -e /.switched ] || mount --make-rshared /

case $(parameter cgroup) in
v1 | hybrid)
    mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
    for controller in memory pids cpu,cpuacct cpuset freezer devices blkio; do
        mkdir "/sys/fs/cgroup/$controller"
        mount -t cgroup -o "$controller" cgroup "/sys/fs/cgroup/$controller"
    done
    if [ "$(parameter cgroup)" = hybrid ]; then
        mkdir /sys/fs/cgroup/unified
        mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
    fi
    ;;
*) mount -t cgroup2 cgroup2 /sys/fs/cgroup ;;
esac
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
ip link set lo up
hostname vm

cgroup=$(parameter cgroup) root=$(parameter root) only=$(parameter only) sh /tests/inside.sh
sync
poweroff -f
