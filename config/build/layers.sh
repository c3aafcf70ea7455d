#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Checks that includes run downward only: layers.sh SRC. A room may use the rooms below it, not those beside it.
set -eu
cd "$1"

grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"' --include='*.h' --include='*.cc' . | awk '
BEGIN {
    floor["base"] = 0; floor["spec"] = 1; floor["kernel"] = 2; floor["supervise"] = 3
    floor["init"] = 4; floor["launch"] = 5; floor["boot"] = 6; floor["ctl"] = 6
}
{
    place = $0
    sub(/:[[:space:]]*#.*/, "", place)
    sub(/^\.\//, "", place)
    file = $0
    sub(/^[^"]*"/, "", file)
    sub(/".*/, "", file)
    checked++
    from = index(place, "/") ? substr(place, 1, index(place, "/") - 1) : ""
    to = index(file, "/") ? substr(file, 1, index(file, "/") - 1) : ""
    if (from == "")      # main.cc stands above all rooms
        next
    if (!(from in floor))
        wrong(place, from "/ is no room this script knows")
    else if (!(to in floor))
        wrong(place, "\"" file "\" is not a path that begins with a room")
    else if (from != to && floor[to] >= floor[from])
        wrong(place, from "/ may not use " to "/")
}
function wrong(where, why) { print where ": " why; failed = 1 }
END {
    if (!checked) {
        print "layers: found no include to check"
        failed = 1
    }
    exit failed
}' >&2
