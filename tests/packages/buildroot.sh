# SPDX-License-Identifier: MIT
#
# Buildroot's external tree. Its Config.in is read by Debian's kconfiglib, which knows the whole language; its vial.mk by a
# makefile that stands for the infrastructure (buildroot/infrastructure.mk) and is followed from the check of the tarball's
# hash to the target directory of each init system. Not tried: a toolchain of Buildroot's own.
set -eu
. "$HERE/expect.sh"
BR2_EXTERNAL_VIAL_PATH=$DIST/buildroot
export BR2_EXTERNAL_VIAL_PATH

configure() { CONFIG_="" /usr/bin/python3 "$HERE/configure.py" "$HERE/buildroot/Config.in" "$@"; }
needs="BR2_USE_MMU=y BR2_INSTALL_LIBSTDCPP=y BR2_TOOLCHAIN_USES_MUSL=y BR2_TOOLCHAIN_GCC_AT_LEAST_11=y
    BR2_TOOLCHAIN_HEADERS_AT_LEAST_5_12=y"

expect "it is laid out as the manual says" /usr/bin/python3 "$HERE/buildroot/rules.py" "$DIST/buildroot"

# shellcheck disable=SC2086 # a list of words
{
    expect "the package is there with a toolchain that serves" configure "$WORK/config" $needs BR2_PACKAGE_VIAL=y
    expect "and nothing is said then" test -z "$(configure "$WORK/config" $needs)"
    for need in $needs; do
        others=$(echo "$needs" | sed "s/$need//")
        expect "it is not there without ${need%=y}" not configure "$WORK/none" $others BR2_PACKAGE_VIAL=y
        [ "$need" = BR2_USE_MMU=y ] || # it is never there then
            expect "and what it needs is said" test -n "$(configure "$WORK/none" $others)"
    done
    expect "an option for another processor is not there" \
        not configure "$WORK/none" $needs BR2_PACKAGE_VIAL=y BR2_PACKAGE_VIAL_MIPS16=y
    expect "something is left of the program" \
        not configure "$WORK/none" $needs BR2_PACKAGE_VIAL=y BR2_PACKAGE_VIAL_LAUNCH=n BR2_PACKAGE_VIAL_INIT=n
    configure "$WORK/config" $needs BR2_PACKAGE_VIAL=y BR2_PACKAGE_VIAL_PIE=y
}

# $1: an init system, as Buildroot calls it.
package() {
    rm -rf "$WORK/target" "$WORK/build"
    make -f "$HERE/buildroot/infrastructure.mk" O="$WORK" DOT_CONFIG="$WORK/config" "BR2_INIT_$1=y" vial
}
# $1: the one file of an init's, or NONE.
starts_by() { [ "$(cd "$WORK/target" && find etc usr/lib -type f 2>/dev/null)" = "${1#NONE}" ]; }
for init in "SYSTEMD usr/lib/systemd/system/vial.service" "BUSYBOX etc/init.d/S50vial" "SYSV etc/init.d/S50vial" \
    "OPENRC etc/init.d/vial" NONE; do
    expect "the package is built for an init of ${init%% *}" package "${init%% *}"
    expect "and has what starts it, and no other" starts_by "${init#* }"
done
expect "it is a program" is_vial "$WORK/target/usr/bin/vial"
expect "the chosen feature is in it" is_pie "$WORK/target/usr/bin/vial"
expect "the kernel gets what it needs for that" grep -x CONFIG_VETH=y "$WORK/linux.config"
