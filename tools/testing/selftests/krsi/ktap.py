# SPDX-License-Identifier: GPL-2.0
"""What the Python tests share: comparing, results in KTAP, and whether KRSI is active."""

import functools
import pathlib
import sys
import traceback

SKIP = 4

SECURITYFS = pathlib.Path("/sys/kernel/security")
LSMS = (SECURITYFS / "lsm").read_text().split(",")
ACTIVE = "krsi" in LSMS


class Skipped(Exception):
    """There is nothing to test here, and why."""


def needs_krsi(test):
    """A test that can only be made where KRSI is active."""

    @functools.wraps(test)
    def checked():
        if not ACTIVE:
            raise Skipped("krsi is not active")
        test()

    return checked


def equal(got, wanted, what=""):
    """Fails unless both are the same; of what is long, the message has the beginning."""
    assert got == wanted, f"{what}: {repr(got)[:2000]} instead of {repr(wanted)[:2000]}"


class Results:
    """One line for each test."""

    def __init__(self, count):
        self.done = self.failed = 0
        print(f"TAP version 13\n1..{count}", flush=True)

    def case(self, name, good, *why):
        self.done += 1
        self.failed += not good
        for line in () if good else why:
            print(f"# {line}")
        print(f"{'ok' if good else 'not ok'} {self.done} {name}", flush=True)


def skip_all(why):
    """Says that there is nothing to test here; returns the exit status for that."""
    print(f"TAP version 13\n1..0 # SKIP {why}")
    return SKIP


def run_all(names, clean_up=lambda: None):
    """Runs the functions named test_... among `names`, or those that the command line names.

    Calls clean_up() after each that failed: whatever went wrong, the next can run. Returns the
    exit status.
    """
    tests = [(name[5:], test) for name, test in names.items() if name.startswith("test_")]
    only = sys.argv[1:]
    tests = [(name, test) for name, test in tests if not only or name in only]
    results = Results(len(tests))
    for name, test in tests:
        why, skipped = [], ""
        try:
            test()
        except Skipped as reason:
            skipped = f" # SKIP {reason}"
        except Exception:
            why = traceback.format_exc().splitlines()
            clean_up()
        results.case(name + skipped, not why, *why)
    return 1 if results.failed else 0
