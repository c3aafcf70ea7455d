#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""seccomp.py PROFILE CONFIG: the OCI configuration CONFIG with the default profile of the container tools (their
seccomp.json) for a container that has no capability of note, as they would hand it to crun. Printed."""

import json
import platform
import sys

MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


def applies(rule, machine):
    """Whether a rule is for this machine and for who has none of the capabilities it asks for."""
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    if includes.get("caps") or machine in excludes.get("arches", []):
        return False
    return machine in includes.get("arches", [machine])


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        profile = json.load(file)
    with open(sys.argv[2], encoding="utf-8") as file:
        config = json.load(file)
    machine = MACHINES.get(platform.machine(), platform.machine())
    rules = []
    for rule in profile["syscalls"]:
        if not applies(rule, machine):
            continue
        kept = {"names": rule["names"], "action": rule["action"]}
        if rule.get("errnoRet") is not None:
            kept["errnoRet"] = rule["errnoRet"]
        if rule.get("args"):
            kept["args"] = rule["args"]
        rules.append(kept)
    architectures = []
    for family in profile["archMap"]:
        if family["architecture"] == "SCMP_ARCH_" + platform.machine().upper():
            architectures = [family["architecture"], *(family["subArchitectures"] or [])]
    config["linux"]["seccomp"] = {
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile.get("defaultErrnoRet", 1),
        "architectures": architectures,
        "syscalls": rules,
    }
    json.dump(config, sys.stdout)


if __name__ == "__main__":
    main()
