#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs a system test in a sandbox of its own (tests/system/sandbox.sh); one that cannot run here is skipped.
#
#   sandboxed.sh PROGRAM [ARGUMENT...]
set -eu

if [ "$(id -u)" != 0 ]; then
    echo "skipped: needs root"
    exit 77
fi
exec sh "$(dirname "$0")/../../tests/system/sandbox.sh" --network "$@"
