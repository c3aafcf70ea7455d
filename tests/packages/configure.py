#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Stands for `make menuconfig`: configure.py MENU FILE [SYMBOL=VALUE...] writes FILE with these settings.

Buildroot and OpenWrt have the kernel's language of menus, which Debian's kconfiglib reads. Prints the comments that are
to be seen, and fails where a setting did not come to be, as when something that it depends on is missing. A symbol's
name begins in FILE with what CONFIG_ of the environment says.
"""
import sys

import kconfiglib

menu, file, *words = sys.argv[1:]
configuration = kconfiglib.Kconfig(menu, warn_to_stderr=False)
settings = dict(word.split("=", 1) for word in words)
for symbol, value in settings.items():
    configuration.syms[symbol].set_value(value)
if configuration.warnings:
    sys.exit("\n".join(configuration.warnings))

for node in configuration.node_iter():
    if node.item == kconfiglib.COMMENT and kconfiglib.expr_value(node.dep):
        print(node.prompt[0])
for symbol, value in settings.items():
    if configuration.syms[symbol].str_value != value:
        sys.exit(f"{symbol} cannot be {value}")
configuration.write_config(file)
