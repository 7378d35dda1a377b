#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Judges what scripts/test.sh collected and prints the verdict.

ktap.py DIRECTORY
ktap.py --console FILE

For each boot NAME the directory holds NAME.out, what scripts/vm.d/tests wrote,
NAME.console, the kernel's log, and NAME.status, the status of the virtual
machine. NAME.cargo is what `cargo test` wrote, with an end mark that has its
status. Anything that cannot be understood counts as a failure: a program
without its end, a plan that is not met, a boot without tests.

With --console, shows the splats of one kernel log; the status is 1 if there are
any, or no log.
"""

import dataclasses
import pathlib
import re
import sys

PASS, FAIL, SKIP = "passed", "failed", "skipped"

RESULT = re.compile(r"( *)(not )?ok (\d+)(?: -)?(?: +([^#]*?))?(?: *# *(\w+)(.*))?$")
PLAN = re.compile(r"( *)1\.\.(\d+)(?: *# *SKIP(.*))?$")
MARKER = re.compile(r"# krsi-test: (begin|end) (\S+)(?: (\d+))?$")
KSFT_SKIP = 4

CARGO_PLAN = re.compile(r"running (\d+) tests?$")
CARGO_RESULT = re.compile(r"test (.+?) \.\.\. (ok|FAILED|ignored)(?:, (.*))?$")
CARGO_WORDS = {"ok": PASS, "FAILED": FAIL, "ignored": SKIP}

# A splat's first line. Only lines of the kernel begin with a time stamp.
TIME = r"\[ *\d+\.\d+\](?:\[[^]]*\])? "
SPLAT = re.compile(
    TIME + r"(WARNING: |BUG: |Oops|INFO: |rcu: INFO: .*(stall|detected)|Kernel panic"
    r"|general protection fault|kernel BUG|UBSAN: |ODEBUG: |rust_kernel: panicked"
    r"|refcount_t: |list_(add|del) corruption|DEBUG_LOCKS_WARN_ON"
    r"|Call Trace:|watchdog: |workqueue: .*lockup|unchecked MSR)"
)
# INFO: is also how some harmless messages begin.
HARMLESS = re.compile(TIME + r"INFO: (?!task |rcu|trying to register|lockdep is turned off)")

# What precedes the call trace of an allocation that a test has fail.
INJECTED = re.compile(TIME + r"sweep_test: (vmalloc error|page allocation failure): ")
INJECTED_LINES = 4

# The beginnings of a KCSAN report, of each of its two accesses, and of its end.
RACE = re.compile(TIME + r"BUG: KCSAN: ")
ACCESS = re.compile(TIME + r"(race at unknown origin, with )?(read|write|assert no \w+)\b.* (by|to) ")
RACE_END = re.compile(TIME + r"Reported by Kernel Concurrency Sanitizer")
# Callers that are looked at: an accessor, a list or a lock, and who uses it.
NEAREST = 3


@dataclasses.dataclass
class Test:
    """One result: a leaf of the KTAP tree."""

    name: str
    result: str
    why: str = ""
    output: list = dataclasses.field(default_factory=list)


def parse(lines):
    """Returns the tests of one KTAP document.

    A result line closes the more deeply indented results before it: they are
    its subtests and carry its name. It counts by itself only when it has none,
    or when it failed and none of them did.
    """
    levels = {}  # indentation -> [tests, result lines seen, plan]
    output = []

    def level(indent):
        return levels.setdefault(indent, [[], 0, None])

    def close(indent, name):
        """Takes the results deeper than indent; complains about their plans."""
        tests = []
        for deeper in sorted(i for i in levels if i > indent):
            found, seen, plan = levels.pop(deeper)
            tests += found
            if plan is not None and seen != plan:
                tests.append(Test("plan", FAIL, f"{plan} tests planned, {seen} reported"))
        for test in tests:
            test.name = f"{name}.{test.name}" if name else test.name
        return tests

    for line in lines:
        if match := PLAN.match(line):
            this = level(len(match[1]))
            this[2] = int(match[2])
            if this[2] == 0 and match[3] is not None:
                this[0].append(Test("all", SKIP, match[3].strip()))
            continue
        match = RESULT.match(line)
        if not match:
            output.append(line)
            continue
        indent, directive = len(match[1]), (match[5] or "").upper()
        name = match[4] or f"test {match[3]}"
        result = FAIL if match[2] else PASS
        if directive in ("SKIP", "XFAIL", "TODO"):
            result = SKIP
        why = (match[6] or "").strip() if directive else ""
        subtests = close(indent, name)
        this = level(indent)
        this[1] += 1
        this[0] += subtests
        if not subtests or (result == FAIL and all(t.result != FAIL for t in subtests)):
            this[0].append(Test(name, result, why, output))
        if subtests:
            for test in subtests:
                if test.result == FAIL and not test.output:
                    test.output = output
        output = []
    return close(-1, "")


def parse_boot(lines):
    """Returns [(program, tests)] of one boot."""
    programs, current, body = [], None, []
    for line in lines:
        match = MARKER.match(line)
        if not match:
            body.append(line)
        elif match[1] == "begin":
            if current:
                programs.append((current, [Test("end", FAIL, "never ended", body)]))
            current, body = match[2], []
        elif current == match[2]:
            programs.append((current, judge(body, int(match[3] or 1))))
            current = None
    if current:
        tests = parse(body) + [Test("end", FAIL, "the VM ended during it", body[-40:])]
        programs.append((current, tests))
    return programs


def judge(body, status):
    """The tests of a program that ended with status."""
    tests = parse(body)
    if not tests:
        if status == KSFT_SKIP:
            return [Test("all", SKIP, " ".join(body[-1:]))]
        return [Test("all", FAIL, f"no test ran (status {status})", body)]
    if status not in (0, KSFT_SKIP) and all(t.result != FAIL for t in tests):
        tests.append(Test("status", FAIL, f"it ended with status {status}", body[-40:]))
    return tests


def parse_cargo(lines):
    """The tests of what `cargo test` wrote: several programs, one after another."""
    tests, planned, status = [], 0, None
    for line in lines:
        if match := CARGO_PLAN.match(line):
            planned += int(match[1])
        elif match := CARGO_RESULT.match(line):
            tests.append(Test(match[1], CARGO_WORDS[match[2]], match[3] or ""))
        elif match := MARKER.match(line):
            status = int(match[3] or 1)
    if len(tests) != planned or not tests:
        tests.append(Test("plan", FAIL, f"{planned} tests planned, {len(tests)} reported"))
    if status is None:
        tests.append(Test("end", FAIL, "never ended"))
    elif status and all(t.result != FAIL for t in tests):
        tests.append(Test("status", FAIL, f"it ended with status {status}"))
    # The reasons of all are together, at the end.
    for test in tests:
        if test.result == FAIL:
            test.output = lines
            break
    return tests


def race(console, number):
    """The KCSAN report that begins there, without the line that ends it."""
    lines = console[number : number + 100]
    for length, line in enumerate(lines):
        if RACE_END.match(line):
            return lines[:length]
    return lines


def in_krsi(report):
    """Whether one of the accesses is KRSI's: it, or its callers, name it.

    Call chains often have a hook in them, hence only the nearest callers.
    """
    accesses = [i for i, line in enumerate(report) if ACCESS.match(line)]
    nearest = [line for i in accesses for line in report[i + 1 : i + 1 + NEAREST]]
    return not accesses or any("krsi" in line for line in nearest)


def splats(console, others=None):
    """The splats in a kernel log, each with the lines that follow it.

    Data races of Linux with itself are none; they are added to others.
    """
    found, until = [], -1
    for number, line in enumerate(console):
        if number < until or not SPLAT.match(line) or HARMLESS.match(line):
            continue
        before = console[max(0, number - INJECTED_LINES) : number]
        if "Call Trace:" in line and any(INJECTED.match(b) for b in before):
            continue
        until = number + 40
        if RACE.match(line):
            report = race(console, number)
            until = number + len(report)
            if not in_krsi(report):
                if others is not None:
                    others.append(report)
                continue
        found.append(console[number:until])
    return found


def compare(ours, theirs):
    """The tests of two boots whose results differ, as [(name, ours, theirs)]."""
    ours, theirs = dict(ours), dict(theirs)
    differ = []
    for program in theirs:
        a = {t.name: t.result for t in ours.get(program, [])}
        b = {t.name: t.result for t in theirs[program]}
        for name in sorted(a.keys() | b.keys()):
            if a.get(name) != b.get(name):
                differ.append((f"{program}.{name}", a.get(name, "absent"), b.get(name, "absent")))
    return differ


def log_of(program, console):
    """What the kernel logged while the program ran."""
    begin = f"krsi-test: begin {program}"
    end = f"krsi-test: end {program}"
    lines, inside = [], False
    for line in console:
        if line.endswith(begin):
            inside = True
        elif end in line:
            inside = False
        elif inside:
            lines.append(line)
    return lines


def show(title, lines, limit=60):
    print(f"    {title}:")
    if len(lines) > limit:
        print(f"      ({len(lines) - limit} lines left out)")
    for line in lines[-limit:]:
        print(f"      {line}")


def read(path):
    return path.read_text(errors="replace").splitlines() if path.exists() else []


def main(directory):
    count = {PASS: 0, FAIL: 0, SKIP: 0}
    boots = {}

    def add(name, test, log=()):
        count[test.result] += 1
        if test.result == PASS:
            return
        word = "FAIL" if test.result == FAIL else "skip"
        print(f"{word}  {name}" + (f": {test.why}" if test.why else ""))
        if test.result == FAIL:
            if test.output:
                show("output", test.output)
            if log:
                show("kernel log", log)

    for cargo in sorted(directory.glob("*.cargo")):
        for test in parse_cargo(read(cargo)):
            add(f"{cargo.stem}: {test.name}", test)

    for status in sorted(directory.glob("*.status")):
        boot = status.stem
        console = read(directory / f"{boot}.console")
        programs = boots[boot] = parse_boot(read(directory / f"{boot}.out"))
        for program, tests in programs:
            log = log_of(program, console)
            for test in tests:
                add(f"{boot}: {program}.{test.name}", test, log)
        if not programs:
            add(boot, Test("", FAIL, "no test ran", read(directory / f"{boot}.err")), console[-60:])
        if status.read_text().strip() != "0":
            why = f"the VM ended with status {status.read_text().strip()}"
            add(boot, Test("", FAIL, why, read(directory / f"{boot}.err")), console[-60:])
        # A clean log is a test too: one that every boot has to pass.
        others = []
        dirty = splats(console, others)
        if others:
            print(f"note  {boot}: {len(others)} data races without KRSI")
            for report in others:
                print(f"      {report[0]}")
        for splat in dirty:
            add(f"{boot}: the kernel log is clean", Test("", FAIL, splat[0]), splat)
        if not dirty:
            add(boot, Test("", PASS if console else FAIL, "there is no kernel log"))

    if "krsi" in boots and "bpf" in boots:
        differ = compare(boots["krsi"], boots["bpf"])
        for name, ours, theirs in differ:
            add(f"the same verdicts: {name}", Test("", FAIL, f"{ours} on krsi, {theirs} on bpf"))
        if boots["bpf"] and not differ:
            add("the same verdicts", Test("", PASS))
    if not boots:
        print("no test ran")
    print(f"{count[PASS]} passed, {count[FAIL]} failed, {count[SKIP]} skipped")
    return 1 if count[FAIL] or not count[PASS] else 0


def judge_console(path):
    """Shows the splats in a kernel log; the status is 1 if there are any."""
    console = read(path)
    dirty = splats(console)
    for splat in dirty:
        show(splat[0], splat)
    if not console:
        print("there is no kernel log")
    return 1 if dirty or not console else 0


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--console":
        sys.exit(judge_console(pathlib.Path(sys.argv[2])))
    if len(sys.argv) != 2:
        sys.exit("usage: ktap.py DIRECTORY | ktap.py --console FILE")
    sys.exit(main(pathlib.Path(sys.argv[1])))
