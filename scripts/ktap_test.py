#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of ktap.py: above all, that nothing wrong passes."""

import contextlib
import io
import pathlib
import tempfile
import unittest

import ktap

KSELFTEST = """\
TAP version 13
1..4
# Starting 4 tests from 1 test cases.
#  RUN           global.allow ...
#            OK  global.allow
ok 1 global.allow
#  RUN           global.deny ...
# deny.c:12:deny:Expected 0 (0) == ret (-1)
not ok 2 global.deny
ok 3 # SKIP needs root
ok 4 - dashed
# Totals: pass:2 fail:1 xfail:0 xpass:0 skip:1 error:0
"""

KUNIT = """\
KTAP version 1
1..1
    KTAP version 1
    # Subtest: krsi_hooks
    1..3
    ok 1 table
        KTAP version 1
        # Subtest: variants
        ok 1 sleepable
        ok 2 plain # SKIP not built
    ok 2 variants
    # defaults: EXPECTATION FAILED at hooks.rs:10
    not ok 3 defaults
# krsi_hooks: pass:2 fail:1 skip:0 total:3
not ok 1 krsi_hooks
"""

CARGO = """\
   Compiling krsi v0.1.0
     Running unittests src/main.rs

running 2 tests
test cli::tests::intervals ... ok
test kernel::tests::slow ... ignored, needs a kernel

test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out

     Running tests/cli.rs

running 1 test
test status ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out

# krsi-test: end cargo 0
"""


def results(text):
    return [(t.name, t.result) for t in ktap.parse(text.splitlines())]


def begin_end(name, body, status=0):
    return f"# krsi-test: begin {name}\n{body}# krsi-test: end {name} {status}\n"


def cargo(text):
    return [(t.name, t.result) for t in ktap.parse_cargo(text.splitlines())]


class Cargo(unittest.TestCase):
    def test_results(self):
        expected = [
            ("cli::tests::intervals", ktap.PASS),
            ("kernel::tests::slow", ktap.SKIP),
            ("status", ktap.PASS),
        ]
        self.assertEqual(cargo(CARGO), expected)

    def test_failure(self):
        text = CARGO.replace("status ... ok", "status ... FAILED").replace("cargo 0", "cargo 101")
        self.assertIn(("status", ktap.FAIL), cargo(text))
        self.assertEqual(len(cargo(text)), 3)

    def test_tests_that_are_missing(self):
        self.assertIn(("plan", ktap.FAIL), cargo(CARGO.replace("test status ... ok\n", "")))
        self.assertIn(("plan", ktap.FAIL), cargo("# krsi-test: end cargo 0\n"))

    def test_failure_to_build(self):
        text = "error: could not compile `krsi`\n# krsi-test: end cargo 101\n"
        self.assertIn(("plan", ktap.FAIL), cargo(text))
        self.assertIn(("status", ktap.FAIL), cargo(CARGO.replace("cargo 0", "cargo 101")))

    def test_no_end(self):
        self.assertIn(("end", ktap.FAIL), cargo(CARGO[: CARGO.index("# krsi-test")]))
        self.assertIn(("end", ktap.FAIL), cargo(""))


class Parse(unittest.TestCase):
    def test_kselftest(self):
        self.assertEqual(
            results(KSELFTEST),
            [
                ("global.allow", ktap.PASS),
                ("global.deny", ktap.FAIL),
                ("test 3", ktap.SKIP),
                ("dashed", ktap.PASS),
            ],
        )

    def test_failure_keeps_its_output(self):
        test = ktap.parse(KSELFTEST.splitlines())[1]
        self.assertIn("# deny.c:12:deny:Expected 0 (0) == ret (-1)", test.output)

    def test_kunit_counts_leaves(self):
        self.assertEqual(
            results(KUNIT),
            [
                ("krsi_hooks.table", ktap.PASS),
                ("krsi_hooks.variants.sleepable", ktap.PASS),
                ("krsi_hooks.variants.plain", ktap.SKIP),
                ("krsi_hooks.defaults", ktap.FAIL),
            ],
        )

    def test_failed_parent_of_passing_children(self):
        text = "1..1\n    1..1\n    ok 1 child\nnot ok 1 parent\n"
        self.assertEqual(results(text), [("parent.child", ktap.PASS), ("parent", ktap.FAIL)])

    def test_plan_not_met(self):
        self.assertEqual(results("1..2\nok 1 one\n")[-1], ("plan", ktap.FAIL))
        text = "1..1\n    1..2\n    ok 1 child\nok 1 parent\n"
        self.assertIn(("parent.plan", ktap.FAIL), results(text))

    def test_nothing_but_a_plan(self):
        self.assertEqual(results("1..3\n"), [("plan", ktap.FAIL)])

    def test_everything_skipped(self):
        self.assertEqual(results("1..0 # SKIP no BPF LSM\n"), [("all", ktap.SKIP)])


class Boot(unittest.TestCase):
    def one(self, body, status=0):
        return ktap.parse_boot(begin_end("t", body, status).splitlines())[0][1]

    def test_status_disagrees(self):
        self.assertEqual(self.one("1..1\nok 1 a\n", 139)[-1].result, ktap.FAIL)

    def test_no_output(self):
        self.assertEqual([t.result for t in self.one("", 0)], [ktap.FAIL])
        self.assertEqual([t.result for t in self.one("", 4)], [ktap.SKIP])

    def test_cut_short(self):
        text = "# krsi-test: begin t\n1..2\nok 1 a\n"
        tests = ktap.parse_boot(text.splitlines())[0][1]
        self.assertIn(ktap.FAIL, [t.result for t in tests])

    def test_next_begins_before_end(self):
        text = "# krsi-test: begin a\nok 1 x\n" + begin_end("b", "ok 1 y\n")
        programs = dict(ktap.parse_boot(text.splitlines()))
        self.assertEqual(programs["a"][0].result, ktap.FAIL)
        self.assertEqual(programs["b"][0].result, ktap.PASS)


class Splats(unittest.TestCase):
    def found(self, line):
        return len(ktap.splats([line]))

    def test_found(self):
        for line in (
            "[    1.000000] WARNING: kernel/bpf/trampoline.c:7 at f+0x1/0x2, CPU#0: a/1",
            "[    1.000000][   T12] WARNING: possible circular locking dependency detected",
            "[    1.000000] WARNING: suspicious RCU usage",
            "[    1.000000] BUG: kernel NULL pointer dereference, address: 0",
            "[    1.000000] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
            "[    1.000000] INFO: task a:1 blocked for more than 120 seconds.",
            "[    1.000000] Kernel panic - not syncing: Fatal exception",
        ):
            self.assertEqual(self.found(line), 1, line)

    def test_harmless(self):
        for line in (
            "[    0.500000] RETBleed: WARNING: Spectre v2 mitigation leaves CPU vulnerable",
            "[    0.500000] INFO: harmless",
            "[    0.500000] LSM: initializing lsm=landlock,krsi",
            "WARNING: written by a program",
        ):
            self.assertEqual(self.found(line), 0, line)

    def test_one_splat_counts_once(self):
        lines = ["[ 1.0] WARNING: a.c:1 at f", "[ 1.0] Call Trace:", "[ 1.0]  f+0x1"]
        self.assertEqual(len(ktap.splats(lines)), 1)

    def test_injected_failure(self):
        def lines(comm):
            return [
                f"[ 1.0] {comm}: vmalloc error: size 4096, vm_struct allocation failed",
                "[ 1.0] CPU: 1 UID: 0 PID: 135 Comm: a Tainted: G        W",
                "[ 1.0] Tainted: [W]=WARN",
                "[ 1.0] Call Trace:",
                "[ 1.0]  <TASK>",
            ]

        self.assertEqual(ktap.splats(lines("sweep_test")), [])
        self.assertEqual(len(ktap.splats(lines("other"))), 1)
        self.assertEqual(len(ktap.splats(lines("sweep_test") + ["[ 1.0] WARNING: a.c:1 at f"])), 1)
        self.assertEqual(len(ktap.splats(lines("sweep_test")[1:])), 1)

    def race(self, *frames):
        return [
            "[ 1.0] ==================================================================",
            f"[ 1.0] BUG: KCSAN: data-race in {frames[0]} / other",
            "[ 1.0] ",
            "[ 1.0] write to 0xffff888104b5a2b0 of 8 bytes by task 71 on cpu 1:",
            *(f"[ 1.0]  {frame}+0x1/0x2" for frame in frames),
            "[ 1.0] ",
            "[ 1.0] read to 0xffff888104b5a2b0 of 8 bytes by task 70 on cpu 0:",
            "[ 1.0]  other+0x1/0x2",
            "[ 1.0] ",
            "[ 1.0] value changed: 0x0 -> 0x1",
            "[ 1.0] ",
            "[ 1.0] Reported by Kernel Concurrency Sanitizer on:",
            "[ 1.0] ==================================================================",
        ]

    def test_race_of_krsi(self):
        for frames in (
            ["krsi_run"],
            ["_RNvNtCs1_4krsi6attach4link"],
            ["list_add", "refcount_inc", "krsi_link_prog"],
        ):
            others = []
            self.assertEqual(len(ktap.splats(self.race(*frames), others)), 1, frames)
            self.assertEqual(others, [])

    def test_race_of_unknown_origin(self):
        lines = self.race("x")[:3] + [
            "[ 1.0] race at unknown origin, with read to 0xffff888104b5a2b0 of 8 bytes by task 1 on cpu 0:",
            "[ 1.0]  krsi_find_prog+0x1/0x2",
        ]
        self.assertEqual(len(ktap.splats(lines)), 1)

    def test_race_of_linux(self):
        others = []
        lines = self.race("a", "b", "c", "krsi_run") + ["[ 1.0] WARNING: a.c:1 at f"]
        self.assertEqual([s[0] for s in ktap.splats(lines, others)], [lines[-1]])
        self.assertEqual(len(others), 1)

    def test_race_that_cannot_be_read(self):
        self.assertEqual(len(ktap.splats(["[ 1.0] BUG: KCSAN: assert: race in f"])), 1)


class Main(unittest.TestCase):
    def run_main(self, boots):
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            for boot, (out, console, status) in boots.items():
                (directory / f"{boot}.out").write_text(out)
                (directory / f"{boot}.console").write_text(console)
                (directory / f"{boot}.status").write_text(status)
            text = io.StringIO()
            with contextlib.redirect_stdout(text):
                status = ktap.main(directory)
            return status, text.getvalue().splitlines()

    GOOD = begin_end("t", "1..1\nok 1 a\n")
    BAD = begin_end("t", "1..1\nnot ok 1 a\n", 1)
    CLEAN = "[    0.1] Linux\n"

    def test_good(self):
        boots = {"krsi": (self.GOOD, self.CLEAN, "0"), "bpf": (self.GOOD, self.CLEAN, "0")}
        status, lines = self.run_main(boots)
        self.assertEqual((status, lines[-1]), (0, "5 passed, 0 failed, 0 skipped"))

    def test_failure_shows_the_kernel_log(self):
        console = "[ 0.1] krsi-test: begin t\n[ 0.2] krsi: denied\n[ 0.3] krsi-test: end t\n"
        status, lines = self.run_main({"krsi": (self.BAD, console, "0")})
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed, 0 skipped"))
        self.assertIn("      [ 0.2] krsi: denied", lines)

    def test_everything_that_must_fail(self):
        for what, boots in {
            "no boots": {},
            "no tests": {"krsi": ("", self.CLEAN, "0")},
            "the VM died": {"krsi": (self.GOOD, self.CLEAN, "1")},
            "no console": {"krsi": (self.GOOD, "", "0")},
            "a splat": {"krsi": (self.GOOD, "[    1.0] BUG: sleeping function\n", "0")},
            "different": {
                "krsi": (begin_end("t", "1..1\nok 1 a # SKIP why\n"), self.CLEAN, "0"),
                "bpf": (self.GOOD, self.CLEAN, "0"),
            },
            "not run on krsi": {
                "krsi": (begin_end("u", "1..1\nok 1 a\n"), self.CLEAN, "0"),
                "bpf": (self.GOOD, self.CLEAN, "0"),
            },
        }.items():
            self.assertEqual(self.run_main(boots)[0], 1, what)

    def test_one_console(self):
        for text, status in (
            (self.CLEAN, 0),
            ("", 1),
            (self.CLEAN + "[    1.0] WARNING: kernel/bpf/core.c:1 at f\n", 1),
        ):
            with tempfile.TemporaryDirectory() as name:
                path = pathlib.Path(name) / "console"
                path.write_text(text)
                with contextlib.redirect_stdout(io.StringIO()):
                    self.assertEqual(ktap.judge_console(path), status)


if __name__ == "__main__":
    unittest.main()
