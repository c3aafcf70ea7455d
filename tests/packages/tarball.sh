# SPDX-License-Identifier: MIT
#
# Builds the release twice: by `make` with a compiler of the caller's, and by meson with a cross file. In different
# places, with different umasks, one build directory inside the tree and one outside; yet the programs are the same.
set -eu
. "$HERE/expect.sh"

umask 077
mkdir "$WORK/here"
cd "$WORK/here"
tar -xf "$DIST"/vial-*.tar.xz
cd vial-*
expect "make builds with a foreign CXX, offline and without git" make CXX=foreign-g++
expect "make install" make install CXX=foreign-g++ DESTDIR="$WORK/first" PREFIX=/usr
expect "it is a program" is_vial "$WORK/first/usr/bin/vial"
expect "its second name" test "$(readlink "$WORK/first/usr/bin/ctl")" = vial

umask 022
mkdir -p "$WORK/some/other/place"
cd "$WORK/some/other/place"
tar -xf "$DIST"/vial-*.tar.xz
machine=$(uname -m)
cat >cross.ini <<END
[binaries]
cpp = 'foreign-g++'
ar = 'foreign-ar'
strip = 'foreign-strip'

[host_machine]
system = 'linux'
cpu_family = '$machine'
cpu = '$machine'
endian = 'little'
END
built=$WORK/built
expect "meson sets it up with a cross file" \
    meson setup --cross-file cross.ini --prefix /usr -Dtests=false "$built" vial-*
expect "and builds it" meson compile -C "$built"
expect "and installs it" env DESTDIR="$WORK/second" meson install -C "$built" --no-rebuild --strip
expect "the two programs are the same" cmp "$WORK/first/usr/bin/vial" "$WORK/second/usr/bin/vial"
