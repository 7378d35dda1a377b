#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Rules in force: what `krsi load` and `krsi rule` make of them in the kernel.

For each field, what is denied and what is not; that replacing a policy leaves no
gap; that random rules load, and decide as `krsi check` says that they do.
"""

import contextlib
import ctypes
import errno
import functools
import json
import mmap
import os
import pathlib
import random
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time

from ktap import ACTIVE, equal, run_all, skip_all

KRSI = os.environ.get("KRSI", "krsi")
BPFFS = pathlib.Path("/sys/fs/bpf/krsi/policy")
CGROUPS = pathlib.Path("/sys/fs/cgroup")
OBJECTS = pathlib.Path.cwd()
SUCCESS, ERROR, NOT_ENFORCING = 0, 1, 4

# Where files are made that rules are about, and where they are not.
TOP = pathlib.Path(tempfile.mkdtemp(prefix="krsi_rule_"))
HELD = TOP / "held"
FREE = TOP / "free"


def run(*args, **more):
    return subprocess.run(
        [KRSI, *args], capture_output=True, text=True, timeout=6000, check=False, **more
    )


def load(rules, status=SUCCESS):
    result = run("load", "-", "--json", input=rules)
    equal(result.returncode, status, f"load of {rules!r}: {result.stdout}{result.stderr}")
    return json.loads(result.stdout)


@contextlib.contextmanager
def policy(rules):
    load(rules)
    try:
        yield
    finally:
        result = run("unload")
        equal(result.returncode, SUCCESS, result.stdout + result.stderr)


def counters():
    result = run("list", "--json")
    equal(result.returncode, SUCCESS, result.stderr)
    return [(rule["hits"], rule["denials"], rule["errors"])
            for rule in json.loads(result.stdout)["rules"]]


def attempt(call, *args, **more):
    """0, or the errno that the call fails with."""
    try:
        result = call(*args, **more)
    except OSError as error:
        return error.errno
    if isinstance(result, int) and result > 2 and call is os.open:
        os.close(result)
    return 0


def write(path):
    return attempt(pathlib.Path(path).write_text, "x")


def read(path):
    return attempt(pathlib.Path(path).read_bytes)


def execute(*argv, env=None, executable=None):
    """Status, or the errno that the exec fails with."""
    try:
        return subprocess.run(argv, env=env, executable=executable, check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    except OSError as error:
        return -error.errno


def shell(script, *args):
    return subprocess.run(["sh", "-c", script, "sh", *map(str, args)], capture_output=True,
                          text=True, timeout=600, check=False)


def remove_cgroups(*paths):
    """A task is in its cgroup until its CPU has switched to another, perhaps after wait(2)."""
    for path in paths:
        for _ in range(600):
            if attempt(path.rmdir) != errno.EBUSY:
                break
            time.sleep(0.1)
        assert not path.exists(), path


@contextlib.contextmanager
def files():
    """HELD and FREE, each with a file."""
    for path in (HELD, FREE):
        path.mkdir()
        (path / "file").write_text("content")
    try:
        yield
    finally:
        shutil.rmtree(HELD, ignore_errors=True)
        shutil.rmtree(FREE, ignore_errors=True)


def test_argument():
    with policy("-a deny=EACCES,exit -S execve -F argv[1]=--bad -k argument\n"):
        equal(execute("/bin/true", "--bad"), -errno.EACCES)
        equal(execute("/bin/true", "--bad2"), 0)
        equal(execute("/bin/true", "x", "--bad"), 0, "another argument")
        equal(execute("/bin/true"), 0, "no argument")
        equal(execute("/bin/true", "--ba" + "d" * 300), 0, "a long one")
        equal(counters(), [(1, 1, 0)])
    equal(execute("/bin/true", "--bad"), 0, "after the policy")


def test_any_argument():
    long = "x" * 200
    rules = f"-a deny,exit -S execve -F path=/bin/true -F argv=--bad\n" \
            f"-a deny=EACCES,exit -S execve -F path=/bin/true -F argv={long}\n"
    with policy(rules):
        equal(execute("/bin/true", "a", "b", "--bad", "c"), -errno.EPERM)
        equal(execute("/bin/true", *["a"] * 100, long), -errno.EACCES)
        equal(execute("/bin/true", *["a"] * 100, long + "x"), 0)
        equal(execute("/bin/false", "--bad"), 1, "another program")
    with policy("-a deny,exit -S execve -F path=/bin/true -F argv!=--good\n"):
        equal(execute("/bin/true", "--good"), 0)
        equal(execute("/bin/true", "--other"), -errno.EPERM)


def test_how_texts_begin():
    true = "-S execve -F path=/bin/true -F"
    rules = f"-a deny,exit {true} argv^=-R\n" \
            f"-a deny=EACCES,exit {true} argv[1]^=-mhttp\n" \
            f"-a deny=EBUSY,exit {true} env[KRSI_A]^=http:\n" \
            f"-a deny=ENOENT,exit {true} argv[2]!^=--\n" \
            f"-a deny=EBUSY,exit -S openat -F path^={HELD}/fi -F comm^=krsi-b\n" \
            f"-a deny=EACCES,exit -S openat -F path^={HELD}/fil -F exe^=/usr/bin/pyth\n"
    comm = pathlib.Path("/proc/self/comm")
    before = comm.read_text()
    with files(), policy(rules):
        for argv, verdict in (
                (["-R8080:host:80"], errno.EPERM), (["-R"], errno.EPERM),
                (["a"] * 50 + ["-Rx"], errno.EPERM), (["a", "-R" + "x" * 10000], errno.EPERM),
                (["x-R"], 0), (["-"], 0), ([""], 0),
                (["-mhttp.server"], errno.EACCES), (["x", "--", "-mhttp"], 0), (["-mhtt"], 0),
                (["x", "--y"], 0), (["x", "-y"], errno.ENOENT), (["x", ""], errno.ENOENT)):
            equal(execute("/bin/true", *argv, env={}), -verdict, str(argv)[:80])
        for value, verdict in (("http://x", errno.EBUSY), ("http:", errno.EBUSY), ("http", 0),
                               ("xhttp:", 0), ("", 0)):
            equal(execute("/bin/true", env={"KRSI_A": value}), -verdict, value)
        equal((read(HELD / "file"), read(HELD / "other")), (errno.EACCES, errno.ENOENT))
        try:
            comm.write_text("krsi-begin")
            equal(read(HELD / "file"), errno.EBUSY)
            comm.write_text("krsi-")
            equal(read(HELD / "file"), errno.EACCES)
        finally:
            comm.write_text(before)
    # Of beginnings of one text the first rule decides, whichever is longer.
    for one, other in (("--ab", "--abc"), ("--abc", "--ab")):
        with policy(f"-a deny=EBUSY,exit {true} argv^={one}\n"
                    f"-a deny=EACCES,exit {true} argv^={other}\n"):
            equal(execute("/bin/true", "--abcd"), -errno.EBUSY, one)
            equal(execute("/bin/true", "--abx"),
                  -errno.EBUSY if one == "--ab" else -errno.EACCES, one)
    with policy(f"-a deny,exit {true} argv!^=--good\n"):
        equal(execute("/bin/true", "--good=1"), 0)
        equal(execute("/bin/true", "--goo"), -errno.EPERM)


def test_arguments_of_a_script():
    with files():
        script = FREE / "script"
        script.write_text("#!/bin/sh -f\nexit 0\n")
        script.chmod(0o755)
        # The interpreter is asked about with its own arguments.
        with policy("-a deny,exit -S execve -F path=/bin/sh -F argv[1]=-f\n"):
            equal(execute(str(script)), -errno.EPERM)
            equal(execute("/bin/sh", "-c", "exit 0"), 0)


def test_environment():
    rules = "-a deny,exit -S execve -F path=/bin/true -F env[KRSI_A]=1\n" \
            "-a deny=EACCES,exit -S execve -F path=/bin/true -F env[KRSI_B]!=good\n"
    with policy(rules):
        equal(execute("/bin/true", env={"KRSI_A": "1"}), -errno.EPERM)
        equal(execute("/bin/true", env={"KRSI_A": "2", "KRSI_B": "good"}), 0)
        equal(execute("/bin/true", env={"KRSI_B": "bad"}), -errno.EACCES)
        equal(execute("/bin/true", env={}), 0, "none of them")
        equal(counters(), [(1, 1, 0), (1, 1, 0)])


def test_variable_that_is_there_twice():
    """Programs differ in the one that they take: a rule that denies does."""
    libc = ctypes.CDLL(None, use_errno=True)

    def execute_with(*variables):
        pid = os.fork()
        if pid == 0:
            argv = (ctypes.c_char_p * 2)(b"/bin/true", None)
            env = (ctypes.c_char_p * (len(variables) + 1))(*variables, None)
            libc.execve(b"/bin/true", argv, env)
            os._exit(ctypes.get_errno())
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    with policy("-a deny=EXDEV,exit -S execve -F path=/bin/true -F env[KRSI_A]=bad\n"):
        equal(execute_with(b"KRSI_A=good", b"KRSI_A=bad"), errno.EXDEV)
        equal(execute_with(b"KRSI_A=good", b"KRSI_A=good"), errno.EXDEV)
        equal(counters(), [(2, 2, 2)])
        equal(execute_with(b"KRSI_A=good", b"KRSI_AA=bad", b"KRSI=bad"), 0)
        equal(execute_with(b"KRSI_A=bad"), errno.EXDEV)
        equal(counters(), [(3, 3, 2)])


def test_every_way_to_execute():
    """execveat(2), a descriptor, and no arguments at all."""
    libc = ctypes.CDLL(None, use_errno=True)
    empty_path = 0x1000

    def in_child(call):
        pid = os.fork()
        if pid == 0:
            call()
            os._exit(ctypes.get_errno())
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def strings(*texts):
        return (ctypes.c_char_p * (len(texts) + 1))(*texts, None)

    def execveat(fd, path, flags, *argv):
        return in_child(lambda: libc.syscall(322, fd, path, strings(*argv), strings(), flags))

    directory = os.open("/bin", os.O_RDONLY)
    program = os.open("/bin/true", os.O_RDONLY)
    try:
        with policy("-a deny=EXDEV,exit -S execve -F path=/bin/true -F argv[1]=--bad\n"):
            equal(execveat(directory, b"true", 0, b"true", b"--bad"), errno.EXDEV)
            equal(execveat(directory, b"true", 0, b"true", b"--good"), 0)
            equal(execveat(program, b"", empty_path, b"true", b"--bad"), errno.EXDEV, "fexecve")
            equal(execveat(program, b"", empty_path, b"true", b"--good"), 0, "fexecve")
        # Linux gives a program without arguments an empty one.
        with policy("-a deny=EXDEV,exit -S execve -F path=/bin/true -F argv!=--good\n"
                    "-a deny=EBUSY,exit -S execve -F path=/bin/false -F argv[0]!=x\n"):
            equal(in_child(lambda: libc.execve(b"/bin/true", strings(), strings())), errno.EXDEV)
            equal(in_child(lambda: libc.execve(b"/bin/false", strings(), strings())), errno.EBUSY)
            equal(in_child(lambda: libc.execve(b"/bin/false", strings(b"x"), strings())), 1)
    finally:
        os.close(directory)
        os.close(program)


def test_path():
    rules = f"-a deny=EACCES,exit -F path={HELD}/file -F perm=wa -k path\n"
    with files(), policy(rules):
        equal(write(HELD / "file"), errno.EACCES)
        equal(read(HELD / "file"), 0, "reading")
        equal(write(HELD / "other"), 0, "beside it")
        equal(attempt(os.chmod, HELD / "file", 0o600), errno.EACCES)
        equal(attempt(os.chown, HELD / "file", 0, 0), errno.EACCES)
        equal(attempt(os.truncate, HELD / "file", 0), errno.EACCES)
        equal(attempt(os.unlink, HELD / "file"), errno.EACCES)
        equal(attempt(os.rename, HELD / "file", HELD / "moved"), errno.EACCES)
        equal(attempt(os.rename, HELD / "other", HELD / "file"), errno.EACCES)
        equal(attempt(os.link, HELD / "file", FREE / "link"), errno.EACCES)
        denied = counters()[0]
        equal(denied[0], denied[1])
        assert denied[1] >= 8, denied
        equal(denied[2], 0)


def test_access_mode_3_is_reading_and_writing():
    """A descriptor for ioctl(2) only, for which open(2) asks for both permissions."""
    for perm in ("r", "w", "rwxa"):
        rule = f"-a deny,exit -F path={HELD}/file -F perm={perm}"
        with files(), policy(rule + "\n"):
            equal(attempt(os.open, HELD / "file", 3), errno.EPERM, rule)
            equal(attempt(os.open, FREE / "file", 3), 0, rule)
            equal(counters()[0], (1, 1, 0), rule)
    with files(), policy(f"-a deny,exit -F path={HELD}/file -F perm=xa\n"):
        equal(attempt(os.open, HELD / "file", 3), 0)


def test_truncating_is_writing():
    """Also by an open that does not ask to write."""
    for rule in ("-a deny,exit -F path={} -F perm=w", "-a deny,exit -S openat -F path={} -F perm=w",
                 "-a deny,exit -F dir={} -F perm=wa"):
        with files(), policy(rule.format(HELD / "file") + "\n"):
            equal(attempt(os.open, HELD / "file", os.O_RDONLY | os.O_TRUNC), errno.EPERM, rule)
            equal((HELD / "file").read_text(), "content", rule)
            equal(attempt(os.open, FREE / "file", os.O_RDONLY | os.O_TRUNC), 0, rule)
            equal(counters()[0], (1, 1, 0), rule)


def test_directory():
    rules = f"-a deny=EACCES,exit -F dir={HELD} -F perm=w -k dir\n"
    with files():
        (HELD / "deep/er").mkdir(parents=True)
        (TOP / "held-not").mkdir(exist_ok=True)
        (FREE / "symlink").symlink_to(HELD)
        with policy(rules):
            equal(write(HELD / "file"), errno.EACCES)
            equal(write(HELD / "deep/er/file"), errno.EACCES)
            equal(write(FREE / "symlink/file"), errno.EACCES, "through a symbolic link")
            equal(write(TOP / "held/../held/file"), errno.EACCES)
            equal(write(TOP / "held-not/file"), 0, "a name that begins like it")
            equal(attempt(os.mkdir, HELD / "new"), errno.EACCES)
            equal(attempt(os.rmdir, HELD / "deep/er"), errno.EACCES)
            equal(attempt(os.symlink, "x", HELD / "new"), errno.EACCES)
            equal(attempt(os.mkfifo, HELD / "new"), errno.EACCES)
            equal(attempt(os.rename, HELD / "deep", FREE / "deep"), errno.EACCES, "out")
            equal(attempt(os.rename, FREE / "file", HELD / "in"), errno.EACCES, "in")
            equal(attempt(os.link, FREE / "file", HELD / "hard"), errno.EACCES, "a hard link in")
            # The directory itself is a name in its own path.
            equal(attempt(os.rename, HELD, TOP / "away"), errno.EACCES)
            equal(write(FREE / "file"), 0)


def test_names_are_what_rules_are_about():
    with files():
        os.link(HELD / "file", FREE / "hard")
        with policy(f"-a deny,exit -F dir={HELD} -F perm=rwa\n"):
            equal(read(HELD / "file"), errno.EPERM)
            equal(read(FREE / "hard"), 0, "a hard link is another name")
        inode = (HELD / "file").stat().st_ino
        with policy(f"-a deny,exit -S openat -F inode={inode & 0xffffffff} -F filetype=file\n"):
            equal(read(FREE / "hard"), errno.EPERM, "the inode is the same")
            equal(read(HELD / "file"), errno.EPERM)


def test_links_in_rules():
    """A rule that names a symbolic link is about it and what it leads to when it is loaded."""
    with files():
        (TOP / "way").symlink_to(HELD)
        try:
            with policy(f"-a deny,exit -F dir={TOP}/way -F perm=w\n"):
                equal(write(HELD / "file"), errno.EPERM)
                equal(write(TOP / "way/file"), errno.EPERM)
                equal(write(FREE / "file"), 0)
                equal(attempt(os.unlink, TOP / "way"), errno.EPERM, "the link itself")
            with policy(f"-a deny,exit -F path={TOP}/way/file -F perm=w\n"):
                equal(write(HELD / "file"), errno.EPERM)
                # What is put into its place later is another name.
                (TOP / "way").unlink()
                (TOP / "way").symlink_to(FREE)
                equal(write(TOP / "way/file"), 0)
                equal(write(HELD / "file"), errno.EPERM)
        finally:
            (TOP / "way").unlink()


def test_renamed_ancestor():
    """A directory above that is renamed takes the names with it; a rule about it prevents that."""
    with files():
        (HELD / "above/dir").mkdir(parents=True)
        rule = f"-a deny,exit -F dir={HELD}/above/dir -F perm=w\n"
        with policy(rule):
            equal(write(HELD / "above/dir/file"), errno.EPERM)
            equal(attempt(os.rename, HELD / "above/dir", HELD / "dir"), errno.EPERM)
            os.rename(HELD / "above", HELD / "elsewhere")
            equal(write(HELD / "elsewhere/dir/file"), 0)
            os.rename(HELD / "elsewhere", HELD / "above")
        with policy(rule + f"-a deny,exit -S rename -F path={HELD}/above\n"):
            equal(attempt(os.rename, HELD / "above", HELD / "elsewhere"), errno.EPERM)
            equal(write(HELD / "file"), 0)


def test_container():
    """With a root of its own, names are those of the container."""
    script = """
mount -t tmpfs none "$1" && cd "$1" && mkdir -p old bin usr lib lib64 || exit 90
for dir in bin usr lib lib64; do
	[ ! -e /$dir ] || mount --rbind "$(realpath /$dir)" $dir || exit 91
done
mkdir -p "$1$2" && echo inside >"$1$2/file" && echo inside >"$1$2/other" || exit 92
pivot_root . old || exit 93
# The container's own file has the name that the rule has.
echo x >"$2/file" && exit 94
echo x >"$2/other" || exit 95
exit 0
"""
    with files():
        (FREE / "container").mkdir()
        with policy(f"-a deny,exit -S openat -F path={HELD}/file -F perm=w\n"):
            done = subprocess.run(
                ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh",
                 str(FREE / "container"), str(HELD)],
                capture_output=True, text=True, check=False)
            equal(done.returncode, 0, done.stderr)
            equal(write(HELD / "file"), errno.EPERM)


def test_bind_mounts_and_namespaces():
    with files():
        (FREE / "mount").mkdir()
        with policy(f"-a deny,exit -F dir={HELD} -F perm=w\n"):
            done = shell('mount --bind "$1" "$2/mount" && echo x >"$2/mount/file"; s=$?;'
                         ' umount "$2/mount"; exit $s', HELD, FREE)
            equal(done.returncode, 0, f"a bind mount has names of its own: {done.stderr}")
            done = subprocess.run(["unshare", "-m", "sh", "-c", f"echo x >{HELD}/file"],
                                  capture_output=True, text=True, check=False)
            assert done.returncode != 0, "another mount namespace"
            done = subprocess.run(["unshare", "-m", "sh", "-c", f"echo x >{FREE}/file"],
                                  capture_output=True, text=True, check=False)
            equal(done.returncode, 0, done.stderr)


def test_chroot():
    with files(), policy(f"-a deny,exit -F dir={HELD} -F perm=w\n"):
        pid = os.fork()
        if pid == 0:
            os.chroot(TOP)
            os._exit(attempt(os.open, "/held/file", os.O_WRONLY) * 2
                     + attempt(os.open, "/free/file", os.O_WRONLY))
        equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 2 * errno.EPERM)


def test_deleted():
    with files():
        fd = os.open(HELD / "file", os.O_RDONLY)
        other = os.open(FREE / "file", os.O_RDONLY)
        os.unlink(HELD / "file")
        os.unlink(FREE / "file")
        with policy(f"-a deny,exit -F dir={HELD} -F perm=w\n"):
            equal(attempt(os.open, f"/proc/self/fd/{fd}", os.O_WRONLY), errno.EPERM)
            equal(attempt(os.open, f"/proc/self/fd/{other}", os.O_WRONLY), 0)
            # What has no name at all.
            ends = os.pipe()
            equal(attempt(os.open, f"/proc/self/fd/{ends[1]}", os.O_WRONLY), 0)
        for number in (fd, other, *ends):
            os.close(number)


def test_renamed():
    with files():
        with policy(f"-a deny,exit -F path={HELD}/file -F perm=r\n"):
            equal(read(HELD / "file"), errno.EPERM)
            os.rename(HELD / "file", FREE / "renamed")
            equal(read(FREE / "renamed"), 0, "it is called otherwise now")
            os.rename(FREE / "renamed", HELD / "file")
            equal(read(HELD / "file"), errno.EPERM)


def test_long_paths():
    with files():
        deep = HELD
        for _ in range(10):
            deep = deep / ("d" * 100)
        deep.mkdir(parents=True)
        (deep / "file").write_text("x")
        (FREE / ("n" * 250)).write_text("x")
        rules = f"-a deny,exit -F path={deep}/file -F perm=w\n" \
                f"-a deny=EACCES,exit -F path={FREE}/{'n' * 250} -F perm=w\n"
        with policy(rules):
            equal(write(deep / "file"), errno.EPERM)
            equal(write(FREE / ("n" * 250)), errno.EACCES)
            equal(write(FREE / ("n" * 249)), 0)
        with policy(f"-a deny,exit -F dir={HELD} -F perm=w\n"):
            equal(write(deep / "file"), errno.EPERM)


def test_path_that_cannot_be_told():
    """Longer than the kernel's paths: a rule that denies does, and says so."""
    with files():
        os.chdir(FREE)
        for _ in range(50):
            os.mkdir("d" * 100)
            os.chdir("d" * 100)
        try:
            with policy(f"-a deny=EACCES,exit -F dir={HELD} -F perm=w\n"):
                equal(attempt(os.open, "file", os.O_WRONLY | os.O_CREAT), errno.EACCES)
                hits, denials, errors = counters()[0]
                assert hits == denials == errors >= 1, (hits, denials, errors)
        finally:
            os.chdir("/")


def test_cgroup():
    group = CGROUPS / "krsi_rule"
    child = group / "child"
    child.mkdir(parents=True)
    try:
        script = 'echo 0 >"$1/cgroup.procs" && exec /bin/true'
        with policy("-a deny,exit -S execve -F path=/bin/true -F cgroup=/krsi_rule\n"):
            assert shell(script, group).returncode != 0
            assert shell(script, child).returncode != 0, "beneath it"
            equal(shell(script, CGROUPS).returncode, 0)
        with policy("-a deny,exit -S execve -F path=/bin/true -F cgroup!=/krsi_rule\n"):
            equal(shell(script, group).returncode, 0)
            assert shell(script, CGROUPS).returncode != 0
    finally:
        remove_cgroups(child, group)


def test_cgroup_that_ends():
    """A rule is about the cgroup that there was, and `krsi list` says that it has ended."""
    group = CGROUPS / "krsi_rule"
    script = 'echo 0 >"$1/cgroup.procs" && exec /bin/true'

    def ended():
        listed = run("list", "--json")
        rules = [rule["number"] for rule in json.loads(listed.stdout)["rules"] if rule["ended"]]
        equal(json.loads(run("status", "--json").stdout)["policy"]["ended"], rules)
        equal("about a cgroup that has ended" in run("list").stderr, bool(rules))
        return rules

    group.mkdir()
    with policy("-a never,exit -S execve -F path=/bin/false\n"
                "-a deny,exit -S execve -F path=/bin/true -F cgroup=/krsi_rule\n"):
        assert shell(script, group).returncode != 0
        equal(ended(), [])
        remove_cgroups(group)
        equal(ended(), [2])
        group.mkdir()
        try:
            equal(ended(), [2])
            equal(shell(script, group).returncode, 0)
        finally:
            remove_cgroups(group)


def test_container():
    first, second = "a1" * 32, "a1" * 31 + "b2"
    places = {
        first: CGROUPS / f"docker-{first}.scope",
        second: CGROUPS / "krsi_pods/burstable/pod1" / second,
        "krsi-web": CGROUPS / "lxc.payload.krsi-web",
        "krsi-vm": CGROUPS / "machine.slice/machine-krsi\\x2dvm.scope",
    }
    within = places["krsi-web"] / "init"
    made = []
    script = 'echo 0 >"$1/cgroup.procs" && exec /bin/true'
    rule = "-a deny,exit -S execve -F path=/bin/true -F container"
    try:
        for path in [*places.values(), within]:
            missing = [part for part in [path, *path.parents] if not part.exists()]
            for part in reversed(missing):
                part.mkdir()
                made.append(part)
        for name, path in places.items():
            others = [other for other in places.values() if other != path]
            with policy(f"{rule}={name}\n"):
                assert shell(script, path).returncode != 0, name
                for other in [*others, CGROUPS]:
                    equal(shell(script, other).returncode, 0, f"{name}, {other}")
        with policy(f"{rule}=krsi-web\n"):
            assert shell(script, within).returncode != 0, "beneath it"
        with policy(f"{rule}!={second[:63]}\n"):
            equal(shell(script, places[second]).returncode, 0)
            assert shell(script, places[first]).returncode != 0
            assert shell(script, CGROUPS).returncode != 0, "no container at all"
        for name, part in (("krsi-none", "krsi-vm"), (first[:11], "a1a1a1a1a1a1"),
                           ("pod1", "krsi-web")):
            error = load(f"{rule}={name}\n", status=ERROR)["errors"][0]
            equal(error["message"], f"there is no container {name}")
            assert part in error["expected"], error
        error = load(f"{rule}={first[:12]}\n", status=ERROR)["errors"][0]
        equal(error["message"], f"there are 2 containers {first[:12]}")
        assert f"/docker-{first}.scope" in error["expected"], error
    finally:
        remove_cgroups(*reversed(made))


def test_host():
    """Its namespaces of processes and of cgroups are the first ones."""
    places = [([], True), (["unshare", "-m", "-u", "-i", "-n"], True), (["unshare", "-p"], True),
              (["unshare", "-p", "-f"], False), (["unshare", "-C"], False),
              (["unshare", "-U", "-r", "-p", "-f"], False)]
    for op in ("=", "!="):
        with policy(f"-a deny,exit -S execve -F path=/bin/true -F container{op}host\n"):
            for words, host in places:
                done = execute(*words, "/bin/true")
                # unshare(1) is there itself when it executes what it was told to.
                equal(done == 0, host == (op == "!="), f"container{op}host, {words}")


def claim(kind, name="rule", *more):
    """The number of a slot."""
    blobs = pathlib.Path("/sys/kernel/security/krsi/blobs")
    with blobs.open("w") as file:
        file.write(" ".join(["claim", kind, name, "8", *more]))
    for line in blobs.read_text().splitlines():
        if f" class={kind} name={name} " in line and " state=live" in line:
            return int(line.split()[0].removeprefix("slot="))
    raise AssertionError(f"there is no slot {name} of {kind}")


@contextlib.contextmanager
def labels(*kinds):
    """Gives what labels objects of these classes while this process uses them."""
    numbers = {kind: claim(kind) for kind in kinds}
    with tempfile.TemporaryDirectory(dir="/sys/fs/bpf", prefix="krsi_rule_") as name:
        pins = pathlib.Path(name)

        def update(pid, value):
            slots = [numbers.get(kind, 0) for kind in ("cred", "task", "inode", "file", "sock")]
            raw = struct.pack("=7Q", pid, value, *slots)
            done = subprocess.run(["bpftool", "map", "update", "pinned", pins / "maps/config",
                                   "key", *"0000", "value", *map(str, raw)],
                                  capture_output=True, text=True, check=False)
            equal(done.returncode, 0, done.stdout + done.stderr)

        @contextlib.contextmanager
        def giving(value):
            update(os.getpid(), value)
            try:
                yield
            finally:
                update(0, 0)

        try:
            done = subprocess.run(["bpftool", "prog", "loadall", OBJECTS / "rule.bpf.o",
                                   pins / "progs", "pinmaps", pins / "maps", "autoattach"],
                                  capture_output=True, text=True, check=False)
            equal(done.returncode, 0, done.stdout + done.stderr)
            yield giving
        finally:
            for pin in pins.glob("*/*"):
                pin.unlink()
            for directory in pins.iterdir():
                directory.rmdir()


def in_child(function):
    """What the function returns, up to 255, in a process of its own."""
    pid = os.fork()
    if pid == 0:
        result = 255
        try:
            result = function()
        finally:
            os._exit(result)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_label_of_inodes():
    rules = f"""\
-a deny,exit -S openat,setxattr -F label[inode.rule]=5
-a deny=EACCES,exit -F dir={FREE} -F perm=wxa -F label[inode.rule]!=0
"""
    with files(), labels("inode") as giving:
        shutil.copy("/bin/true", HELD / "true")
        for name in ("file", "true"):
            with giving(5):
                equal(read(HELD / name), 0)
            os.link(HELD / name, FREE / f"{name}-link")
        shutil.copy("/bin/true", FREE / "true")
        with policy(rules):
            equal(read(HELD / "file"), errno.EPERM)
            equal(read(FREE / "file-link"), errno.EPERM, "another name")
            equal(read(FREE / "file"), 0)
            equal(attempt(os.setxattr, HELD / "file", "user.x", b""), errno.EPERM)
            equal(attempt(os.setxattr, FREE / "file", "user.x", b""), 0)
            # Each by what its hook knows: a path, an entry, a program.
            for call, *more in ((os.chmod, 0o600), (os.truncate, 1), (os.unlink,),
                                (os.rename, FREE / "new")):
                equal(attempt(call, FREE / "file-link", *more), errno.EACCES, call)
            equal(attempt(os.chmod, FREE / "file", 0o600), 0)
            equal(attempt(os.chmod, HELD / "file", 0o600), 0, "elsewhere")
            equal(execute(str(FREE / "true-link")), -errno.EACCES)
            equal(execute(str(FREE / "true")), 0)
            # What is not there yet has no label, and neither equals nor differs.
            equal(write(FREE / "new"), 0)
            equal(attempt(os.mkdir, FREE / "dir"), 0)
            equal([errors for _, _, errors in counters()], [0, 0])


def test_label_operators():
    """Numbers have up to 64 bits and no sign; parts of a slot are numbers, too."""
    label = 0xfedcba9876543210
    tests = [("", f"={label}", True), ("", f"!={label}", False), ("", "=0x76543210", False),
             ("", ">=0x8000000000000000", True), ("", "<0x8000000000000000", False),
             ("", f">{label}", False), ("", f"<={label:#x}", True), ("", "<=0xffffffff", False),
             ("", "&0x8000000000000000", True), ("", "&1", False),
             ("", "&=0xf000000000000010", True), ("", "&=0xf000000000000001", False),
             (":0,4", "=0x76543210", True), (":4,4", "=0xfedcba98", True),
             (":4,4", ">0x7fffffff", True), (":4,4", "<=0x7fffffff", False),
             (":6,2", "=0xfedc", True), (":6,2", "<0xfedc", False), (":7,1", "&=0xfe", True),
             (":0,1", ">=0x11", False)]
    with files(), labels("inode") as giving:
        with giving(label):
            equal(read(HELD / "file"), 0)
        rules = ""
        for number, (part, test, _) in enumerate(tests):
            os.link(HELD / "file", FREE / f"{number}")
            rules += f"-a deny,exit -S openat -F path={FREE}/{number}" \
                     f" -F label[inode.rule{part}]{test}\n"
        with policy(rules):
            for number, (part, test, holds) in enumerate(tests):
                equal(read(FREE / f"{number}"), errno.EPERM if holds else 0, part + test)


def test_label_of_credentials_and_tasks():
    rules = f"""\
-a deny,exit -S execve -F path=/bin/true -F label[cred.rule]=7
-a deny=EACCES,exit -S openat -F path={FREE}/file -F label[task.rule]&4
-a deny=EBUSY,exit -S kill -F label[task.rule]=7
"""
    def labelled(giving):
        with giving(7):
            os.getpgid(os.getpid())
        return attempted()

    def attempted():
        # The child that executes has the credentials' label, not the task's.
        child = in_child(lambda: read(FREE / "file"))
        results = [execute("/bin/true") != 0, read(FREE / "file") == errno.EACCES,
                   attempt(os.kill, os.getpid(), 0) == errno.EBUSY, child == errno.EACCES]
        return sum(result << bit for bit, result in enumerate(results))

    with files(), labels("cred", "task") as giving, policy(rules):
        equal(in_child(lambda: labelled(giving)), 0b0111)
        equal(in_child(attempted), 0, "who has no label")


def test_label_of_files():
    with files(), labels("file") as giving:
        with giving(1):
            held = os.open(FREE / "file", os.O_RDONLY)
        free = os.open(FREE / "file", os.O_RDONLY)
        with policy("-a deny=EACCES,exit -S read -F label[file.rule]=1\n"):
            equal(attempt(os.read, held, 1), errno.EACCES)
            equal(attempt(os.read, free, 1), 0, "the same file, opened again")
        for fd in (held, free):
            os.close(fd)


def test_label_of_sockets():
    with labels("sock") as giving, policy("-a deny=EACCES,exit -S listen -F label[sock.rule]>2\n"):
        for label in (0, 2, 3):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.bind(f"\0krsi-rule-{label}")
                with giving(label):
                    sock.getsockname()
                equal(attempt(sock.listen), errno.EACCES if label > 2 else 0, label)


def test_label_out_of_reach():
    """It cannot be told of an inode whose attribute has another size: what denies does."""
    claim("inode", "kept", "xattr=yes")
    # On the overlay that is the root, whose inodes do not stay in memory.
    bad = pathlib.Path("/var/krsi-out-of-reach")
    rules = f"""\
-a deny=EACCES,exit -S openat -F path={bad} -F label[inode.kept]=1
-a always,exit -S openat -F path={bad} -F label[inode.kept]=1
-a deny,exit -S openat -F dir={TOP} -F label[inode.kept]!=0
"""
    bad.write_text("x")
    os.setxattr(bad, "security.krsi.kept", b"short")
    # It is read when the inode comes into memory; what was used lately stays there at first.
    for _ in range(3):
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("2")
    with files(), policy(rules):
        equal(read(bad), errno.EACCES)
        equal(counters(), [(1, 1, 1), (0, 0, 0), (0, 0, 0)])
        # Rules about other names have nothing to do with it.
        equal(read(FREE / "file"), 0, "a new one")
        equal(counters(), [(1, 1, 1), (0, 0, 0), (0, 0, 0)])
    bad.unlink()


def test_slots_that_are_not_there():
    def refused(label):
        return load(f"-a deny,exit -S execve -F {label}=1\n", status=ERROR)["errors"][0]

    claim("task")
    error = refused("label[task.nothing]")
    equal((error["line"], error["column"]), (1, 27))
    equal(error["message"], "task has no slot nothing")
    assert "label[task.rule]" in error["expected"], error
    claim("cred", "only-cred")
    equal(refused("label[task.only-cred]")["message"],
          "the slot only-cred is of cred, not of task")
    equal(run("blobs", "release", "cred", "only-cred").returncode, SUCCESS)
    # Whoever has the rule in force goes on with the bytes, which nobody else gets.
    claim("task", "passing")
    with files(), policy(f"-a deny,exit -S openat -F path={HELD}/file -F label[task.passing]=0\n"):
        equal(read(HELD / "file"), errno.EPERM)
        equal(run("blobs", "release", "task", "passing").returncode, SUCCESS)
        equal(read(HELD / "file"), errno.EPERM)
        equal(counters()[0][2], 0)
        changed = run("rule", f"-w {FREE} -p w")
        equal(changed.returncode, ERROR)
        assert "the slot passing of task is released" in changed.stderr, changed.stderr
        equal(read(HELD / "file"), errno.EPERM)


def test_programs():
    shutil.copy("/bin/cat", TOP / "cat")
    own = os.path.realpath(sys.executable)
    try:
        with files(), policy(f"-a deny,exit -S openat -F path={FREE}/file -F exe={TOP}/cat\n"):
            equal(execute("/bin/cat", str(FREE / "file")), 0)
            equal(execute(str(TOP / "cat"), str(FREE / "file")), 1)
        with files(), policy(f"-a deny,exit -S openat -F path={FREE}/file -F comm=cat\n"):
            equal(execute("/bin/cat", str(FREE / "file")), 1)
            equal(read(FREE / "file"), 0)
        with policy(f"-a deny,exit -S execve -F path=/bin/true -F pexe={own} -F ppid={os.getpid()}\n"):
            equal(execute("/bin/true"), -errno.EPERM, "a child of this program")
            equal(shell("/bin/true; exit $?").returncode, 0, "a child of a shell")
    finally:
        (TOP / "cat").unlink()


def test_parents():
    """The parent's program by the path that it has when the child asks."""
    helper = TOP / "parent"
    shutil.copy(os.path.realpath(sys.executable), helper)
    script = ("import subprocess, sys\n"
              "try: sys.exit(subprocess.run(['/bin/true']).returncode)\n"
              "except OSError as error: sys.exit(error.errno)\n")
    twice = ("import os, time\n"
             "ends = os.pipe()\n"
             "if os.fork() == 0:\n"
             "    middle = os.getpid()\n"
             "    if os.fork() == 0:\n"
             "        while os.getppid() == middle: time.sleep(0.01)\n"
             "        os.dup2(ends[1], 1)\n"
             "        try: os.execv('/bin/sh', ['sh', '-c', 'echo fine'])\n"
             "        except OSError as error: os.write(1, b'denied')\n"
             "    os._exit(0)\n"
             "os.wait()\n"
             "print(os.read(ends[0], 10).decode().strip())\n")
    home = os.path.dirname(os.path.dirname(os.path.realpath(sys.executable)))
    env = {**os.environ, "PYTHONHOME": home}

    def run_as(path, **more):
        return subprocess.run([path, "-c", script], env=env, check=False, **more).returncode

    try:
        with policy(f"-a deny=EXDEV,exit -S execve -F path=/bin/true -F pexe={helper}\n"):
            equal(run_as(helper), errno.EXDEV)
            (TOP / "symlink").symlink_to(helper)
            equal(run_as(TOP / "symlink"), errno.EXDEV, "links are followed")
            os.link(helper, TOP / "hard")
            equal(run_as(TOP / "hard"), 0, "a hard link is another name")
            equal(run_as(sys.executable), 0)
            pid = os.fork()
            if pid == 0:
                # What is deleted has the name that it had.
                os.execve(helper, [helper, "-c", "import os\n"
                                   f"os.unlink({str(helper)!r})\n" + script], env)
            equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), errno.EXDEV, "deleted")
        shutil.copy(os.path.realpath(sys.executable), helper)
        with policy(f"-a deny=EXDEV,exit -S execve -F path=/bin/sh -F pexe={helper}\n"):
            # Not a child of it any more, but of this program: as the documentation says.
            subreaper = 36
            ctypes.CDLL(None).prctl(subreaper, 1)
            done = subprocess.run([helper, "-c", twice], env=env, capture_output=True,
                                  text=True, check=False)
            ctypes.CDLL(None).prctl(subreaper, 0)
            os.waitpid(-1, 0)
            equal(done.stdout.strip(), "fine", done.stderr)
    finally:
        for name in ("parent", "symlink", "hard"):
            (TOP / name).unlink(missing_ok=True)


def listener(family, address):
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.bind((address, 0))
    sock.listen()
    return sock


def connect(address, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        return attempt(sock.connect, address)


def test_remote_address():
    shell("ip link set lo up")
    with listener(socket.AF_INET, "127.0.0.1") as one, listener(socket.AF_INET, "127.0.0.1") as two:
        held, free = one.getsockname(), two.getsockname()
        with policy(f"-a deny=EACCES,exit -S connect -F raddr=127.0.0.0/8 -F rport={held[1]}\n"):
            equal(connect(held), errno.EACCES)
            equal(connect(free), 0, "another port")
            equal(connect(("::ffff:127.0.0.1", held[1]), socket.AF_INET6), errno.EACCES)
        with policy("-a deny=EACCES,exit -S connect -F raddr=127.0.0.2\n"):
            equal(connect(held), 0, "another address")
            equal(connect(("127.0.0.2", held[1])), errno.EACCES)
        with policy("-a deny=EACCES,exit -S connect -F raddr!=127.0.0.1\n"):
            equal(connect(held), 0)
            equal(connect(("127.0.0.2", held[1])), errno.EACCES)
            with socket.socket(socket.AF_UNIX) as sock:
                equal(attempt(sock.connect, "/nowhere"), errno.ENOENT, "no address at all")


def test_messages():
    shell("ip link set lo up")
    with policy("-a deny=EACCES,exit -S sendto,sendmsg -F raddr=127.0.0.1 -F rport=9\n"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            equal(attempt(sock.sendto, b"x", ("127.0.0.1", 9)), errno.EACCES)
            equal(attempt(sock.sendto, b"x", ("127.0.0.1", 10)), 0)
            equal(attempt(sock.sendto, b"x", ("127.0.0.2", 9)), 0)


def test_ipv6():
    shell("ip link set lo up")
    with listener(socket.AF_INET6, "::1") as sock:
        port = sock.getsockname()[1]
        for network, code in (("::1", errno.EACCES), ("::/64", errno.EACCES), ("::2", 0),
                              ("127.0.0.0/8", 0), ("::/0", errno.EACCES)):
            with policy(f"-a deny=EACCES,exit -S connect -F raddr={network} -F rport={port}\n"):
                equal(connect(("::1", port), socket.AF_INET6), code, network)


def test_no_address_is_this_machine():
    """0.0.0.0 and :: lead to where the socket is bound to, or to the loopback."""
    shell("ip link set lo up; ip addr add 192.0.2.77/32 dev lo")
    any4, any6 = ("0.0.0.0", 9), ("::", 9)

    def bound(family, source, address, kind=socket.SOCK_STREAM):
        with socket.socket(family, kind) as sock:
            if source:
                sock.bind((source, 0))
            if kind == socket.SOCK_DGRAM:
                return attempt(sock.sendto, b"x", address)
            return attempt(sock.connect, address)

    rules = "".join(f"-a deny={code},exit -S connect,sendto -F raddr={address}\n"
                    for address, code in (("127.0.0.1", "EXDEV"), ("::1", "EBUSY"),
                                          ("192.0.2.77", "EISDIR")))
    with policy(rules):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            equal(bound(socket.AF_INET, None, any4, kind), errno.EXDEV, kind)
            equal(bound(socket.AF_INET, "192.0.2.77", any4, kind), errno.EISDIR, kind)
            equal(bound(socket.AF_INET6, None, any6, kind), errno.EBUSY, kind)
            equal(bound(socket.AF_INET6, None, ("::ffff:0.0.0.0", 9), kind), errno.EXDEV, kind)
            equal(bound(socket.AF_INET6, "::ffff:192.0.2.77", any6, kind), errno.EXDEV, kind)
        equal(connect(("127.0.0.2", 9)), errno.ECONNREFUSED)
    with policy("-a deny=EACCES,exit -S connect -F raddr=0.0.0.0/0\n"):
        equal(connect(any4), errno.EACCES)
        equal(connect(any6, socket.AF_INET6), errno.ECONNREFUSED, "no IPv4")
    load("-a deny,exit -S connect -F raddr=0.0.0.0\n", status=ERROR)
    load("-a deny,exit -S connect -F raddr=::/128\n", status=ERROR)
    shell("ip addr del 192.0.2.77/32 dev lo")


class Message(ctypes.Structure):
    """struct mmsghdr"""
    _fields_ = [("name", ctypes.c_void_p), ("name_length", ctypes.c_uint32),
                ("parts", ctypes.c_void_p), ("part_count", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
                ("flags", ctypes.c_int), ("length", ctypes.c_uint)]


def send(sock, address, call):
    """sendmsg(2), or sendmmsg(2) of one message, with the bytes of an address."""
    libc = ctypes.CDLL(None, use_errno=True)
    data = ctypes.create_string_buffer(b"x" * 8)
    part = (ctypes.c_size_t * 2)(ctypes.addressof(data), 8)
    name = ctypes.create_string_buffer(address, len(address))
    message = Message(ctypes.addressof(name), len(address), ctypes.addressof(part), 1)
    args = (1, 0) if call == "sendmmsg" else (0,)
    done = getattr(libc, call)(sock.fileno(), ctypes.byref(message), *args)
    return ctypes.get_errno() if done < 0 else 0


def test_every_way_to_send():
    shell("ip link set lo up")
    ipv4 = socket.inet_aton("127.0.0.1")
    ipv6 = socket.inet_pton(socket.AF_INET6, "::1")

    def name(family, address):
        port = struct.pack("!H", 9)
        if len(address) == 4:
            return struct.pack("H", family) + port + address + bytes(8)
        return struct.pack("H", family) + port + bytes(4) + address + bytes(4)

    rules = "-a deny=EXDEV,exit -S sendmsg -F raddr=127.0.0.1\n" \
            "-a deny=EBUSY,exit -S sendmsg -F raddr=::1\n"
    with policy(rules):
        for call in ("sendmsg", "sendmmsg"):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                equal(send(sock, name(socket.AF_INET, ipv4), call), errno.EXDEV, call)
                equal(send(sock, name(0, ipv4), call), errno.EXDEV, f"{call} without a family")
                equal(send(sock, name(socket.AF_INET, b"\x7f\0\0\2"), call), 0, call)
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
                equal(send(sock, name(socket.AF_INET6, ipv6), call), errno.EBUSY, call)
                equal(send(sock, name(socket.AF_INET, ipv4), call), errno.EXDEV, call)
            with socket.socket(socket.AF_INET6, socket.SOCK_RAW, 253) as sock:
                # What takes no port wants none.
                raw = struct.pack("H", 0) + bytes(6) + ipv6 + bytes(4)
                equal(send(sock, raw, call), errno.EBUSY, f"{call} without a family")


def test_network_namespace():
    rules = "-a deny=EXDEV,exit -S connect -F raddr=127.0.0.1 -F rport=9\n"
    script = "import os, socket\nsocket.socket().connect(('127.0.0.1', 9))"
    with policy(rules):
        done = shell("unshare -n sh -c 'ip link set lo up; exec \"$0\" -c \"$1\"' \"$1\" \"$2\"",
                     sys.executable, script)
        assert "Errno 18" in done.stderr, done.stderr


def test_families():
    shell("ip link set lo up")
    with policy("-a deny=EACCES,exit -S bind,connect,sendto -F saddr_fam=2\n"
                "-a deny=EBUSY,exit -F saddr_fam>=10\n"):
        for family, address, denied in (
                (socket.AF_INET, ("127.0.0.1", 9), errno.EACCES),
                (socket.AF_INET6, ("::1", 9), errno.EBUSY), (socket.AF_UNIX, "/nowhere", None)):
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                for call, *args in ((sock.bind, address), (sock.connect, address),
                                    (sock.sendto, b"x", address)):
                    result = attempt(call, *args)
                    if denied:
                        equal(result, denied, (family, call))
                    else:
                        assert result not in (errno.EACCES, errno.EBUSY), (family, call, result)
        with socket.socketpair()[0] as sock:
            equal(attempt(sock.send, b"x") in (0, errno.EPIPE), True, "no address at all")


def test_system_calls():
    rules = """\
-a deny=EACCES,exit -S sethostname -k host
-a deny=ENOSYS,exit -S settimeofday,clock_settime -k time
-a deny=EBUSY,exit -S mount -k mount
-a deny=EAGAIN,exit -S socket -F a0=2 -k socket
-a deny=EISDIR,exit -S ptrace -k trace
-a deny=EXDEV,exit -S setuid -F uid=0 -F ppid={} -k id
""".format(os.getpid())
    with policy(rules):
        # Whoever asks for a capability knows one errno only.
        equal(attempt(socket.sethostname, "x"), errno.EPERM)
        equal(attempt(time.clock_settime, time.CLOCK_REALTIME, time.time()), errno.ENOSYS)
        done = shell("mount -t tmpfs none /mnt")
        assert done.returncode != 0, "mount(8) uses other system calls than mount(2)"
        equal(attempt(socket.socket, socket.AF_INET), errno.EAGAIN)
        equal(attempt(socket.socket, socket.AF_UNIX), 0, "another family")
        pid = os.fork()
        if pid == 0:
            os._exit(attempt(os.setuid, 1000))
        equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), errno.EXDEV)
        hits = [counter[0] for counter in counters()]
        equal([number > 0 for number in hits], [True, True, True, True, False, True], hits)


def test_32_bit_system_calls():
    """Those of int 0x80, with numbers and arguments of their own."""
    # int call(int number, int a, int b, int c): in registers of the one, then of the other.
    code = bytes.fromhex("53 89f8 89f3 4189c8 89d1 4489c2 cd80 5b c3")
    low = mmap.mmap(-1, 8192, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40,
                    prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    low[:len(code)] = code
    address = ctypes.addressof(ctypes.c_char.from_buffer(low))
    call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
                            ctypes.c_uint)(address)
    libc = ctypes.CDLL(None, use_errno=True)

    def compat(flags):
        done = call(5, address + 4096, flags, 0)
        return 0 if done >= 0 else -done

    def native(path, flags):
        return 0 if libc.syscall(2, bytes(path), flags, 0) >= 0 else ctypes.get_errno()

    with files():
        path = HELD / "file"
        low[4096:4097 + len(bytes(path))] = bytes(path) + b"\0"
        for number in ("openat", "5"):
            with policy(f"-a deny=EXDEV,exit -F arch=b32 -S {number} -F path={path}\n"):
                equal((compat(os.O_RDONLY), native(path, os.O_RDONLY)), (errno.EXDEV, 0), number)
        with policy(f"-a deny=EXDEV,exit -F arch=b64 -S openat -F path={path}\n"):
            equal((compat(os.O_RDONLY), native(path, os.O_RDONLY)), (0, errno.EXDEV))
        # The second argument is in another register.
        with policy(f"-a deny=EXDEV,exit -F arch=b32 -S open -F a1=1 -F path={path}\n"):
            equal((compat(os.O_RDONLY), compat(os.O_WRONLY)), (0, errno.EXDEV))
            equal(native(path, os.O_WRONLY), 0)
        with policy(f"-a deny=EXDEV,exit -S open -F a1=1 -F path={path}\n"):
            equal((compat(os.O_WRONLY), native(path, os.O_WRONLY)), (errno.EXDEV, errno.EXDEV))
            equal((compat(os.O_RDWR), native(path, os.O_RDWR)), (0, 0))


def test_ipc():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p

    def call(function, *args):
        ctypes.set_errno(0)
        done = function(*args)
        return 0 if ctypes.get_errno() == 0 else -ctypes.get_errno(), done

    # IPC_PRIVATE, IPC_CREAT
    shared = call(libc.shmget, 0, 4096, 0o1600)[1]
    queue = call(libc.msgget, 0, 0o1600)[1]
    semaphore = call(libc.semget, 0, 1, 0o1600)[1]
    message = ctypes.create_string_buffer(b"\1" + b"\0" * 15)
    step = ctypes.create_string_buffer(struct.pack("hhh", 0, 1, 0))
    # A hook is asked about a message, not about an empty queue.
    equal(call(libc.msgsnd, queue, message, 1, 0o4000)[0], 0)
    tries = {
        "shmget": (libc.shmget, 0, 4096, 0o1600), "shmat": (libc.shmat, shared, None, 0),
        "shmctl": (libc.shmctl, shared, 0, None), "semget": (libc.semget, 0, 1, 0o1600),
        "semop": (libc.semop, semaphore, step, 1), "semctl": (libc.semctl, semaphore, 0, 0),
        "msgget": (libc.msgget, 0, 0o1600), "msgsnd": (libc.msgsnd, queue, message, 1, 0o4000),
        "msgrcv": (libc.msgrcv, queue, message, 1, 0, 0o4000),
        "msgctl": (libc.msgctl, queue, 0, None),
    }
    for name, what in tries.items():
        with policy(f"-a deny=EXDEV,exit -S {name} -F pid={os.getpid()}\n"):
            # To receive is to look for a message that may be had.
            equal(call(*what)[0], -errno.ENOMSG if name == "msgrcv" else -errno.EXDEV, name)
            hits, denials, errors = counters()[0]
            assert hits == denials > 0 == errors, (name, hits, denials, errors)
        with policy(f"-a deny=EXDEV,exit -S {name} -F pid=1\n"):
            equal(call(*what)[0], 0, name)


def test_user_namespaces():
    """Whoever makes one: unshare(2) and clone(2), without any capability."""
    libc = ctypes.CDLL(None, use_errno=True)
    newuser = 0x10000000

    def unshare():
        os.setresuid(65534, 65534, 65534)
        return 0 if libc.unshare(newuser) == 0 else ctypes.get_errno()

    def clone():
        os.setresuid(65534, 65534, 65534)
        pid = libc.syscall(56, newuser | 17, 0, 0, 0, 0)
        if pid == 0:
            os._exit(0)
        return 0 if pid > 0 else ctypes.get_errno()

    def in_child(function):
        pid = os.fork()
        if pid == 0:
            os._exit(function())
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    equal((in_child(unshare), in_child(clone)), (0, 0))
    with policy("-a deny=EXDEV,exit -S unshare\n"):
        equal((in_child(unshare), in_child(clone)), (errno.EXDEV, errno.EXDEV))
        equal(shell("unshare -m true").returncode, 1, "a namespace that needs a capability")
        equal(shell("true").returncode, 0)


def test_mknod():
    with files(), policy(f"-a deny,exit -S mknod -F dir={HELD}\n"):
        for mode in (stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK, 0):
            equal(attempt(os.mknod, HELD / "new", mode | 0o600), errno.EPERM, oct(mode))
            equal(attempt(os.mknod, FREE / f"new{mode}", mode | 0o600), 0, oct(mode))
        equal(write(HELD / "new"), 0, "opening makes a file, and is no mknod(2)")


def test_signals():
    with policy("-a deny=EBUSY,exit -S kill -F a1=0\n"):
        equal(attempt(os.kill, os.getpid(), 0), errno.EBUSY)
        with subprocess.Popen(["sleep", "60"]) as other:
            equal(attempt(os.kill, other.pid, 0), errno.EBUSY)
            equal(attempt(os.kill, other.pid, 9), 0, "another signal")
        equal(counters(), [(2, 2, 0)])


def test_ptrace():
    """Attaching, but not what ps(1) reads."""
    class Iovec(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

    def peek(pid):
        byte = ctypes.create_string_buffer(1)
        vector = ctypes.byref(Iovec(ctypes.addressof(byte), 1))
        done = libc.process_vm_readv(pid, vector, 1, vector, 1, 0)
        return ctypes.get_errno() if done < 0 else 0

    libc = ctypes.CDLL(None, use_errno=True)
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            for call in ("ptrace", "process_vm_readv"):
                with policy(f"-a deny=EISDIR,exit -S {call} -k trace\n"):
                    equal(attempt(os.readlink, f"/proc/{other.pid}/exe"), 0)
                    equal(counters(), [(0, 0, 0)])
                    # Whatever the hook says, its caller makes EPERM of it.
                    equal(peek(other.pid), errno.EPERM)
                    equal(counters(), [(1, 1, 0)])
        finally:
            other.kill()


def test_execve_of_set_user_id():
    """Users are those of the caller, and whoever loads such a rule is told."""
    rule = "-a always,exit -F arch=b64 -S execve -C uid!=euid -F euid=0 -k setuid\n"
    notes = load(rule)["notes"]
    run("unload")
    equal(len(notes), 1, notes)
    assert "set-user-ID" in notes[0], notes
    equal(load(rule.replace("-C uid!=euid -F euid=0", "-F uid=0"))["notes"], [])
    run("unload")


def test_kill():
    with files(), policy(f"-a kill,exit -F path={HELD}/file -F perm=w\n"):
        pid = os.fork()
        if pid == 0:
            write(HELD / "file")
            os._exit(0)
        equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), -9)
        equal((HELD / "file").read_text(), "content")
        equal(counters(), [(1, 1, 0)])


def test_first_match():
    rules = f"""\
-a never,exit -F path={HELD}/file -F perm=w -F uid=0
-a deny,exit -F dir={TOP} -F perm=w
-A deny=EACCES,exit -F path={HELD}/third -F perm=w
"""
    with files(), policy(rules):
        equal(write(HELD / "file"), 0)
        equal(write(HELD / "other"), errno.EPERM)
        equal(write(HELD / "third"), errno.EACCES)


def test_rule():
    rule = f"-a deny,exit -F path={HELD}/file -F perm=w -k one"
    with files():
        equal(run("rule", rule).returncode, SUCCESS)
        equal(run("rule", "-a", "deny=EACCES,exit", "-F", f"path={FREE}/file", "-F", "perm=w",
                  "-k", "two").returncode, SUCCESS)
        equal((write(HELD / "file"), write(FREE / "file")), (errno.EPERM, errno.EACCES))
        listed = json.loads(run("rule", "--json", "-l").stdout)["rules"]
        equal([(item["keys"], item["denials"]) for item in listed], [(["one"], 1), (["two"], 1)])
        equal(run("rule", rule.replace("-a", "-d", 1)).returncode, SUCCESS)
        equal((write(HELD / "file"), write(FREE / "file")), (0, errno.EACCES))
        failed = run("rule", rule.replace("-a", "-d", 1))
        equal(failed.returncode, ERROR)
        assert "there is no such rule" in failed.stderr, failed.stderr
        equal(write(FREE / "file"), errno.EACCES, "after a failure")
        equal(run("rule", "-D", "-k", "two").returncode, SUCCESS)
        equal(write(FREE / "file"), 0)
        equal(run("rule", "-l").stdout, "No rules\n")


def test_several_lines():
    """One word with several lines is one change, all of it."""
    lines = [f"-a deny,exit -F path={HELD}/file -F perm=w", f"-w {FREE} -p x -k free",
             "-a always,exit -S execve -F euid=54321"]
    with files():
        try:
            changed = run("rule", "\n".join(lines), "--json")
            equal(changed.returncode, SUCCESS, changed.stderr)
            read = json.loads(changed.stdout)
            equal([rule["text"] for rule in read["rules"]], lines)
            euid, bind = read["notes"]
            assert "set-user-ID" in euid and "with a bind mount" in bind, read["notes"]
            equal(write(HELD / "file"), errno.EPERM)
            changed = run("rule", lines[2].replace("euid", "suid"))
            assert "set-user-ID" in changed.stderr, changed.stderr
            changed = run("rule", "\n".join(["-D -k free", "-D", lines[1]]))
            equal(changed.returncode, SUCCESS, changed.stderr)
            listed = json.loads(run("rule", "-l", "--json").stdout)["rules"]
            equal([rule["text"] for rule in listed], [lines[1]])
        finally:
            run("unload")


def test_rules_at_the_front_stay_there():
    """The order of a policy in force survives each change to it."""
    def order():
        return [rule["text"] for rule in json.loads(run("list", "--json").stdout)["rules"]]

    rules = [f"-A {action},exit -F path={HELD}/file -F perm=w -k {action}"
             for action in ("deny=EBUSY", "deny=EACCES", "never")]
    with files():
        try:
            for rule in rules:
                equal(run("rule", rule).returncode, SUCCESS)
            equal(order(), rules[::-1])
            equal(write(HELD / "file"), 0)
            equal(run("rule", f"-w {FREE} -p x").returncode, SUCCESS)
            equal(run("rule", "-D", "-k", "never").returncode, SUCCESS)
            equal(order(), [rules[1], rules[0], f"-w {FREE} -p x"])
            equal(write(HELD / "file"), errno.EACCES)
        finally:
            run("unload")


def test_nothing_is_left():
    with files():
        with policy(f"-a deny,exit -F path={HELD}/file -F perm=w\n"):
            assert (BPFFS / "hooks/file_open/link").exists()
        equal([entry.name for entry in (BPFFS / "hooks").iterdir()], [])
        equal([entry.name for entry in BPFFS.glob("generation-*")], [])
        # What a command has left that did not come to its end.
        load(f"-a deny,exit -F path={HELD}/file -F perm=w\n")
        (BPFFS / "generation-4711").mkdir()
        (BPFFS / "hooks/inode_nothing").mkdir()
        load(f"-a deny,exit -F path={HELD}/file -F perm=x\n")
        equal([entry.name for entry in (BPFFS / "hooks").iterdir()], ["bprm_check_security"])
        equal(len(list(BPFFS.glob("generation-*"))), 1)
        equal(write(HELD / "file"), 0)
        # A link that somebody has removed is made anew.
        load(f"-a deny,exit -F path={HELD}/file -F perm=w\n")
        (BPFFS / "hooks/file_open/link").unlink()
        # The kernel frees links when it comes to it.
        for _ in range(600):
            if not write(HELD / "file"):
                break
            time.sleep(0.1)
        equal(write(HELD / "file"), 0)
        load(f"-a deny,exit -F path={HELD}/file -F perm=w\n")
        equal(write(HELD / "file"), errno.EPERM)
        run("unload")


def test_directories_of_others():
    """Whoever comes first could own what a policy is pinned in: that is refused."""
    rule = "-a deny,exit -S sethostname\n"
    with policy(rule):
        pass
    top = BPFFS.parent
    for path in (top, BPFFS, BPFFS / "hooks"):
        for owner, mode in ((65534, 0o700), (0, 0o770), (0, 0o777)):
            os.chown(path, owner, 0)
            path.chmod(mode)
            try:
                for args in (["load", "-"], ["list"], ["unload"], ["rule", rule.strip()]):
                    refused = run(*args, input=rule)
                    equal(refused.returncode, ERROR, f"{path} {owner} {mode:o} {args}")
                    assert "others could change the policy" in refused.stderr, refused.stderr
                    assert "mode=700" in refused.stderr, refused.stderr
            finally:
                os.chown(path, 0, 0)
                path.chmod(0o700)
    equal([entry.name for entry in (BPFFS / "hooks").iterdir()], [])
    # A link to what somebody else has.
    for name in ("active", "provisional"):
        (BPFFS / name).unlink()
    for path in (BPFFS / "hooks", BPFFS, top):
        path.rmdir()
    top.symlink_to(TOP)
    try:
        equal(run("load", "-", input=rule).returncode, ERROR)
        equal(list(TOP.glob("policy")), [], "what a link leads to")
    finally:
        top.unlink()
        shutil.rmtree(TOP / "policy", ignore_errors=True)
    with policy(rule):
        equal(top.stat().st_mode & 0o777, 0o700)


def test_failure_changes_nothing():
    with files(), policy(f"-a deny,exit -F path={HELD}/file -F perm=w\n"):
        for rules in ("nonsense\n", "-a deny,exit -S access\n", "-a deny,exit -S keyctl\n",
                      "-b 64\n"):
            load(rules, status=ERROR)
            equal(write(HELD / "file"), errno.EPERM, rules)
        nobody = run("load", "-", input="-w /etc -p w\n", user=65534, group=65534)
        equal(nobody.returncode, ERROR, nobody.stdout)
        equal(write(HELD / "file"), errno.EPERM)


def test_failure_after_attaching():
    """What was attached and pinned by then is removed, and the old policy stays."""
    rule = f"-a deny,exit -F path={HELD}/file -F perm=w\n"
    # BPF_PROG_LOAD, BPF_OBJ_PIN, BPF_LINK_CREATE
    for command, name in ((5, "ENOMEM"), (6, "EIO"), (28, "EMFILE")):
        with files(), policy(f"{rule}-a deny={name},exit -S bpf -F a0={command} -k bpf\n"):
            before = sorted(path.name for path in (BPFFS / "hooks").iterdir())
            failed = run("load", "-", input=f"{rule}-a deny,exit -S sethostname\n")
            equal(failed.returncode, ERROR, name)
            assert os.strerror(getattr(errno, name)) in failed.stderr, failed.stderr
            assert "bug" not in failed.stderr, failed.stderr
            equal(sorted(path.name for path in (BPFFS / "hooks").iterdir()), before, name)
            equal(len(list(BPFFS.glob("generation-*"))), 1, name)
            equal(detached("capable"), True, name)
            equal(write(HELD / "file"), errno.EPERM, name)
            equal(run("list").returncode, SUCCESS)


def attached(hook):
    found = json.loads(run("hooks", hook, "--json").stdout)["hooks"]
    return len(found[0]["programs"])


def detached(hook):
    """Whether no program is on the hook; the kernel ends a link some time after its last pin."""
    for _ in range(200):
        if not attached(hook):
            return True
        time.sleep(0.1)
    return False


def test_killed_while_loading():
    """Whenever that happens, a policy is in force as a whole, and the next load goes well."""
    chance = random.Random(int(os.environ.get("SEED", "3")))
    rules = [f"-a deny={name},exit -F path={HELD}/file -F perm=w\n{more}" for name, more in
             (("EACCES", ""), ("EBUSY", "-a deny,exit -S sethostname,mkdir -F uid=54321\n"))]
    denied = (errno.EACCES, errno.EBUSY)
    with files(), policy(rules[0]):
        began = time.monotonic()
        load(rules[1])
        whole = time.monotonic() - began
        for number in range(20):
            with subprocess.Popen([KRSI, "load", "-"], stdin=subprocess.PIPE, text=True,
                                  stdout=subprocess.DEVNULL) as process:
                process.stdin.write(rules[number % 2])
                process.stdin.close()
                time.sleep(chance.uniform(0, whole))
                process.kill()
            assert write(HELD / "file") in denied, number
            equal(run("list").returncode, SUCCESS, "all that is in force is there")
        load(rules[0])
        equal(write(HELD / "file"), errno.EACCES)
        equal(len(list(BPFFS.glob("generation-*"))), 1)
        equal(detached("capable"), True)


def test_damage():
    """What somebody has removed is not told to be in force."""
    rules = f"-a deny,exit -F path={HELD}/file -F perm=w\n-a deny,exit -S execve -F uid=54321\n"
    for gone in ("link", "programs"):
        with files(), policy(rules):
            equal(run("list").returncode, SUCCESS)
            read = json.loads(run("status", "--json").stdout)["policy"]
            equal((read["rules"], read["damaged"]), (2, []))
            (BPFFS / "hooks/file_open" / gone).unlink()
            listed = run("list")
            equal(listed.returncode, NOT_ENFORCING, gone)
            assert "not in force on file_open" in listed.stderr, listed.stderr
            equal(json.loads(run("list", "--json").stdout)["damaged"], ["file_open"])
            status = run("status", "--json")
            equal(status.returncode, NOT_ENFORCING, gone)
            read = json.loads(status.stdout)
            equal((read["state"], read["policy"]["damaged"]), ("not-enforcing", ["file_open"]))
            load(rules)
            equal(run("list").returncode, SUCCESS)
            equal(run("status").returncode, SUCCESS)
            equal(write(HELD / "file"), errno.EPERM, gone)


def test_no_instant_without_policy():
    """While policies replace each other, each call is decided by one of them."""
    rules = [f"-a deny={name},exit -F path={HELD}/file -F perm=w\n" for name in ("EACCES", "EBUSY")]
    # A hook that only one of them has.
    rules[1] += "-a deny,exit -S sethostname\n"
    seen = set()
    done = threading.Event()

    def ask():
        while not done.is_set():
            seen.add(attempt(os.open, HELD / "file", os.O_WRONLY))

    with files(), policy(rules[0]):
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for number in range(12):
                load(rules[number % 2])
        finally:
            done.set()
            for thread in threads:
                thread.join()
    equal(seen, {errno.EACCES, errno.EBUSY})


def test_many_rules():
    with files():
        rules = [f"-a deny,exit -F path={HELD}/f{number} -F perm=w -k k{number}\n"
                 for number in range(1000)]
        rules += [f"-w {FREE}/d{number} -p w -k w{number}\n".replace("-w ", "-a deny,exit -F dir=")
                  .replace(" -p w", " -F perm=w") for number in range(200)]
        with policy("".join(rules)):
            equal(write(HELD / "f0"), errno.EPERM)
            equal(write(HELD / "f999"), errno.EPERM)
            equal(write(HELD / "f1000"), 0)
            (FREE / "d200").mkdir()
            equal(attempt(os.mkdir, FREE / "d199"), errno.EPERM)
            equal(write(FREE / "d200/x"), 0)
            hits = counters()
            equal([number for number, hit in enumerate(hits) if hit[0]], [0, 999, 1199])


def test_rules_of_many_forms():
    """No two of them can be one lookup."""
    rules = [f"-a deny,exit -S openat -F uid={50000 + number} -F path=/etc/x{number}\n"
             for number in range(500)]
    with policy("".join(rules)):
        equal(read("/etc/hostname") in (0, errno.ENOENT), True)
    # More than the verifier takes one behind the other.
    rules = [f"-a deny=EACCES,exit -S openat -F dir={HELD}/{number} -F exe!=/none/{number}\n"
             for number in range(600)]
    with files():
        for number in (0, 300, 599, 600):
            (HELD / str(number)).mkdir()
        with policy("".join(rules)):
            for number in (0, 300, 599):
                equal(write(HELD / str(number) / "x"), errno.EACCES, number)
            equal(write(HELD / "600/x"), 0)
            hits = counters()
            equal([number for number, hit in enumerate(hits) if hit[0]], [0, 300, 599])


@contextlib.contextmanager
def auditd():
    """Debian's daemon, with a log of its own."""
    log = pathlib.Path("/var/log/audit")
    log.mkdir(parents=True, exist_ok=True)
    config = pathlib.Path("/etc/audit/auditd.conf")
    config.write_text("log_file = /var/log/audit/audit.log\nflush = none\nlog_format = RAW\n"
                      "freq = 0\nspace_left = 2\nadmin_space_left = 1\n")
    with subprocess.Popen(["auditd", "-n", "-s", "enable"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as daemon:
        for _ in range(600):
            if "enabled 1" in shell("auditctl -s").stdout and (log / "audit.log").exists():
                break
            time.sleep(0.1)
        try:
            yield
        finally:
            daemon.terminate()
            daemon.wait(timeout=600)


def found(key, tries=600):
    """What ausearch finds by a key: the records of KRSI, and whether the system call's is there."""
    for _ in range(tries):
        out = shell('ausearch -k "$1" --raw </dev/null', key).stdout
        if "type=SYSCALL" in out:
            break
        time.sleep(0.1)
    lines = out.splitlines()
    records = [line for line in lines if line.startswith("type=KERNEL_OTHER")]
    return records, sum(line.startswith("type=SYSCALL") for line in lines)


def test_records():
    if not shutil.which("auditd"):
        print("# there is no auditd here")
        return
    rules = f"""\
-w {HELD} -p wa -k krsi-write
-a deny,exit -S execve -F path=/bin/true -F argv[1]=--bad -k krsi-bad
-a kill,exit -F path={FREE}/file -F perm=w -k krsi-kill
-a always,exit -S connect -F raddr=127.0.0.1 -k krsi-net
-a never,exit -F path={FREE}/never -F perm=w -k krsi-never
"""
    with files(), auditd(), policy(rules):
        # Tasks that are older than audit have no events of system calls.
        done = shell('echo x >"$1/file"; echo $$', HELD)
        shell("/bin/true --bad")
        shell('echo x >"$1/file"', FREE)
        shell('echo x >"$1/never"', FREE)
        execute(sys.executable, "-c",
                "import socket; socket.socket().connect_ex(('127.0.0.1', 9))")
        records, calls = found("krsi-write")
        equal((len(records), calls), (1, 1), records)
        for part in (f'path="{HELD}/file"', f"pid={done.stdout.strip()} ", "hook=file_open",
                     "rule=1 ", "verdict=allow"):
            assert part in records[0], (part, records)
        records, calls = found("krsi-bad")
        equal((len(records), calls), (1, 1), records)
        assert "verdict=deny errno=1" in records[0] and "rule=2 " in records[0], records
        records, calls = found("krsi-kill")
        equal((len(records), calls), (1, 1), records)
        assert "verdict=kill" in records[0], records
        equal(found("krsi-net")[1], 1)
        equal(found("krsi-never", tries=20), ([], 0))
        equal([hits for hits, _, _ in counters()], [1, 1, 1, 1, 2])


# Fields with values that no task or file here has, and where they can stand.
SUBJECT = ["uid=54321", "euid!=54321", "suid<=7", "fsuid>=7", "gid=54321", "egid!=3", "sgid<9",
           "fsgid>3", "auid=54321", "sessionid!=unset", "pid=4194000", "ppid>1", "pers=0",
           "arch=b64", "arch=b32", "arch!=b32", "cgroup!=/", "cgroup=/", "container=host",
           "container!=host", "container=krsi-random", "label[cred.rule]=77",
           "label[cred.rule:4,4]!=0xffffffff", "label[task.rule]&0x8000000000000000"]
PROGRAM = ["exe=/none", "exe!=/bin/none", "pexe=/none", "comm=none", "comm!=none"]
OBJECT = ["inode=1", "devmajor=3", "devminor!=4", "obj_uid>=5", "obj_gid=6", "filetype=socket",
          "filetype!=dir", "label[inode.rule]>=9", "label[inode.rule:2,2]=3",
          "label[inode.kept]!=0"]
OPENED = ["label[file.rule]=1", "label[file.rule:7,1]>0"]
SOCKET = ["label[sock.rule]!=1", "label[sock.rule:0,4]&=3"]
NAMES = ["path=/no/such", "path!=/no/such", "dir=/no/such", "dir!=/", "dir=/"]
EXEC = ["argv[1]=none", "argv[3]!=none", "argv=none", "argv!=x", "env[A]=none", "env[BCD]!=b",
        "argv[0]=" + "x" * 300]
REMOTE = ["raddr=192.0.2.1", "raddr=2001:db8::/32", "raddr!=192.0.2.0/24", "rport=7", "rport>=7",
          "saddr_fam=2", "saddr_fam!=1"]
FILE_CALLS = ["openat", "truncate", "ftruncate", "unlink", "rmdir", "mkdir", "mknod", "symlink",
              "link", "rename", "chmod", "chown", "stat", "ioctl", "fcntl", "flock", "read",
              "mount", "move_mount", "pivot_root", "chroot", "finit_module", "inotify_add_watch"]
OPENED_CALLS = ["openat", "ftruncate", "ioctl", "fcntl", "flock", "read", "finit_module"]
SOCKET_CALLS = ["bind", "listen", "accept", "recvmsg", "shutdown", "setsockopt", "getsockopt",
                "socketpair", "getsockname", "getpeername"]
DENTRY_CALLS = ["setxattr", "removexattr", "getxattr", "listxattr", "readlink"]
OTHER_CALLS = ["mmap", "mprotect", "umount2", "settimeofday", "init_module", "socket", "bind",
               "listen", "accept", "recvmsg", "shutdown", "setsockopt", "getsockopt", "clone",
               "setuid", "setgid", "setgroups", "prctl", "capset", "capget", "bpf", "quotactl",
               "statfs"]
PATHLESS_CALLS = ["adjtimex", "delete_module", "sethostname", "unshare", "kill", "ptrace", "setpriority", "sched_setscheduler", "setpgid", "getpgid",
                  "getsid", "prlimit64", "syslog", "perf_event_open", "shmget", "shmctl", "shmat",
                  "semget", "semctl", "semop", "msgget", "msgctl", "msgsnd", "msgrcv"]
# Those that are not asked of the machine while this runs, and never match what does.
NEVER = "uid=54321"


def random_rule(chance):
    kind = chance.choice(["file", "file", "opened", "exec", "remote", "socket", "dentry", "other",
                          "pathless"])
    fields = {
        "file": SUBJECT + PROGRAM + OBJECT + NAMES,
        "opened": SUBJECT + PROGRAM + OBJECT + NAMES + OPENED,
        "exec": SUBJECT + PROGRAM + OBJECT + NAMES + OPENED + EXEC,
        "remote": SUBJECT + PROGRAM + SOCKET + REMOTE,
        "socket": SUBJECT + PROGRAM + SOCKET,
        "dentry": SUBJECT + PROGRAM + OBJECT,
        "other": SUBJECT + PROGRAM,
        "pathless": SUBJECT + ["comm=none", "comm!=none"],
    }[kind]
    calls = {
        "file": FILE_CALLS, "opened": OPENED_CALLS, "exec": ["execve"],
        "remote": ["connect", "sendto"], "socket": SOCKET_CALLS,
        "dentry": DENTRY_CALLS, "other": OTHER_CALLS, "pathless": PATHLESS_CALLS,
    }[kind]
    chosen = chance.sample(fields, chance.randint(0, 4))
    call = ",".join(chance.sample(calls, min(len(calls), chance.randint(1, 3))))
    action = chance.choice(["always", "deny", "deny=EACCES", "kill", "never"])
    extra = ["a0=77"] if chance.random() < 0.2 else []
    tests = chosen + extra + [NEVER]
    chance.shuffle(tests)
    # The architecture has to come first.
    tests.sort(key=lambda test: not test.startswith("arch"))
    before = [test for test in tests if test.startswith("arch")]
    after = [test for test in tests if not test.startswith("arch")]
    words = [f"-F {test}" for test in before] + [f"-S {call}"] + [f"-F {test}" for test in after]
    return f"-a {action},exit {' '.join(words)}\n"


@contextlib.contextmanager
def all_there():
    """What random rules name."""
    for kind in ("cred", "task", "inode", "file", "sock"):
        claim(kind)
    claim("inode", "kept", "xattr=yes")
    container = CGROUPS / "lxc.payload.krsi-random"
    container.mkdir()
    try:
        yield
    finally:
        container.rmdir()


# Rules of which there are many, which programs search for: '#' counts them, '%' is any number.
FORMS = ["-S openat -F uid=#", "-S openat -F uid=# -F path=/no/such%", "-S openat -F gid=# -F uid=%",
         "-S openat -F path=/no/such# -F exe!=/none%", "-S rename -F dir=/no/# -F exe=/none%",
         "-S execve -F path=/bin/none -F argv=#", "-S execve -F argv[1]=# -F env[A]=%",
         "-S read -F inode=# -F devmajor=%", "-S connect -F raddr=192.0.2.% -F rport=#",
         "-S sethostname,acct,reboot -F uid=#", "-S socket -F a0=# -F a1=% -F uid=#",
         "-S openat -F dir=/no/# -F label[inode.kept]!=%", "-S openat -F label[cred.rule]=# -F uid=%",
         "-S execve -F path=/bin/none% -F label[inode.kept:0,4]=# -F argv=%",
         "-S connect,sendto -F raddr=192.0.2.% -F label[sock.rule]&# -F saddr_fam!=%",
         "-S openat -F container!=host -F path=/no/such# -F label[file.rule]>=%"]


def random_rules(chance):
    if chance.random() < 0.6:
        return "".join(random_rule(chance) for _ in range(chance.choice([1, 5, 40])))
    forms = chance.sample(FORMS, chance.randint(1, 3))
    rules = []
    for number in range(chance.choice([10, 100, 300])):
        form = chance.choice(forms)
        form = form.replace("#", str(50000 + number)).replace("%", str(chance.randint(1, 250)))
        action = chance.choice(["always", "deny", "deny=EACCES", "kill", "never"])
        rules.append(f"-a {action},exit {form} -F {NEVER.replace('uid', 'fsuid')}\n")
    return "".join(rules) + random_rule(chance)


def test_random_rules_load():
    with all_there():
        load_random_rules()


def load_random_rules():
    seed = int(os.environ.get("SEED", "1"))
    chance = random.Random(seed)
    for number in range(int(os.environ.get("ROUNDS", "15"))):
        rules = random_rules(chance)
        result = run("load", "-", input=rules)
        if result.returncode:
            print(f"# seed {seed}, round {number}: {result.stderr}\n# " + rules.replace("\n", "\n# "))
        equal(result.returncode, SUCCESS)
    equal(run("unload").returncode, SUCCESS)


def test_every_system_call_alone():
    """Each hook takes a program of its own, with every kind of test that it can have."""
    with all_there():
        every_system_call_alone()


def every_system_call_alone():
    for call in FILE_CALLS + DENTRY_CALLS + OTHER_CALLS + PATHLESS_CALLS + SOCKET_CALLS + \
            ["execve", "connect", "sendto"]:
        rules = f"-a deny,exit -S {call} -F {NEVER}\n"
        rules += f"-a deny,exit -S {call} -F {NEVER} -F container!=host -F label[task.rule]=1" \
                 " -F label[cred.rule]=1\n"
        if call in FILE_CALLS + DENTRY_CALLS + ["execve"]:
            rules += f"-a deny,exit -S {call} -F {NEVER} -F label[inode.rule]=1" \
                     " -F label[inode.kept]=1\n"
        if call in OPENED_CALLS + ["execve"]:
            rules += f"-a deny,exit -S {call} -F {NEVER} -F label[file.rule]=1\n"
        if call in SOCKET_CALLS + ["connect", "sendto"]:
            rules += f"-a deny,exit -S {call} -F {NEVER} -F label[sock.rule]=1\n"
        if call in ("bind", "connect", "sendto"):
            rules += f"-a deny,exit -S {call} -F {NEVER} -F saddr_fam=1\n"
        if call not in PATHLESS_CALLS:
            rules += f"-a deny,exit -S {call} -F {NEVER} -F exe=/none -F pexe!=/none\n"
        if call in FILE_CALLS:
            rules += f"-a deny,exit -S {call} -F dir=/none -F path!=/none -F {NEVER}\n"
        result = run("load", "-", input=rules)
        equal(result.returncode, SUCCESS, f"{call}: {result.stderr}")
    run("unload")


def decides_as_check_says(rules, trials, noise=0):
    """Of each trial, an event and a call that makes it, the rule whose counter moves and what the
    call fails with are those of krsi check. So many rules at the front others match, too."""
    got = []
    with policy(rules):
        before = counters()
        for _, call in trials:
            code = call()
            after = counters()
            moved = [number for number, (old, new) in enumerate(zip(before, after), 1)
                     if old[0] != new[0] and number > noise]
            got.append((moved, code))
            before = after
    with tempfile.NamedTemporaryFile("w", suffix=".rules") as file:
        file.write(rules)
        file.flush()
        events = [json.dumps(event) for event, _ in trials]
        args = [word for event in events for word in ("--event", event)]
        result = run("check", file.name, "--json", *args)
    equal(result.returncode, SUCCESS, result.stdout + result.stderr)
    decided = 0
    for event, one, told in zip(events, got, json.loads(result.stdout)["events"]):
        decision = told["decisions"][0]
        rule = decision["rule"]
        decided += bool(rule)
        equal(one, ([rule] if rule else [], decision["errno"]), f"{event}\n{rules}")
    return decided


def test_decides_as_check_says():
    """Random rules about a few files."""
    chance = random.Random(int(os.environ.get("SEED", "2")))
    own = os.path.realpath(sys.executable)
    claim("cred")
    with files(), labels("inode") as giving:
        places = [HELD / "file", HELD / "other", FREE / "file", HELD / "sub/file", HELD / "sub"]
        (HELD / "sub").mkdir()
        for path in (HELD / "other", HELD / "sub/file"):
            path.write_text("x")
        tests = [f"path={path}" for path in places] + \
            [f"dir={path}" for path in (HELD, FREE, HELD / "sub", TOP)] + \
            [f"path!={places[0]}", f"dir!={HELD}", "uid=0", "uid!=0", "gid>=0", "euid=5",
             f"exe={own}", f"exe!={own}", "exe=/none", f"pid={os.getpid()}", "pid=1",
             "label[inode.rule]=3", "label[inode.rule]!=3", "label[inode.rule]>=3",
             "label[inode.rule]&1", "label[cred.rule]!=0", "container=host", "container!=host"]
        marks = dict(zip(places, (3, 0, 5, 1 << 63)))
        for path, mark in marks.items():
            with giving(mark):
                equal(read(path), 0)
        trials = [
            ({"hook": "file_open", "path": str(path), "perm": perm, "uid": 0, "gid": 0, "euid": 0,
              "exe": own, "pid": os.getpid(), "label": {"inode.rule": marks[path], "cred.rule": 0},
              "container": "host"}, functools.partial(attempt, os.open, path, flags))
            for path in places[:4]
            for perm, flags in (("r", os.O_RDONLY), ("w", os.O_WRONLY), ("rw", os.O_RDWR))
        ]
        for _ in range(8):
            rules = "".join(
                f"-a {chance.choice(['deny', 'never', 'deny=EACCES'])},exit -S openat "
                f"-F perm={chance.choice(['r', 'w', 'rw'])} -F dir={TOP} " +
                " ".join(f"-F {test}" for test in chance.sample(tests, chance.randint(1, 3))) + "\n"
                for _ in range(chance.randint(2, 30)))
            rules = f"-a never,exit -S openat -F dir!={TOP}\n" + rules
            decides_as_check_says(rules, trials, noise=1)


def open_as(user, group, path, flags):
    """0, or the errno that opening fails with for that user."""
    pid = os.fork()
    if pid == 0:
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
        os._exit(attempt(os.open, path, flags))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_numbers_decide_as_check_says():
    """Many rules that want the same numbers to be others: programs search for those."""
    chance = random.Random(int(os.environ.get("SEED", "3")))
    ids = range(50000, 50050)
    flags = [os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR | os.O_APPEND, os.O_RDONLY | os.O_SYNC]
    decided = 0
    with files():
        TOP.chmod(0o755)
        places = [HELD / "file", FREE / "file"]
        for path in places:
            path.chmod(0o666)
        for _ in range(4):
            def test():
                one = chance.choice(ids)
                return chance.choice([
                    f"uid={one}", f"uid={one}", f"gid={one}", f"gid={one}", f"suid={one}",
                    f"uid!={one}", f"gid>={one}", f"path={chance.choice(places)}", f"dir={HELD}",
                    # Python asks for that, too.
                    f"a2={chance.choice(flags) | os.O_CLOEXEC}", "exe=/none"])
            rules = "".join(
                f"-a {chance.choice(['deny', 'never', 'deny=EACCES', 'deny=ENOSYS'])},exit -S openat "
                f"-F euid>=50000 {' '.join(f'-F {test()}' for _ in range(chance.randint(2, 3)))}\n"
                for _ in range(chance.choice([20, 300, 600])))
            trials = []
            for _ in range(30):
                user, group = chance.choice(ids), chance.choice(ids)
                path, flag = chance.choice(places), chance.choice(flags)
                event = {"hook": "file_open", "syscall": "openat", "arch": "b64", "path": str(path),
                         "uid": user, "euid": user, "suid": user, "gid": group,
                         "a2": flag | os.O_CLOEXEC, "exe": os.path.realpath(sys.executable)}
                trials.append((event, functools.partial(open_as, user, group, path, flag)))
            decided += decides_as_check_says(rules, trials)
    assert decided >= 20, f"rules decide {decided} of 120 events"


def test_arguments_decide_as_check_says():
    """Many rules about programs and their arguments."""
    chance = random.Random(int(os.environ.get("SEED", "4")))
    programs = ["/bin/true", "/bin/false"]
    decided = 0
    for _ in range(3):
        def test():
            one = chance.randint(1, 40)
            return chance.choice([f"argv={one}", f"argv={one}", f"argv[1]={one}", f"argv!={one}",
                                  f"env[KRSI_A]={one}", f"path={chance.choice(programs)}"])
        rules = "".join(
            f"-a {chance.choice(['deny', 'never', 'deny=EACCES'])},exit -S execve "
            f"-F path={chance.choice(programs)} "
            f"{' '.join(f'-F {test()}' for _ in range(chance.randint(1, 3)))}\n"
            for _ in range(chance.choice([10, 100, 300])))
        trials = []
        for _ in range(20):
            program = chance.choice(programs)
            args = [str(chance.randint(1, 60)) for _ in range(chance.randint(0, 4))]
            env = {"KRSI_A": str(chance.randint(1, 60))} if chance.random() < 0.7 else {}
            event = {"hook": "bprm_check_security", "path": os.path.realpath(program),
                     "argv": [program, *args], "env": env}

            def call(argv=(program, *args), env=env):
                # What the program itself ends with is nothing to deny.
                return max(0, -execute(*argv, env=env))
            trials.append((event, call))
        decided += decides_as_check_says(rules, trials)
    assert decided >= 10, f"rules decide {decided} of 60 events"


def clean_up():
    run("unload")
    shutil.rmtree(HELD, ignore_errors=True)
    shutil.rmtree(FREE, ignore_errors=True)


def main(names):
    """Runs the tests of the module that has these names. Returns the exit status."""
    if not ACTIVE:
        return skip_all("krsi is not active")
    own = {name: test for name, test in names.items()
           if getattr(test, "__module__", "") == names["__name__"]}
    try:
        return run_all(own, clean_up)
    finally:
        clean_up()
        shutil.rmtree(TOP, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(globals()))
