#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds vial's TOML reader against Python's, document by document.

    toml_differential.py TOML_DUMP [EMULATOR [COUNT [SEED]]]

EMULATOR runs a TOML_DUMP for another machine; empty: none.

Every document that vial accepts, Python's tomllib must accept with equal values; every document that
tomllib refuses, vial must refuse; and what vial alone refuses must be one of the few things that its subset
leaves out. The documents are the tricky ones below, random ones from a grammar, and mutations of both.
"""

import json
import random
import subprocess
import sys
import tomllib

# What the subset leaves out, by vial's own words.
LEFT_OUT = (
    "numbers with fractions are not supported",
    "dates and times are not supported",
    "this number is too large",
    "the NUL character is not supported",
    "nested more than 16 deep",
    "more than 8192 values",
    # TOML 1.0 forbids this too, but tomllib lets it pass where the table is only implied by a header.
    "and a dotted key cannot add to it",
)

SEEDS = [
    'a = 1\nb = "x"\n', "a.b.c = 1\na.b.d = 2\n", "[a]\nb = 1\n[a.c]\nd = 1\n", "[a.b]\nx = 1\n[a]\ny = 2\n",
    "[a]\n[a]\n", "[a.b]\n[a]\n[a]\n", "[[a]]\nx = 1\n[[a]]\nx = 2\n[a.b]\nc = 1\n", "[[a.b]]\n[a]\nx = 1\n[[a.b]]\n",
    "a = []\n[[a]]\n", "a = {}\n[a]\n", "a = {}\n[a.b]\n", "a = {b = 1}\na.c = 2\n", "a.b = 1\n[a]\n",
    "[a]\nb.c = 1\n[a.b]\n", "[a]\nb.c = 1\n[a.b.d]\nx = 1\n", "[a.b.c]\nz = 9\n[a]\nb.c.t = 1\n",
    "[a.b.c]\nz = 9\n[a]\nb.t = 1\n", "[[a]]\n[a]\n", "[a]\n[[a]]\n", "a = {b.c = 1, b.d = 2}\n", "a = {b = {}, b.c = 1}\n",
    "a = [1, 2, # c\n 3,\n]\n", "a = [\n\n]\n", "a = [,]\n", "a = [1,,2]\n", "a = {b = 1,}\n", "a = {b = 1\n}\n",
    "a = {\n}\n", "a = [{b = 1}, {c = 2}]\n", "a = [{b = [\n1\n]}]\n", 'a = """\nx\\\n   y"""\n', "a = '''\nx'y''z'''\n",
    'a = """"x"""""\n', "a = '''''x'''''\n", 'a = """x""""""\n', 'a = "\\u00e9\\U0001F600"\n', 'a = "\\ud800"\n',
    'a = "\\U00110000"\n', 'a = "\\x41"\n', 'a = "\\e"\n', 'a = "tab\there"\n', 'a = "\x7f"\n', "# \x01\n", "a = 1 \r\nb = 2\r\n",
    "a = 1\rb = 2\n", "a = '''x\r\ny'''\r\n", "a = 0x_1\n", "a = 0xFf_0\n", "a = 0b2\n", "a = 0o17\n", "a = +0x1\n", "a = 1__0\n",
    "a = _1\n", "a = 1_\n", "a = 01\n", "a = -0\n", "a = +0\n", "a = 00\n", "a = 0_1\n", "a = 9223372036854775807\n",
    "a = -9223372036854775808\n", "a = 9223372036854775808\n", "a = 1.5\n", "a = 1e5\n", "a = inf\n", "a = -nan\n",
    "a = 1979-05-27\n", "a = 1979-05-27 07:32:00\n", "a = 07:32:00\n", "a = true\nb = false\nc = True\n", "a = truey\n",
    '"" = 1\n', "'' = 1\n", '"a.b" = 1\na.b = 2\n', "a b = 1\n", "= 1\n", "a =\n", "a\n", "a = 1 b = 2\n", "[]\n", "[a\n", "[a]]\n",
    "[a.]\n", "[.a]\n", "[a..b]\n", "[ a . 'b' ]\nc = 1\n", "[[ a ]]\n", "[ [a]]\n", "[[a] ]\n", "[a] # c\n", "[a] b = 1\n",
    '"""a""" = 1\n', "\ufeffa = 1\n", "a = \"\\\n\"\n", 'a = """\\ x"""\n', 'a = """\\   \n\n  x"""\n', "a = 'x\n'\n",
    "1 = 1\n1.2 = 3\n", "-a_ = 1\n", "é = 1\n", '"é" = "é"\n', "a = 1\na = 2\n", "a = 1\n'a' = 2\n", "a = 1\na.b = 2\n",
    "a.b = 1\na = 2\n", "[a]\nb = 1\n[a.b]\n", "[a]\nb = 1\n[a.b.c]\n", "a = [[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]\n",
    "[fruit]\napple.color = 1\napple.taste.sweet = true\n[fruit.apple.texture]\nsmooth = true\n",
    "[[f]]\nname = 'a'\n[f.p]\nc = 1\n[[f.v]]\nn = 1\n[[f.v]]\nn = 2\n[[f]]\nname = 'b'\n[[f.v]]\nn = 3\n",
    "[f]\n[[f.v]]\n[f.v]\n", "f = [1]\n[f.a]\n", "[[a.b]]\n[a.b.c]\n[a.b.c]\n", "[[a.b]]\n[a.b.c]\n[[a.b]]\n[a.b.c]\n",
    "[[a]]\nb.c = 1\n[[a]]\nb.c = 1\n", "[a]\nb.c = 1\nb.d.e = 1\nb.d.f = 1\n", "x.a = 1\n[y]\n[x.b]\n", "x.a = 1\n[x.a.b]\n",
]

TOKENS = ["\n", "\r\n", " ", "\t", "=", ".", ",", "[", "]", "[[", "]]", "{", "}", "#", '"', "'", '"""', "'''", "\\", "\\u00e9", "\\n",
          "a", "b", "c", "a.b", "[a]", "[[a]]", "[a.b]", "[[a.b]]", "a = 1", "b.c = 2", "true", "false", "0", "1", "-1", "+1",
          "0x1F", "0o7", "0b1", "1_000", "'x'", '"y"', "{a = 1}", "[1, 2]", "é", "\x00", "\x1f", "\x7f", "\r", "\ufeff", "\U0001F600",
          "1.0", "1e3", "inf", "1979-05-27", "\\U0001F600", "\\\n  ", "_"]

rng = random.Random()


def key():
    return ".".join(rng.choice(["a", "b", "c", "d", "'a'", '"b"', '"x.y"', "1", "k-_"]) for _ in range(rng.choice([1, 1, 1, 2, 2, 3])))


def string():
    body = "".join(rng.choice(["x", " ", "é", "#", "=", "\t", "\\n", "\\\\", '\\"', "\\u0041", "'"]) for _ in range(rng.randrange(6)))
    lines = body + rng.choice(["\n", "\r\n", "\\\n   ", '"', '""', ""]) + body
    literal = body.replace("'", "")
    return rng.choice([f'"{body}"', f"'{literal}'", f'"""{lines}"""', f"'''\n{literal}\n{literal}'''", f'"""\n{lines}""" '])


def value(depth=0):
    kind = rng.randrange(8 if depth < 3 else 5)
    if kind < 2:
        return string()
    if kind == 2:
        return rng.choice(["true", "false"])
    if kind < 5:
        return rng.choice(["0", "-0", "+7", "1_0", "42", "0xBe_eF", "0o70", "0b10", "-9223372036854775808", "1.5", "12:00:00"])
    if kind < 7:
        gap = rng.choice(["", " ", "\n", " # c\n "])
        items = ("," + gap).join(value(depth + 1) for _ in range(rng.randrange(4)))
        return "[" + gap + items + (rng.choice(["", ","]) if items else "") + gap + "]"
    return "{" + ", ".join(f"{key()} = {value(depth + 1)}" for _ in range(rng.randrange(3))) + "}"


def document():
    lines = []
    for _ in range(rng.randrange(1, 9)):
        kind = rng.randrange(10)
        if kind < 2:
            lines.append(f"[{key()}]")
        elif kind < 4:
            lines.append(f"[[{key()}]]")
        elif kind == 4:
            lines.append(rng.choice(["# comment é", "", "   "]))
        else:
            lines.append(f"{key()} = {value()}" + rng.choice(["", " # c"]))
    return rng.choice(["\n", "\n", "\r\n"]).join(lines) + rng.choice(["", "\n"])


def mutate(text):
    for _ in range(rng.randrange(1, 4)):
        at, end = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
        end = min(end, at + 6)
        kind = rng.randrange(5)
        if kind == 0:
            text = text[:at] + text[end:]
        elif kind == 1:
            text = text[:at] + rng.choice(TOKENS) + text[at:]
        elif kind == 2:
            text = text[:at] + rng.choice(TOKENS) + text[end:]
        elif kind == 3:
            text = text[:at] + text[at:end] * 2 + text[end:]
        else:
            lines = text.split("\n")
            rng.shuffle(lines)
            text = "\n".join(lines)
    return text


def as_bytes(text):
    data = text.encode("utf-8", "surrogatepass")
    if rng.randrange(50) == 0 and data:
        at = rng.randrange(len(data))
        data = data[:at] + bytes([rng.randrange(256)]) + data[at + rng.randrange(2):]
    return data


def peer(data):
    """tomllib's tree, or None where it refuses."""
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        return None


def same(ours, theirs):
    """Equal, and of equal types: to Python True == 1."""
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return ours == theirs


def main():
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 20000
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    rng.seed(seed)
    command = [word for word in (*sys.argv[2:3], sys.argv[1]) if word]
    reader = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    accepted = failures = 0
    total = len(SEEDS) + count
    for number in range(total):
        if number < len(SEEDS):
            data = SEEDS[number].encode("utf-8")
        else:
            kind = rng.randrange(4)
            text = document() if kind < 2 else rng.choice(SEEDS) + rng.choice(SEEDS)
            data = as_bytes(text if kind == 0 else mutate(text))
        reader.stdin.write(b"%d\n" % len(data) + data)
        reader.stdin.flush()
        answer = reader.stdout.readline().decode("utf-8", "replace").rstrip("\n")
        theirs = peer(data)
        if answer.startswith("= "):
            accepted += 1
            wrong = "tomllib refuses it" if theirs is None else None
            if theirs is not None and not same(json.loads(answer[2:]), theirs):
                wrong = f"tomllib reads {theirs!r}"
        elif answer.startswith("! "):
            wrong = None
            if theirs is not None and not any(words in answer for words in LEFT_OUT):
                wrong = f"tomllib accepts it as {theirs!r}"
        else:
            wrong = "the reader died"
        if wrong:
            failures += 1
            print(f"document {number} of seed {seed}: {data!r}\n  vial: {answer}\n  {wrong}")
            if failures == 10 or wrong == "the reader died":
                break
    reader.stdin.close()
    reader.wait()
    print(f"toml: {total} documents, {accepted} accepted, {failures} differences")
    # A test that accepts next to nothing would compare next to nothing.
    return 1 if failures or accepted < total // 10 else 0


if __name__ == "__main__":
    sys.exit(main())
