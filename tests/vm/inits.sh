#!/bin/sh
# SPDX-License-Identifier: MIT
#
# inits.sh busybox-init|sysvinit|systemd KERNEL TREE VIAL
#
# Boots a machine whose first process is another init, with vial as a service of it by the files of config/inits: BusyBox's,
# Debian's sysvinit (the package sysvinit-core, unpacked into the cache), or the systemd that is installed here, of which only
# what it takes. `run` calls it as it calls first.sh.
set -eu
init=$1 kernel=$2 tree=$3 vial=$4
here=$(cd "$(dirname "$0")" && pwd)
inits=$here/../../config/inits
lacks()
{
    echo "inits: $* is missing" >&2
    exit 77
}
VM_TIME_LIMIT=${VM_TIME_LIMIT:-240}
. "$here/kernel.sh"
. "$here/console.sh"
machine_of x86_64

# file NAME TARGET: one of config/inits, for /bin/vial.
file()
{
    sed 's|@vial@|/bin/vial|' "$inits/$1.in" >"$2"
    chmod 755 "$2"
}

# machine ROOT: a root filesystem with a container, /etc/rcS, which mounts what every init leaves to a script, and
# /crash.sh [COMMAND...], which kills the supervisor and waits for the next one, after COMMAND.
machine()
{
    cp -a "$tree" "$1"
    mkdir -p "$1/etc/vial" "$1/etc/init.d" "$1/sbin" "$1/srv/root"
    cp "$vial" "$1/bin/vial"
    cp -a "$tree/." "$1/srv/root/"
    cat >"$1/etc/vial/web.conf" <<'CONF'
root = "/srv/root"
autostart = true
command = ["/bin/httpd", "-f", "-p", "8080", "-h", "/var/www"]
CONF
    echo 'command = 3' >"$1/etc/vial/broken.conf"
    cat >"$1/etc/rcS" <<'SCRIPT'
#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs -o mode=755 tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for script in /etc/init.d/S*; do [ ! -x "$script" ] || "$script" start; done
SCRIPT
    cat >"$1/crash.sh" <<'SCRIPT'
pid_of() { vial list | awk -v name="$1" '$1 == name && $2 == "running" { print $3 }'; }
boot=$(pid_of boot) web=$(pid_of web)
kill -KILL "$boot"
until [ "$(pid_of boot)" != "$boot" ]; do sleep 0.1; done
"$@"
until vial status boot 2>/dev/null | grep -q '^web *ready'; do sleep 0.1; done
echo "the supervisor is $([ "$(pid_of boot)" = "$boot" ] && echo the same || echo another)"
echo "the container is $([ "$(pid_of web)" = "$web" ] && echo the same || echo another)"
SCRIPT
    chmod 755 "$1/etc/rcS"
}

# programs ROOT FILE...: files of this system's, and the libraries that they need.
programs()
{
    root=$1
    shift
    for file in "$@" $(ldd "$@" | sed -n 's/[^/]*\(\/[^ :]*\) (.*/\1/p' | sort -u); do
        mkdir -p "$root${file%/*}"
        cp -L "$file" "$root$file"
    done
}

# boot NAME FIRST-PROCESS
boot()
{
    (cd "$work/$1" && find . | sort | cpio --quiet -o -H newc -R 0:0) >"$work/$1.cpio"
    # shellcheck disable=SC2086  # $machine is several words
    converse "$1" $machine -m 512 -serial stdio -kernel "$kernel/vmlinuz" -initrd "$work/$1.cpio" \
        -append "console=ttyS0 quiet panic=-1 rdinit=$2"
}

started="the containers come up, and what is wrong with a spec is said on the console"
adopted="a supervisor that is killed is started again, and takes the container over"
ended="the machine's end stops the containers in order"
tab=$(printf '\t')

case $init in
busybox-init)
    machine "$work/inittab"
    file busybox/inittab "$work/lines"
    { echo ::sysinit:/etc/rcS && cat "$work/lines" && echo ::respawn:/bin/sh; } >"$work/inittab/etc/inittab"
    printf '%s\n' "\\[ ok \\] web${tab}sh /crash.sh" "the container is${tab}poweroff" >"$work/inittab.in"
    boot inittab /bin/init
    said inittab "inittab: $started" 'broken.conf:1:1: command' '\[ ok \] web'
    said inittab "inittab: $adopted" 'the supervisor is another' 'the container is the same'
    said inittab "inittab: $ended" '\[stop\] web' 'The system is going down' 'QEMU ended with 0'

    machine "$work/rcS"
    file sysvinit/vial "$work/rcS/etc/init.d/S50vial"
    printf '%s\n' ::sysinit:/etc/rcS '::shutdown:/etc/init.d/S50vial stop' ::respawn:/bin/sh >"$work/rcS/etc/inittab"
    printf '%s\n' "\\[ ok \\] web${tab}sh /crash.sh /etc/init.d/S50vial start" "the container is${tab}poweroff" >"$work/rcS.in"
    boot rcS /bin/init
    said rcS "rcS: $started" 'broken.conf:1:1: command' '\[ ok \] web'
    said rcS "rcS: $adopted" 'the supervisor is another' 'the container is the same'
    said rcS "rcS: $ended" 'Stopping vial: \[stop\] web' 'The system is going down' 'QEMU ended with 0'
    ;;
sysvinit)
    if [ ! -x "$cache/sysvinit/sbin/init" ]; then
        (cd "$work" && apt-get download sysvinit-core >"$work/apt" 2>&1) || lacks "the package sysvinit-core"
        dpkg -x "$work"/sysvinit-core_*.deb "$cache/sysvinit"
    fi
    machine "$work/sysvinit"
    # With Debian's own start-stop-daemon.
    programs "$work/sysvinit" "$(command -v start-stop-daemon)" "$cache/sysvinit/sbin/init"
    mv "$work/sysvinit$cache/sysvinit/sbin/init" "$work/sysvinit/sbin/init"
    file sysvinit/vial "$work/sysvinit/etc/init.d/vial"
    cat >"$work/sysvinit/etc/inittab" <<'LINES'
id:2:initdefault:
si::sysinit:/etc/rcS
l2:2:wait:/etc/init.d/vial start
l0:0:wait:/etc/init.d/vial stop
po:0:wait:/bin/poweroff -f
sh:2:respawn:/bin/sh
LINES
    printf '%s\n' "\\[ ok \\] web${tab}sh /crash.sh /etc/init.d/vial start" "the container is${tab}/sbin/init 0" >"$work/sysvinit.in"
    boot sysvinit /sbin/init
    said sysvinit "sysvinit: $started" 'INIT: version' 'broken.conf:1:1: command' '\[ ok \] web'
    said sysvinit "sysvinit: $adopted" 'the supervisor is another' 'the container is the same'
    said sysvinit "sysvinit: $ended" 'Stopping vial: \[stop\] web' 'QEMU ended with 0'
    ;;
systemd)
    [ -x /lib/systemd/systemd ] || lacks "systemd (Debian: systemd)"
    machine "$work/systemd"
    rm "$work/systemd/etc/rcS"
    programs "$work/systemd" /lib/systemd/systemd /lib/systemd/systemd-shutdown /bin/systemctl
    units=$work/systemd/lib/systemd/system
    mkdir -p "$units/multi-user.target.wants" "$units/vial.service.d" "$work/systemd/etc/systemd"
    for unit in basic final network multi-user paths poweroff shutdown slices sockets sysinit timers umount; do
        cp "/lib/systemd/system/$unit.target" "$units/"
    done
    cp /lib/systemd/system/systemd-poweroff.service "$units/"
    ln -s multi-user.target "$units/default.target"
    file systemd/vial.service "$units/vial.service"
    chmod 644 "$units/vial.service"
    ln -s ../vial.service ../shell.service "$units/multi-user.target.wants/"
    printf '[Service]\nWatchdogSec=15\n' >"$units/vial.service.d/test.conf"
    # There is no journal.
    printf '[Manager]\nDefaultStandardOutput=tty\nDefaultStandardError=tty\n' >"$work/systemd/etc/systemd/system.conf"
    cat >"$units/shell.service" <<'UNIT'
[Unit]
After=vial.service
[Service]
ExecStart=/bin/sh
StandardInput=tty
TTYPath=/dev/ttyS0
KillSignal=SIGHUP
UNIT
    printf 'autostart = true\ncommand = ["/bin/sleep", "100000"]\n' >"$work/systemd/etc/vial/daemon.conf"
    cat >"$work/systemd/test.sh" <<'SCRIPT'
show() { systemctl show -P "$1" vial; }
daemon() { vial status boot | awk '$1 == "daemon" { print $3 }'; }
echo "at first it is $(show ActiveState): $(show StatusText)"
before=$(daemon)
# Control groups: systemd knows nothing of ours, and keeps its hands off them.
at=/sys/fs/cgroup/vial/web
vial update web limits.memory=40M limits.cpus=0
vial pause web
systemctl daemon-reload
systemctl set-property --runtime shell.service CPUWeight=50 MemoryMax=200M
systemctl daemon-reload
echo "the limits are $(cat $at/memory.max) $(cat $at/cpuset.cpus), and it is $(vial list | awk '$1 == "web" { print $2 }')"
vial resume web
echo "then it is $(vial list | awk '$1 == "web" { print $2 }'), with $(cat $at/main/cgroup.procs | wc -l) in its group"
sh /crash.sh
until [ "$(show ActiveState)" = active ]; do sleep 1; done
echo "restarts after a crash: $(show NRestarts)"
echo "the daemon is $([ "$(daemon)" = "$before" ] && echo the same || echo another)"
sed 's/^command.*/command = ["\/bin\/sleep", "1"]\noneshot = true/' /etc/vial/daemon.conf >/etc/vial/more.conf
systemctl reload vial
until [ "$(show ActiveState)" = active ]; do sleep 1; done
echo "after a reload it is $(show ActiveState): $(show StatusText)"
kill -STOP "$(show MainPID)"
until [ "$(show NRestarts)" = 2 ] && [ "$(show ActiveState)" = active ]; do sleep 1; done
echo "after it has hung it is $(show ActiveState): $(show StatusText)"
echo "the daemon is $([ "$(daemon)" = "$before" ] && echo the same || echo another)"
echo "all is tested"
SCRIPT
    printf '%s\n' "/ #${tab}sh /test.sh" "all is tested${tab}systemctl poweroff" >"$work/systemd.in"
    boot systemd /lib/systemd/systemd
    said systemd "systemd: it is active when the containers are ready" '\[ ok \] web' 'at first it is active: 2 ready'
    said systemd "systemd: limits and a pause hold beside its own control groups" \
        'the limits are 41943040 0, and it is paused' 'then it is running, with 1 in its group'
    said systemd "systemd: $adopted" 'the supervisor is another' 'the container is the same' 'restarts after a crash: 1' \
        'the daemon is the same'
    said systemd "systemd: a reload is over when what is new is ready" 'after a reload it is active: 3 ready'
    said systemd "systemd: one that hangs is killed and started again, and all goes on" 'after it has hung it is active: 3 ready' \
        'the daemon is the same'
    said systemd "systemd: $ended" 'all is tested' '\[stop\] web' 'QEMU ended with 0'
    ;;
esac
echo "1..$number"
