#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""bpftrace on the function of an LSM hook: fentry and fexit programs see calls and verdicts."""

import contextlib
import os
import pathlib
import select
import subprocess
import sys
import time

from client import EUCLEAN, active, asked, denied
from ktap import ACTIVE, equal, run_all

TRACING = pathlib.Path("/sys/kernel/tracing")
STUB = "bpf_lsm_task_getpgid"
ALLOWED, DENIED = "exit 0", f"exit -{EUCLEAN}"


class Bpftrace:
    """A script that prints what fentry and fexit programs see of this process's getpgid(2)."""

    def __init__(self):
        ours = f"/pid == {os.getpid()}/"
        script = f'fentry:{STUB} {ours} {{ printf("entry\\n"); }} '
        script += f'fexit:{STUB} {ours} {{ printf("exit %d\\n", retval); }}'
        self.process = subprocess.Popen(
            ["bpftrace", "-B", "line", "-e", script],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate(timeout=600)

    def lines(self):
        """The lines that are there, waiting a moment for one."""
        lines = ""
        while select.select([self.process.stdout], [], [], 0.3)[0]:
            some = os.read(self.process.stdout.fileno(), 4096).decode()
            assert some, f"bpftrace ended: {lines}"
            lines += some
        return lines.split("\n")

    def sees(self, verdict, wanted, seconds=1800):
        """Calls getpgid(2), which must return `verdict`, until both programs have seen it."""
        self.lines()
        end = time.monotonic() + seconds
        missing, seen = {"entry", wanted}, []
        while missing:
            assert time.monotonic() < end, f"{missing} missing in {seen}"
            equal(asked(), verdict)
            seen += self.lines()
            missing.difference_update(seen)


@contextlib.contextmanager
def function_tracer():
    """The function tracer is on the stub; yields a function that counts the calls seen."""
    instance = TRACING / "instances/krsi_client"
    instance.mkdir()
    try:
        (instance / "set_ftrace_filter").write_text(STUB)
        (instance / "current_tracer").write_text("function")
        yield lambda: (instance / "trace").read_text().count(f"{STUB} <-")
    finally:
        (instance / "current_tracer").write_text("nop")
        instance.rmdir()


@contextlib.contextmanager
def kprobe():
    """A kprobe is on the stub; yields a function that counts its hits."""
    def event(line):
        # Opened otherwise, the file loses the events that it has. Python would seek to its end,
        # which it does not have.
        events = os.open(TRACING / "kprobe_events", os.O_WRONLY | os.O_APPEND)
        try:
            os.write(events, line.encode())
        finally:
            os.close(events)

    event(f"p:krsi/client {STUB}")
    enable = TRACING / "events/krsi/client/enable"
    try:
        enable.write_text("1")
        profile = TRACING / "kprobe_profile"
        yield lambda: sum(int(line.split()[1]) for line in profile.read_text().splitlines())
    finally:
        enable.write_text("0")
        event("-:krsi/client")


def test_lsm_active():
    active()


def test_programs_and_tracer_come_and_go():
    """While bpftrace runs, an LSM program and the function tracer are attached and detached."""
    with Bpftrace() as script:
        script.sees(0, ALLOWED)
        with denied():
            script.sees(EUCLEAN, DENIED)
            with function_tracer() as calls:
                script.sees(EUCLEAN, DENIED)
                assert calls(), "the function tracer saw nothing"
            script.sees(EUCLEAN, DENIED)
        script.sees(0, ALLOWED)
    equal(asked(), 0)


def test_kprobe_and_tracer_first():
    """bpftrace attaches where a kprobe and the function tracer are, under an LSM program."""
    with denied(), kprobe() as hits, function_tracer() as calls:
        equal(asked(), EUCLEAN)
        # KRSI calls the stub only while a BPF program traces it.
        equal((hits() > 0, calls() > 0), (not ACTIVE, not ACTIVE))
        with Bpftrace() as script:
            script.sees(EUCLEAN, DENIED)
            assert hits() and calls(), f"{hits()} hits, {calls()} calls"
        equal(asked(), EUCLEAN)
    equal(asked(), 0)


if __name__ == "__main__":
    sys.exit(run_all(globals()))
