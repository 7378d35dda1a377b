#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of bench_report.py."""

import pathlib
import tempfile
import unittest

import bench_report as report

NONE = """\
info release 7.3.4
row getpgid/idle ns 320.00 321.00 330.00
row read/idle ns 1000.00
row object/inode bytes 16.00
"""

BPF = """\
info lsm bpf
info programs_max 36
row getpgid/idle ns 332.00
row getpgid/1 ns 480.00
row read/idle ns 1010.00
row read/noop ns 1200.00
row task_storage/noop ns 490.00
row task_storage/get ns 530.00
row attach/one us 5000.00
"""

KRSI = """\
row getpgid/idle ns 321.00
row getpgid/1 ns 390.00
row getpgid/64 ns 1234.00
row read/idle ns 1000.00
row read/noop ns 1300.00
row task_storage/noop ns 400.00
row task_storage/get ns 430.00
row inode_kept_blob/noop ns 440.00
row inode_kept_blob/get ns 452.00
row object/inode bytes 56.00
row object/inode-reserved bytes 120.00
row attach/one us 12.30
"""


def results(**boots):
    made = report.Results()
    for variant, text in boots.items():
        report.add_boot(made, variant, text)
    return made


class Read(unittest.TestCase):
    def test_median_of_a_boot(self):
        self.assertEqual(results(none=NONE).value("getpgid/idle", "none"), 321)

    def test_boots_add_up(self):
        made = report.Results()
        for value in 100, 104, 101:
            report.add_boot(made, "krsi", f"row a/idle ns {value} 200 {value}")
        row = made.rows["a/idle"]
        self.assertEqual(row.per_boot("krsi"), [100, 104, 101])
        self.assertEqual(row.value("krsi"), 101)
        self.assertEqual(row.minimum("krsi"), 100)
        self.assertAlmostEqual(row.spread("krsi"), 4 / 101)

    def test_absent(self):
        row = results(none=NONE).rows["read/idle"]
        self.assertIsNone(row.value("krsi"))
        self.assertIsNone(row.minimum("krsi"))
        self.assertEqual(row.spread("krsi"), 0)

    def test_info(self):
        self.assertEqual(results(bpf=BPF).info["bpf"]["programs_max"], "36")
        self.assertEqual(results(bpf="info a b c").info["bpf"]["a"], "b c")

    def test_spread_of_scaling(self):
        one, two = "row contention/idle-1 calls/s 1 1\n", "row contention/idle-2 calls/s 1 3\n"
        made = results(krsi=one + two)
        report.add_scaling(made)
        self.assertEqual(made.rows["contention/idle-scaling"].spread("krsi"), 1)

    def test_rubbish_is_refused(self):
        for text in "row a/b ns", "bench: link failed", "row a/b ns fast":
            with self.assertRaises(ValueError):
                results(none=text)
        with self.assertRaises(ValueError):
            results(none="row a/b ns 1", bpf="row a/b us 1")

    def test_directory(self):
        time = "row contention/noop-1 calls/s 100 200\nrow contention/noop-2 calls/s 150 400\n"
        with tempfile.TemporaryDirectory() as name:
            raw = pathlib.Path(name) / "raw"
            raw.mkdir()
            for file, text in {
                "none.1": NONE,
                "krsi.1": KRSI,
                "krsi.1.console": "[    0.000000] Linux",
                "bpf.time": time,
                "size": "with text 10\nwith data 20\n",
            }.items():
                (raw / file).write_text(text)
            made = report.collect(pathlib.Path(name))
        self.assertEqual(made.variants(), ["none", "bpf", "krsi"])
        self.assertEqual(list(made.rows)[:2], ["getpgid/idle", "getpgid/1"])
        self.assertEqual(made.sizes, {"with": {"text": 10, "data": 20}})
        self.assertEqual(made.value("contention/noop-scaling", "bpf"), 1.75)


class Compare(unittest.TestCase):
    def setUp(self):
        self.results = results(none=NONE, bpf=BPF, krsi=KRSI)

    def test_above_no_lsm(self):
        self.assertEqual(report.above(self.results, "getpgid/1", "krsi"), 69)
        self.assertEqual(report.above(self.results, "getpgid/idle", "bpf"), 11)
        self.assertEqual(report.above(self.results, "read/noop", "bpf"), 200)

    def test_storage_is_above_its_own_program(self):
        self.assertEqual(report.above(self.results, "task_storage/get", "krsi"), 30)
        self.assertEqual(report.above(self.results, "task_storage/noop", "bpf"), 0)

    def test_blobs_are_above_their_own_program(self):
        self.assertEqual(report.above(self.results, "inode_kept_blob/get", "krsi"), 12)

    def test_objects_are_above_those_without_slots(self):
        self.assertEqual(report.above(self.results, "object/inode-reserved", "krsi"), 64)
        self.assertEqual(report.above(self.results, "object/inode", "krsi"), 40)

    def test_nothing_to_compare_with(self):
        self.assertIsNone(report.above(self.results, "attach/one", "krsi"))
        self.assertIsNone(report.above(self.results, "getpgid/64", "bpf"))
        self.assertIsNone(report.ratio(self.results, "getpgid/64"))
        self.assertIsNone(report.above(results(krsi=KRSI), "getpgid/1", "krsi"))

    def test_behind(self):
        self.assertEqual(report.behind(self.results), ["read/noop"])

    def test_not_behind_within_the_spread(self):
        made = results(bpf="row a/idle ns 100", krsi="row a/idle ns 100.5")
        report.add_boot(made, "krsi", "row a/idle ns 103")
        self.assertEqual(report.behind(made), [])


class Show(unittest.TestCase):
    def setUp(self):
        self.results = results(krsi=KRSI, bpf=BPF, none=NONE)

    def test_no_row_is_left_out(self):
        made = results(krsi=KRSI + "row new/thing ns 1\nrow memory/first bytes 2\n")
        shown = [row for section in report.sections(made, "icount") for row in section.rows]
        self.assertCountEqual(shown, made.rows)

    def test_cells(self):
        section = report.sections(self.results, "icount")[0]
        heading, *lines = report.cells(self.results, section)
        self.assertEqual(heading[:4], ["One hook", "no BPF LSM", "bpf", "krsi"])
        self.assertEqual(heading[4:], ["bpf above", "krsi above", "krsi/bpf", "spread"])
        self.assertEqual(lines[1][1:], ["-", "480", "390", "+159", "+69", "0.81", "0.0%"])
        self.assertEqual(lines[2][1:], ["-", "-", "1,234", "-", "+913", "-", "0.0%"])

    def test_sections_of_blobs(self):
        named = {section.title: section for section in report.sections(self.results, "icount")}
        self.assertEqual(named["Blobs"].rows, ["inode_kept_blob/noop", "inode_kept_blob/get"])
        rows = named["Memory of objects"].rows
        labels = [report.label(row) for row in rows]
        self.assertEqual(labels, ["inode", "inode, 64 bytes reserved"])
        self.assertEqual(
            report.label("inode_kept_blob/get"), "inode, kept in an attribute: get and increment"
        )

    def test_the_boot_reserves_what_the_text_says(self):
        script = pathlib.Path(__file__).with_name("bench.sh").read_text()
        classes = [f"{name}:{report.RESERVED}" for name in ("cred", "task", "file", "inode")]
        self.assertIn("krsi.blob=" + ",".join(classes), script)

    def test_one_variant(self):
        made = results(krsi=KRSI)
        for section in report.sections(made, "icount"):
            for line in report.cells(made, section):
                self.assertEqual(len(line), 4 if section.compares else 3)

    def test_numbers(self):
        self.assertEqual(report.number(None, "ns"), "-")
        self.assertEqual(report.number(-0.2, "ns", "+"), "+0")
        self.assertEqual(report.number(12.34, "us"), "12.3")
        self.assertEqual(report.number(5123.4, "us"), "5,123")
        self.assertEqual(report.number(0.456, "x"), "0.46")

    def test_documentation(self):
        page = report.documentation(self.results, "icount", 3, "plot.svg")
        self.assertIn(":Kernel: 7.3.4\n", page)
        self.assertIn(":Boots of each: 3;", page)
        self.assertIn("kernel-figure:: plot.svg", page)
        self.assertFalse([line for line in page.splitlines() if line != line.rstrip()])

    def test_sizes(self):
        self.results.sizes = {"with": {"text": 1200}, "without": {"text": 1000}}
        self.assertEqual(
            report.size_lines(self.results),
            [["part", "KRSI=n", "KRSI=y", "difference"], ["text", "1,000", "1,200", "+200"]],
        )
        self.assertIn("+200", report.table(self.results, "icount"))

    def test_json(self):
        row = report.as_json(self.results, "icount", "default", 1)["rows"]["getpgid/1"]
        self.assertEqual(row["unit"], "ns")
        self.assertEqual(row["variants"]["krsi"]["above"], 69)


if __name__ == "__main__":
    unittest.main()
