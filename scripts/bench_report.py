#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Makes a table, results.json and a plot of what scripts/bench.sh collected.

bench_report.py [--documentation DIR] DIRECTORY

DIRECTORY/raw holds a file a boot, VARIANT.ROUND, with what the measuring
program printed: see tools/testing/selftests/krsi/bench/bench.c. A boot's value
of a row is the median of what it printed, a row's value the median of its
boots; the spread is the distance between the lowest and the highest boot.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import statistics
import sys
from collections.abc import Callable

# The boots, in the order of the table's columns.
VARIANTS = {"without": "KRSI=n", "none": "no BPF LSM", "bpf": "bpf", "krsi": "krsi"}

# How far krsi may be above bpf and still count as equal: one more timer tick.
TOLERANCE = 0.001


@dataclasses.dataclass
class Row:
    """What one row's boots measured."""

    unit: str
    boots: dict[str, list[list[float]]] = dataclasses.field(default_factory=dict)

    def per_boot(self, variant: str) -> list[float]:
        return [statistics.median(values) for values in self.boots.get(variant, [])]

    def value(self, variant: str) -> float | None:
        boots = self.per_boot(variant)
        return statistics.median(boots) if boots else None

    def minimum(self, variant: str) -> float | None:
        return min((min(values) for values in self.boots.get(variant, [])), default=None)

    def spread(self, variant: str) -> float:
        """The distance between boots, relative to the row's value."""
        boots, value = self.per_boot(variant), self.value(variant)
        if self.unit == "x":
            # A single boot, in which the values were measured in turn.
            boots = [v for values in self.boots.get(variant, []) for v in values]
        return (max(boots) - min(boots)) / value if value else 0.0


@dataclasses.dataclass
class Results:
    """Everything that was measured."""

    rows: dict[str, Row] = dataclasses.field(default_factory=dict)
    info: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    sizes: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)

    def value(self, row: str, variant: str) -> float | None:
        return self.rows[row].value(variant) if row in self.rows else None

    def variants(self) -> list[str]:
        return [v for v in VARIANTS if any(v in row.boots for row in self.rows.values())]


@dataclasses.dataclass
class Section:
    """A part of the table."""

    title: str
    text: str
    rows: list[str] = dataclasses.field(default_factory=list)
    #: are there baselines to compare with?
    compares: bool = True


def add_boot(results: Results, variant: str, text: str) -> None:
    """Adds what one boot printed."""
    for line in text.splitlines():
        word, *rest = line.split()
        if word == "info" and len(rest) >= 2:
            results.info.setdefault(variant, {})[rest[0]] = " ".join(rest[1:])
        elif word == "row" and len(rest) >= 3:
            name, unit, values = rest[0], rest[1], [float(v) for v in rest[2:]]
            row = results.rows.setdefault(name, Row(unit))
            if row.unit != unit:
                raise ValueError(f"{name} is in {row.unit} and in {unit}")
            row.boots.setdefault(variant, []).append(values)
        else:
            raise ValueError(f"cannot understand {line!r}")


def add_scaling(results: Results) -> None:
    """Derives what two CPUs do together, in terms of what one does."""
    for case in "idle", "noop":
        one, two = (results.rows.get(f"contention/{case}-{n}") for n in (1, 2))
        if not one or not two:
            continue
        row = results.rows.setdefault(f"contention/{case}-scaling", Row("x"))
        for variant in one.boots:
            pairs = zip(one.boots[variant], two.boots[variant], strict=True)
            row.boots[variant] = [[t / o for o, t in zip(a, b, strict=True)] for a, b in pairs]


def collect(directory: pathlib.Path) -> Results:
    """Reads a directory of boots."""
    results = Results()
    raw = directory / "raw"
    # What runs programs has more rows, hence gives their order.
    for variant in reversed(VARIANTS):
        for path in sorted(raw.glob(f"{variant}.*")):
            if path.suffix != ".console":
                add_boot(results, variant, path.read_text())
    add_scaling(results)
    if (raw / "size").exists():
        for line in (raw / "size").read_text().splitlines():
            name, part, size = line.split()
            results.sizes.setdefault(name, {})[part] = int(size)
    return results


def baseline(name: str, variant: str) -> tuple[str, str] | None:
    """The row and the variant that a cell is compared with, if any."""
    op, case = name.split("/", 1)
    if op.endswith(("_storage", "_blob")):
        return (f"{op}/noop", variant)
    if op == "object":
        reserved = case.endswith("-reserved")
        return (name.removesuffix("-reserved"), variant if reserved else "none")
    if case in ("idle", "noop", "deny", "fentry", "sleepable") or case.isdigit():
        return (f"{op}/idle", "none")
    return None


def above(results: Results, name: str, variant: str) -> float | None:
    """How far a cell is above its baseline."""
    base = baseline(name, variant)
    value = results.value(name, variant)
    base_value = results.value(*base) if base else None
    return None if value is None or base_value is None else value - base_value


def ratio(results: Results, name: str) -> float | None:
    krsi, bpf = results.value(name, "krsi"), results.value(name, "bpf")
    return None if krsi is None or not bpf else krsi / bpf


def behind(results: Results) -> list[str]:
    """The rows in which krsi costs more than bpf, beyond what boots differ by."""
    names = []
    for name, row in results.rows.items():
        quotient = ratio(results, name)
        if quotient is None or row.unit in ("x", "calls/s"):
            continue
        if quotient > 1 + max(TOLERANCE, row.spread("krsi"), row.spread("bpf")):
            names.append(name)
    return names


LABELS = {
    "getpgid/idle": "getpgid(1), nothing attached",
    "getpgid/1": "+ 1 program that returns 0",
    "getpgid/deny": "+ 1 program that denies",
    "getpgid/fentry": "+ 1 fentry program on the stub",
    "ioctl/idle": "ioctl(), nothing attached",
    "ioctl/1": "+ 1 program",
    "ioctl/sleepable": "+ 1 sleepable program",
    "read/idle": "read 1 byte",
    "read/noop": "read 1 byte",
    "pipe/idle": "pipe ping-pong",
    "pipe/noop": "pipe ping-pong",
    "attach/one": "attach one program",
    "detach/one": "detach one program",
    "attach/all": "attach a program to every hook",
    "detach/all": "detach them all",
    "memory/first": "first program of a hook",
    "memory/further": "further program of a hook",
    "boot/init": "boot until init",
    "exec_args/argv1": "read argv[1]",
    "exec_args/env100": "look a variable up among 100",
    "contention/idle-scaling": "getpgid(1), nothing attached",
    "contention/noop-scaling": "getpgid(1), 1 program",
}

STORAGE = {"noop": "program that does nothing", "get": "get and increment", "first": "first touch"}

BLOBS = {
    "inode_kept": "inode, kept in an attribute",
    "inode_boot": "inode, of a boot program",
    "cred_boot": "cred, of a boot program",
}

#: what scripts/bench.sh reserves in each class
RESERVED = 64


EXEC_ARGS = {
    "copy": "copy_from_user() of {}, per byte",
    "read": "krsi_bprm_read() of {}, per byte",
    "read-ratio": "krsi_bprm_read() of {}, copies",
    "dump": "krsi_bprm_dump() of {}, per byte",
    "dump-ratio": "krsi_bprm_dump() of {}, copies",
}


def label(name: str) -> str:
    op, case = name.split("/", 1)
    if name in LABELS:
        return LABELS[name]
    if case.isdigit():
        return f"+ {case} programs"
    if op.endswith("_storage"):
        return f"{op.removesuffix('_storage')}: {STORAGE.get(case, case)}"
    if op.endswith("_blob"):
        what = op.removesuffix("_blob")
        return f"{BLOBS.get(what, what)}: {STORAGE.get(case, case)}"
    if op == "object":
        return case.replace("-reserved", f", {RESERVED} bytes reserved")
    if op == "exec_args":
        size = "2m-short" if case.endswith("-2m-short") else case.rsplit("-", 1)[-1]
        return EXEC_ARGS[case.removesuffix(f"-{size}")].format(size)
    if case in ("idle", "noop"):
        return op.replace("+", " + ")
    return name


def sections(results: Results, clock: str) -> list[Section]:
    """Sorts the rows into the table's parts; none is left out."""
    unit = "Instructions" if clock == "icount" else "Nanoseconds"
    per_operation = f"{unit} per operation"

    parts = [
        Section("One hook", f"{unit} per system call."),
        Section("System calls, nothing attached", f"{per_operation}."),
        Section(
            "System calls, a program on every hook",
            f"{per_operation}; each program returns 0.",
        ),
        Section(
            "Local storage",
            f"{unit} per system call; above: above a program that does nothing.",
        ),
        Section(
            "Blobs",
            f"{unit} per system call; above: above a program that does nothing.",
        ),
        Section(
            "Memory of objects",
            "Bytes of a blob, which the LSM framework allocates with each object, for all LSMs."
            f" For {RESERVED} bytes reserved, above: above the blob with nothing reserved.",
        ),
        Section("Attaching", "Microseconds, including the grace periods.", compares=False),
        Section(
            "Memory",
            "Bytes per attached program, with its link and file, without machine code.",
            compares=False,
        ),
        Section("Boot", "Microseconds.", compares=False),
        Section(
            "Two CPUs",
            "Calls of both together, as a multiple of the calls of one alone."
            + (" If the two are emulated in turn, the maximum is 1." if clock == "icount" else ""),
            compares=False,
        ),
        Section(
            "Arguments of an exec",
            f"{unit}; copies: as a multiple of copy_from_user() of as many bytes."
            " \"short\": strings of 64 bytes.",
            compares=False,
        ),
        Section("Others", "", compares=False),
    ]
    part = {section.title: section.rows for section in parts}
    for name, row in results.rows.items():
        op, case = name.split("/", 1)
        if op in ("getpgid", "ioctl"):
            part["One hook"].append(name)
        elif op.endswith("_storage"):
            part["Local storage"].append(name)
        elif op.endswith("_blob"):
            part["Blobs"].append(name)
        elif op == "object":
            part["Memory of objects"].append(name)
        elif op == "contention":
            if row.unit == "x":
                part["Two CPUs"].append(name)
        elif op == "exec_args":
            part["Arguments of an exec"].append(name)
        elif op in ("attach", "detach"):
            part["Attaching"].append(name)
        elif op in ("memory", "boot"):
            part[op.capitalize()].append(name)
        elif case in ("idle", "noop"):
            what = "nothing attached" if case == "idle" else "a program on every hook"
            part[f"System calls, {what}"].append(name)
        else:
            part["Others"].append(name)
    return [section for section in parts if section.rows]


def number(value: float | None, unit: str, sign: str = "") -> str:
    if value is None:
        return "-"
    digits = 2 if unit in ("x", "ns/byte") else 1 if unit == "us" and abs(value) < 1000 else 0
    # No "-0": it is a rounded nothing.
    return f"{round(value, digits) + 0.0:{sign},.{digits}f}"


def cells(results: Results, section: Section) -> list[list[str]]:
    """A section as text, the heading first."""
    variants = results.variants()
    compared = [v for v in ("bpf", "krsi") if v in variants] if section.compares else []
    both = {"bpf", "krsi"} <= set(variants)
    heading = [section.title, *(VARIANTS[v] for v in variants)]
    heading += [f"{v} above" for v in compared]
    lines = [heading + (["krsi/bpf"] if both else []) + ["spread"]]
    for name in section.rows:
        row = results.rows[name]
        line = [label(name)]
        line += [number(row.value(v), row.unit) for v in variants]
        line += [number(above(results, name, v), row.unit, "+") for v in compared]
        if both:
            line.append(number(ratio(results, name), "x"))
        line.append(f"{max(row.spread(v) for v in variants):.1%}")
        lines.append(line)
    return lines


def columns(lines: list[list[str]], widths: list[int]) -> list[str]:
    """Lines of text, with the first column to the left and the others to the right."""
    text = []
    for first, *others in lines:
        padded = [cell.rjust(w) for cell, w in zip(others, widths[1:], strict=True)]
        text.append("  ".join([first.ljust(widths[0]), *padded]).rstrip())
    return text


def widths(lines: list[list[str]]) -> list[int]:
    return [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]


def table(results: Results, clock: str) -> str:
    """The table for a terminal."""
    parts = [cells(results, section) for section in sections(results, clock)]
    first = max((widths(part)[0] for part in parts), default=0)
    text = []
    for part in parts:
        text += columns(part, [first, *(max(w, 10) for w in widths(part)[1:])]) + [""]
    if results.sizes:
        lines = size_lines(results)
        lines[0][0] = "Image size in bytes"
        text += columns(lines, [first, *widths(lines)[1:]]) + [""]
    return "\n".join(text)


def size_lines(results: Results) -> list[list[str]]:
    """The kernel's size, compared if there is one to compare with."""
    kernels = [k for k in ("without", "with") if k in results.sizes]
    names = {"without": "KRSI=n", "with": "KRSI=y"}
    both = len(kernels) == 2
    lines = [["part", *(names[k] for k in kernels)] + (["difference"] if both else [])]
    for part in results.sizes[kernels[0]]:
        sizes = [results.sizes[k][part] for k in kernels]
        line = [part, *(f"{size:,}" for size in sizes)]
        lines.append(line + ([f"{sizes[1] - sizes[0]:+,}"] if both else []))
    return lines


def rst_table(lines: list[list[str]]) -> list[str]:
    size = widths(lines)
    rule = "  ".join("=" * w for w in size)
    text = columns(lines, size)
    return [rule, text[0], rule, *text[1:], rule, ""]


def rst_heading(text: str, underline: str) -> list[str]:
    return [text, underline * len(text), ""]


PAGE = """\
.. SPDX-License-Identifier: GPL-2.0
..
   Generated: 'make bench' in KRSI's development tree boots the kernel, measures
   with tools/testing/selftests/krsi/bench and writes this file and its plot.

===================
KRSI: cost of hooks
===================

The same kernel image was booted with no BPF LSM, with ``lsm=...,bpf`` and with
``lsm=...,krsi``, in a virtual machine whose clock counts an instruction as a
nanosecond. *Above* is the difference from the same operation with no BPF LSM,
*spread* the relative difference between the highest and the lowest boot.

:Kernel: {release}
:Boots of each: {rounds}; the values are medians
:Spectre v2: {spectre_v2}
:Hooks that accept programs: {attachable}
:Programs per hook: {programs_max} on mainline, any number on KRSI

.. kernel-figure:: {plot}
   :alt: cost of hooks above the same kernel with no BPF LSM

To measure time on real hardware, build the benchmark and run it as root after
each of three boots, with ``lsm=`` as above::

	make -C tools/testing/selftests/krsi/bench OUTPUT=/tmp/bench
	/tmp/bench/bench

"""


def documentation(results: Results, clock: str, rounds: int, plot: str) -> str:
    """The page of Documentation."""
    # The same in all boots, as far as a boot says it.
    info = {key: value for of in results.info.values() for key, value in of.items()}
    keys = ("release", "spectre_v2", "attachable", "programs_max")
    page = PAGE.format(rounds=rounds, plot=plot, **{key: info.get(key, "unknown") for key in keys})
    text = []
    for section in sections(results, clock):
        lines = cells(results, section)
        lines[0][0] = "row"
        text += rst_heading(section.title, "=")
        if section.text:
            text += [section.text, ""]
        text += rst_table(lines)
    if results.sizes:
        text += [*rst_heading("Image size", "="), "Bytes.", "", *rst_table(size_lines(results))]
    return page + "\n".join(text).rstrip() + "\n"


def as_json(results: Results, clock: str, mitigations: str, rounds: int) -> dict:
    return {
        "clock": clock,
        "mitigations": mitigations,
        "rounds": rounds,
        "info": results.info,
        "sizes": results.sizes,
        "rows": {
            name: {
                "unit": row.unit,
                "variants": {
                    v: {
                        "median": row.value(v),
                        "minimum": row.minimum(v),
                        "spread": round(row.spread(v), 5),
                        "above": above(results, name, v),
                        "boots": row.per_boot(v),
                    }
                    for v in row.boots
                },
            }
            for name, row in results.rows.items()
        },
        "behind": behind(results),
    }


COLOURS = {"bpf": "#e07a1f", "krsi": "#1f6fb4"}


@dataclasses.dataclass
class Panel:
    """A part of the plot: what draws it, and the rows that it shows."""

    draw: Callable
    rows: list[str]


def panels(results: Results) -> list[Panel]:
    """Those parts of the plot that there is something for."""
    counts, calls = [], []
    for name in results.rows:
        op, case = name.split("/", 1)
        if op == "getpgid" and (case == "idle" or case.isdigit()):
            counts.append(name)
        elif op not in ("getpgid", "ioctl") and baseline(name, "") == (f"{op}/idle", "none"):
            calls.append(name)
    calls.sort(key=lambda name: name.endswith("/noop"))
    times = [f"{op}/{what}" for what in ("one", "all") for op in ("attach", "detach")]
    times = [name for name in times if name in results.rows]
    parts = [Panel(draw_counts, counts), Panel(draw_calls, calls), Panel(draw_times, times)]
    return [panel for panel in parts if panel.rows]


def draw_counts(axis, results: Results, rows: list[str], variants: list[str], unit: str) -> None:
    for variant in variants:
        points = []
        for name in rows:
            more = above(results, name, variant)
            if more is not None:
                points.append((int(name.split("/")[1].replace("idle", "0")), more))
        x, y = [p[0] for p in points], [p[1] for p in points]
        axis.plot(x, y, marker="o", markersize=4, label=variant, color=COLOURS[variant])
    axis.set(title="One hook", xlabel="programs", ylabel=f"{unit} above no BPF LSM", xlim=0, ylim=0)


def draw_calls(axis, results: Results, rows: list[str], variants: list[str], unit: str) -> None:
    for i, variant in enumerate(variants):
        percent = []
        for name in rows:
            base = results.value(name.split("/")[0] + "/idle", "none")
            more = above(results, name, variant)
            percent.append(100 * more / base if base and more is not None else 0)
        y = [row + 0.4 * i for row in range(len(rows))]
        axis.barh(y, percent, 0.38, label=variant, color=COLOURS[variant])
    names = [label(n) + (" (nothing attached)" if n.endswith("/idle") else "") for n in rows]
    axis.set_yticks([row + 0.2 * (len(variants) - 1) for row in range(len(rows))], names)
    axis.invert_yaxis()
    axis.set(title="System calls, a program on every hook", xlabel="% above no BPF LSM")


def draw_times(axis, results: Results, rows: list[str], variants: list[str], unit: str) -> None:
    for i, variant in enumerate(variants):
        values = [results.value(name, variant) or 0 for name in rows]
        x = [row + 0.4 * i for row in range(len(rows))]
        bars = axis.bar(x, values, 0.38, label=variant, color=COLOURS[variant])
        axis.bar_label(bars, [number(value, "us") for value in values], fontsize=7)
    names = [name.replace("/", "\n") for name in rows]
    axis.set_xticks([row + 0.2 * (len(variants) - 1) for row in range(len(rows))], names)
    axis.set(title="Attaching", ylabel="µs", yscale="log")


def plot(results: Results, clock: str, paths: list[pathlib.Path]) -> None:
    """Draws what can be drawn of the rows there are."""
    # Only here: the rest, and its tests, do without.
    import matplotlib

    matplotlib.use("Agg")
    # The same results make the same file, and its text stays text.
    matplotlib.rcParams.update({"svg.hashsalt": "krsi", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot

    unit = "instructions" if clock == "icount" else "ns"
    variants = [variant for variant in COLOURS if variant in results.variants()]
    parts = panels(results)
    if not parts or not variants:
        return
    size = (4.8 * len(parts), 3.8)
    figure, axes = pyplot.subplots(1, len(parts), figsize=size, squeeze=False, layout="constrained")
    for axis, panel in zip(axes[0], parts, strict=True):
        panel.draw(axis, results, panel.rows, variants, unit)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].legend(frameon=False)
    for path in paths:
        svg = path.suffix == ".svg"
        figure.savefig(path, metadata={"Date": None, "Creator": None} if svg else None, dpi=120)
        if svg:
            lines = (line.rstrip() for line in path.read_text().splitlines())
            path.write_text("\n".join(lines) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clock", default="icount")
    parser.add_argument("--mitigations", default="default")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--documentation", type=pathlib.Path)
    parser.add_argument("directory", type=pathlib.Path)
    args = parser.parse_args()

    results = collect(args.directory)
    if not results.rows:
        print("nothing was measured: no row has such a name", file=sys.stderr)
        return 1
    print("\n" + table(results, args.clock))
    if names := behind(results):
        print("krsi costs more than bpf in: " + ", ".join(names))

    # A plot of another run must not stay.
    plots = [args.directory / "plot.svg", args.directory / "plot.png"]
    for path in plots:
        path.unlink(missing_ok=True)
    data = as_json(results, args.clock, args.mitigations, args.rounds)
    (args.directory / "results.json").write_text(json.dumps(data, indent=1) + "\n")
    plot(results, args.clock, plots)
    if args.documentation:
        args.documentation.mkdir(parents=True, exist_ok=True)
        image = args.documentation / "krsi-bench.svg"
        image.write_text((args.directory / "plot.svg").read_text())
        page = documentation(results, args.clock, args.rounds, image.name)
        (args.documentation / "krsi-bench.rst").write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
