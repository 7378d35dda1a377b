#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Rules and the mounts of unprivileged users.

In a user namespace, any user can mount any file at any path. A rule that allows by a path must not
allow what a user has mounted there. A rule that denies or records a path must do so in each mount
namespace. A bind mount also gives a file another name: rules that deny the path do not hold it
there, rules about its inode do.
"""

import contextlib
import errno
import shutil
import subprocess
import sys
import textwrap

import rule_test
from ktap import equal
from rule_test import FREE, HELD, counters, files, policy

# What rules allow by its path, and what a user mounts there.
ALLOWED, EVIL = FREE / "allowed", FREE / "evil"
PLAIN = ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"]
# With a mount namespace of the first user namespace, and of another one.
OF_ROOT = ["unshare", "-m"]
OF_USER = [*PLAIN, "unshare", "-Urm"]


@contextlib.contextmanager
def programs():
    """FREE has the program that rules allow and that of the user, HELD a file that is held."""
    with files():
        for path in (HELD.parent, HELD, FREE):
            path.chmod(0o755)
        (HELD / "file").chmod(0o644)
        shutil.copy("/usr/bin/cat", ALLOWED)
        shutil.copy("/usr/bin/cat", EVIL)
        yield


def read(wrapper, program, mount=False):
    """Whether the program reads the held file, and what it says if not."""
    script = 'if [ "$2" ]; then mount --bind "$2" "$1"; fi && exec "$1" "$3"'
    done = subprocess.run([*wrapper, "sh", "-c", script, "sh", program, EVIL if mount else "",
                           HELD / "file"], capture_output=True, text=True, check=False)
    return done.stdout == "content" or done.stderr.strip().rpartition(": ")[2]


DENIED = "Permission denied"


def test_users_can_mount():
    with programs():
        for wrapper in ([], PLAIN, OF_ROOT, OF_USER):
            equal(read(wrapper, ALLOWED), True, wrapper)
        for wrapper in (OF_ROOT, OF_USER):
            equal(read(wrapper, ALLOWED, mount=True), True, wrapper)


def allow_list(rules):
    """Rules by which ALLOWED may read the held file and others may not."""
    with programs(), policy(rules.format(allowed=ALLOWED, held=HELD)):
        for wrapper in ([], PLAIN, OF_ROOT):
            equal(read(wrapper, ALLOWED), True, wrapper)
            equal(read(wrapper, EVIL), DENIED, wrapper)
        # Root in the first user namespace may call programs as it likes.
        equal(read(OF_ROOT, ALLOWED, mount=True), True)
        for mount in (True, False):
            equal(read(OF_USER, ALLOWED, mount), DENIED, mount)
        equal(read(OF_USER, EVIL), DENIED)
        equal([errors for *_, errors in counters() if errors], [])


def test_deny_others_than_a_program():
    allow_list("-a deny=EACCES,exit -F dir={held} -F perm=rwa -F exe!={allowed}\n")


def test_never_for_a_program():
    allow_list("-a never,exit -F exe={allowed} -F dir={held} -F perm=r\n"
               "-a deny=EACCES,exit -F dir={held} -F perm=rwa\n")


def test_always_for_a_program():
    allow_list("-a always,exit -S openat -F exe={allowed} -F dir={held} -k read\n"
               "-a deny=EACCES,exit -S openat -F dir={held}\n")


def test_never_without_a_hook():
    allow_list("-a never,exit -F exe={allowed}\n"
               "-a deny=EACCES,exit -F dir={held} -F perm=rwa\n")


def test_trial_for_a_program():
    allow_list("-a deny?=EPERM,exit -S openat -F exe={allowed} -F dir={held}\n"
               "-a deny=EACCES,exit -S openat -F dir={held}\n")


def execute(wrapper, program, mount=False):
    script = 'if [ "$2" ]; then mount --bind "$2" "$1"; fi && exec "$1" </dev/null'
    done = subprocess.run([*wrapper, "sh", "-c", script, "sh", program, EVIL if mount else ""],
                          capture_output=True, text=True, check=False)
    return done.returncode == 0 or done.stderr.strip().rpartition(": ")[2]


def exec_list(rules):
    """Rules by which user 1000 may execute ALLOWED and what is in /usr, and nothing else."""
    with programs(), policy(rules.format(allowed=ALLOWED)):
        for wrapper in ([], PLAIN):
            equal(execute(wrapper, ALLOWED), True, wrapper)
        equal(execute([], EVIL), True)
        equal(execute(PLAIN, EVIL), DENIED)


def in_namespace(rules):
    """Whether a user executes what is mounted at ALLOWED, whose shell is already there."""
    script = """
        import ctypes, os, sys
        libc = ctypes.CDLL(None, use_errno=True)
        allowed, evil = (path.encode() for path in sys.argv[1:])
        os.setresgid(1000, 1000, 1000)
        os.setresuid(1000, 1000, 1000)
        NEWNS, NEWUSER, BIND = 0x20000, 0x10000000, 0x1000
        if libc.unshare(NEWNS | NEWUSER) or libc.mount(evil, allowed, None, BIND, None):
            sys.exit(f"mount: {os.strerror(ctypes.get_errno())}")
        try:
            os.execv(allowed, [allowed, "/dev/null"])
        except OSError as error:
            sys.exit(error.errno)
    """
    with programs(), policy(rules.format(allowed=ALLOWED)):
        return subprocess.run([sys.executable, "-c", textwrap.dedent(script), ALLOWED, EVIL],
                              capture_output=True, text=True, check=False).returncode


EXEC_LISTS = (
    "-a deny=EACCES,exit -S execve -F path!={allowed} -F dir!=/usr -F uid=1000\n",
    "-a never,exit -S execve -F path={allowed}\n"
    "-a never,exit -S execve -F dir=/usr\n"
    "-a deny=EACCES,exit -S execve -F uid=1000\n",
)


def test_exec_of_a_list():
    for rules in EXEC_LISTS:
        exec_list(rules)
        equal(in_namespace(rules), errno.EACCES, rules)


def test_path_is_denied_on_any_mount():
    """A rule that denies a path denies it in each mount namespace."""
    for rules in ("-a deny=EACCES,exit -F path={held}/file -F perm=r\n",
                  "-a deny=EACCES,exit -S openat -F dir={held} -F exe={allowed}\n",
                  "-w /etc -p wa -k unrelated\n"
                  "-a deny=EACCES,exit -F dir={held} -F perm=r\n"):
        with programs(), policy(rules.format(allowed=ALLOWED, held=HELD)):
            for wrapper in ([], PLAIN, OF_USER):
                equal(read(wrapper, ALLOWED), DENIED, f"{rules} {wrapper}")
            equal(read(OF_USER, ALLOWED, mount=True), DENIED, rules)


def test_inode_is_held_under_another_name():
    """A bind mount evades a rule that denies a path, but not one about the inode."""
    other = FREE / "other"
    script = 'mount --bind "$1" "$2" && exec cat "$2"'

    def read_other():
        done = subprocess.run([*OF_USER, "sh", "-c", script, "sh", HELD / "file", other],
                              capture_output=True, text=True, check=False)
        return done.stdout == "content" or done.stderr.strip().rpartition(": ")[2]

    with programs():
        other.touch()
        inode = (HELD / "file").stat().st_ino
        for rules, expected in (("-a deny=EACCES,exit -F path={held}/file -F perm=r\n", True),
                                ("-a deny=EACCES,exit -F dir={held} -F perm=r\n", True),
                                ("-a deny=EACCES,exit -S openat -F inode={inode} "
                                 "-F filetype=file\n", DENIED)):
            rules = rules.format(held=HELD, inode=inode)
            with policy(rules):
                equal(read([], ALLOWED), DENIED, rules)
                equal(read_other(), expected, rules)


def test_records_are_kept():
    """What a rule only records is recorded wherever it is mounted."""
    for rules in ("-w {held} -p r -k read\n",
                  "-w {held} -p r -k read\n-a deny,exit -F path=/etc/krsi-elsewhere -F perm=r\n"):
        with programs(), policy(rules.format(held=HELD)):
            equal(read(OF_USER, ALLOWED), True)
            hits, denials, errors = counters()[0]
            assert hits >= 1 and not denials and not errors, counters()


def test_record_is_not_lost_to_a_never():
    """A rule that yields still records if the search ends at a rule that is more lenient."""
    rules = (f"-a always,exit -S openat -F exe={ALLOWED} -F dir={HELD} -k read\n"
             "-a never,exit -S openat -F uid=1000\n"
             "-a deny,exit -S openat -F uid=4242\n")
    for wrapper in (PLAIN, OF_USER):
        with programs(), policy(rules):
            equal(read(wrapper, ALLOWED), True, wrapper)
            hits, denials, errors = counters()[0]
            assert hits >= 1 and not denials and not errors, (wrapper, counters())


def test_strictest_of_those_that_yield_decides():
    """A never rule that yields hides no always rule that does."""
    rules = (f"-a never,exit -S openat -F exe={ALLOWED} -F dir={HELD}\n"
             f"-a always,exit -S openat -F dir={HELD} -k read\n"
             "-a deny,exit -S openat -F uid=4242\n")
    for wrapper, decides in ((PLAIN, 0), (OF_USER, 1)):
        with programs(), policy(rules):
            equal(read(wrapper, ALLOWED), True, wrapper)
            hits = [hits for hits, *_ in counters()]
            equal([bool(hits[0]), bool(hits[1])], [decides == 0, decides == 1], wrapper)


def test_nothing_else_changes():
    """A policy with a list of programs leaves namespaces alone."""
    with programs(), policy(f"-a deny,exit -F dir={HELD} -F perm=rwa -F exe!={ALLOWED}\n"):
        done = subprocess.run(
            [*OF_USER, "sh", "-ec", 'mount -t tmpfs none /mnt; cd /mnt; mkdir d; echo a >d/f; '
             'mv d/f d/g; ln d/g d/h; chmod 600 d/g; cat d/h; cp /usr/bin/true d; d/true; '
             'rm -r d; ls /usr >/dev/null'], capture_output=True, text=True, check=False)
        equal((done.returncode, done.stdout), (0, "a\n"), done.stderr)
        equal(counters(), [(0, 0, 0)])


if __name__ == "__main__":
    sys.exit(rule_test.main(globals()))
