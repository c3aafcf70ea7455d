#!/bin/sh
# SPDX-License-Identifier: MIT
#
# inits.sh --installed | --sysvinit SHELL | --procd
#
# The files of config/inits, by which other inits start `vial boot` ($VIAL):
#   --installed        which of them are installed where, for which `init`, and what systemd, shellcheck and two shells say of them
#   --sysvinit SHELL   the script does what is asked of one, run by `dash` or by `busybox` with the programs of that
#   --procd            what is declared to procd makes vial run, reload and end
# The latter two start real containers, and need a sandbox (tests/system/sandbox.sh).
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
vial=${VIAL:-$top/build/vial}
work=$(mktemp -d)
finish()
{
    status=$?
    [ ! -e "$work/specs" ] || "$vial" stop boot >/dev/null 2>&1 || :
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

fail()
{
    echo "inits: $*" >&2
    exit 1
}
# equal EXPECTED FOUND [WHAT]
equal() { [ "$1" = "$2" ] || fail "${3:-value}: expected '$1', found '$2'"; }
eventually()
{
    attempts=200
    until "$@" >/dev/null 2>&1; do
        [ $((attempts -= 1)) -gt 0 ] || fail "not within 20 s: $*"
        sleep 0.1
    done
}

# ---- What is installed ----------------------------------------------------------------------------------------------

# installed EXPECTED OPTION...: `PATH MODE` of each file that is installed.
installed()
{
    expected=$1
    shift
    rm -rf "$work/root"
    meson configure "$work/build" "$@" >/dev/null
    ninja -C "$work/build" build.ninja >/dev/null
    DESTDIR=$work/root meson install -C "$work/build" --no-rebuild --tags init --quiet
    found=""
    [ ! -e "$work/root" ] || found=$(cd "$work/root" && find . -type f -printf '%P %m\n' | sed "s|^${prefix#/}|PREFIX|" | LC_ALL=C sort)
    equal "$expected" "$found" "installed by $*"
}

check_installed()
{
    # systemd looks whether what it shall execute is there.
    prefix=$work/usr
    mkdir -p "$prefix/bin"
    cp "$vial" "$prefix/bin/vial"
    (cd "$top" && config/build/configure "$work/build" -Dtests=false -Dprefix="$prefix" -Dsystemd_unit_dir=/lib/unit) >"$work/said" 2>&1 ||
        fail "$(cat "$work/said")"
    installed ""
    installed "PREFIX/share/doc/vial/inittab 644
etc/init.d/S50vial 755
etc/init.d/vial 755
lib/unit/vial.service 644" -Dinits=systemd,sysvinit,busybox
    check_script "$work/root/etc/init.d/vial"
    cmp "$work/root/etc/init.d/vial" "$work/root/etc/init.d/S50vial"
    grep -q "^::respawn:$prefix/bin/vial boot" "$work/root$prefix/share/doc/vial/inittab" ||
        fail "inittab does not say where vial is"
    systemd-analyze verify --man=no "$work/root/lib/unit/vial.service" >"$work/said" 2>&1 || fail "$(cat "$work/said")"
    equal "" "$(cat "$work/said")" "what systemd-analyze says"

    installed "etc/init.d/vial 755" -Dinits=openrc
    check_script "$work/root/etc/init.d/vial"
    installed "etc/init.d/vial 755" -Dinits=procd
    check_script "$work/root/etc/init.d/vial"
}

check_script()
{
    shellcheck -s sh "$1" || fail "shellcheck does not like $1"
    for shell in dash "busybox sh"; do
        $shell -n "$1" || fail "$shell does not read $1"
    done
}

# ---- With real containers -------------------------------------------------------------------------------------------

# A vial that boots the specs of the test.
make_vial()
{
    mkdir -p "$work/specs" /dev/notify
    mount -t tmpfs -o mode=755 tmpfs /dev/notify
    sh "$top/images/rootfs.sh" "$work/image"
    cat >"$work/vial" <<SCRIPT
#!/bin/sh
[ "\$1" != boot ] || set -- boot "$work/specs"
exec "$vial" "\$@"
SCRIPT
    chmod 755 "$work/vial"
    container web
}
container()
{
    printf 'root = "%s"\nautostart = true\ncommand = ["/bin/sleep", "1000"]\n' "$work/image" >"$work/specs/$1.conf"
}
# pid_of NAME: a container's, also `boot`; nothing where it does not run.
pid_of() { "$vial" list | awk -v name="$1" '$1 == name && $2 == "running" { print $3 }'; }
runs() { [ "$(pid_of "$1")" ]; }
has_gone() { ! runs "$1"; }
has_ended() { ! kill -0 "$1" 2>/dev/null; }

# answers CODE [ACTION]: with this exit code.
answers()
{
    code=0
    $shell "$work/script" ${2:+"$2"} >"$work/said" 2>&1 || code=$?
    equal "$1" "$code" "exit code of '${2:-}', which said '$(cat "$work/said")'"
}

check_sysvinit()
{
    shell=$1
    [ "$shell" = dash ] || shell="busybox sh"
    make_vial
    sed "s|@vial@|$work/vial|" "$top/config/inits/sysvinit/vial.in" >"$work/script"
    if [ "$1" = busybox ]; then
        # What the script calls are BusyBox's, too: only here, for nobody else sees these mounts.
        for program in start-stop-daemon grep id rm sleep; do
            mount --bind "$(command -v busybox)" "$(readlink -f "$(command -v $program)")"
        done
    fi
    : >"$work/console"
    mount --bind "$work/console" /dev/console

    answers 3 status
    answers 7 reload
    answers 0 stop
    answers 0 try-restart
    answers 2 nonsense
    answers 2

    printf 'command = 3\n' >"$work/specs/broken.conf"
    answers 0 start
    answers 0 status
    eventually runs web
    first=$(pid_of boot)
    equal "$first" "$(cat /run/vial.pid)" "the pid file"
    eventually grep -q 'broken.conf:1:1: command' "$work/console"
    eventually grep -q '\[ ok \] web' "$work/console"
    answers 0 start
    equal "$first" "$(pid_of boot)" "who supervises after another start"

    container db
    answers 0 reload
    eventually runs db
    rm "$work/specs/db.conf"
    answers 0 force-reload
    eventually has_gone db
    equal "$first" "$(pid_of boot)" "who supervises after a reload"

    web=$(pid_of web)
    kill -KILL "$first"
    eventually has_ended "$first"
    answers 1 status
    answers 0 start
    answers 0 status
    equal "$web" "$(pid_of web)" "the container after a crash"
    second=$(pid_of boot)
    [ "$second" != "$first" ] || fail "it did not crash"

    answers 0 restart
    eventually runs web
    [ "$(pid_of boot)" != "$second" ] || fail "restart has started nothing"
    [ "$(pid_of web)" != "$web" ] || fail "restart has stopped nothing"
    answers 0 try-restart
    eventually runs web
    answers 0 stop
    equal "" "$(pid_of web)$(pid_of boot)" "what runs after stop"
    [ ! -e /run/vial.pid ] || fail "the pid file has stayed"
    answers 3 status

    sed "s|@vial@|/nowhere/vial|" "$top/config/inits/sysvinit/vial.in" >"$work/script"
    answers 5 start
}

# A procd of one service: what is declared is kept, and done as procd would do it.
procd_open_instance() { command="" respawn="" reload_signal="" stdout=0 stderr=0 term_timeout=5; }
procd_set_param()
{
    case $1 in
    command | respawn | reload_signal | stdout | stderr | term_timeout) ;;
    *) fail "procd has no parameter '$1'" ;;
    esac
    name=$1
    shift
    eval "$name=\$*"
}
procd_close_instance()
{
    # Three numbers: how short a life is one that failed, how long to wait then, and how often, where 0 has no end.
    equal 3 "$(echo "$respawn" | wc -w)" "numbers of respawn"
    equal "1 1" "$stdout $stderr" "whether its words are logged"
    [ "$term_timeout" -gt 10 ] || fail "it is killed after $term_timeout s"
    $command >"$work/said" 2>&1 &
    instance=$!
}
procd_send_signal() { equal "vial * $reload_signal" "$*" && kill -s "$3" "$instance"; }

check_procd()
{
    make_vial
    sed "s|@vial@|$work/vial|g" "$top/config/inits/procd/vial.in" >"$work/script"
    equal '#!/bin/sh /etc/rc.common' "$(head -n 1 "$work/script")" "who runs it"
    # shellcheck disable=SC1091
    . "$work/script"
    equal 1 "$USE_PROCD" USE_PROCD
    [ "$STOP" -lt "$START" ] || fail "it would be stopped among the last"

    stop_service
    start_service
    eventually runs web
    equal "$instance" "$(pid_of boot)" "what procd runs"
    container db
    reload_service
    eventually runs db
    stop_service
    equal "" "$(pid_of web)$(pid_of db)" "what runs after stop"
    wait "$instance"
}

case ${1:-} in
--installed) check_installed ;;
--sysvinit) check_sysvinit "$2" ;;
--procd) check_procd ;;
*) fail "see the head of $0" ;;
esac
