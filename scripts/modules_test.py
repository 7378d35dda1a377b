# SPDX-License-Identifier: GPL-2.0
"""Tests of modules.py, and of KRSI's modules."""

import os
import unittest

import modules

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def crate(**files):
    """The dependencies of a crate; the names of files have _ for /."""
    sources = {name.replace("__", "/") + ".rs": text for name, text in files.items()}

    def read(file):
        if file not in sources:
            raise FileNotFoundError(file)
        return sources[file]

    edges = modules.Crate("root.rs", read).edges()
    return {
        file[:-3]: sorted(target[:-3] for target in targets)
        for file, targets in edges.items()
        if targets
    }


class Edges(unittest.TestCase):
    def test_paths_lead_to_modules(self):
        for text in (
            "use super::b;",
            "use super::b::{self, Thing};",
            "use super::{b::Thing as Other};",
            "use crate::b::*;",
            "fn f() { crate::b::g(); }",
            "fn f(x: super::b::Thing) {}",
            "macro_rules! m { () => { crate::b::g() } }",
            "mod tests { use super::super::b; }",
        ):
            with self.subTest(text=text):
                self.assertEqual(crate(root="mod a; mod b;", a=text, b=""), {"a": ["b"]})

    def test_other_words_do_not(self):
        for text in (
            "// use super::b;",
            "/* use super::b; */",
            "//! See [`super::b`].",
            '#[doc = "crate::b::g"] fn f() { "crate::b::g" }',
            'r#"crate::b::"g"#',
            "use other::b; fn f() { other::b::g() }",
            "mod tests { use super::Thing; }",
            "pub(crate) fn f() {}",
            "pub(in super::super) fn f() {}",
            "fn f<'b>(c: char) { c == 'b' }",
        ):
            with self.subTest(text=text):
                self.assertEqual(crate(root="mod a; mod b;", a=text, b=""), {})

    def test_what_follows_a_string_counts(self):
        text = "fn f() { \"\\\"\"; '\"'; b'\\''; r#\"\"\"#; crate::b::g() }"
        self.assertEqual(crate(root="mod a; mod b;", a=text, b=""), {"a": ["b"]})

    def test_trees_have_branches(self):
        edges = crate(
            root="mod a; mod b; mod c; mod d;",
            a="use crate::{b, c::{X, Y as Z}, d::*};",
            b="",
            c="",
            d="",
        )
        self.assertEqual(edges, {"a": ["b", "c", "d"]})

    def test_trees_can_be_nested(self):
        edges = crate(
            root="mod a; mod b;",
            a__mod="mod c; mod d;",
            a__c="use super::{super::{b::X}, d::Y};",
            a__d="",
            b="",
        )
        self.assertEqual(edges, {"a/c": ["a/d", "b"]})

    def test_children_are_found(self):
        edges = crate(
            root="mod a;",
            a__mod="mod b; mod c; pub(crate) use {b::f, c::g}; fn h() { b::i() }",
            a__b="use super::c;",
            a__c="",
        )
        self.assertEqual(edges, {"a/b": ["a/c"], "a/mod": ["a/b", "a/c"]})

    def test_what_a_parent_exports_is_the_parents(self):
        edges = crate(root="mod a;", a__mod="mod b; use b::X;", a__b="use super::X;")
        self.assertEqual(edges, {"a/mod": ["a/b"], "a/b": ["a/mod"]})

    def test_places_can_be_given(self):
        edges = crate(
            root='#[path = "x/y"] mod z { #[allow(dead_code)] mod a; } mod b;',
            x__y__a="",
            b="use crate::z::a::X;",
        )
        self.assertEqual(edges, {"b": ["x/y/a"]})
        edges = crate(root='#[path = "x/c.rs"] mod a; mod b;', x__c="", b="use super::a;")
        self.assertEqual(edges, {"b": ["x/c"]})

    def test_missing_files_are_errors(self):
        with self.assertRaisesRegex(OSError, "module a"):
            crate(root="mod a;")


class Circles(unittest.TestCase):
    def test_circles_are_found(self):
        edges = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a"}}
        self.assertEqual(modules.circles(edges), [["a", "b", "c"], ["d", "e"]])

    def test_diamonds_are_none(self):
        edges = {"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}
        self.assertEqual(modules.circles(edges), [])


class Krsi(unittest.TestCase):
    def circles(self, root):
        """The circles of a crate, which is large enough that it was understood."""
        crate = modules.Crate(os.path.join(TOP, "security/krsi", root))
        self.assertGreater(len(crate.files), 10)
        self.assertGreater(sum(map(len, crate.edges().values())), 20)
        return modules.circles(crate.edges())

    def test_blobs_and_boot_programs_have_no_circle(self):
        for circle in self.circles("krsi_main.rs"):
            self.assertFalse([file for file in circle if "/blob/" in file or "/boot/" in file])

    def test_checker_has_no_circle(self):
        self.assertEqual(self.circles("boot/krsi-boot-check.rs"), [])


if __name__ == "__main__":
    unittest.main()
