#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""KRSI's audit records as the tools of auditd find them: auditd, ausearch, aureport."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from ktap import SECURITYFS, Skipped, equal, needs_krsi, run_all


def run(*args):
    return subprocess.run(args, capture_output=True, text=True, timeout=600, check=False)


def counters():
    lines = (SECURITYFS / "krsi/audit").read_text().splitlines()
    return {name: int(value) for name, value in (line.split() for line in lines)}


@contextlib.contextmanager
def auditd(plugin=False):
    """Debian's auditd, which writes to a directory that is yielded as the log's path.

    With a plugin, what that gets is in plugin.log beside the log.
    """
    with tempfile.TemporaryDirectory() as name:
        config = pathlib.Path(name) / "config"
        config.mkdir()
        (config / "plugins.d").mkdir()
        log = pathlib.Path(name) / "audit.log"
        (config / "auditd.conf").write_text(
            f"log_file = {log}\nlog_format = RAW\nflush = SYNC\nlocal_events = yes\n"
            "write_logs = yes\nlog_group = root\nspace_left = 2\nadmin_space_left = 1\n"
            "max_log_file = 64\nnum_logs = 0\nmax_log_file_action = IGNORE\n"
            "space_left_action = IGNORE\nadmin_space_left_action = IGNORE\n"
            "disk_full_action = IGNORE\ndisk_error_action = IGNORE\n"
            f"plugin_dir = {config / 'plugins.d'}\n")
        (config / "auditd.conf").chmod(0o640)
        if plugin:
            script = config / "plugin"
            script.write_text(f"#!/bin/sh\nexec cat >>{log.with_name('plugin.log')}\n")
            script.chmod(0o750)
            (config / "plugins.d/krsi.conf").write_text(
                f"active = yes\ndirection = out\npath = {script}\ntype = always\n"
                "format = string\n")
            (config / "plugins.d/krsi.conf").chmod(0o640)
        with subprocess.Popen(["auditd", "-n", "-s", "enable", "-c", str(config)],
                              stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as daemon:
            try:
                until = time.monotonic() + 120
                while "type=DAEMON_START" not in (log.read_text() if log.exists() else ""):
                    assert time.monotonic() < until, "auditd does not start"
                    assert daemon.poll() is None, "auditd ends"
                    time.sleep(0.1)
                yield log
            finally:
                daemon.terminate()
                run("auditctl", "-e", "0")


@contextlib.contextmanager
def policy():
    """A program that writes a record of each call of getpgid(2) by a process of that name."""
    with tempfile.TemporaryDirectory(dir="/sys/fs/bpf", prefix="krsi_auditd_") as name:
        done = run("bpftool", "prog", "loadall", "auditd.bpf.o", f"{name}/x", "autoattach")
        assert done.returncode == 0, done.stderr
        try:
            yield
        finally:
            for pin in pathlib.Path(name).glob("*/*"):
                pin.unlink()
            pathlib.Path(name, "x").rmdir()


def ausearch(log, *args):
    """The events that are found: each a list of records."""
    done = run("ausearch", "--input", str(log), "--raw", *args)
    events = {}
    for line in done.stdout.splitlines():
        serial = re.search(r"msg=audit\([\d.]+:(\d+)\)", line).group(1)
        events.setdefault(serial, []).append(line)
    return list(events.values())


def triggered():
    """A process with an audit context, as all have that begin after audit: it calls getpgid(2)."""
    script = ("import os\n"
              "open('/proc/self/comm', 'w').write('krsi_auditd')\n"
              "try: os.getpgid(os.getpid())\n"
              "except OSError as error: exit(error.errno)\n")
    with subprocess.Popen([sys.executable, "-c", script]) as child:
        pass
    equal(child.returncode, 117)
    return child.pid


def wait_for(log, text):
    until = time.monotonic() + 120
    while text not in log.read_text():
        assert time.monotonic() < until, f"{text} is not in the log: {log.read_text()[-3000:]}"
        time.sleep(0.1)


def wait_for_event(log, text):
    """Waits for a record with the text, and for the last of its event, that of the command line."""
    wait_for(log, text)
    line = next(line for line in log.read_text().splitlines() if text in line)
    serial = re.search(r"msg=audit\(([\d.:]+)\)", line)[1]
    wait_for(log, f"type=PROCTITLE msg=audit({serial})")


@contextlib.contextmanager
def recorded(plugin=False):
    """Has auditd record that the policy denies a process a call; gives its log, and the process."""
    with auditd(plugin) as log, policy():
        pid = triggered()
        wait_for_event(log, "lsm=krsi ")
        yield log, pid


@needs_krsi
def test_found_by_key():
    with recorded() as (log, pid):
        events = ausearch(log, "-k", "krsi-key")
        equal(len(events), 1, events)
        kinds = [re.match(r"type=(\S+)", line).group(1) for line in events[0]]
        assert {"SYSCALL", "KERNEL_OTHER"} <= set(kinds), kinds
        (record,) = (line for line in events[0] if line.startswith("type=KERNEL_OTHER"))
        for field in ("hook=task_getpgid", "verdict=deny", "errno=117", 'path="/a/path"',
                      f" pid={pid} ", 'comm="krsi_auditd"', "key="):
            assert field in record, (field, record)
        # The second of its keys, and one that is part of another.
        equal(len(ausearch(log, "-k", "second")), 1)
        equal(len(ausearch(log, "-w", "-k", "krsi-key")), 1)
        equal(len(ausearch(log, "-w", "-k", "krsi-ke")), 0)
        # Also by what else tools ask for.
        equal(len(ausearch(log, "-k", "krsi-key", "--pid", str(pid))), 1)
        equal(len(ausearch(log, "-k", "krsi-key", "--success", "no")), 1)
        equal(len(ausearch(log, "-m", "KERNEL_OTHER")), 1)
        equal(len(ausearch(log, "-k", "krsi-key", "--exit", "-117")), 1)
        report = run("aureport", "--input", str(log), "--key", "--summary").stdout
        assert re.search(r"^1 +krsi-key$", report, re.M), report
        assert re.search(r"^1 +second$", report, re.M), report
        text = run("ausearch", "--input", str(log), "-k", "krsi-key", "-i").stdout
        assert "path=/a/path" in text and "errno=" in text, text


@needs_krsi
def test_plugin():
    """A plugin of auditd gets the record, in the event of the system call."""
    with recorded(plugin=True) as (log, pid):
        heard = log.with_name("plugin.log")
        until = time.monotonic() + 120
        while not (heard.exists() and "lsm=krsi " in heard.read_text()):
            assert time.monotonic() < until, "the plugin does not get the record"
            time.sleep(0.1)
        (record,) = (line for line in heard.read_text().splitlines() if " lsm=krsi " in line)
        assert "type=KERNEL_OTHER" in record and f" pid={pid} " in record, record
        (event,) = ausearch(log, "-k", "krsi-key")
        assert any(re.search(r"msg=.*", record)[0] in line for line in event), (record, event)


@needs_krsi
def test_reports():
    """What aureport counts and lists of an event with a record of KRSI."""
    with recorded() as (log, pid):
        def report(*args):
            return run("aureport", "--input", str(log), *args).stdout

        assert re.search(r"^Number of keys: 2$", report(), re.M), report()
        executed = report("-x", "--summary")
        assert re.search(rf"^\d+ +{os.path.realpath(sys.executable)}$", executed, re.M), executed
        listed = report("-k")
        assert re.search(r" krsi-key ", listed), listed
        calls = report("-s")
        # getpgid(2) is 121.
        assert re.search(rf" 121 {pid} krsi_auditd ", calls), calls


@needs_krsi
def test_beside_auditctl():
    """An audit rule with a key for the same call: both keys find the one event."""
    with auditd() as log, policy():
        equal(run("auditctl", "-a", "always,exit", "-F", "arch=b64", "-S", "getpgid", "-k",
                  "rule-key").returncode, 0)
        try:
            triggered()
            wait_for_event(log, "lsm=krsi ")
        finally:
            run("auditctl", "-D")
        equal(len(ausearch(log, "-k", "krsi-key")), 1)
        found = [event for event in ausearch(log, "-k", "rule-key")
                 if any("lsm=krsi" in line for line in event)]
        equal(len(found), 1)


@needs_krsi
def test_not_about_auditd():
    """No record is written about the daemon that would have to write it."""
    with auditd() as log, policy():
        own = counters()["own"]
        triggered()
        wait_for(log, "lsm=krsi ")
        until = time.monotonic() + 120
        while counters()["own"] == own:
            assert time.monotonic() < until, "auditd's writes were not seen"
            time.sleep(0.1)
        equal(ausearch(log, "-k", "of-auditd"), [])


@needs_krsi
def test_task_without_context():
    """A task from before audit: there is a record, but no system call's, and it is counted."""
    # This process began before the first auditd, unless the kernel was told to audit.
    if "audit=1" in pathlib.Path("/proc/cmdline").read_text().split():
        raise Skipped("the kernel was told to audit")
    with auditd() as log, policy():
        before = counters()
        name = pathlib.Path("/proc/self/comm").read_text()
        pathlib.Path("/proc/self/comm").write_text("krsi_auditd")
        try:
            os.getpgid(os.getpid())
        except OSError as error:
            equal(error.errno, 117)
        finally:
            pathlib.Path("/proc/self/comm").write_text(name)
        wait_for(log, "lsm=krsi ")
        after = counters()
        equal(after["written"] > before["written"], True)
        if after["no_syscall"] == before["no_syscall"]:
            # An earlier test program had turned audit on before this one began.
            wait_for_event(log, "lsm=krsi ")
            equal(len(ausearch(log, "-k", "krsi-key")), 1)
        else:
            equal(len(ausearch(log, "-m", "KERNEL_OTHER", "--just-one")), 1)


def test_check_decides_records():
    """krsi check takes the records for events: what was opened, connected to and executed."""
    script = ("import os, socket\n"
              "os.chdir('/var/tmp')\n"
              "os.close(os.open('krsi a', os.O_CREAT | os.O_WRONLY))\n"
              "descriptor = os.open('/var/tmp', os.O_PATH)\n"
              "os.close(os.open('krsi a', os.O_RDONLY, dir_fd=descriptor))\n"
              "socket.socket(type=socket.SOCK_DGRAM).connect(('127.0.0.1', 99))\n"
              "os.unlink('krsi a')\n"
              "os.execv('/bin/true', ['true', 'x y'])\n")
    true = os.path.realpath("/bin/true")
    rules = ("-a deny,exit -S openat -F 'path=/var/tmp/krsi a'\n"
             "-a deny=EACCES,exit -S connect -F raddr=127.0.0.1 -F rport=99 -F auid=unset\n"
             "-a deny=EBUSY,exit -S unlink -F dir=/var/tmp -F filetype=file\n"
             f"-a deny=EAGAIN,exit -S execve -F path={true} -F 'argv[1]=x y' -F uid=0\n"
             "-a never,exit -S execve -F exe=/none\n")
    with auditd() as log:
        calls = ("openat", "connect", "unlink", "execve")
        added = run("auditctl", "-a", "always,exit", "-F", "arch=b64",
                    *(word for call in calls for word in ("-S", call)),
                    "-F", f"ppid={os.getpid()}", "-k", "check")
        equal(added.returncode, 0, added.stderr)
        try:
            with subprocess.Popen([sys.executable, "-c", script]) as child:
                pass
            equal(child.returncode, 0)
            wait_for_event(log, "a1=782079")
        finally:
            run("auditctl", "-D")
        records = run("ausearch", "--input", str(log), "--raw", "--pid", str(child.pid)).stdout
        for name, text in (("records", records), ("rules", rules)):
            log.with_name(name).write_text(text)
        done = run("krsi", "check", str(log.with_name("rules")), "--json",
                   "--events", str(log.with_name("records")))
    read = json.loads(done.stdout)
    equal(read["errors"], [])
    found = [(event["event"]["syscall"], decision["errno"])
             for event in read["events"] for decision in event["decisions"] or [] if decision["rule"]]
    equal(found, [("openat", 1), ("connect", 13), ("unlink", 16), ("execve", 11)])
    # Names beneath a descriptor are not known, nor is who had executed Python.
    lacks = {(event["event"]["syscall"], event["lacks"].split("'")[1])
             for event in read["events"] if event["lacks"]}
    equal(lacks, {("openat", "path"), ("execve", "exe")})
    equal(done.returncode, 1)


if __name__ == "__main__":
    sys.exit(run_all(globals()))
