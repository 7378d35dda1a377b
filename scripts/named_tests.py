#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks that the tests that a document names exist.

named_tests.py DOCUMENT...

A document names a test as ``PROGRAM: TEST``, where PROGRAM is a test program of
tools/testing/selftests/krsi without its ending, and TEST is FIXTURE.NAME, NAME or
the function of a test in Python.
"""

import pathlib
import re
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent / "tools/testing/selftests/krsi"
NAMED = re.compile(r"``(\w+_test): ([\w.]+)``")
IN_C = re.compile(r"^TEST(?:_F|_F_TIMEOUT|_SIGNAL|_TIMEOUT)?\((\w+)(?:, (\w+))?", re.MULTILINE)
IN_PYTHON = re.compile(r"^def test_(\w+)\(", re.MULTILINE)


def tests_of(program, directory=TESTS):
    """The names of the tests of a program; none if there is no such program."""
    source = directory / f"{program}.c"
    if source.exists():
        found = set()
        for first, second in IN_C.findall(source.read_text()):
            found.add(first)
            if second and not second.isdigit():
                found.add(f"{first}.{second}")
        return found
    source = directory / f"{program}.py"
    return set(IN_PYTHON.findall(source.read_text())) if source.exists() else set()


def missing(text, directory=TESTS):
    """The (program, test) pairs that a document names in vain, and how many it names."""
    named = NAMED.findall(text)
    return [(p, t) for p, t in named if t not in tests_of(p, directory)], len(named)


def main(documents):
    status = 0
    for name in documents:
        lost, count = missing(pathlib.Path(name).read_text())
        for program, test in lost:
            print(f"{name}: there is no test {program}: {test}")
        if lost or not count:
            status = 1
        if not count:
            print(f"{name}: names no test")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
