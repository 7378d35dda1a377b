#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`krsi exec` on a real kernel: what it tells of execs of every kind, and of what was lost."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

from ktap import ACTIVE, equal, needs_krsi, run_all

KRSI = os.environ.get("KRSI", "krsi")

SUCCESS, ERROR, USAGE, INACTIVE, LOST = 0, 1, 2, 3, 6


class Watcher:
    """A running `krsi exec --json`, which writes to a file: nothing here holds it up."""

    def __init__(self, *args):
        self.out, self.err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.child = subprocess.Popen([KRSI, "exec", "--json", *args], stdout=self.out,
                                      stderr=self.err)
        until = time.monotonic() + 600
        while not self.written():
            assert self.child.poll() is None and time.monotonic() < until, self.written(self.err)
            time.sleep(0.05)
        equal(json.loads(self.written().splitlines()[0]), {"schema": 1, "watching": True})

    def written(self, file=None):
        return os.pread((file or self.out).fileno(), 1 << 28, 0)

    def stop(self, number=signal.SIGTERM):
        self.child.send_signal(number)
        self.status = self.child.wait(timeout=600)
        self.errors = self.written(self.err).decode()
        read = [json.loads(line) for line in self.written().splitlines()]
        assert all(line["schema"] == 1 for line in read)
        self.execs = [line["exec"] for line in read if "exec" in line]
        ends = [line["lost"] for line in read if line.get("end")]
        equal(len(ends), 1, read[-1:])
        self.lost = ends[0]


@contextlib.contextmanager
def watching(*args, status=SUCCESS):
    """What happens inside is in the watcher's execs afterwards."""
    watcher = Watcher(*args)
    try:
        yield watcher
    finally:
        watcher.stop()
    equal(watcher.status, status, watcher.errors)


def execute(argv, env=None, file=None):
    """Executes in a child, whose pid is returned, and its errno if that failed."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(os.open("/dev/null", os.O_RDWR), 1)
            os.execve(file or argv[0], argv, os.environ if env is None else env)
        except OSError as error:
            os.write(write, str(error.errno).encode())
        finally:
            os._exit(127)
    os.close(write)
    with os.fdopen(read) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return pid, int(text or 0)


def of(watcher, pid):
    return [item for item in watcher.execs if item["pid"] == pid]


def test_inactive():
    if ACTIVE:
        return
    done = subprocess.run([KRSI, "exec"], capture_output=True, text=True, timeout=600, check=False)
    equal(done.returncode, INACTIVE)
    equal(done.stdout, "")
    assert done.stderr.startswith("krsi: KRSI is not active"), done.stderr


@needs_krsi
def test_not_permitted():
    done = subprocess.run([KRSI, "exec"], capture_output=True, text=True, timeout=600, check=False,
                          user=65534, group=65534, extra_groups=[])
    equal(done.returncode, ERROR)
    assert done.stderr.endswith("run it as root\n"), done.stderr


def test_wrong_command_line():
    for args in (["--env", "A=B"], ["--buffer", "3"], ["--parents", "33"], ["--comm", "x" * 16],
                 ["--uid", "nobody-of-that-name"], ["-n", "0"]):
        done = subprocess.run([KRSI, "exec", *args], capture_output=True, timeout=600, check=False)
        equal(done.returncode, USAGE, args)


@needs_krsi
def test_fields():
    with watching("--env", "KRSI_A", "--env", "KRSI_NONE", "--parents", "2") as watcher:
        pid, errno = execute(["/bin/true", "", "a b", "\"quoted\""], {"KRSI_A": "one=1", "B": "2"})
        equal(errno, 0)
    (seen,) = of(watcher, pid)
    equal(seen["argv"], ["/bin/true", "", "a b", "\"quoted\""])
    equal(seen["env"], [{"name": "KRSI_A", "values": ["one=1"]},
                        {"name": "KRSI_NONE", "values": []}])
    equal(seen["file"], "/bin/true")
    equal(seen["result"], {"status": "done", "errno": None, "error": None, "hook": None, "by": None})
    equal((seen["pid"], seen["tid"], seen["ppid"]), (pid, pid, os.getpid()))
    equal((seen["uid"], seen["euid"], seen["gid"]), (0, 0, 0))
    equal(seen["comm"], pathlib.Path("/proc/self/comm").read_text().rstrip("\n"))
    equal((seen["strings"], seen["check"], seen["changed"], seen["lost"]),
          ("whole", False, False, 0))
    cgroup = pathlib.Path("/proc/self/cgroup").read_text().split("0::")[1].rstrip("\n")
    equal(seen["cgroup"]["path"], cgroup)
    equal(len(seen["parents"]), 2)
    equal((seen["parents"][0]["pid"], seen["parents"][0]["exe"]),
          (os.getpid(), os.readlink("/proc/self/exe")))
    equal(seen["parents"][1]["pid"], os.getppid())
    equal(watcher.lost, {"arguments": 0, "records": 0, "execs": 0, "unknown": 0})


@needs_krsi
def test_odd_bytes():
    odd = bytes(range(1, 256))
    with watching("--env", "ODD") as watcher:
        pid, _ = execute([b"/bin/true", odd, "größe".encode()], {b"ODD": odd})
    (seen,) = of(watcher, pid)
    equal(seen["argv"], ["/bin/true", {"hex": odd.hex()}, "größe"])
    equal(seen["env"], [{"name": "ODD", "values": [{"hex": odd.hex()}]}])


@needs_krsi
def test_large():
    with watching() as watcher:
        # Each almost 128 KiB, the most that one can have.
        large = [chr(ord("a") + i) * (128 * 1024 - 1) for i in range(15)]
        first, errno = execute(["/bin/true", *large])
        equal(errno, 0)
        many = [str(number) for number in range(10000)]
        second, errno = execute(["/bin/true", *many])
        equal(errno, 0)
    (seen,) = of(watcher, first)
    equal([len(arg) for arg in seen["argv"]], [9] + [128 * 1024 - 1] * 15)
    equal(seen["argv"][1:] == large, True)
    (seen,) = of(watcher, second)
    equal(seen["argv"][1:] == many, True)


@needs_krsi
def test_two_mebibytes():
    """With the stack's limit lifted, as much as the kernel takes."""
    script = ("import os, resource\n"
              "resource.setrlimit(resource.RLIMIT_STACK, (64 << 20, resource.RLIM_INFINITY))\n"
              "os.execve('/bin/true', ['/bin/true'] + ['x' * 131000] * 17, {})\n")
    with watching("--comm", "python3") as watcher:
        with subprocess.Popen([sys.executable, "-c", script]) as child:
            pid = child.pid
        equal(child.returncode, 0)
    seen = [item for item in of(watcher, pid) if item["file"] == "/bin/true"]
    equal(len(seen), 1)
    equal(sum(len(arg) + 1 for arg in seen[0]["argv"]), 10 + 17 * 131001)
    assert sum(len(arg) + 1 for arg in seen[0]["argv"]) > 2 << 20


@needs_krsi
def test_failures():
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        (directory / "text").write_text("\x01no program\n")
        (directory / "text").chmod(0o755)
        (directory / "plain").write_text("#!/bin/sh\n")
        with watching() as watcher:
            missing, errno = execute([str(directory / "missing"), "-x"])
            equal(errno, 2)
            no_program, errno = execute([str(directory / "text"), "-y"])
            equal(errno, 8)
            forbidden, errno = execute([str(directory / "plain"), "-z"])
            equal(errno, 13)
    (seen,) = of(watcher, missing)
    equal((seen["strings"], seen["argv"], seen["file"]),
          ("unseen", None, str(directory / "missing")))
    equal((seen["result"]["status"], seen["result"]["errno"], seen["result"]["error"]),
          ("failed", 2, "No such file or directory"))
    (seen,) = of(watcher, no_program)
    equal((seen["argv"], seen["result"]["errno"]), ([str(directory / "text"), "-y"], 8))
    (seen,) = of(watcher, forbidden)
    equal((seen["result"]["status"], seen["result"]["errno"], seen["result"]["hook"]),
          ("failed", 13, None))


@needs_krsi
def test_scripts():
    with tempfile.TemporaryDirectory() as name:
        first, second = pathlib.Path(name) / "first", pathlib.Path(name) / "second"
        first.write_text(f"#!{second} -a\n")
        second.write_text("#!/bin/sh\nexit 3\n")
        first.chmod(0o755)
        second.chmod(0o755)
        with watching() as watcher:
            pid, errno = execute([str(first), "arg"])
            equal(errno, 0)
    (seen,) = of(watcher, pid)
    equal(seen["argv"], [str(first), "arg"])
    equal(seen["interpreters"], [str(second), "/bin/sh"])
    equal(seen["result"]["status"], "done")


@contextlib.contextmanager
def guard():
    """Programs that deny /bin/true by its first argument, at one hook or the other."""
    source = pathlib.Path("exec_tool.bpf.o").resolve()
    with tempfile.TemporaryDirectory(dir="/sys/fs/bpf", prefix="krsi_exec_") as name:
        done = subprocess.run(["bpftool", "prog", "loadall", str(source), f"{name}/x", "autoattach"],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        try:
            yield
        finally:
            for pin in pathlib.Path(name).glob("*/*"):
                pin.unlink()
            pathlib.Path(name, "x").rmdir()


@needs_krsi
def test_denied():
    """By a program of KRSI: before this command's is asked, and after."""
    for first in (True, False):
        # The newest program is asked first.
        with contextlib.ExitStack() as stack:
            if first:
                watcher = stack.enter_context(watching())
            with guard():
                if not first:
                    watcher = stack.enter_context(watching())
                early, errno = execute(["/bin/true", "krsi-deny-early"])
                equal(errno, 117, "early")
                late, errno = execute(["/bin/true", "krsi-deny-late"])
                equal(errno, 117, "late")
                stack.close()
        for pid, hook, argument in ((early, "bprm_creds_for_exec", "krsi-deny-early"),
                                    (late, "bprm_check_security", "krsi-deny-late")):
            (seen,) = of(watcher, pid)
            equal((seen["result"]["status"], seen["result"]["errno"]), ("denied", 117))
            equal((seen["result"]["hook"], seen["result"]["by"]), (hook, "krsi"), seen)
            if hook == "bprm_creds_for_exec" and first:
                equal((seen["strings"], seen["argv"]), ("unseen", None))
                equal(seen["file"], "/bin/true")
            else:
                equal(seen["argv"], ["/bin/true", argument])


@needs_krsi
def test_filters():
    cgroup = pathlib.Path("/sys/fs/cgroup/krsi_exec_tool")
    inner = cgroup / "inner"
    inner.mkdir(parents=True)
    try:
        with watching("--uid", "65534") as watcher:
            subprocess.run(["/bin/true"], check=True)
            subprocess.run(["/bin/true"], user=65534, check=True)
        equal([item["uid"] for item in watcher.execs], [65534])
        with watching("--cgroup", str(cgroup)) as watcher:
            subprocess.run(["/bin/true", "outside"], check=True)
            subprocess.run(["/bin/sh", "-c", f"echo $$ >{inner}/cgroup.procs; exec /bin/true inside"],
                           check=True)
        equal([item["argv"] for item in watcher.execs], [["/bin/true", "inside"]])
        equal(watcher.execs[0]["cgroup"]["path"], "/krsi_exec_tool/inner")
        with watching("--comm", "sh") as watcher:
            subprocess.run(["/bin/sh", "-c", "/bin/true by-sh; exit 0"], check=True)
        equal([item["argv"] for item in watcher.execs], [["/bin/true", "by-sh"]])
        with subprocess.Popen(["/bin/sh", "-c", "read x; exec /bin/true by-pid"],
                              stdin=subprocess.PIPE) as child:
            with watching("--pid", str(child.pid)) as watcher:
                subprocess.run(["/bin/true"], check=True)
                child.communicate(b"\n")
        equal([item["argv"] for item in watcher.execs], [["/bin/true", "by-pid"]])
    finally:
        inner.rmdir()
        cgroup.rmdir()


@needs_krsi
def test_threads():
    """A thread that executes takes over the process's id."""
    script = ("import os, threading, time\n"
              "threading.Thread(target=lambda: os.execv('/bin/true', ['t', 'thread'])).start()\n"
              "time.sleep(60)\n")
    with watching("--comm", "python3") as watcher:
        with subprocess.Popen([sys.executable, "-c", script]) as child:
            pid = child.pid
    seen = [item for item in watcher.execs if item["argv"] == ["t", "thread"]]
    equal(len(seen), 1)
    equal((seen[0]["pid"], seen[0]["result"]["status"]), (pid, "done"))
    assert seen[0]["tid"] != pid


@needs_krsi
def test_lost():
    """With a buffer for a few records only: what is missing is said, and counted."""
    with watching("--buffer", "16k", status=LOST) as watcher:
        watcher.child.send_signal(signal.SIGSTOP)
        pids = [execute(["/bin/true", "x" * 6000])[0] for _ in range(20)]
        watcher.child.send_signal(signal.SIGCONT)
    whole = [item for item in watcher.execs if item["strings"] == "whole"]
    for item in whole:
        equal(item["argv"][1], "x" * 6000)
    assert watcher.lost["arguments"] > 0 and watcher.lost["records"] > 0, watcher.lost
    # What is whole and what was lost is everything: nothing is missing in silence.
    assert len(whole) + watcher.lost["arguments"] >= len(pids), (len(whole), watcher.lost)


@needs_krsi
def test_text():
    with subprocess.Popen([KRSI, "exec", "--env", "KRSI_A", "--pid", str(os.getpid())],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout.readline().startswith(b"TIME ")
        child.send_signal(signal.SIGINT)
        out, errors = child.communicate(timeout=600)
    equal((child.returncode, out, errors), (SUCCESS, b"", b""))
    with subprocess.Popen([KRSI, "exec", "--env", "KRSI_A", "-n", "1", "--uid", "65533"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.readline()
        subprocess.run(["/bin/true", "a\x1b[31m", "b\nc"], env={"KRSI_A": "\x07"}, user=65533,
                       check=True)
        out, errors = child.communicate(timeout=600)
    equal((child.returncode, errors), (SUCCESS, b""))
    lines = out.decode().splitlines()
    assert re.match(r"\d\d:\d\d:\d\d  done     +\d+ +\d+   65533  ", lines[0]), lines
    assert lines[0].endswith(r'"/bin/true" "a\u{1b}[31m" "b\u{a}c"'), lines
    equal(lines[1], '          file "/bin/true"')
    equal(lines[2], '          env KRSI_A="\\u{7}"')
    assert lines[3].startswith(f"          from {os.getpid()} "), lines


if __name__ == "__main__":
    sys.exit(run_all(globals()))
