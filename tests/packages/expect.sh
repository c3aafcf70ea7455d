# shellcheck shell=sh
# SPDX-License-Identifier: MIT
#
# For the cases of tests/packages/run that are shell scripts.

# $1: what is to be true; the rest: the command that shows it. What it prints is shown if it fails.
expect() {
    what=$1
    shift
    if output=$("$@" 2>&1); then
        echo "ok: $what"
    else
        echo "not ok: $what"
        echo "$output" | tail -n 30
    fi
}

# $1: a program. Static, and alive.
is_vial() {
    ! readelf -l "$1" | grep INTERP && "$1" --version
}

# $1: a program, built with the feature `pie`.
is_pie() { readelf -h "$1" | grep DYN; }

not() { ! "$@"; }
