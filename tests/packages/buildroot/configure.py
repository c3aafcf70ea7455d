#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Stands for Buildroot's configuration: configure.py FILE [SYMBOL=VALUE...] writes FILE with these settings.

Debian's kconfiglib reads the same language. Prints the comments that are to be seen, and fails where a setting did
not come to be, as when something that it depends on is missing.
"""
import os
import sys

import kconfiglib

os.environ["CONFIG_"] = ""  # what begins a symbol's name in FILE
os.chdir(os.path.dirname(__file__))
configuration = kconfiglib.Kconfig("Config.in", warn_to_stderr=False)
settings = dict(word.split("=", 1) for word in sys.argv[2:])
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
configuration.write_config(sys.argv[1])
