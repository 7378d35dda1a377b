#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""upstream_subset.py BPF OUT [NAME...]: copy the tests of LSM programs.

BPF is Linux's tools/testing/selftests/bpf, OUT becomes a directory beside it
that builds `test_progs` with only those tests: the ones that use a program of
an LSM hook, and those of the files NAME. All of Linux's tests take an hour to
build.

Prints the variables of make that differ, a line, and then the names of the
tests, a line each.
"""

import re
import shutil
import sys
from pathlib import Path

INCLUDE = re.compile(r'^#include "(\w+)\.(skel|lskel|subskel)\.h"\s*$', re.MULTILINE)
TEST = re.compile(r"^void (?:serial_)?test_(\w+)\((?:void)?\)", re.MULTILINE)
LSM = re.compile(r'SEC\("\??lsm')
# Objects that a test opens by name.
OBJECT = re.compile(r'"(?:\./)?(\w+)\.bpf\.o"')
# One file has the tests of all the verifier's programs.
VERIFIER = "verifier"


def variables(makefile):
    """The variables that list skeletons, and what linked ones are made of."""
    text = makefile.replace("\\\n", " ")
    lists = {}
    for name in ("LINKED_SKELS", "LSKELS", "LSKELS_SIGNED", "LSKELS_EXTRA"):
        match = re.search(rf"^{name} :=(.*)$", text, re.MULTILINE)
        if not match:
            raise SystemExit(f"the Makefile has no {name}")
        lists[name] = match[1].split()
    parts = {
        name: [Path(part).stem.removesuffix(".bpf") for part in objects.split()]
        for name, objects in re.findall(r"^(\w+)\.skel\.h-deps := (.*)$", text, re.MULTILINE)
    }
    return lists, parts


def only_lsm(text, lsm):
    """The verifier's tests without the programs that have no LSM program."""
    drop = {name for name, _ in INCLUDE.findall(text)} - lsm
    kept = [
        line
        for line in text.splitlines(keepends=True)
        if not ((m := INCLUDE.match(line)) and m[1] in drop)
        and not ((m := re.search(r"RUN(?:_TESTS)?\((\w+)\)", line)) and m[1] in drop)
    ]
    text = "".join(kept)
    # Those with a function of their own.
    for name in drop:
        text = re.sub(
            rf"^void test_{name}\(void\)\n\{{.*?^\}}\n", "", text, flags=re.MULTILINE | re.DOTALL
        )
    return text.replace("static int init_", "__maybe_unused static int init_")


def main(bpf, out, *names):
    bpf, out = Path(bpf), Path(out)
    lists, parts = variables((bpf / "Makefile").read_text())
    sources = {path.stem: path.read_text() for path in (bpf / "progs").glob("*.c")}
    lsm = {name for name, text in sources.items() if LSM.search(text)}

    tests, wanted = {}, set()
    for path in sorted((bpf / "prog_tests").glob("*.c")):
        text = path.read_text()
        if path.stem == VERIFIER:
            text = only_lsm(text, lsm)
        used = {name for name, _ in INCLUDE.findall(text)}
        used |= {name for name in OBJECT.findall(text) if name in sources}
        if path.stem in names or used & lsm:
            tests[path.name] = text
            wanted |= used
    if unknown := [name for name in names if f"{name}.c" not in tests]:
        raise SystemExit(f"there are no tests {' '.join(unknown)}")
    needed = wanted | {part for name in wanted for part in parts.get(name, [])}

    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(
        bpf, out, symlinks=True, ignore=shutil.ignore_patterns("prog_tests", "progs", "*.o", "*.d")
    )
    for folder, keep in (("prog_tests", None), ("progs", needed)):
        (out / folder).mkdir()
        for path in (bpf / folder).iterdir():
            if path.suffix == ".h" and path.name != "tests.h" or keep and path.stem in keep:
                shutil.copy2(path, out / folder)
    for name, text in tests.items():
        (out / "prog_tests" / name).write_text(text)

    stems = {key: [f for f in files if f.split(".")[0] in wanted] for key, files in lists.items()}
    for name, files in stems.items():
        print(f"{name}={' '.join(files)}")
    print()
    for text in tests.values():
        print("\n".join(TEST.findall(text)))


if __name__ == "__main__":
    main(*sys.argv[1:])
