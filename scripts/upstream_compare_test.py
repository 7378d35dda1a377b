#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of upstream_compare.py."""

import unittest

from upstream_compare import broken, compare, counts, expected, failing, results

BPF = """\
# upstream: begin bpf-lsm/test_lsm
#1/1     test_lsm/lsm_basic:OK
#1/2     test_lsm/lsm_tailcall:SKIP
#1       test_lsm:OK (SKIP: 1/2)
Summary: 1/1 PASSED, 1 SKIPPED, 0 FAILED
# upstream: end bpf-lsm/test_lsm 0
# upstream: begin lsm/lsm_list_modules_test
TAP version 13
1..2
ok 1 global.correct
not ok 2 global.wrong
# upstream: end lsm/lsm_list_modules_test 1
"""


class Compare(unittest.TestCase):
    def test_results(self):
        self.assertEqual(
            results(BPF),
            {
                "bpf-lsm/test_lsm: test_lsm/lsm_basic": "OK",
                "bpf-lsm/test_lsm: test_lsm/lsm_tailcall": "SKIP",
                "bpf-lsm/test_lsm: test_lsm": "OK",
                "bpf-lsm/test_lsm": "OK",
                "lsm/lsm_list_modules_test: global.correct": "OK",
                "lsm/lsm_list_modules_test: global.wrong": "FAIL",
                "lsm/lsm_list_modules_test": "EXIT1",
            },
        )
        self.assertEqual(counts(results(BPF)), "1 FAIL, 3 OK, 1 SKIP")

    def test_same(self):
        self.assertEqual(compare(results(BPF), results(BPF), {}), ([], True))

    def test_other_result(self):
        krsi = results(BPF.replace("lsm_basic:OK", "lsm_basic:FAIL"))
        lines, good = compare(results(BPF), krsi, {})
        self.assertFalse(good)
        self.assertEqual(lines, ["UNEXPLAINED bpf-lsm/test_lsm: test_lsm/lsm_basic: OK -> FAIL"])

    def test_explained(self):
        name = "bpf-lsm/test_lsm: test_lsm/lsm_basic"
        known = expected(f"# a comment\n\n{name} OK -> FAIL # because\n")
        krsi = results(BPF.replace("lsm_basic:OK", "lsm_basic:FAIL"))
        self.assertEqual(compare(results(BPF), krsi, known), ([f"{name}: OK -> FAIL # because"], True))
        # It is no longer there.
        self.assertFalse(compare(results(BPF), results(BPF), known)[1])

    def test_program_that_ran_no_test(self):
        self.assertEqual(broken(results(BPF)), [])
        none = "# upstream: begin bpf-lsm/none\n# upstream: end bpf-lsm/none 2\n"
        self.assertEqual(broken(results(BPF + none)), ["BROKEN bpf-lsm/none: EXIT2"])
        self.assertEqual(
            broken(results(none.replace("none 2", "none 0"))), ["BROKEN bpf-lsm/none: OK"]
        )
        killed = results(BPF.replace("modules_test 1", "modules_test 124"))
        self.assertEqual(broken(killed), ["BROKEN lsm/lsm_list_modules_test: EXIT124"])

    def test_both_fail(self):
        name = "lsm/lsm_list_modules_test: global.wrong"
        self.assertEqual(failing(results(BPF), results(BPF)), [f"fails under both: {name}"])
        krsi = results(BPF.replace("not ok 2", "ok 2"))
        self.assertEqual(failing(results(BPF), krsi), [])

    def test_missing(self):
        krsi = results(BPF[: BPF.index("# upstream: begin lsm/")])
        lines, good = compare(results(BPF), krsi, {})
        self.assertFalse(good)
        self.assertEqual(len(lines), 3)
        self.assertTrue(all("-> MISSING" in line for line in lines))

    def test_no_reason(self):
        with self.assertRaises(SystemExit):
            expected("name OK -> FAIL\n")


if __name__ == "__main__":
    unittest.main()
