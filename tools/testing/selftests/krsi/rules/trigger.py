#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Does what each rule of baseline.rules is about, once, each in a process of its own.

trigger.py --prepare makes what the rules name. trigger.py KEY... does what the
rules of those keys are about, all without any, and prints a JSON object of the
pid for each key. For a machine that may be damaged, as root.
"""

import ctypes
import json
import os
import pathlib
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
DIR = pathlib.Path("/var/tmp/krsi")
NOBODY = 65534


def call(number, *args):
    """A system call; what it returns does not matter."""
    LIBC.syscall(number, *args)


def touch(path):
    """Opens for writing, and changes nothing."""
    return lambda: os.close(os.open(path, os.O_WRONLY | os.O_APPEND))


def entry(directory):
    """Makes a file in the directory, and removes it."""
    def change():
        path = pathlib.Path(directory, "krsi-trigger")
        path.write_text("")
        path.unlink()
    return change


def execute(path, *args, user=None):
    """Executes, in this process; without input, and at most for a while."""
    def run():
        null = os.open("/dev/null", os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        if user is not None:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
        os.execv(path, [path, *args])
    return run


def file(action):
    """Does something with a new file below the directory."""
    def run():
        path = DIR / f"file-{os.getpid()}"
        path.write_text("")
        action(path)
        path.unlink(missing_ok=True)
    return run


def made_directory():
    path = DIR / f"directory-{os.getpid()}"
    path.mkdir()
    call(84, os.fsencode(path))


def removed_xattr(path):
    os.setxattr(path, "user.krsi", b"1")
    os.removexattr(path, "user.krsi")


def denied():
    path = DIR / "denied"
    path.write_text("")
    path.chmod(0)
    os.setuid(NOBODY)
    try:
        path.open("rb")
    except PermissionError:
        pass


def not_permitted():
    """Of a file whose owner is another, O_NOATIME is EPERM."""
    path = DIR / "other"
    path.write_text("")
    path.chmod(0o644)
    os.setuid(NOBODY)
    try:
        os.open(path, os.O_RDONLY | os.O_NOATIME)
    except PermissionError:
        pass


def mounted():
    target = DIR / "mount"
    target.mkdir(exist_ok=True)
    LIBC.mount(b"krsi", os.fsencode(target), b"tmpfs", 0, None)
    LIBC.umount2(os.fsencode(target), 0)


def replaced_zone():
    """As timedatectl does it: another link takes the place."""
    new = pathlib.Path("/etc/localtime.krsi")
    new.symlink_to("/usr/share/zoneinfo/Etc/UTC")
    new.rename("/etc/localtime")


def adjusted_time():
    """Reads the state of the clock, then sets a part of it to what it is."""
    timex = ctypes.create_string_buffer(1024)
    call(159, timex)
    timex[0:4] = (4).to_bytes(4, sys.byteorder)  # ADJ_MAXERROR
    call(159, timex)


def no_module():
    """Long enough for the kernel to look at it."""
    call(175, ctypes.create_string_buffer(4096), 4096, b"")


class Iovec(ctypes.Structure):
    _fields_ = [("iov_base", ctypes.c_void_p), ("iov_len", ctypes.c_size_t)]


def read_parent():
    """A byte that the parent has at the same address."""
    byte = ctypes.create_string_buffer(1)
    vector = ctypes.byref(Iovec(ctypes.addressof(byte), 1))
    LIBC.process_vm_readv(os.getppid(), vector, 1, vector, 1, 0)


class Timespec(ctypes.Structure):
    _fields_ = [("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long)]


def same_time(settimeofday):
    now = time.time_ns()
    if settimeofday:
        call(164, ctypes.byref(Timespec(now // 10**9, now % 10**9 // 1000)), None)
    else:
        call(227, 0, ctypes.byref(Timespec(now // 10**9, now % 10**9)))


TRIGGERS = {
    "identity-passwd": touch("/etc/passwd"),
    "identity-group": touch("/etc/group"),
    "identity-shadow": touch("/etc/shadow"),
    "identity-gshadow": touch("/etc/gshadow"),
    "identity-old-passwords": touch("/etc/security/opasswd"),
    "identity-shadow-read": lambda: pathlib.Path("/etc/shadow").read_bytes(),
    "identity-defaults": touch("/etc/login.defs"),
    "identity-pam": entry("/etc/pam.d"),
    "scope-sudoers": touch("/etc/sudoers"),
    "scope-sudoers-dir": entry("/etc/sudoers.d"),
    "scope-setuid-root": execute("/usr/bin/su", "--version", user=NOBODY),
    "scope-setuid": lambda: os.setuid(0),
    "time-adjust": adjusted_time,
    "time-set": lambda: same_time(True),
    "time-clock": lambda: same_time(False),
    "time-zone": replaced_zone,
    "network-name": lambda: call(170, b"krsi", 4),
    "network-hosts": touch("/etc/hosts"),
    "network-hostname": touch("/etc/hostname"),
    "network-resolver": touch("/etc/resolv.conf"),
    "network-issue": touch("/etc/issue"),
    "network-issue-net": touch("/etc/issue.net"),
    "network-interfaces": entry("/etc/network"),
    "modules-load": no_module,
    "modules-unload": lambda: call(176, b"krsi_none", 0),
    "modules-config": entry("/etc/modprobe.d"),
    "modules-tool": execute("/usr/bin/kmod", "--version"),
    "mounts-mount": mounted,
    "mounts-umount": mounted,
    "mounts-table": touch("/etc/fstab"),
    "privileged-su": execute("/usr/bin/su", "--version"),
    "privileged-passwd": execute("/usr/bin/passwd", "--help"),
    "privileged-chsh": execute("/usr/bin/chsh", "--help"),
    "privileged-chage": execute("/usr/bin/chage", "--help"),
    "privileged-gpasswd": execute("/usr/bin/gpasswd", "--help"),
    "privileged-chfn": execute("/usr/bin/chfn", "--help"),
    "privileged-mount": execute("/usr/bin/mount", "--version"),
    "privileged-umount": execute("/usr/bin/umount", "--version"),
    "delete-unlink": file(os.unlink),
    "delete-rename": file(lambda path: path.rename(DIR / "renamed")),
    "delete-rmdir": made_directory,
    "modes-chmod": file(lambda path: path.chmod(0o600)),
    "modes-chown": file(lambda path: os.chown(path, NOBODY, NOBODY)),
    "modes-set-xattr": file(lambda path: os.setxattr(path, "user.krsi", b"1")),
    "modes-remove-xattr": file(removed_xattr),
    "access-denied": denied,
    "access-not-permitted": not_permitted,
    "processes-ptrace": lambda: call(101, 0x4206, os.getppid(), 0, 0),
    "processes-memory": read_parent,
    "audit-config": entry("/etc/audit"),
    "audit-tool": execute("/usr/sbin/auditctl", "-v"),
}


def prepare():
    DIR.mkdir(parents=True, exist_ok=True)
    DIR.chmod(0o755)
    for name in ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow",
                 "/etc/security/opasswd", "/etc/login.defs", "/etc/sudoers", "/etc/localtime",
                 "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/issue",
                 "/etc/issue.net", "/etc/fstab"):
        path = pathlib.Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.unlink(missing_ok=True)
            path.write_text("")
    for name in ("/etc/pam.d", "/etc/sudoers.d", "/etc/network", "/etc/modprobe.d", "/etc/audit"):
        pathlib.Path(name).mkdir(parents=True, exist_ok=True)


def main():
    if sys.argv[1:] == ["--prepare"]:
        prepare()
        return
    pids = {}
    for key in sys.argv[1:] or TRIGGERS:
        pid = os.fork()
        if pid == 0:
            try:
                TRIGGERS[key]()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        pids[key] = pid
    print(json.dumps(pids))


if __name__ == "__main__":
    main()
