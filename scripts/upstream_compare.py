#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""upstream_compare.py BPF KRSI DIFFERENCES: compare results of Linux's own tests.

BPF and KRSI are what scripts/vm.d/upstream printed under each LSM. DIFFERENCES
has a line for each result that may differ: the name of the test, results as
'OK -> FAIL', and the reason after '#'.

Prints the counts, the failures that both have, and each difference. The status
is 1 if one is not expected, if an expected one is not there, if a test of one
LSM has no result, or if a program did not run its tests.
"""

import re
import sys
from collections import Counter

MARK = re.compile(r"# upstream: (begin|end) (\S+)(?: (\d+))?$")
# `#3/1   lsm/attach:OK`, of test_progs.
PROGS = re.compile(r"#\d+(?:/\d+)?\s+(\S.*?):(OK|SKIP|FAIL)(?: .*)?$")
KTAP = re.compile(r"(?:# )?(not )?ok \d+ (?:- )?(.*?)\s*(?:# ?(SKIP|TODO|XFAIL)\b.*)?$")
EXPECTED = re.compile(r"(\S.*?)\s+(\w+) -> (\w+)\s+#\s*(\S.*)$")
MISSING = "MISSING"


def results(text):
    """The results of a run, by the name of the program and of the test."""
    found, program = {}, None
    for line in text.splitlines():
        line = line.strip("\r ")
        if mark := MARK.match(line):
            program = mark[2] if mark[1] == "begin" else None
            if mark[1] == "end":
                found[mark[2]] = "OK" if mark[3] in ("0", "4") else f"EXIT{mark[3]}"
        elif program and (test := PROGS.match(line)):
            found[f"{program}: {test[1]}"] = test[2]
        elif program and (test := KTAP.match(line)):
            result = "FAIL" if test[1] else "OK"
            found[f"{program}: {test[2]}"] = "SKIP" if test[3] == "SKIP" else result
    return found


def expected(text):
    """The differences that a file names, with their reasons."""
    found = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = EXPECTED.match(line)
        if not match:
            raise SystemExit(f"not 'TEST OLD -> NEW # REASON': {line}")
        found[match[1]] = (match[2], match[3], match[4])
    return found


def compare(bpf, krsi, known):
    """What to print, and whether all is as expected."""
    lines, good = [], True
    for name in sorted(bpf.keys() | krsi.keys() | known.keys()):
        pair = bpf.get(name, MISSING), krsi.get(name, MISSING)
        reason = known.get(name)
        if pair[0] == pair[1] and not reason:
            continue
        if reason and reason[:2] == pair:
            lines.append(f"{name}: {pair[0]} -> {pair[1]} # {reason[2]}")
            continue
        good = False
        note = f", expected {reason[0]} -> {reason[1]}" if reason else ""
        lines.append(f"UNEXPLAINED {name}: {pair[0]} -> {pair[1]}{note}")
    return lines, good


def broken(found):
    """The programs that have no result of a test, or ended otherwise than with good or bad ones."""
    tested = {name.partition(": ")[0] for name in found if ": " in name}
    programs = ((name, result) for name, result in found.items() if ": " not in name)
    return [
        f"BROKEN {name}: {result}"
        for name, result in sorted(programs)
        if name not in tested or result not in ("OK", "EXIT1")
    ]


def failing(bpf, krsi):
    """The tests that fail under both."""
    both = sorted(name for name in bpf if ": " in name and bpf[name] == krsi.get(name) == "FAIL")
    return [f"fails under both: {name}" for name in both]


def counts(found):
    """How many tests had each result."""
    tests = Counter(result for name, result in found.items() if ": " in name)
    return ", ".join(f"{n} {result}" for result, n in sorted(tests.items()))


def main(*paths):
    texts = []
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as file:
            texts.append(file.read())
    bpf, krsi, known = results(texts[0]), results(texts[1]), expected(texts[2])
    if not bpf or not krsi:
        raise SystemExit("there are no results")
    lines, good = compare(bpf, krsi, known)
    useless = broken(bpf) + broken(krsi)
    good = good and not useless
    print(f"bpf:  {counts(bpf)}")
    print(f"krsi: {counts(krsi)}")
    print("\n".join(failing(bpf, krsi) + useless + (lines or ["no difference"])))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
