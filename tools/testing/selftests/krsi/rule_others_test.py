#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Rules leave alone what they are not about.

What the kernel does for itself in a task's context, objects that have no name, and system
calls that share a hook with those that a rule names.
"""

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import threading

import rule_test
from ktap import Skipped, equal
from rule_test import FREE, HELD, attempt, counters, execute, files, in_child, policy, shell, \
    write

LIBC = ctypes.CDLL(None, use_errno=True)

# Numbers of x86-64.
SYS_MQ_OPEN, SYS_MQ_UNLINK = 240, 241
SYS_NAME_TO_HANDLE_AT, SYS_OPEN_BY_HANDLE_AT = 303, 304
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 434, 438
SYS_OPEN_TREE, SYS_FSOPEN, SYS_FSCONFIG, SYS_FSMOUNT = 428, 430, 431, 432

# System calls whose hooks know a file.
OF_FILES = {"open", "open,openat", "read,pread64", "write,pwrite64", "splice", "sendfile",
            "copy_file_range"}

# Rules that deny what has a path, for a file that no test opens.
ELSEWHERE = "-a {action},exit -F path=/etc/krsi-elsewhere -F perm={perm} -k x\n"


def syscall(number, *args):
    """The result, or an OSError."""
    ctypes.set_errno(0)
    result = LIBC.syscall(ctypes.c_long(number), *[
        ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args])
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


@contextlib.contextmanager
def overlay(wrapper=()):
    """HELD is an overlay over a tmpfs, with files in its lower directory."""
    HELD.mkdir()
    script = """
        set -e
        mount -t tmpfs none "$1"
        mkdir "$1/lower" "$1/upper" "$1/work" "$1/merged" "$1/lower/dir" "$1/upper/dir"
        for name in append change remove move dir/below; do echo old >"$1/lower/$name"; done
        chmod -R a+rwX "$1"
        mount -t overlay none -o "lowerdir=$1/lower,upperdir=$1/upper,workdir=$1/work" \\
            "$1/merged"
    """
    done = subprocess.run([*wrapper, "sh", "-c", script, "sh", str(HELD)], check=False,
                          capture_output=True, text=True)
    equal(done.returncode, 0, done.stderr)
    try:
        yield HELD / "merged"
    finally:
        shell('umount -R "$1"', HELD)
        HELD.rmdir()


def use(merged):
    """Does with an overlay what a container does; the names of what fails."""
    calls = {
        "append": lambda: (merged / "append").open("a").write("new"),
        "chmod": lambda: (merged / "change").chmod(0o600),
        "read": (merged / "dir/below").read_text,
        "list": lambda: [list(os.scandir(path)) for path in (merged, merged / "dir")],
        "make": lambda: (merged / "made").write_text("x"),
        "mkdir": (merged / "new").mkdir,
        "rename": lambda: (merged / "move").rename(merged / "moved"),
        "remove": (merged / "remove").unlink,
        "rmdir": lambda: shutil.rmtree(merged / "dir"),
        "again": (merged / "dir").mkdir,
    }
    return {name: error for name, call in calls.items() if (error := attempt(call))}


def test_overlay():
    for action, perm in (("deny", "wa"), ("deny", "rwa"), ("kill", "rwxa")):
        with overlay() as merged, policy(ELSEWHERE.format(action=action, perm=perm)):
            equal(use(merged), {}, f"{action} {perm}")
            equal(counters(), [(0, 0, 0)])


def rootless():
    """An overlay that an ordinary user mounts in a user namespace; what failed."""
    with files():
        done = shell("""
            cd "$1" && chmod 755 .. . && chown -R 1000 . && \\
            exec setpriv --reuid 1000 --regid 1000 --clear-groups \\
            unshare -Urm sh -ec 'mkdir lower upper work merged; echo a >lower/a
                mount -t overlay none -o lowerdir=lower,upperdir=upper,workdir=work merged
                echo b >>merged/a; mkdir merged/d; rm merged/a; ls merged >/dev/null'
            """, HELD)
        return done.stderr


def test_overlay_of_a_user_namespace():
    """As rootless containers have it."""
    without = rootless()
    if without:
        raise Skipped(f"without rules: {without.strip()}")
    with policy(ELSEWHERE.format(action="deny", perm="rwa")):
        equal(rootless(), "")
        equal(counters(), [(0, 0, 0)])


def test_overlay_is_held_by_its_own_name():
    with overlay() as merged, policy(f"-a deny,exit -F dir={merged} -F perm=wa\n"):
        failed = use(merged)
        for name in ("read", "list"):
            assert name not in failed, failed
        for name in ("append", "chmod", "make", "mkdir", "rename", "remove"):
            equal(failed.get(name), errno.EPERM, name)


def test_attributes_that_overlayfs_sets():
    """It marks what it copies up or hides with attributes, which no task asked for."""
    names = "setxattr,lsetxattr,fsetxattr,removexattr,getxattr"
    for action in ("always", "deny"):
        with overlay() as merged, policy(f"-a {action},exit -S {names} -k perm_mod\n"):
            equal(use(merged), {}, action)
            equal(counters(), [(0, 0, 0)], action)
            # What a task asks for is one operation, of the file that it names.
            wanted = errno.EPERM if action == "deny" else 0
            equal(attempt(os.setxattr, merged / "append", "trusted.a", b"1"), wanted)
            equal(counters()[0][0], 1, action)


def test_message_queues():
    with policy(ELSEWHERE.format(action="deny", perm="rwxa")):
        os.close(syscall(SYS_MQ_OPEN, b"krsi", os.O_CREAT | os.O_RDWR, 0o600, 0))
        syscall(SYS_MQ_UNLINK, b"krsi")
        equal(counters(), [(0, 0, 0)])


def reopen(fd):
    """Opens what a descriptor is of, by its link in /proc."""
    return attempt(os.open, f"/proc/self/fd/{fd}", os.O_RDWR)


def test_objects_without_a_name():
    with files(), policy(ELSEWHERE.format(action="deny", perm="rwa") +
                         f"-a deny=EACCES,exit -F dir!={HELD} -F perm=w -F uid=4711\n"):
        memfd = os.memfd_create("krsi")
        equal(reopen(memfd), 0, "memfd")
        temporary = os.open(FREE, os.O_TMPFILE | os.O_RDWR)
        equal(reopen(temporary), 0, "O_TMPFILE")
        with mmap.mmap(-1, 4096):
            path, = [entry for entry in os.listdir("/proc/self/map_files")
                     if "zero" in os.readlink(f"/proc/self/map_files/{entry}")][:1] or [None]
            if path:
                equal(attempt(os.open, f"/proc/self/map_files/{path}", os.O_RDWR), 0, "shm")
        ends = os.pipe()
        equal(reopen(ends[0]), 0, "pipe")
        for fd in (memfd, temporary, *ends):
            os.close(fd)

        # A mount that was detached, and two that never were attached.
        shell('mount -t tmpfs none "$1" && echo a >"$1/file"', HELD)
        detached = os.open(HELD, os.O_PATH)
        equal(shell('umount -l "$1"', HELD).returncode, 0)
        tree = syscall(SYS_OPEN_TREE, -100, str(FREE).encode(), 1)
        context = syscall(SYS_FSOPEN, b"proc", 0)
        syscall(SYS_FSCONFIG, context, 6, 0, 0, 0)
        proc = syscall(SYS_FSMOUNT, context, 0, 0)
        for directory, name in ((detached, "file"), (tree, "file"), (proc, "self/comm")):
            for flags in (os.O_RDONLY, os.O_WRONLY):
                equal(attempt(os.open, name, flags, dir_fd=directory), 0, name)
        for fd in (detached, tree, context, proc):
            os.close(fd)
        equal(counters(), [(0, 0, 0)] * 2)


def exec_memfd(user=0):
    """What executing a program without a name comes to: its status, or 100 and the errno."""
    fd = os.memfd_create("krsi", 0)
    os.write(fd, pathlib.Path("/bin/cat").read_bytes())
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
            os.setresuid(user, user, user)
            os.execve(fd, ["cat", "/dev/null" if user else str(HELD / "file")], {})
        except OSError as error:
            os._exit(100 + error.errno)
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_programs_without_a_name():
    """They are in no directory, so that a list of what may run does not let them pass."""
    with files():
        equal(exec_memfd(4711), 0)
        with policy("-a deny=EACCES,exit -S execve -F dir!=/usr -F uid=4711 -k allowed\n"):
            equal(exec_memfd(4711), 100 + errno.EACCES)
            equal(shell("setpriv --reuid 4711 /usr/bin/true").returncode, 0)
            equal(counters(), [(1, 1, 0)])
        with policy("-a deny=EACCES,exit -S execve -F dir=/usr -F uid=4711\n"):
            equal(exec_memfd(4711), 0)
            equal(shell("setpriv --reuid 4711 /usr/bin/true").returncode, 126)
        # The same of who asks.
        with policy(f"-a deny,exit -F path={HELD}/file -F perm=r -F exe!=/usr/bin/true\n"):
            equal(exec_memfd(), 1)
            equal(counters(), [(1, 1, 0)])
        with policy(f"-a deny,exit -F path={HELD}/file -F perm=r -F exe=/usr/bin/true\n"):
            equal(exec_memfd(), 0)
            equal(counters(), [(0, 0, 0)])


def test_no_signal_without_a_match():
    """A path that is too long to tell: the call is denied, the process lives."""
    with files():
        os.chdir(FREE)
        try:
            for _ in range(50):
                os.mkdir("d" * 100)
                os.chdir("d" * 100)
            with policy(f"-a kill,exit -F dir={HELD} -F perm=w\n"):
                open_file = lambda: attempt(os.open, "file", os.O_WRONLY | os.O_CREAT)  # noqa: E731
                equal(in_child(open_file), errno.EPERM)
                hits, denials, errors = counters()[0]
                assert hits == denials == errors == 1, (hits, denials, errors)
        finally:
            os.chdir("/")


def open_by_ring(path, flags, personality):
    """Opens a file by io_uring, with credentials that the ring keeps if `personality`; an errno."""
    params = ctypes.create_string_buffer(120)
    ring = syscall(425, 4, params)
    at = struct.unpack_from("30I", params.raw)
    try:
        number = syscall(427, ring, 9, 0, 0) if personality else 0
        queue = mmap.mmap(ring, 65536, mmap.MAP_SHARED, offset=0)
        entries = mmap.mmap(ring, 64 * at[0], mmap.MAP_SHARED, offset=0x10000000)
        name = ctypes.create_string_buffer(str(path).encode())
        # IORING_OP_OPENAT
        entries[:64] = struct.pack("<BBHiQQIIQHHiQQ", 18, 0, 0, -100, 0, ctypes.addressof(name),
                                   0, flags, 1, 0, number, 0, 0, 0)
        sq_tail, sq_array, cq_entries = at[10 + 1], at[10 + 6], at[20 + 5]
        struct.pack_into("I", queue, sq_array, 0)
        struct.pack_into("I", queue, sq_tail, 1)
        equal(syscall(426, ring, 1, 1, 1, 0, 0), 1)
        _, result, _ = struct.unpack_from("QiI", queue, cq_entries)
        if result < 0:
            return -result
        os.close(result)
        return 0
    finally:
        os.close(ring)


def test_other_credentials_of_a_ring():
    """A request with credentials of its own is the task's, unlike what overlayfs does."""
    with files(), policy(f"-a deny,exit -F path={HELD}/file -F perm=r\n"):
        for flags in (os.O_RDONLY, os.O_RDONLY | os.O_NONBLOCK):
            for personality in (False, True):
                held = lambda: open_by_ring(HELD / "file", flags, personality)  # noqa: E731
                free = lambda: open_by_ring(FREE / "file", flags, personality)  # noqa: E731
                equal(in_child(free), 0)
                equal(in_child(held), errno.EPERM, (flags, personality))


@contextlib.contextmanager
def asker(calls):
    """A process of its own that makes calls when asked to; its pid, and what asks it."""
    (wait, go), (results, answer) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go)
        # A rule about the process may deny all that Python does to report an exception.
        try:
            while os.read(wait, 1):
                errors = bytes([attempt(call) for call in calls.values()])
                os.write(answer, errors)
        finally:
            os._exit(0)

    def ask(rule=""):
        os.write(go, b"x")
        errors = os.read(results, len(calls))
        equal(len(errors), len(calls), f"{rule}: the process has ended")
        return dict(zip(calls, errors))

    for fd in (wait, answer):
        os.close(fd)
    try:
        yield pid, ask
    finally:
        for fd in (go, results):
            os.close(fd)
        os.waitpid(pid, 0)


def handle_of(path):
    """struct file_handle of a file, and the id of its mount."""
    handle = ctypes.create_string_buffer(8 + 128)
    ctypes.c_uint.from_buffer(handle).value = 128
    mount = ctypes.c_int()
    syscall(SYS_NAME_TO_HANDLE_AT, -100, str(path).encode(), handle, ctypes.byref(mount), 0)
    return handle


def test_calls_that_share_a_hook():
    """Each is denied, and what has its hook is not."""
    with files():
        shell('mount -t tmpfs none "$1" && echo content >"$1/file"', HELD)
        file, other, written = HELD / "file", HELD / "other", HELD / "written"
        other.write_text("content")
        handle = handle_of(file)
        directory = os.open(HELD, os.O_RDONLY)
        fd, to = os.open(file, os.O_RDWR), os.open(other, os.O_RDWR)
        reader, writer = os.pipe()
        cpus = os.sched_getaffinity(0)
        pidfd = syscall(SYS_PIDFD_OPEN, os.getpid(), 0)

        def get_fd():
            os.close(syscall(SYS_PIDFD_GETFD, pidfd, 0, 0))

        def by_handle():
            os.close(syscall(SYS_OPEN_BY_HANDLE_AT, directory, handle, 0))

        def queue():
            os.close(syscall(SYS_MQ_OPEN, b"krsi", os.O_CREAT | os.O_RDWR, 0o600, 0))

        def map_file():
            mmap.mmap(fd, 4, mmap.MAP_SHARED, mmap.PROT_READ).close()

        def schedule():
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))

        calls = {
            "open": file.read_text,
            "open,openat -F perm=w": lambda: written.write_text("content"),
            "open_by_handle_at": by_handle,
            "mq_open": queue,
            "read,pread64": lambda: os.pread(fd, 1, 0),
            "write,pwrite64": lambda: os.pwrite(to, b"x", 0),
            "getdents64": lambda: os.listdir(directory),
            "sendfile": lambda: os.sendfile(to, fd, 0, 1),
            "copy_file_range": lambda: os.copy_file_range(fd, to, 1, 0, 0),
            "splice": lambda: (os.splice(fd, writer, 1, 0), os.read(reader, 1)),
            "fallocate": lambda: os.posix_fallocate(to, 0, 1),
            "ftruncate": lambda: os.ftruncate(to, 4),
            "flock": lambda: fcntl.flock(fd, fcntl.LOCK_SH),
            # Python maps memory for itself, which it can write to.
            "mmap -F a2=1": map_file,
            "sched_setscheduler": schedule,
            "sched_setaffinity": lambda: os.sched_setaffinity(0, cpus),
            "sched_getaffinity": lambda: os.sched_getaffinity(0),
            "sched_getscheduler": lambda: os.sched_getscheduler(0),
            "pidfd_getfd": get_fd,
        }
        # What a rule denies beside its own call: the same operation, which `krsi check` says.
        also = {
            "open": {"open,openat -F perm=w", "open_by_handle_at", "mq_open"},
            "open,openat -F perm=w": {"mq_open"},
            # The first two read and write what they open.
            "read,pread64": {"open", "sendfile", "copy_file_range", "splice", "getdents64"},
            "write,pwrite64": {"open,openat -F perm=w", "sendfile", "copy_file_range",
                               "fallocate"},
        }
        try:
            with asker(calls) as (pid, ask):
                equal(ask(), dict.fromkeys(calls, 0))
                for names in calls:
                    asks, _, tests = names.partition(" ")
                    # The pipes that it is asked by are not what the rule is about.
                    rule = f"-a deny=EXDEV,exit -S {asks} {tests} -F pid={pid} " \
                           "-F filetype!=fifo\n"
                    if asks not in OF_FILES:
                        rule = rule.replace(" -F filetype!=fifo", "")
                    with policy(rule):
                        failed = ask(rule)
                    wanted = dict.fromkeys(calls, 0)
                    # Whatever refuses access to a process, pidfd_getfd(2) makes EPERM of it.
                    denied = errno.EPERM if asks == "pidfd_getfd" else errno.EXDEV
                    wanted |= dict.fromkeys({names} | also.get(names, set()), denied)
                    equal(failed, wanted, rule)
        finally:
            for number in (directory, fd, to, reader, writer, pidfd):
                os.close(number)
            attempt(syscall, SYS_MQ_UNLINK, b"krsi")
            shell('umount "$1"', HELD)


def test_exec_maps_for_itself():
    with policy("-a deny=EXDEV,exit -S mmap -F exe=/usr/bin/true\n"):
        # The dynamic loader's own mmap(2) is the program's.
        assert execute("/usr/bin/true") != 0
    # krsi itself has a lock of this kind.
    with policy("-a deny=EXDEV,exit -S shmat,flock,ftruncate,splice -F comm!=krsi\n"):
        equal(execute("/usr/bin/true"), 0)
        for _ in range(2):
            equal(write(rule_test.TOP / "truncated"), 0)


def test_core_dumps():
    """The kernel writes them, with credentials of its own."""
    with files():
        pattern = pathlib.Path("/proc/sys/kernel/core_pattern")
        if not pattern.exists():
            return
        before = pattern.read_text()
        pattern.write_text(f"{HELD}/core")
        try:
            with policy(f"-a deny,exit -F dir={HELD} -F perm=w\n"):
                shell('cd "$1"; ulimit -c unlimited; sh -c "kill -SEGV \\$\\$"', FREE)
                equal(counters()[0][1], 0)
        finally:
            pattern.write_text(before)


def test_tasks_that_want_memory_at_once():
    """The kernel allocates it without waiting for locks that other CPUs hold."""
    count = 150

    def child():
        failed = []
        for _ in range(count):
            thread = threading.Thread(target=lambda: failed.append(
                attempt(os.close, os.open("/etc/passwd", os.O_RDONLY))))
            thread.start()
            thread.join()
        return int(failed != [0] * count)

    rule = "-a deny=ENOSYS,exit -S openat -F path=/no/such -F exe=/none -F pexe=/none\n"
    with policy(rule):
        pids = []
        for _ in range(os.cpu_count() or 1):
            pid = os.fork()
            if pid == 0:
                os._exit(child())
            pids.append(pid)
        statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        equal(statuses, [0] * len(pids))
        equal(counters(), [(0, 0, 0)])


def test_sockets_still_work():
    with policy("-a deny,exit -S socket -F uid=4711\n"):
        socket.socket(socket.AF_UNIX).close()
        equal(counters(), [(0, 0, 0)])


if __name__ == "__main__":
    sys.exit(rule_test.main(globals()))
