#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs clang-tidy over the sources, as many at a time as there are processors: tidy.sh BUILD-DIRECTORY [FILE...]
# The directory is one that was configured for the system's own compiler: clang does not find another's headers.
# shellcheck disable=SC2016 # the inner shell's own $
set -eu
directory=$1
shift
if [ $# -gt 0 ]; then
    printf '%s\0' "$@"
else
    find src -name '*.cc' -print0 | LC_ALL=C sort -z
fi |
    xargs -0 -n 1 -P "$(nproc)" sh -c '
        # clang counts on stderr what it leaves out; nobody wants to know.
        clang-tidy-14 -p "$0" --quiet "$1" 2>/dev/null || { echo "tidy: $1 has findings" >&2; exit 1; }
    ' "$directory"
