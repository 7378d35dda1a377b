#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The rules of rules/baseline.rules, run by auditctl and by krsi: each is triggered, and found.

ausearch looks for the key of each rule, first in what audit's own rules have
written, then, without any, in what KRSI has. The two have to find the same
events but for what REFUSED and DIFFERENT say, which is what the documentation
says in "Compared with auditd". With a file name as argument, the events go
there as JSON.
"""

import collections
import contextlib
import ctypes
import errno
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from auditd_test import auditd, ausearch, counters, run
from ktap import ACTIVE, Results

HERE = pathlib.Path(__file__).resolve().parent
RULES = HERE / "rules/baseline.rules"
TRIGGER = HERE / "rules/trigger.py"
DIR = "/var/tmp/krsi"

# Rules that krsi refuses, by their keys, and what it says.
NO_PATH = "there is no path at {}, which decides this rule"
RETURNED = "what a call returns is not known yet when a hook decides it"
REFUSED = {
    "modes-set-xattr": NO_PATH.format("inode_setxattr"),
    "modes-remove-xattr": NO_PATH.format("inode_removexattr"),
    "access-denied": RETURNED,
    "access-not-permitted": RETURNED,
}

# By key: the events that only auditd has, and those that only KRSI has. Each is
# the trigger that made it, and the paths. Why is in the documentation.
DIFFERENT = {
    # Users are the caller's, before the program's own: a later rule matches.
    "scope-setuid-root": ([("scope-setuid-root", ("/usr/bin/su",))], []),
    "privileged-su": ([], [("scope-setuid-root", ("/usr/bin/su",))]),
    # Only reads, which needs no capability.
    "time-adjust": ([("time-adjust", ())], []),
    # One operation for KRSI, so that the first rule matches.
    "time-set": ([], [("time-clock", ())]),
    "time-clock": ([("time-clock", ())], []),
    "processes-ptrace": ([], [("processes-memory", ())]),
    "processes-memory": ([("processes-memory", ())], []),
    # The same, since unlinkat(2) may remove a directory; and what is not there
    # is not unlinked.
    "delete-unlink": ([("delete-unlink", ()), ("delete-rename", ())],
                      [("delete-rmdir", (f"{DIR}/directory-PID",))]),
    "delete-rmdir": ([("delete-rmdir", (f"{DIR}/directory-PID",))], []),
    # One name of two.
    "delete-rename": ([("delete-rename", (f"{DIR}/file-PID", f"{DIR}/renamed"))],
                      [("delete-rename", (f"{DIR}/file-PID",))]),
    # The hook knows no path.
    "mounts-umount": ([("mounts-mount", (f"{DIR}/mount",)), ("mounts-umount", (f"{DIR}/mount",))],
                      [("mounts-mount", ()), ("mounts-umount", ())]),
}

# Keys of rules that never match because one before them does: tried without it.
ALONE = ("time-clock", "delete-rmdir", "processes-memory")


def rules():
    """The lines that are rules, by key."""
    lines = RULES.read_text().splitlines()
    return {line.split(" -k ")[1]: line for line in lines if line.startswith("-")}


def different():
    """DIFFERENT on this kernel."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(176, b"krsi_none", 0)
    if ctypes.get_errno() != errno.ENOSYS:
        return DIFFERENT
    # A kernel that cannot unload modules asks nobody about it.
    return {**DIFFERENT, "modules-unload": ([("modules-unload", ())], [])}


def unquoted(value):
    """A text of a record: in quotes, or in hexadecimal."""
    if value.startswith('"'):
        return value.strip('"')
    try:
        return bytes.fromhex(value).decode(errors="replace")
    except ValueError:
        return ""


def concerns(rule, path):
    """Whether the rule is about that path; one without a path is about every."""
    found = re.search(r"(-w |path=|dir=)(\S+)", rule)
    if not found:
        return True
    return path == found[2] or found[1] != "path=" and path.startswith(found[2] + "/")


def names(rule, records):
    """The paths of an event of auditd that the rule is about; without one in the rule, the first."""
    found = []
    for record in records:
        if record.startswith("type=PATH") and "nametype=PARENT" not in record:
            name = unquoted(re.search(r" name=(\S+)", record)[1])
            if name and concerns(rule, name):
                found.append(name)
    return found if re.search("-w |path=|dir=", rule) else found[:1]


def krsi_names(records):
    """The paths in KRSI's own records of an event."""
    found = (re.search(r" path=(\S+)", record) for record in records if " lsm=krsi " in record)
    return [unquoted(path[1]) for path in found if path]


def events(log, key, pids, krsi):
    """What is found by the key: of each event the trigger and the paths, without pids in them."""
    found = []
    for records in ausearch(log, "-w", "-k", key):
        # Such are about the rules themselves.
        if any(record.startswith("type=CONFIG_CHANGE") for record in records):
            assert not krsi, records
            continue
        (call,) = (record for record in records if record.startswith("type=SYSCALL"))
        # The auditctl of this test itself.
        if f" ppid={os.getpid()} " in call:
            continue
        assert f'key="{key}"' in call, call
        assert krsi == any(" lsm=krsi " in record for record in records), records
        pid = re.search(r" pid=(\d+) ", call)[1]
        paths = krsi_names(records) if krsi else names(rules()[key], records)
        trigger = next((name for name, number in pids.items() if number == int(pid)), f"pid {pid}")
        found.append((trigger, tuple(sorted({path.replace(pid, "PID") for path in paths}))))
    return collections.Counter(found)


def settle(log):
    """Waits until all records so far are in the log, and nothing has come for a second.

    They come in the order in which they were written: the last one is that of this function.
    """
    mark = f"krsi-settled-{time.monotonic_ns()}"
    run("auditctl", "-m", mark)
    until = time.monotonic() + 60
    while mark not in log.read_text() and time.monotonic() < until:
        time.sleep(0.1)
    size = -1
    while size != log.stat().st_size:
        size = log.stat().st_size
        time.sleep(1)


def classes():
    """What `krsi rule --from-auditd` says of each rule that audit has, by key."""
    done = run("krsi", "rule", "--json", "--from-auditd")
    assert done.returncode == 0, done.stderr
    found = {}
    for item in json.loads(done.stdout)["rules"]:
        key = re.search(r"(-k |key=)(\S+)", item["rule"])[2]
        assert (item["file"], key in found) == ("auditctl -l", False), item
        found[key] = item["class"]
    return found


def by_auditctl():
    """What each rule finds if audit runs them all, and what krsi would make of them."""
    with auditd() as log:
        done = run("auditctl", "-R", str(RULES))
        listed = run("auditctl", "-l").stdout.splitlines()
        assert (done.returncode, len(listed)) == (0, len(rules())), (done.stderr, listed)
        # A process that audit's context is made for, since it comes after the rules.
        pids = json.loads(run(sys.executable, str(TRIGGER)).stdout)
        settle(log)
        found = {key: events(log, key, pids, False) for key in rules()}
        # That executes auditctl, which one of the rules is about.
        classified = classes() if ACTIVE else {}
        run("auditctl", "-D")
        return found, classified


@contextlib.contextmanager
def policy(keys):
    """The rules with these keys, in KRSI."""
    with tempfile.NamedTemporaryFile("w", suffix=".rules") as file:
        file.writelines(f"{rules()[key]}\n" for key in keys)
        file.flush()
        done = run("krsi", "load", file.name)
        assert done.returncode == 0, done.stderr
        try:
            yield
        finally:
            run("krsi", "unload")


def by_krsi(keys, triggers=()):
    """What each rule finds if KRSI runs them; and what ausearch makes of the first."""
    with auditd() as log:
        listed = run("auditctl", "-l").stdout
        assert listed.strip() == "No rules", listed
        with policy(keys):
            pids = json.loads(run(sys.executable, str(TRIGGER), *triggers).stdout)
        settle(log)
        text = run("ausearch", "--input", str(log), "-w", "-k", keys[0], "-i").stdout
        return {key: events(log, key, pids, True) for key in keys}, text


def refusals(results):
    """That krsi refuses what REFUSED says, for that reason, and nothing else."""
    done = run("krsi", "check", str(RULES))
    # A message with its place, then the rule.
    said = re.findall(r"baseline\.rules:\d+:\d+: (.*)\n.* -k (\S+)\n", done.stdout + done.stderr)
    got = {key: message for message, key in said}
    for key, message in REFUSED.items():
        results.case(f"krsi refuses {key}", got.get(key) == message, got.get(key))
    results.case("krsi refuses no other rule", got.keys() == REFUSED.keys(), list(got))


def compare(results, auditctl, krsi):
    """That the events are the same but for what DIFFERENT says."""
    exceptions = different()
    for key, found in krsi.items():
        wanted = tuple(collections.Counter(side) for side in exceptions.get(key, ([], [])))
        differs = (auditctl[key] - found, found - auditctl[key])
        good = differs == wanted and (found or wanted[0])
        results.case(f"krsi {key}", good, f"auditctl {auditctl[key]}", f"krsi {found}")


def refused(results):
    """What permissions refuse: seen by auditctl's rules, not by KRSI's."""
    rule = "-w /etc/shadow -p r -k shadow-read"

    def found():
        with auditd() as log:
            if auditctl:
                run("auditctl", *rule.split())
            else:
                assert subprocess.run(["krsi", "load", "-"], input=rule, text=True, check=False,
                                      stdout=subprocess.DEVNULL).returncode == 0
            try:
                for user in (65534, 0):
                    subprocess.run(["cat", "/etc/shadow"], user=user, group=user,
                                   extra_groups=[], check=False,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            finally:
                run(*("auditctl", "-D") if auditctl else ("krsi", "unload"))
            settle(log)
            calls = [record for records in ausearch(log, "-w", "-k", "shadow-read")
                     for record in records if record.startswith("type=SYSCALL")]
            return sorted(re.search(r" uid=(\d+) ", call)[1] for call in calls
                          if ' comm="cat" ' in call)

    for auditctl, wanted in ((True, ["0", "65534"]), (False, ["0"])):
        users = found()
        results.case(f"refused: {'auditctl' if auditctl else 'krsi'}", users == wanted, users)


def main():
    every = list(rules())
    krsi_keys = [key for key in every if key not in REFUSED]
    own = len(REFUSED) + 1 + len(krsi_keys) + len(ALONE) + 5
    results = Results(len(every) + (own if ACTIVE else 0))
    run(sys.executable, str(TRIGGER), "--prepare")

    auditctl, classified = by_auditctl()
    for key, found in auditctl.items():
        results.case(f"auditctl {key}", any(trigger == key for trigger, _ in found), found)
    every_event = {"auditctl": auditctl}
    if ACTIVE:
        refusals(results)
        # Those that load, but find nothing, stay as well.
        stay = sorted([*REFUSED, "scope-setuid-root"])
        good = sorted(key for key in classified if classified[key] == "stays") == stay and \
            sorted(classified) == sorted(every)
        results.case("krsi rule --from-auditd", good, classified)
        before = counters()
        krsi, text = by_krsi(krsi_keys)
        every_event["krsi"] = krsi
        compare(results, auditctl, krsi)
        # As a person sees it, with the record of the system call.
        good = re.search(r"^type=SYSCALL .* key=identity-passwd", text, re.M) and \
            re.search(r"^type=KERNEL_OTHER .* lsm=krsi .* path=/etc/passwd ", text, re.M)
        results.case("krsi interpreted", good, *text.splitlines())
        alone, _ = by_krsi(ALONE, ALONE)
        for key, found in alone.items():
            results.case(f"krsi alone {key}", found and found == auditctl[key], found,
                         auditctl[key])
        after = counters()
        lost = [name for name in after if after[name] != before[name] and
                (name.startswith("lost") or name == "no_syscall")]
        results.case("krsi loses nothing", not lost, lost)
        refused(results)
    if sys.argv[1:]:
        flat = [{"by": by, "key": key, "trigger": trigger, "paths": paths, "count": count}
                for by, found in every_event.items() for key, counter in found.items()
                for (trigger, paths), count in counter.items()]
        pathlib.Path(sys.argv[1]).write_text(json.dumps(flat, indent=1))
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
