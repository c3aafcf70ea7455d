#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The layer for Yocto, read and followed without bitbake.

What is read is that part of a recipe's language that this one uses: assignments, flags, overrides of ${PN} and of the
C library, functions to append. What is done are the steps of openembedded-core's meson class, with its cross file and
the flags of a distribution with hardening, and what its classes for licences, systemd, update-rc.d and
update-alternatives look for. Not tried: a toolchain of Yocto's, the making of packages, an image.
"""
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import types

dist, work = pathlib.Path(os.environ["DIST"]), pathlib.Path(os.environ["WORK"])
layer = dist / "yocto"

MACHINE = os.uname().machine
FLAGS = ("-O2 -g -pipe -feliminate-unused-debug-types -fstack-protector-strong -D_FORTIFY_SOURCE=2 "
         f"-Wformat -Wformat-security -Werror=format-security -fmacro-prefix-map={work}=/usr/src/debug")
LINK_FLAGS = "-Wl,-O1 -Wl,--hash-style=gnu -Wl,--as-needed -Wl,-z,relro,-z,now"
CROSS_FILE = """[binaries]
cpp = ['foreign-g++']
ar = ['foreign-ar']
strip = ['foreign-strip']

[built-in options]
cpp_args = {flags}
cpp_link_args = {link_flags}

[properties]
needs_exe_wrapper = true

[host_machine]
system = 'linux'
cpu_family = '{machine}'
cpu = '{machine}'
endian = 'little'
"""


def expect(what, good, why=""):
    print(f"{'ok' if good else 'not ok'}: {what}" + (f"\n{why}" if not good else ""), flush=True)


def expect_run(what, command, **more):
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    expect(what, run.returncode == 0, run.stdout[-3000:])


def in_both(variable, words, recipe):
    return " ".join(sorted(set(words.split()) & set(recipe[variable].split())))


def chosen_by(variable, words, yes, no, recipe):
    return yes if set(words.split()) <= set(recipe[variable].split()) else no


bb = types.SimpleNamespace(utils=types.SimpleNamespace(filter=in_both, contains=chosen_by))


class Recipe:
    """`values`: each variable's text, flags as NAME[FLAG]; `functions`: bodies of shell functions.

    `${@...}` is Python, to which bitbake gives `d`, the recipe, and `bb`.
    """

    ASSIGNMENT = re.compile(r'([\w${}:+-]+(?:\[[\w-]+\])?)\s*(\?\?=|\?=|\+=|=)\s*"([^"]*)"$')

    def __init__(self, path, overrides, distro_features=""):
        name, self.version = path.stem.split("_")
        self.values = {
            "PN": name, "BPN": name, "PV": self.version, "BP": f"{name}-{self.version}",
            "DISTRO_FEATURES": distro_features, "prefix": "/usr", "bindir": "/usr/bin", "sysconfdir": "/etc",
            "systemd_system_unitdir": "/usr/lib/systemd/system", "D": str(work / "image"), "S": str(work / "source"),
        }
        self.functions, self.classes = {}, []
        text = path.read_text().replace("\\\n", " ")
        for function, body in re.findall(r"^([\w:]+)\(\) \{\n(.*?)^\}$", text, re.M | re.S):
            self.functions[function] = body
        for line in re.sub(r"^[\w:]+\(\) \{\n.*?^\}$|^#.*?$", "", text, flags=re.M | re.S).splitlines():
            if line.startswith("inherit "):
                self.classes += line.split()[1:]
            elif line and not self.assign(line.strip(), overrides):
                sys.exit(f"{path}: not understood: {line}")

    def assign(self, line, overrides):
        found = self.ASSIGNMENT.match(line)
        if not found:
            return False
        name, how, value = found.groups()
        name, _, override = self.expand(name).partition(":")
        if not override or override in overrides:
            old = self.values.get(name)
            self.values[name] = f"{old} {value}" if how == "+=" and old else old if "?" in how and old else value
        return True

    def expand(self, text):
        text = re.sub(r"\$\{@([^}]+)\}", lambda code: eval(code[1], {"d": self, "bb": bb}), text)
        return re.sub(r"\$\{([\w-]+)\}", lambda name: self[name[1]], text)

    def __getitem__(self, name):
        return self.expand(self.values.get(name, ""))

    getVar = __getitem__

    def meson_options(self, chosen):
        for name in sorted(self.values):
            if name.startswith("PACKAGECONFIG["):
                words = self[name].split(",")
                yield from words[0 if name[14:-1] in chosen else 1].split()
        yield from self["EXTRA_OEMESON"].split()


def main():
    expect("the layer has a recipe of the release's version",
           [path.name for path in layer.glob("recipes-*/*/*.bb")] ==
           [next(dist.glob("vial-*.tar.xz")).name.replace(".tar.xz", ".bb").replace("-", "_")])
    path = next(layer.glob("recipes-*/*/*.bb"))
    expect("it is skipped with glibc, not with musl",
           [Recipe(path, ["vial", libc])["COMPATIBLE_HOST"] for libc in ("libc-glibc", "libc-musl")] == ["null", ""])
    recipe = Recipe(path, ["vial", "libc-musl"], "systemd sysvinit")

    for source in recipe["SRC_URI"].split():
        archive = path.parent / "files" / source.removeprefix("file://")
        expect(f"{archive.name} is beside it", archive.exists())
        subprocess.run(["tar", "-xf", archive, "-C", work], check=True)
    os.rename(work / recipe["BP"], recipe["S"])
    for licence, md5 in re.findall(r"file://(\S+);md5=(\w+)", recipe["LIC_FILES_CHKSUM"]):
        text = (work / "source" / licence).read_bytes()
        expect(f"{licence} has the checksum of LIC_FILES_CHKSUM", hashlib.md5(text).hexdigest() == md5)

    (work / "meson.cross").write_text(CROSS_FILE.format(
        flags=FLAGS.split(), link_flags=LINK_FLAGS.split(), machine=MACHINE))
    setup = ["meson", "setup", "--prefix", "/usr", "--buildtype", "plain", "--sysconfdir", "/etc",
             "--wrap-mode", "nodownload", "--cross-file", work / "meson.cross"]
    chosen = recipe["PACKAGECONFIG"].split() + ["pie"]
    features = [name[14:-1] for name in recipe.values if name.startswith("PACKAGECONFIG[")]
    expect("what PACKAGECONFIG chooses is known", set(chosen) <= set(features))
    expect_run("most can be left out", [*setup, *recipe.meson_options(["init"]), recipe["S"], work / "other"])
    expect_run("configure", [*setup, *recipe.meson_options(chosen), recipe["S"], work / "build"])
    expect_run("compile", ["meson", "compile", "-C", work / "build"])
    expect_run("install", ["meson", "install", "-C", work / "build", "--no-rebuild", "--destdir", recipe["D"]])
    expect_run("what the recipe adds to it",
              ["sh", "-euc", recipe.expand(recipe.functions.get("do_install:append", ":"))])

    image = pathlib.Path(recipe["D"])
    link, target = recipe["ALTERNATIVE_LINK_NAME[ctl]"], recipe["ALTERNATIVE_TARGET[ctl]"]
    expect("the alternative is there, and its name is free",
           (image / target[1:]).exists() and not os.path.lexists(image / link[1:]))
    for init in ("systemd", "sysvinit"):
        expect(f"where {init} is the only init, there is only its file",
               f"-Dinits={init}" in Recipe(path, ["vial"], init).meson_options([]))
    small = Recipe(path, ["vial"], "systemd sysvinit")
    small.values["PACKAGECONFIG"] = "init"
    expect("without `vial boot` nothing starts it",
           not small["VIAL_INITS"] + small["SYSTEMD_SERVICE"] + small["INITSCRIPT_PACKAGES"])
    expect("what the classes of both inits look for is there",
           (image / recipe["systemd_system_unitdir"][1:] / recipe["SYSTEMD_SERVICE"]).exists() and
           os.access(image / "etc/init.d" / recipe["INITSCRIPT_NAME"], os.X_OK))
    expect_run("the program runs by it", [image / target[1:], "--version"])
    expect("the chosen feature is in it", b"DYN" in subprocess.check_output(["readelf", "-h", image / "usr/bin/vial"]))


main()
