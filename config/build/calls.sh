#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Checks that each system call of a compiler's headers has its place in the table of the default wall: calls.sh SRC COMPILER...
# What is newer than the table may be missing: it is answered as by a kernel that has it not.
set -eu
table=$1/kernel/seccomp_calls.inc
newest=$(sed -n 's/.*newest_call = first_call + \([0-9]*\);/\1/p' "$1/kernel/seccomp_calls.h")
shift

printf '#include <asm/unistd.h>\n' | "$@" -E -dM -x c++ - |
    sed -n 's/^#define __NR_\([a-z_][a-z0-9_]*\) .*/call \1 __NR_\1/p' |
    { printf '#include <asm/unistd.h>\nfirst __NR_Linux\n' && cat; } | "$@" -E -P -x c++ - | {
    first=0 seen=0 failed=0
    while read -r what name number; do
        case $what:$name in
            first:[0-9]*) first=$name ;;
            call:syscalls | call:arch_specific_syscall | call:reserved[0-9]* | call:unused[0-9]*) ;;
            call:*)
                seen=$((seen + 1))
                # shellcheck disable=SC2004 # not a number but a sum
                [ "$(($number))" -le "$((first + newest))" ] || continue
                grep -q "[(, ]$name)" "$table" || { echo "calls: $name ($number) is not in the table" >&2 && failed=1; }
                ;;
        esac
    done
    [ "$seen" -gt 250 ] || { echo "calls: found only $seen system calls" >&2 && failed=1; }
    exit "$failed"
}
