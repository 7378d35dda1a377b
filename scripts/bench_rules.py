#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Makes a table of what `bench_rules.sh` measured."""

import argparse
import csv
import pathlib
import statistics
import sys


def read(path: pathlib.Path) -> dict[tuple[str, int], float]:
    """Instructions by system call and number of rules."""
    values = {}
    for line in path.read_text().splitlines():
        count, row, unit, *batches = line.split()
        if unit != "ns":
            raise ValueError(f"{path}: {row} is in {unit}")
        values[row.split("/")[0], int(count)] = statistics.median(map(float, batches))
    if not values:
        raise ValueError(f"{path}: nothing was measured")
    return values


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--csv", type=pathlib.Path, help="where the table is to go, too")
    args = parser.parse_args()

    none, audit, krsi = (read(args.directory / name) for name in ("none", "audit", "krsi"))
    lines = [["System call", "Rules", "No rules", "audit", "krsi"]]
    for (call, count), value in krsi.items():
        bare = none[call, 0]
        cells = [f"{v:.0f} (+{v - bare:.0f})" for v in (audit[call, count], value)]
        lines.append([call, f"{count:,}", f"{bare:.0f}", *cells])
    csv.writer(sys.stdout, delimiter="\t", lineterminator="\n").writerows(lines)
    if args.csv:
        with args.csv.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)

    # What the table is for; anything else is a defect to mend.
    bad = []
    for call in {call for call, _ in krsi}:
        counts = sorted(count for name, count in krsi if name == call)
        few, many = (krsi[call, count] for count in (counts[0], counts[-1]))
        if many > 1.5 * few:
            bad.append(f"{call}: {counts[-1]} rules cost {many / few:.2f} times {counts[0]}")
        bad += [
            f"{call}: {count} rules cost more in krsi than in audit"
            for count in counts
            if krsi[call, count] > audit[call, count]
        ]
    for line in bad:
        print(f"bench-rules: {line}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
