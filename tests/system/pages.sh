#!/bin/sh
# SPDX-License-Identifier: MIT
#
# pages.sh [--exit-status]
#
# Holds vial(1) against the program ($VIAL): every command, its line of usage, its options and their order are in the
# page exactly as `--help` prints them, and nothing else is; and that the README's specs are such. With --exit-status it provokes each exit code that the
# page lists, which needs root and a sandbox (tests/system/sandbox.sh).
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
page=$top/config/man/vial.1
vial=${VIAL:-$top/build/vial}
work=$(mktemp -d)
finish()
{
    status=$?
    [ ! -e "$work/root" ] || "$vial" stop --timeout 0 pages >/dev/null 2>&1 || :
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

fail()
{
    echo "pages: $*" >&2
    exit 1
}

# The lines of one section of the page, without comments and with plain dashes.
section()
{
    awk -v wanted="$1" '/^\.\\"/ { next } /^\.Sh / { inside = $0 == ".Sh " wanted; next } inside { gsub(/\\-/, "-"); print }' "$page"
}

# `.It Fl t , Fl -timeout Ns = Ns Ar TIME` as --help writes it: `-t, --timeout=TIME`.
as_help_writes()
{
    sed -n 's/ Ns = Ns Ar /=/; s/ , Fl /, -/; s/^\.It Fl /-/p'
}

commands_of_page()
{
    section COMMANDS | while IFS= read -r line; do
        case $line in
        ".Ss "*) command=${line#.Ss } usage="" ;;
        ".Dl "*) [ "$usage" ] || { usage=${line#.Dl }; echo "usage: $usage"; } ;;
        ".It Fl "*) echo "$command: $(echo "$line" | as_help_writes)" ;;
        esac
    done
    section "NOT SUPPORTED YET" | sed -n 's/ Ar / /; s/^\.It Cm \(.*\)/usage: vial \1 (not supported yet)/p'
}

commands_of_program()
{
    "$vial" --help | sed -n 's/^  \([a-z]*\) .*[^ ].*/&/p' | while IFS= read -r line; do
        command=$(echo "$line" | awk '{ print $1 }')
        note=""
        case $line in *"(not supported yet)") note=" (not supported yet)" ;; esac
        "$vial" "$command" --help >"$work/help" || fail "$command --help fails"
        grep -q '^  -h, --help  ' "$work/help" || fail "$command --help does not name --help itself"
        sed -n "s/^\(usage: .*[^ ]\) *\$/\1$note/p" "$work/help"
        sed -n "/--help /d; s/^ \{2,\}\(-.*[^ ]\)  .*/\1/p" "$work/help" | sed "s/  .*//; s/^/$command: /"
    done
}

compare_with_help()
{
    commands_of_program >"$work/program"
    commands_of_page >"$work/page"
    [ "$(grep -c ^usage: "$work/program")" -ge 20 ] || fail "$vial --help names too few commands to be believed"
    diff -u "$work/program" "$work/page" || fail "vial(1) and --help differ: above, - is the program, + is the page"

    options=$(section OPTIONS | as_help_writes | tr '\n' ' ')
    [ "$options" = "-h, --help --version " ] || fail "OPTIONS of vial(1) are '$options'"
    for option in -h --help --version; do
        "$vial" "$option" >/dev/null || fail "vial $option fails"
    done
    # The name under which the page is found, and no other.
    grep -q '^\.Dt VIAL 1$' "$page" || fail "vial(1) has another title"
}

# The specs that the README shows are specs.
check_specs_of_readme()
{
    awk -v work="$work" '/^```toml$/ { inside = ++count; next } /^```$/ { inside = 0 } inside { print > (work "/" inside ".conf") }' \
        "$top/README.md"
    [ -s "$work/1.conf" ] || fail "README.md shows no spec"
    for spec in "$work"/*.conf; do
        "$vial" check "$spec" || fail "README.md shows a spec that vial refuses: $(cat "$spec")"
    done
}

seen=" "
# expect CODE_IN_THE_PAGE CODE COMMAND...
expect()
{
    listed=$1 wanted=$2
    shift 2
    got=0
    "$@" >"$work/output" 2>&1 </dev/null || got=$?
    [ "$got" = "$wanted" ] || fail "$(echo "$*" | sed "s|$vial|vial|") ended with $got, and vial(1) says $wanted: $(cat "$work/output")"
    case $seen in *" $listed "*) ;; *) seen="$seen$listed " ;; esac
}

provoke_exit_codes()
{
    root=$work/root
    sh "$top/images/rootfs.sh" "$root"
    printf 'root = "%s"\ncommand = ["/bin/sleep", "1000"]\n' "$root" >"$work/pages.conf"
    printf 'root = "%s"\ncommand = ["/bin/true"]\ncolour = "red"\n' "$root" >"$work/wrong.conf"

    expect 0 0 "$vial" check "$work/pages.conf"
    expect 0 0 "$vial" start "$work/pages.conf"
    expect 1 1 "$vial" start "$work/pages.conf"
    expect 1 1 "$vial" start --set name=other --set "root=$work/none" "$work/pages.conf"
    expect 1 1 "$vial" start --set name=other --set 'command=["/bin/none"]' "$work/pages.conf"
    expect 1 1 "$vial" attach pages
    expect 2 2 "$vial"
    expect 2 2 "$vial" fly
    expect 2 2 "$vial" start --fly "$work/pages.conf"
    expect 2 2 "$vial" start
    expect 2 2 "$vial" start "$work/none.conf"
    expect 2 2 "$vial" check "$work/wrong.conf"
    expect 2 2 "$vial" start "$work/wrong.conf"
    expect 2 2 "$vial" start --set name=other --set tty=true "$work/pages.conf"
    for command in status stats logs wait stop kill restart; do
        expect 3 3 "$vial" "$command" nobody
    done

    expect 0 0 "$vial" exec pages -- /bin/true
    expect 3 3 "$vial" exec pages -- /bin/sh -c 'exit 3'
    expect 125 125 "$vial" exec pages
    expect 125 125 "$vial" exec nobody -- /bin/true
    expect 126 126 "$vial" exec pages -- /etc/passwd
    expect 127 127 "$vial" exec pages -- /bin/none
    expect 128+N 137 "$vial" exec pages -- /bin/sh -c 'kill -9 $$'
    expect 0 0 "$vial" stop --timeout 0 pages
    expect 3 3 "$vial" status pages

    expect 0 0 "$vial" run --root "$root" -- /bin/true
    expect 3 3 "$vial" run --root "$root" -- /bin/sh -c 'exit 3'
    expect 125 125 "$vial" run
    expect 125 125 "$vial" run --root "$work/none" -- /bin/true
    expect 126 126 "$vial" run --root "$root" -- /etc/passwd
    expect 127 127 "$vial" run --root "$root" -- /bin/none
    expect 128+N 143 "$vial" run --root "$root" -- /bin/sh -c 'kill $$'

    codes=$(section "EXIT STATUS" | sed -n 's/^\.It Li //p' | tr '\n' ' ')
    [ " $codes" = "$seen" ] || fail "vial(1) lists the codes $codes; provoked were$seen"
}

[ -x "$vial" ] || fail "no program '$vial' (make, or VIAL=PROGRAM)"
case ${1:-} in
"")
    compare_with_help
    check_specs_of_readme
    ;;
--exit-status) provoke_exit_codes ;;
*) fail "unknown option $1 (see the head of $0)" ;;
esac
