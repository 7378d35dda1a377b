#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Compares the boots of `bench_boot.sh`: with boot programs, and without."""

import argparse
import pathlib
import re
import statistics
import sys

# The most that boot programs may add, in microseconds.
TARGET = 20_000
PROGRAMS = 16


def read(path: pathlib.Path) -> dict[str, float]:
    """What one boot took, in microseconds."""
    total, report = path.read_text().split("\n", 2)[:2]
    fields = dict(re.findall(r"(\w+)=(\w+)", report))
    expected = 0 if path.name.startswith("off.") else PROGRAMS
    if int(fields["programs"]) != expected:
        raise ValueError(f"{path}: {fields['programs']} programs in force, not {expected}")
    console = path.with_name(path.name + ".console").read_text(errors="replace")
    init = re.search(r"^\[ *(\d+)\.(\d{6})\].* Run \S+ as init process", console, re.M)
    if not init:
        raise ValueError(f"{path}: the kernel did not start init")
    return {
        "CPU time of all tasks": int(total) / 1000,
        "time until init": int(init[1]) * 1_000_000 + int(init[2]),
        "loading, elapsed": float(fields["micros"]),
        "loading, on the CPU": float(fields["cpu_micros"]),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=pathlib.Path)
    args = parser.parse_args()

    boots = {}
    for mode in ("off", "enforce"):
        files = sorted(args.directory.glob(f"{mode}.*[0-9]"))
        boots[mode] = [read(path) for path in files]
    if not boots["off"] or len(boots["off"]) != len(boots["enforce"]):
        raise ValueError(f"{args.directory}: boots are missing")

    added = {}
    print(f"{'microseconds':24}{'without':>12}{'with':>12}{'added':>10}{'spread':>10}")
    for row in boots["off"][0]:
        without, with_ = ([boot[row] for boot in boots[mode]] for mode in ("off", "enforce"))
        added[row] = statistics.median(with_) - statistics.median(without)
        spread = max(max(values) - min(values) for values in (without, with_))
        print(
            f"{row:24}{statistics.median(without):12,.0f}{statistics.median(with_):12,.0f}"
            f"{added[row]:+10,.0f}{spread:10,.0f}"
        )
    total = added["CPU time of all tasks"]
    if total > TARGET:
        print(f"bench-boot: {PROGRAMS} programs add {total:,.0f} us, more than {TARGET:,}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
