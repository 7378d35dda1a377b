#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""systemd's RestrictFileSystems=, whose BPF LSM program systemd loads when it starts.

Has to pass whichever LSM runs programs. systemd must be the first process: boot with
KRSI_SYSTEMD=1. It looks for `bpf` in /sys/kernel/security/lsm, and if it finds none the service
runs without the restriction.
"""

import pathlib
import re
import subprocess
import sys

from ktap import LSMS, equal, run_all, skip_all

UNITS = pathlib.Path("/run/systemd/system")
SECRET = pathlib.Path("/dev/shm/krsi_secret")
READ = f"/bin/cat {SECRET}"


def service(name, *lines, command=READ):
    """Runs a service to its end; returns the exit status of its command, and its unit's result."""
    unit = [
        "[Unit]", "DefaultDependencies=no",
        "[Service]", "Type=oneshot", "StandardOutput=null", f"ExecStart={command}", *lines,
    ]
    (UNITS / f"{name}.service").write_text("\n".join(unit) + "\n")
    # systemd loads a unit when it is first named: no reload, which takes long.
    subprocess.run(["systemctl", "start", f"{name}.service"], check=False, capture_output=True)
    shown = systemctl("show", "-p", "ExecMainStatus,Result", f"{name}.service")
    values = dict(line.split("=", 1) for line in shown.splitlines())
    return int(values["ExecMainStatus"]), values["Result"]


def systemctl(*args):
    out = subprocess.run(["systemctl", *args], capture_output=True, text=True, check=False)
    assert out.returncode == 0, f"systemctl {args}: {out.stdout}{out.stderr}"
    return out.stdout


def test_lsm_active():
    """systemd skips the restriction where the list has no bpf."""
    assert "bpf" in LSMS, LSMS


def test_features():
    """systemd was built with it, and says so."""
    assert "+BPF_FRAMEWORK" in subprocess.run(
        ["systemctl", "--version"], capture_output=True, text=True, check=True
    ).stdout


def test_program_is_attached():
    """systemd's program is on file_open for as long as systemd runs."""
    out = subprocess.run(["bpftool", "prog", "show"], capture_output=True, text=True, check=True)
    assert re.search(r"^\d+: lsm +name restrict_", out.stdout, re.MULTILINE), out.stdout


def test_unrestricted():
    equal(service("krsi-open"), (0, "success"))


def test_denied():
    equal(service("krsi-deny", "RestrictFileSystems=~tmpfs"), (1, "exit-code"))


def test_other_file_system_denied():
    equal(service("krsi-other", "RestrictFileSystems=~ext4"), (0, "success"))


def test_group_denied():
    """@temporary is ramfs and tmpfs."""
    equal(service("krsi-group", "RestrictFileSystems=~@temporary"), (1, "exit-code"))


def test_only_that_service():
    service("krsi-deny-again", "RestrictFileSystems=~tmpfs")
    SECRET.read_text()


def main():
    if pathlib.Path("/proc/1/comm").read_text() != "systemd\n":
        return skip_all("systemd is not the first process")
    SECRET.write_text("secret\n")
    SECRET.chmod(0o644)
    return run_all(globals())


if __name__ == "__main__":
    sys.exit(main())
