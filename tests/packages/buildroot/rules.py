#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The rules of layout in Buildroot's manual ("Coding style"), held against an external tree: rules.py DIRECTORY

Written after the manual and after what `utils/check-package` looks for, which is not to be had here.
"""
import pathlib
import re
import sys

ORDER = ["bool", "default", "depends", "select", "help"]
LENGTH = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
HEADER = ["#" * 80, "#", None, "#", "#" * 80, ""]
faults = []


def everywhere(lines):
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield number, "space at the end"
        if number > 1 and not line and not lines[number - 2]:
            yield number, "a second empty line"
    if not lines[-1]:
        yield len(lines), "an empty last line"


def config(lines):
    last, in_help, symbols, continued = 0, False, set(), False
    for number, line in enumerate(lines, 1):
        word = (line.split() or [""])[0]
        if re.match(r"(menuconfig|config|comment|if|endif|source|menu|endmenu|choice|endchoice)$", word):
            last, in_help = 0, False
            if line != line.lstrip():
                yield number, "is not to be indented"
            if word == "config" and line in symbols:
                yield number, "a second time"
            symbols.add(line)
        elif in_help:
            if line and not re.match(r"\t  .{1,62}$", line):
                yield number, "help is a tab, two spaces and at most 62 characters"
        elif continued:
            if not line.startswith("\t\t"):
                yield number, "a line that goes on is indented by two tabs"
        elif word in ORDER:
            if not line.startswith("\t" + word):
                yield number, "is to be indented by one tab"
            if ORDER.index(word) < last:
                yield number, "order: type, default, depends on, select, help"
            if line == "\tdefault n":
                yield number, "n is the default"
            last, in_help = ORDER.index(word), word == "help"
        continued = line.endswith("\\")


def makefile(lines, package):
    continued = in_define = False
    for number, (line, header) in enumerate(zip(lines, HEADER), 1):
        if header is not None and line != header:
            yield number, "the header is 80 hashes, one, the name, one, 80, an empty line"
    conditional = ("ifeq", "ifneq", "ifdef", "ifndef", "else", "endif")
    for number, line in enumerate(lines, 1):
        plain = line.startswith(("#", "define ", "endef", *conditional)) or not line
        if line.startswith("endef"):
            in_define = False
        if (continued or in_define) and not plain and not line.startswith("\t"):
            yield number, "is to be indented by a tab"
        if not (continued or in_define) and line.startswith("\t"):
            yield number, "is not to be indented"
        in_define = in_define or line.startswith("define ")
        variable = re.match(r"(?:define )?([A-Z0-9_]+_[A-Z0-9_]+)", line)
        if variable and not variable[1].startswith(package + "_"):
            yield number, f"{variable[1]} does not begin with {package}_"
        if re.search(r"[^$]\$\{\w+\}", line):
            yield number, "variables are written with $()"
        if re.search(r"(  |\t)\\$", line):
            yield number, "one space before a backslash"
        if continued and not line:
            yield number, "the line before goes on"
        continued = line.endswith("\\") and not line.startswith("#")


def hashes(lines):
    for number, line in enumerate(lines, 1):
        if line and not line.startswith("#"):
            found = re.match(r"(\w+)  ([0-9a-f]+)  \S+$", line)
            if not found or LENGTH.get(found[1]) != len(found[2]):
                yield number, "not TYPE  HASH  FILE"


for path in sorted(pathlib.Path(sys.argv[1]).rglob("*")):
    if not path.is_file() or path.suffix == ".xz":
        continue
    text = path.read_text()
    lines = text.removesuffix("\n").split("\n")
    found = list(everywhere(lines))
    if not text.endswith("\n"):
        found.append((len(lines), "no newline at the end"))
    if path.stat().st_mode & 0o111:
        found.append((1, "is executable"))
    if path.name == "Config.in":
        found += config(lines)
    elif path.suffix == ".mk" and path.name != "external.mk":
        found += makefile(lines, path.stem.upper())
    elif path.suffix == ".hash":
        found += hashes(lines)
    faults += [f"{path}:{number}: {fault}" for number, fault in found]

if faults:
    sys.exit("\n".join(faults))
