# SPDX-License-Identifier: MIT
#
# Alpine's package. An APKBUILD is a shell script: it is sourced here as abuild does, among what stands for abuild's own
# functions, and followed from the checksum of the tarball to the directories that its .apk files are made of. Not tried:
# check(), which runs the unit tests, as `make check` does; Alpine's toolchain; OpenRC.
set -eu
. "$HERE/expect.sh"

cp -r "$DIST/alpine" "$WORK/package"
startdir=$WORK/package srcdir=$WORK/src pkgdir=$WORK/pkg/vial
mkdir -p "$srcdir" "$WORK/tools"
cat >"$WORK/tools/abuild-meson" <<'END'
#!/bin/sh
exec meson setup --prefix=/usr --libdir=/usr/lib --sysconfdir=/etc --localstatedir=/var --buildtype=plain \
    --wrap-mode=nodownload -Db_lto=true -Db_staticpic=true -Db_pie=true "$@"
END
chmod +x "$WORK/tools/abuild-meson"
PATH=$WORK/tools:$PATH
export PATH CXX=foreign-g++ CC=foreign-gcc CFLAGS="-Os -fstack-clash-protection -Wformat -Werror=format-security"
export CXXFLAGS="$CFLAGS -D_GLIBCXX_ASSERTIONS=1" LDFLAGS="-Wl,--as-needed,-O1,--sort-common"

. "$startdir/APKBUILD"

described() {
    for variable in pkgname pkgver pkgrel pkgdesc arch license source sha512sums; do
        eval "value=\$$variable"
        [ -n "$value" ] || { echo "$variable is empty"; return 1; }
    done
    [ ${#pkgdesc} -le 128 ]
}
checksums_are_right() { echo "$sha512sums" | sed '/^$/d' | sha512sum -c -; }
# In a process of its own each, which ends where anything fails, and in the source's directory.
step() {
    srcdir=$srcdir pkgdir=$pkgdir sh -euc '
        want_check() { false; }
        . "$1"
        cd "$srcdir/$pkgname-$pkgver"
        "$2"' sh "$startdir/APKBUILD" "$1"
}

# $1: a start script. OpenRC gives it these functions, and looks at these variables.
speaks_to_openrc() (
    ebegin() { :; }
    eend() { :; }
    need() { needs=$*; }
    after() { :; }
    . "$1"
    depend
    [ -n "$needs" ] && [ "$command" = /usr/bin/vial ] && [ "$supervisor" = supervise-daemon ]
)

expect "it says of itself what it has to" described
cd "$startdir"
expect "the checksums are right" checksums_are_right
for file in $source; do
    expect "$file is beside it" tar -xf "$file" -C "$srcdir"
done
expect "build()" step build
expect "package()" step package
expect "it is a program" is_vial "$pkgdir/usr/bin/vial"
expect "its second name" "$pkgdir/usr/bin/ctl" --version
expect "-doc gets manual pages" test -f "$pkgdir/usr/share/man/man1/vial.1"
expect "-openrc gets a start script" test -x "$pkgdir/etc/init.d/vial"
expect "which says what OpenRC asks" speaks_to_openrc "$pkgdir/etc/init.d/vial"
