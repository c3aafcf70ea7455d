#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Makes a release of the last commit: dist.sh DIRECTORY. Found there afterwards, instead of what was there:
#
#   vial-VERSION.tar.xz, vial-VERSION.tar.xz.sha256   the tree, and what `sha256sum -c` reads
#   buildroot/ yocto/ openwrt/ alpine/                the packages of images/, each with the tarball beside it
#
# The tarball has the same bytes whoever makes it, where and when: all that is in it has the date of the commit, or
# SOURCE_DATE_EPOCH, and belongs to root. A package in images/ cannot hold the hash of a tarball that it is part of;
# the copies here hold it. Needs git, GNU tar and xz.
set -eu
umask 022
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."

if [ ! -e .git ]; then
    echo "dist: a release is made of a git tree, and this is none" >&2
    exit 1
fi
[ -z "$(git status --porcelain)" ] || echo "dist: what is not committed is not in it" >&2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
date=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
version=$(git show HEAD:meson.build | sed -n "s/^ *version: '\(.*\)',\$/\1/p")
name=vial-$version

git archive --prefix="$name/" HEAD | tar -x -C "$work"
LC_ALL=C tar -c -C "$work" --format=ustar --sort=name --mtime="@$date" --mode=u=rwX,go=rX \
    --owner=0 --group=0 --numeric-owner "$name" |
    XZ_OPT='' XZ_DEFAULTS='' xz -9 -T1 >"$work/$name.tar.xz"

rm -rf "$out"/vial-*.tar.xz "$out"/vial-*.tar.xz.sha256
mv "$work/$name.tar.xz" "$out/"
cd "$out"
sha256sum "$name.tar.xz" >"$name.tar.xz.sha256"
sha256=$(cut -d ' ' -f 1 "$name.tar.xz.sha256")

# $1: a builder. $2: where the tarball goes in its package.
lay_out() {
    rm -rf "${out:?}/$1"
    cp -r "$work/$name/images/$1" "$out/"
    mkdir -p "$1/$2"
    cp "$name.tar.xz" "$1/$2/"
}
lay_out buildroot package/vial
echo "sha256  $sha256  $name.tar.xz" >>buildroot/package/vial/vial.hash
lay_out yocto recipes-containers/vial/files
lay_out openwrt .
sed -i "s/^PKG_HASH:=.*/PKG_HASH:=$sha256/" openwrt/Makefile
lay_out alpine .
printf 'sha512sums="\n%s\n"\n' "$(sha512sum "$name.tar.xz")" >>alpine/APKBUILD

echo "$out/$name.tar.xz"
