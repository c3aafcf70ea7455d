#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs clang-tidy over the sources, two at a time at least: tidy.sh BUILD-DIRECTORY [FILE...]
# The directory is one that the system's own compiler was configured for: clang finds no other's headers.
set -eu
directory=$1
shift
[ $# -gt 0 ] || set -- $(find src -name '*.cc' | LC_ALL=C sort)
printf '%s\0' "$@" | xargs -0 -n 1 -P "$(nproc)" sh -c '
    # clang counts what it leaves out on stderr; nobody wants to know.
    clang-tidy-14 -p "$0" --quiet "$1" 2>/dev/null || { echo "tidy: $1 has findings" >&2; exit 1; }
' "$directory"
