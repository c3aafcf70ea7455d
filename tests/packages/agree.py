#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the packages of images/ against the tree: agree.py SOURCE-DIRECTORY

The version is that of meson.build, the licence's checksums are those of LICENSE, an option that a package gives to meson
is one of meson_options.txt, and one of those that can be chosen can be chosen in every package.
"""
import hashlib
import pathlib
import re
import sys

# Not a choice of whoever builds an image: the tests need doctest, the program is always optimised as a whole, and the image has
# its init already.
NO_CHOICE = {"tests", "lto", "inits", "systemd_unit_dir"}
# Chosen by the builder's own configuration, under another name than the option's.
ELSEWHERE = {"openwrt": {"mips16"}}

top = pathlib.Path(sys.argv[1])
images = top / "images"
faults = []


def expect(good, fault):
    if not good:
        faults.append(fault)


def words(path, pattern):
    return set(re.findall(pattern, (images / path).read_text(), re.M))


def listed(path, variable):
    return set(next(iter(words(path, rf"^{variable}\s*:?= *(.*)$"))).split())


version = re.search(r"version: '([^']*)'", (top / "meson.build").read_text())[1]
for path, pattern in {
    "buildroot/package/vial/vial.mk": r"^VIAL_VERSION = (.*)$",
    "openwrt/Makefile": r"^PKG_VERSION:=(.*)$",
    "alpine/APKBUILD": r"^pkgver=(.*)$",
}.items():
    expect(words(path, pattern) == {version}, f"{path}: its version is not {version}")
recipe = f"yocto/recipes-containers/vial/vial_{version}.bb"
expect((images / recipe).exists(), f"there is no {recipe}")

licence = (top / "LICENSE").read_bytes()
expect(words("buildroot/package/vial/vial.hash", r"^sha256  (\w+)  LICENSE$") == {hashlib.sha256(licence).hexdigest()},
       "vial.hash: not the hash of LICENSE")
expect(words(recipe, r"file://LICENSE;md5=(\w+)") == {hashlib.md5(licence).hexdigest()},
       f"{recipe}: not the checksum of LICENSE")

options = set(re.findall(r"^option\('(\w+)'", (top / "meson_options.txt").read_text(), re.M))
choices = options - NO_CHOICE
offered = {
    "buildroot": listed("buildroot/package/vial/vial.mk", "VIAL_FEATURES"),
    "yocto": words(recipe, r"^PACKAGECONFIG\[(\w+)\]"),
    "openwrt": listed("openwrt/Makefile", "VIAL_FEATURES") | ELSEWHERE["openwrt"],
}
for builder, features in offered.items():
    for name in sorted(choices - features):
        faults.append(f"{builder}: the option {name} cannot be chosen")
    for name in sorted(features - choices):
        faults.append(f"{builder}: there is no option {name} to choose")

given = {path: words(path, r"-D(\w+)=") for path in
         ("buildroot/package/vial/vial.mk", recipe, "openwrt/Makefile", "alpine/APKBUILD")}
for path, names in given.items():
    for name in sorted(names - options):
        expect(name.startswith("b_"), f"{path}: meson_options.txt has no {name}")

# What a menu offers, and what the package asks of it.
for builder, path, prefix in (("buildroot", "buildroot/package/vial/Config.in", "BR2_PACKAGE_VIAL_"),
                              ("openwrt", "openwrt/Config.in", "VIAL_")):
    symbols = {name.lower() for name in words(path, rf"^config {prefix}(\w+)$")}
    expect(symbols == offered[builder] - ELSEWHERE.get(builder, set()), f"{path}: offers {sorted(symbols)}")

if faults:
    sys.exit("\n".join(faults))
