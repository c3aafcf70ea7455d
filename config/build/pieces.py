#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Finds the pieces that packed literals are made of (src/base/packed.h), and writes src/base/pieces.inc.

To be run by hand once many texts have changed: an old list serves new texts too, only a little less well.
"""
import collections
import pathlib
import re

MOST, LONGEST = 128, 14
source = pathlib.Path(__file__).resolve().parents[2] / "src"
literal = re.compile(r'((?:"(?:[^"\\\n]|\\.)*"\s*)+)_p\b|R"\(((?:(?!\)").)*)\)"_p\b', re.S)


def texts():
    """Every packed literal once: the compiler keeps one of each, too."""
    found = set()
    for path in sorted(source.glob("*/*.cc")):
        for plain, raw in literal.findall(path.read_text()):
            parts = re.findall(r'"((?:[^"\\]|\\.)*)"', plain)
            found.add(raw or "".join(parts).encode().decode("unicode_escape"))
    return sorted(found)


def split(text, pieces):
    """The shortest way to write `text`, as the compiler will find it."""
    length = [0] * (len(text) + 1)
    choice = [1] * len(text)
    for at in range(len(text) - 1, -1, -1):
        length[at] = length[at + 1] + 1
        for size in range(2, min(LONGEST, len(text) - at) + 1):
            if text[at:at + size] in pieces and length[at + size] + 1 < length[at]:
                length[at], choice[at] = length[at + size] + 1, size
    at = 0
    while at < len(text):
        yield text[at:at + choice[at]]
        at += choice[at]


def usage(all_texts, pieces):
    return collections.Counter(part for text in all_texts for part in split(text, pieces) if len(part) > 1)


def main():
    all_texts = texts()
    counts = collections.Counter()
    for text in all_texts:
        for size in range(2, LONGEST + 1):
            counts.update(text[at:at + size] for at in range(len(text) - size + 1))
    # Neither the sign between pieces nor that for a pattern's values may be in one.
    good = {piece: count * (len(piece) - 1) - len(piece) for piece, count in counts.items()
            if count > 2 and not set(piece) & set('%|\n\t"\\')}
    pieces = set(sorted(good, key=good.get, reverse=True)[:2000])
    used = usage(all_texts, pieces)
    pieces = {piece for piece in pieces if used[piece] > 2}
    while True:
        # What a piece is worth: what its places would cost without it, less its own place in the list.
        used = usage(all_texts, pieces)
        worth = {piece: used[piece] * (len(list(split(piece, pieces - {piece}))) - 1) - len(piece) - 1 for piece in pieces}
        excess = len(pieces) - MOST
        worst = sorted(pieces, key=lambda piece: (worth[piece], piece))[:max(1, excess // 6)]
        if excess <= 0 and worth[worst[0]] > 0:
            break
        pieces -= set(worst)
    # What is used most comes first: it is found fastest.
    used = usage(all_texts, pieces)
    row = "|".join(sorted(pieces, key=lambda piece: (-used[piece], piece)))
    lines = [row[at:at + 100] for at in range(0, len(row), 100)]
    (source / "base/pieces.inc").write_text("".join(f'"{line}"\n' for line in lines))
    before = sum(len(text) for text in all_texts)
    after = sum(len(list(split(text, pieces))) for text in all_texts) + len(row)
    print(f"{len(all_texts)} texts, {before} bytes; packed, with the pieces: {after}")


main()
