#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""BCC's LSM_PROBE, compiled against the headers of the kernel that runs."""

import contextlib
import gzip
import pathlib
import platform
import sys

from client import EUCLEAN, active, allowed, asked
from ktap import equal, run_all

PROGRAM = r"""
#include <linux/sched.h>
#include <uapi/linux/errno.h>

LSM_PROBE(task_getpgid, struct task_struct *p)
{
    char comm[16] = {};
    char name[] = "krsi_client";

    bpf_get_current_comm(comm, sizeof(comm));
    for (int i = 0; i < sizeof(name); i++)
        if (comm[i] != name[i])
            return 0;
    return -EUCLEAN;
}
"""


def link_headers():
    """Links the build directory of the kernel that runs to where BCC looks for headers."""
    modules = pathlib.Path("/lib/modules") / platform.release()
    if (modules / "build").exists():
        return
    config = gzip.decompress(pathlib.Path("/proc/config.gz").read_bytes())
    for build in pathlib.Path("/krsi/build").glob("obj*"):
        with contextlib.suppress(FileNotFoundError):
            if (build / ".config").read_bytes() == config:
                modules.mkdir(parents=True, exist_ok=True)
                (modules / "build").symlink_to(build)
                (modules / "source").symlink_to("/krsi/build/linux")
                return
    raise AssertionError("no build directory has the configuration of this kernel")


def test_lsm_active():
    active()


def test_lsm_probe():
    # It is slow to import, and Debian's package of the build root has it.
    from bcc import BPF

    link_headers()
    assert BPF.support_lsm()
    program = BPF(text=PROGRAM)
    equal((asked(), asked("other")), (EUCLEAN, 0))
    program.cleanup()
    allowed()


if __name__ == "__main__":
    sys.exit(run_all(globals()))
