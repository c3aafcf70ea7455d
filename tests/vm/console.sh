# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# To be sourced: a machine is talked to on its serial console, and what it said is looked at. Sets work, a directory of ours,
# and ends the machine with us. VM_TIME_LIMIT: seconds that one may run; 120.

limit=${VM_TIME_LIMIT:-120}
work=$(mktemp -d)
qemu=""
number=0
finish()
{
    status=$?
    [ -z "$qemu" ] || kill "$qemu" 2>/dev/null || :
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# converse NAME COMMAND...: runs a machine whose console is its standard input and output, to its end. `$work/NAME.in`, a file
# or a pipe, is what is typed: a line once what stands before its tab was said. What was said is in `$work/NAME.out`.
converse()
{
    name=$1
    shift
    rm -f "$work/pipe"
    mkfifo "$work/pipe"
    timeout --foreground "$limit" "$@" <"$work/pipe" >"$work/console" 2>"$work/errors" &
    qemu=$!
    exec 3>"$work/pipe"
    while IFS="$(printf '\t')" read -r awaited typed; do
        attempts=0
        while ! tr -d '\r' <"$work/console" | grep -q "$awaited" && [ $attempts -lt $((limit * 5)) ] && kill -0 "$qemu" 2>/dev/null; do
            attempts=$((attempts + 1))
            sleep 0.2
        done
        (echo "$typed" >&3) || :   # the machine may have ended
    done <"$work/$name.in"
    code=0
    wait "$qemu" || code=$?
    qemu=""
    exec 3>&-
    tr -d '\r' <"$work/console" >"$work/$name.out"
    echo "# QEMU ended with $code" >>"$work/$name.out"
}

# said NAME DESCRIPTION PATTERN...: each is on the console of that conversation, in this order.
said()
{
    name=$1 description=$2
    shift 2
    number=$((number + 1))
    from=1
    for pattern in "$@"; do
        at=$(tail -n "+$from" "$work/$name.out" | grep -n -e "$pattern" | head -n 1 | cut -d: -f1)
        if [ -z "$at" ]; then
            echo "not ok $number - $description"
            echo "# not said from line $from on: $pattern"
            tail -n 40 "$work/$name.out" | sed 's/^/# /'
            return
        fi
        from=$((from + at))
    done
    echo "ok $number - $description"
}
