#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of named_tests.py, and that the documents name tests that exist."""

import pathlib
import tempfile
import unittest

import named_tests

TOP = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = [TOP / "Documentation/security/krsi-threat-model.rst"]


class NamedTests(unittest.TestCase):
    def test_documents(self):
        for document in DOCUMENTS:
            lost, count = named_tests.missing(document.read_text())
            self.assertEqual(lost, [], document.name)
            self.assertGreater(count, 0, document.name)

    def test_missing(self):
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            (directory / "a_test.c").write_text(
                "TEST(alone)\n{\n}\nTEST_F_TIMEOUT(fix, one, 120)\n{\n}\n"
            )
            (directory / "b_test.py").write_text("def test_two():\n    pass\n")
            for text, lost in (
                ("``a_test: alone`` ``a_test: fix.one`` ``b_test: two``", []),
                ("``a_test: one``", [("a_test", "one")]),
                ("``a_test: fix.two``", [("a_test", "fix.two")]),
                ("``c_test: alone``", [("c_test", "alone")]),
                ("``b_test: test_two``", [("b_test", "test_two")]),
            ):
                self.assertEqual(named_tests.missing(text, directory)[0], lost, text)


if __name__ == "__main__":
    unittest.main()
