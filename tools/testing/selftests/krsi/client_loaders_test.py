#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Rust libraries that load BPF programs: aya and libbpf-rs.

The loaders are the crate `clients`. Each attaches client.bpf.o, asks, and detaches.
"""

import pathlib
import sys

from client import EUCLEAN, OBJECT, active, asked, output
from ktap import equal, run_all


def loader(name):
    equal(output(str(pathlib.Path.cwd() / name), str(OBJECT)), f"0 {EUCLEAN} 0\n")
    equal(asked(), 0)


def test_lsm_active():
    active()


def test_aya():
    loader("client_aya")


def test_libbpf_rs():
    loader("client_libbpf_rs")


if __name__ == "__main__":
    sys.exit(run_all(globals()))
