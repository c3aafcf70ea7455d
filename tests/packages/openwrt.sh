# SPDX-License-Identifier: MIT
#
# OpenWrt's package. Its Makefile is read by make, with three files that stand for those of OpenWrt that it includes
# (openwrt/): from the check of the tarball's hash to the directory that an .ipk or .apk is made of. Its Config.in is read by
# Debian's kconfiglib. Not tried: OpenWrt's toolchain, a router.
set -eu
. "$HERE/expect.sh"

cp -r "$DIST/openwrt" "$WORK/package"
cd "$WORK/package"
configure() { /usr/bin/python3 "$HERE/configure.py" menu "$WORK/.config" PACKAGE_vial=y "$@"; }

printf 'config PACKAGE_vial\n\tbool "vial"\n\nsource "Config.in"\n' >menu
expect "something is left of the program" not configure VIAL_LAUNCH=n VIAL_INIT=n
expect "its options can be chosen" configure VIAL_PIE=y
expect "the package is built" make TOPDIR="$HERE/openwrt" WORK="$WORK" vial
expect "it is a program" is_vial "$WORK/ipkg/vial/usr/bin/vial"
expect "the chosen feature is in it" is_pie "$WORK/ipkg/vial/usr/bin/vial"
expect "its second name" "$WORK/ipkg/vial/usr/bin/ctl" --version
expect "procd starts it" grep -x USE_PROCD=1 "$WORK/ipkg/vial/etc/init.d/vial"
expect "what the owner wrote is kept over an upgrade" grep -x /etc/vial/ "$WORK/conffiles"
