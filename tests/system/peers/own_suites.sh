#!/bin/sh
# SPDX-License-Identifier: MIT
#
# own_suites.sh PROGRAM DIRECTORY
#
# What tini and dumb-init are tested with themselves, run against PROGRAM under their names. Their sources are
# Debian's, fetched by apt-get into DIRECTORY once and kept there; where they cannot be had, the test is skipped.
#
# Of tini's they are the tests that need no Docker: those of its build, but for the one that wants its licence printed, and
# the inner ones. They run in a sandbox and in a PID namespace, with which ends whatever they leave behind.
set -eu

if [ "$1" = --inside ]; then
    work=$2
    export PATH="$work/bin:$PATH" PYTHONPATH="$work/lib" PYTHONDONTWRITEBYTECODE=1
    unset TINI_SUBREAPER TINI_VERBOSITY TINI_KILL_PROCESS_GROUP
    (
        cd "$work"/dumb-init-*/
        # Its patience is a second or so, and there may be much else to do here: what failed is asked once more.
        pytest="python3 -m pytest -q -W ignore::pytest.PytestConfigWarning"
        $pytest tests || $pytest --last-failed tests
    ) >"$work/dumb-init.log" 2>&1 &
    dumb=$!
    (
        cd "$work"/tini-*/
        export tini="$work/bin/tini" SOURCE_DIR="$PWD" BUILD_DIR="$work/bin" FORCE_SUBREAPER=1
        sed -n '/echo "Smoke test for/,/echo "Checking hardening/p' ci/run_build.sh | grep -v 'hardening\|" -l |' >smoke
        grep -q SIGCHLD smoke
        bash -euo pipefail smoke
        python3 test/run_inner_tests.py
    ) >"$work/tini.log" 2>&1 &
    tini=$!
    code=0
    wait $dumb || code=1
    wait $tini || code=1
    tail -n 60 "$work/dumb-init.log" "$work/tini.log"
    exit $code
fi

sandboxed=$(dirname "$0")/../../../config/build/sandboxed.sh
[ "$(id -u)" = 0 ] || exec "$sandboxed"  # which says that it needs root
program=$(realpath "$1")
mkdir -p "$2"
directory=$(realpath "$2")

# By an apt of its own, which knows where the system's packages come from: the system's knows no sources mostly.
fetch() {
    cd "$directory"
    # shellcheck disable=SC2016 # apt-get fills these in
    apt-get indextargets --format 'deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
        grep -v ' [a-z]*-[a-z]* ' | sort -u >sources.list
    [ -s sources.list ] || return 1
    own="-qq -o Dir::Etc::sourcelist=$directory/sources.list -o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root
         -o Dir::State::lists=$directory/apt/lists -o Dir::Cache=$directory/apt/cache -o Acquire::http::Timeout=20"
    mkdir -p apt/lists apt/cache
    # shellcheck disable=SC2086 # a list of options
    apt-get $own update && apt-get $own source --tar-only tini dumb-init
    rm -rf apt
}
sources() { ls "$directory"/tini_*.orig.tar.* "$directory"/dumb-init_*.orig.tar.* 2>/dev/null; }
if ! sources >/dev/null && { ! (fetch </dev/null >&2) || ! sources >/dev/null; }; then
    echo "skipped: apt-get has no source of tini and dumb-init"
    exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/lib"
for archive in $(sources); do tar -xf "$archive" -C "$work"; done
# Copies: one test looks where a link leads to.
cp "$program" "$work/bin/tini"
cp "$program" "$work/bin/dumb-init"
# Debian's, for which the modules are.
ln -s /usr/bin/python3 "$work/bin/python3"
ln -s /usr/bin/python3 "$work/bin/python"
musl-gcc -o "$work/bin/sigconf-test" "$work"/tini-*/test/sigconf/sigconf-test.c
# As much of the module `bitmap`, which Debian has not, as tini's tests ask for.
cat >"$work/lib/bitmap.py" <<'END'
class BitMap:
    def __init__(self, bits):
        self.bits = bits

    @classmethod
    def fromstring(cls, text):
        return cls([at for at, bit in enumerate(reversed(text)) if bit == "1"])

    def nonzero(self):
        return self.bits
END
# make(1) leaves signals ignored that a test has no name for.
"$sandboxed" "$program" init --clean-signals -- unshare --pid --fork --kill-child --mount-proc sh "$0" --inside "$work"
