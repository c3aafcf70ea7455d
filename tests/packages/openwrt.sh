# SPDX-License-Identifier: MIT
#
# OpenWrt's package. Its Makefile is read by make, with three files that stand for those of OpenWrt that it includes
# (openwrt/): from the check of the tarball's hash to the directory that an .ipk or .apk is made of. The options in its
# Config.in are only parsed. Not tried: OpenWrt's toolchain, a router.
set -eu
. "$HERE/expect.sh"

cp -r "$DIST/openwrt" "$WORK/package"
cd "$WORK/package"
package() { make TOPDIR="$HERE/openwrt" WORK="$WORK" "$@" vial; }

printf 'config PACKAGE_vial\n\tbool "vial"\n\nsource "Config.in"\n' >"$WORK/package/Kconfig"
expect "its options can be read" /usr/bin/python3 -c '
import kconfiglib
symbols = kconfiglib.Kconfig("Kconfig").syms
assert symbols["VIAL_PIE"].direct_dep'
expect "the package is built" package CONFIG_VIAL_PIE=y
expect "it is a program" is_vial "$WORK/ipkg/vial/usr/bin/vial"
expect "the chosen feature is in it" is_pie "$WORK/ipkg/vial/usr/bin/vial"
expect "its second name" "$WORK/ipkg/vial/usr/bin/ctl" --version
expect "what the owner wrote is kept over an upgrade" grep -x /etc/vial/ "$WORK/conffiles"
