#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts test cases over the logs that `meson test` left: tally.py [--strict] BUILD-DIRECTORY|LOG... [--emulated BUILD-DIRECTORY...]

A LOG is what another runner printed, ending with its own `N passed, N failed`.

Prints `N passed, N failed` and exits with 1 where anything failed. A doctest program counts by its own summary,
any other test as one; a directory where no test ran counts as one that failed. With --strict (for a machine that
has everything) so does a test that was skipped, but for those of programs that an emulator ran (--emulated), which has no
filters and few namespaces.
"""

import json
import re
import sys

SUMMARY = re.compile(r"test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed\s*\|\s*(\d+) skipped")


def count(test):
    """The (passed, failed, skipped) cases of one entry of testlog.json."""
    good = test["result"] in ("OK", "EXPECTEDFAIL")
    if test["result"] == "SKIP":
        return 0, 0, 1
    summary = SUMMARY.search(re.sub(r"\x1b\[[0-9;]*m", "", test.get("stdout") or ""))
    if not summary:
        return (1, 0, 0) if good else (0, 1, 0)
    _, passed, failed, skipped = map(int, summary.groups())
    if not good and not failed:
        failed = 1  # it crashed, leaked or ran out of time after its last case
    return passed, failed, skipped


def closing_line(log):
    """What a log's last `N passed, N failed` says; a log without one failed."""
    found = re.findall(r"^(\d+) passed, (\d+) failed$", log, re.MULTILINE)
    return (int(found[-1][0]), int(found[-1][1]), 0) if found else (0, 1, 0)


def main():
    strict = "--strict" in sys.argv
    passed = failed = skipped = 0
    for word in sys.argv[1:]:
        if word == "--emulated":
            strict = False
        if word.startswith("--"):
            continue
        if word.endswith(".log"):
            with open(word, encoding="utf-8", errors="replace") as log:
                counts = [closing_line(log.read())]
        else:
            try:
                with open(f"{word}/meson-logs/testlog.json", encoding="utf-8") as log:
                    counts = [count(json.loads(line)) for line in log]
            except FileNotFoundError:
                counts = [(0, 1, 0)]  # it did not come to any test
        passed += sum(column[0] for column in counts)
        failed += sum(column[1] + (column[2] if strict else 0) for column in counts)
        skipped += 0 if strict else sum(column[2] for column in counts)
    if skipped:
        print(f"{skipped} skipped")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(main())
