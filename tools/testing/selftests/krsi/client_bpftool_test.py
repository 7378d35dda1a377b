#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""bpftool as a client of the LSM that runs BPF programs."""

import json
import subprocess
import sys

from client import EUCLEAN, OBJECT, active, allowed, asked, denied, output
from ktap import equal, run_all


def shown(*args):
    return json.loads(output("bpftool", "--json", *args))


def attached():
    """The link and the program that are shown while client.bpf.o is attached."""
    prog = next(prog for prog in shown("prog", "show") if prog.get("name") == "client")
    # By its pin, bpftool 7.5 shows the link too, but exits with an error.
    return next(link for link in shown("link", "show") if link.get("prog_id") == prog["id"]), prog


def test_lsm_active():
    active()


def test_load():
    """A program that is loaded and not attached decides nothing."""
    pin = "/sys/fs/bpf/krsi_client_load"
    output("bpftool", "prog", "load", str(OBJECT), pin)
    try:
        equal(shown("prog", "show", "pinned", pin)["type"], "lsm")
        equal(asked(), 0)
    finally:
        output("rm", pin)


def test_autoattach():
    with denied():
        equal((asked(), asked("other")), (EUCLEAN, 0))
        link, prog = attached()
        equal((link["type"], link["prog_type"], link["attach_type"]), ("tracing", "lsm", "lsm_mac"))
        equal((prog["type"], prog["name"]), ("lsm", "client"))


def test_pin_owns_link():
    """A pinned link outlives its loader, and ends with its last pin."""
    with denied() as pins:
        equal(asked(), EUCLEAN)
        (pins / "client").unlink()
        allowed()


def test_link_detach():
    """A link of a hook cannot be detached by command, and the program stays in force."""
    with denied() as pins:
        out = subprocess.run(
            ["bpftool", "link", "detach", "pinned", str(pins / "client")],
            capture_output=True, text=True, check=False,
        )
        assert out.returncode and "Operation not supported" in out.stderr, out
        equal(asked(), EUCLEAN)


def test_feature_probe():
    """bpftool finds out which program types there are by loading a program of each."""
    kinds = "program_type lsm", "map_type inode_storage"
    missing = {f"eBPF {kind} is available" for kind in kinds}
    # It then loads a program for each helper of each type, which takes minutes.
    with subprocess.Popen(
        ["stdbuf", "-oL", "bpftool", "feature", "probe", "kernel"],
        stdout=subprocess.PIPE, text=True,
    ) as probe:
        for line in probe.stdout:
            missing.discard(line.strip())
            if not missing:
                break
        probe.kill()
    equal(missing, set())


def test_run_count():
    """The kernel's statistics count the runs that the program's map counts."""
    output("sysctl", "-w", "kernel.bpf_stats_enabled=1")
    try:
        with denied():
            for _ in range(3):
                equal(asked(), EUCLEAN)
            _, prog = attached()
            # It runs for other tasks too.
            assert prog["run_cnt"] >= 3, prog
            names = [shown("map", "show", "id", str(number)) for number in prog["map_ids"]]
            calls = next(m["id"] for m in names if m["name"] == "client_calls")
            equal(shown("map", "dump", "id", str(calls))[0]["formatted"]["value"], 3)
    finally:
        output("sysctl", "-w", "kernel.bpf_stats_enabled=0")


if __name__ == "__main__":
    sys.exit(run_all(globals()))
