# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# To be sourced by the benchmarks: what their options are, where they work, and how figures become a report.
#
#   --vial PROGRAM   which one is measured (build/vial)
#   --build DIR      where the small C programs are made (build/bench): on a disk, since the pages of a program
#                    on tmpfs are dirty for ever, and count as its processes' memory
#   --quick          fewer rounds, for development
#   --json           the report as one JSON array
#   --part           of another benchmark, which makes the report
#   --idle SECONDS, --rounds N, --gap MS
#
# Sets a variable for each, work (a directory on the sandbox's tmpfs; rows and missing are files there) and tab.

bench=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$bench/../.." && pwd)
. "$top/tests/system/compile.sh"

# shellcheck disable=SC2034  # what the benchmarks use of it
read_options()
{
    vial=$top/build/vial build=$top/build/bench rounds=50 gap=50 idle=30 quick=no json=no part=no
    while [ $# -gt 0 ]; do
        case $1 in
        --vial) vial=$(readlink -f "$2") && shift ;;
        --build) build=$2 && shift ;;
        --rounds) rounds=$2 && shift ;;
        --gap) gap=$2 && shift ;;
        --idle) idle=$2 && shift ;;
        --quick) quick=yes rounds=15 gap=20 idle=5 ;;
        --json) json=yes ;;
        --part) part=yes ;;
        *) echo "bench: unknown option $1 (see the heads of $0 and report.sh)" >&2 && exit 2 ;;
        esac
        shift
    done
    [ -x "$vial" ] || { echo "bench: no program '$vial' (make, or --vial)" >&2 && exit 2; }
    mkdir -p "$build"
    build=$(readlink -f "$build")
    work=/run/bench rows=/run/bench/rows missing=/run/bench/missing
    tab=$(printf '\t')
    mkdir -p "$work"
    [ "$part" = yes ] || : >"$rows"
    [ "$part" = yes ] || : >"$missing"
}

# programs NAME...: of this directory's. Whatever was just written is put on the disk: until then its pages are dirty.
programs()
{
    for program in "$@"; do
        for header in "$bench"/*.h; do
            # shellcheck disable=SC3013  # see compile.sh
            [ ! "$header" -nt "$build/$program" ] || rm -f "$build/$program"
        done
        compile "$bench/$program.c" "$build/$program"
    done
    sync
}

say() { [ "$json" = yes ] || echo "$*" >&2; }
calculate() { awk "BEGIN { printf \"%.$2f\", $1 }"; }

# heading TEXT | row LABEL MEASURED UNIT [ASKED] : ASKED is the most that was asked for
heading() { printf '#\t%s\n' "$1" >>"$rows"; }
row() { printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "${4:-}" >>"$rows"; }
unmeasured()
{
    echo "$1" >>"$missing"
    [ -s "$rows" ] || heading "Left out"
    row "$1" "not measured: $2" "" "${3:-}"
}

# Prints the rows, and fails if something is missing.
report()
{
    [ "$part" = no ] || return 0
    if [ "$json" = yes ]; then
        report_json
    else
        report_table
    fi
    count=$(wc -l <"$missing")
    [ "$count" = 0 ] || { echo "bench: $count could not be measured" >&2 && exit 1; }
}

report_json()
{
    awk -F '\t' '
        function quote(text) { gsub(/[\\"]/, "\\\\&", text); return "\"" text "\"" }
        BEGIN { print "[" }
        $1 == "#" { group = $2; next }
        {
            line = "  {\"group\": " quote(group) ", \"row\": " quote($1)
            if ($2 ~ /^-?[0-9.]+$/) {
                split($3, unit, " ")
                line = line ", \"measured\": " $2 ", \"unit\": " quote(unit[1])
                if ($4 != "") line = line ", \"asked\": " $4 ", \"met\": " ($2 <= $4 ? "true" : "false")
            } else {
                line = line ", \"measured\": null, \"reason\": " quote($2)
            }
            printf "%s%s}", separator, line
            separator = ",\n"
        }
        END { print "\n]" }' "$rows"
}

report_table()
{
    awk -F '\t' '
        function print_row(a, b, c, d) { printf "%-44s | %-28s | %-8s | %s\n", a, b, c, d }
        $1 == "#" {
            print "\n" $2
            print_row("row", "measured", "asked", "met")
            next
        }
        {
            asked = $4 == "" ? "" : "<= " $4
            met = $4 == "" ? "" : $2 !~ /^-?[0-9.]+$/ ? "?" : $2 + 0 <= $4 + 0 ? "yes" : "no"
            print_row($1, $2 ($3 == "" ? "" : " " $3), asked, met)
        }' "$rows"
}
