# SPDX-License-Identifier: GPL-2.0
"""Shared by the tests of BPF LSM clients that were not written for KRSI.

Each client has to pass whichever LSM runs programs. client.bpf.o denies getpgid(2) to tasks named
krsi_client; clients that compile programs themselves get the same program as source.
"""

import contextlib
import os
import pathlib
import subprocess
import tempfile
import time

from ktap import LSMS, equal

OBJECT = pathlib.Path.cwd() / "client.bpf.o"
EUCLEAN = 117


def output(*args):
    out = subprocess.run(args, capture_output=True, text=True, check=False, timeout=1800)
    assert out.returncode == 0, f"{args} ended with {out.returncode}: {out.stdout}{out.stderr}"
    return out.stdout


def asked(name="krsi_client"):
    """Calls getpgid(2) as a task of that name; returns 0 or an errno."""
    comm = pathlib.Path("/proc/self/comm")
    before = comm.read_text().strip()
    comm.write_text(name)
    try:
        # With 0 no hook is called.
        os.getpgid(os.getpid())
        return 0
    except OSError as error:
        return error.errno
    finally:
        comm.write_text(before)


def allowed():
    """Waits until getpgid(2) is allowed: closing the last pin detaches a moment later."""
    end = time.monotonic() + 600
    while asked() and time.monotonic() < end:
        time.sleep(0.1)
    equal(asked(), 0)


def active():
    """Fails if no LSM runs programs, or if one denies already: tests would prove nothing."""
    assert "bpf" in LSMS, LSMS
    equal(asked(), 0)


@contextlib.contextmanager
def denied():
    """bpftool attaches the program and pins its link; yields the directory of the pins."""
    with tempfile.TemporaryDirectory(dir="/sys/fs/bpf", prefix="krsi_client_") as name:
        pins = pathlib.Path(name) / "pins"
        output("bpftool", "prog", "loadall", str(OBJECT), str(pins), "autoattach")
        try:
            yield pins
        finally:
            for pin in pins.iterdir():
                pin.unlink()
            pins.rmdir()
    allowed()
