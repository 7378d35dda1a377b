#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The rules of rules/baseline.rules, loaded by auditctl: each is triggered, and found by its key.

What auditd finds is what KRSI's own way to run the same rules is measured by:
with a file name as argument, the events go there as JSON, a list of key, pid
and paths.
"""

import json
import pathlib
import re
import subprocess
import sys
import time

from auditd_test import auditd, ausearch, run

HERE = pathlib.Path(__file__).resolve().parent
RULES = HERE / "rules/baseline.rules"
TRIGGER = HERE / "rules/trigger.py"


def keys():
    return list(dict.fromkeys(re.findall(r"^-.* -k (\S+)$", RULES.read_text(), re.M)))


def unquoted(value):
    """A text of a record: in quotes, or in hexadecimal."""
    if value.startswith('"'):
        return value.strip('"')
    try:
        return bytes.fromhex(value).decode(errors="replace")
    except ValueError:
        return value


def event(records):
    """What an event is about: its pid, and the paths it names."""
    pid, paths = None, set()
    for record in records:
        if record.startswith("type=SYSCALL"):
            pid = int(re.search(r" pid=(\d+) ", record).group(1))
        if record.startswith("type=PATH"):
            paths.add(unquoted(re.search(r" name=(\S+)", record).group(1)))
    return pid, sorted(paths)


def main():
    wanted = keys()
    print(f"TAP version 13\n1..{len(wanted)}", flush=True)
    run(sys.executable, str(TRIGGER), "--prepare")
    failed = 0
    events = []
    with auditd() as log:
        done = run("auditctl", "-R", str(RULES))
        listed = run("auditctl", "-l").stdout.splitlines()
        rules = [line for line in RULES.read_text().splitlines() if line.startswith("-")]
        print(f"# {len(rules)} rules, {len(listed)} loaded; status {done.returncode}")
        # A process that audit's context is made for, since it comes after the rules.
        pids = json.loads(run(sys.executable, str(TRIGGER)).stdout)
        run("auditctl", "-D")
        time.sleep(2)
        for number, key in enumerate(wanted, 1):
            found = [event(records) for records in ausearch(log, "-w", "-k", key)
                     if any(line.startswith("type=SYSCALL") for line in records)]
            mine = [item for item in found if item[0] == pids.get(key)]
            events += [{"key": key, "pid": pid, "paths": paths} for pid, paths in found]
            good = bool(mine)
            failed += not good
            print(f"{'ok' if good else 'not ok'} {number} {key}", flush=True)
    if len(listed) != len(rules):
        print("# not every rule was loaded")
        failed += 1
    if sys.argv[1:]:
        pathlib.Path(sys.argv[1]).write_text(json.dumps(events, indent=1))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
