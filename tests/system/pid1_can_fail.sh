#!/bin/sh
# SPDX-License-Identifier: MIT
#
# pid1_can_fail.sh TESTS NAIVE
#
# A test that cannot fail tests nothing. Runs the cases of the test programs test_pid1_* in the directory TESTS against
# NAIVE (payloads/naive.c): once where it does everything right, and all must pass; and once for each fault it can
# have, and then a case of that fault's number must fail. `make check-pid1` runs it, for when the tests were changed: it
# takes minutes, and a sandbox and a PID namespace, since programs that do everything wrong are nothing to be alone with.
set -eu

tests=$1
PID1=$(realpath "$2")
export PID1
code=0

# Runs the cases whose number is the fault's (letters apart), and fails if one does.
cases()
{
    number=$(echo "$1" | tr -d a-z)
    for program in "$tests"/test_pid1_*; do
        [ -f "$program" ] && [ -x "$program" ] || continue
        FAULT=$1 "$program" --no-version --minimal --test-case="pid1-$number:*" || return 1
    done >/dev/null 2>&1
}

unset FAULT || :
for program in "$tests"/test_pid1_*; do
    [ -f "$program" ] && [ -x "$program" ] || continue
    "$program" --minimal --test-case="pid1-*" || {
        echo "fails without a fault: $program"
        code=1
    }
done
export PID1_PATIENCE=2000
for fault in $(grep -o 'wrong("[0-9a-z]*")' "$SOURCE/tests/system/payloads/naive.c" | cut -d'"' -f2 | sort -uV); do
    if cases "$fault"; then
        echo "nobody minds fault $fault"
        code=1
    else
        echo "fault $fault is found"
    fi
done
exit $code
