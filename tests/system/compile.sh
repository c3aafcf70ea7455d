# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# To be sourced: compile SOURCE.c PROGRAM makes one of the small static C programs of the tests, unless it is there
# already. With CC where that is set, else musl's wrapper of the system's compiler, else the system's compiler (on a
# system that is musl's throughout).

compile()
{
    # shellcheck disable=SC3013  # -nt is not POSIX, but in every sh there is
    [ ! "$2" -nt "$1" ] || return 0
    compiler=${CC:-$(command -v musl-gcc || command -v cc)} || {
        echo "compile: no C compiler (Debian: musl-tools)" >&2
        return 1
    }
    mkdir -p "$(dirname "$2")"
    # shellcheck disable=SC2086  # CC may be several words
    $compiler -static -Os -D_GNU_SOURCE -s -o "$2" "$1"
}
