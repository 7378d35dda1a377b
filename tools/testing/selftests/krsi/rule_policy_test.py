#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The policy itself: who can change it, whether it is noticed when it is gone, and what of a
file that does not fit whole comes into force.
"""

import errno
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import rule_test
from ktap import Skipped, equal
from rule_test import BPFFS, ERROR, FREE, HELD, KRSI, NOT_ENFORCING, SUCCESS, files, load, policy, \
    run, write

RULE = "-a deny,exit -F path={path} -F perm=w -k {key}\n"


def held():
    return RULE.format(path=HELD / "file", key="held")


def rules_in_force():
    return [rule["keys"] for rule in json.loads(run("list", "--json").stdout)["rules"]]


def test_maps_are_frozen():
    """All maps but the three by which krsi itself replaces a policy."""
    rules = held() + f"-a deny,exit -S openat -F dir={FREE} -F exe=/none -F comm=none\n" \
        "-a deny,exit -S execve -F path=/none -F argv=x -F env[KRSI_A]=y\n" \
        "-a deny,exit -S connect -F raddr=192.0.2.1 -F rport=1\n"
    with files(), policy(rules):
        shown = json.loads(subprocess.run(["bpftool", "-j", "map", "show"], check=True,
                                          capture_output=True, text=True).stdout)
        frozen = {one["name"]: one["frozen"] for one in shown
                  if one.get("name", "").startswith("krsi_")}
        changing = {"krsi_active", "krsi_policy", "krsi_provision"}
        assert {"krsi_rules", "krsi_counters", "krsi_exact64", "krsi_text"} <= set(frozen), frozen
        equal({name: is_frozen for name, is_frozen in frozen.items()
               if bool(is_frozen) == (name in changing)}, {})
        rule = next(BPFFS.glob("generation-*/rules"))
        changed = subprocess.run(["bpftool", "map", "update", "pinned", rule, "key", *"0000",
                                  "value", *"00000000"], check=False, capture_output=True)
        assert changed.returncode, "the first rule denies no more"
        equal(write(HELD / "file"), errno.EPERM)


def test_pins_that_are_removed():
    with files():
        for again in (True, False):
            load(held())
            equal(run("status").returncode, SUCCESS)
            shutil.rmtree(BPFFS.parent)
            for verb in ("status", "list"):
                told = run(verb)
                equal(told.returncode, NOT_ENFORCING, verb)
                text = told.stdout + told.stderr
                assert "was loaded (1 rules) and is not in force" in text, text
            if again:
                load(held())
                equal(write(HELD / "file"), errno.EPERM)
            equal(run("unload").returncode, SUCCESS)
            for verb in ("status", "list"):
                equal(run(verb).returncode, SUCCESS, verb)


def test_what_should_be_in_force():
    """krsi diff and krsi status --expect."""
    def differ(text):
        (HELD / "rules").write_text(text)
        found = run("diff", HELD / "rules", "--json")
        status = run("status", "--expect", HELD / "rules")
        equal(status.returncode, found.returncode, status.stdout)
        if found.returncode == SUCCESS:
            return []
        equal(found.returncode, NOT_ENFORCING, found.stderr)
        assert "the loaded rules differ" in status.stdout, status.stdout
        found = json.loads(found.stdout)
        return [found["missing"], found["extra"], found["reordered"]]

    with files():
        one, other = (rule.strip() for rule in (held(), RULE.format(path=FREE, key="other")))
        equal(differ(f"{one}\n"), [[one], [], False])
        with policy(f"{one}\n{other}\n"):
            equal(differ(f"# comment\n{one}\n{other}\n"), [])
            equal(differ(f"{other}\n{one}\n"), [[], [], True])
            equal(differ(f"{one}\n"), [[], [other], False])
            equal(differ(f"{one}\n{other} -k x\n"), [[f"{other} -k x"], [other], False])
            (HELD / "rules").write_text("nonsense\n")
            for args in (["diff"], ["status", "--expect"]):
                equal(run(*args, HELD / "rules").returncode, ERROR, args)
            (BPFFS / "hooks/file_open/link").unlink()
            equal(differ(f"{one}\n{other}\n"), [[], [], False])


def test_another_bpffs():
    """A policy is found in the kernel, not by its path."""
    with files(), policy(held()):
        script = f"""
            mount -t bpf none /sys/fs/bpf
            for verb in list status unload "load {HELD}/rules"; do
                "$0" $verb >"{HELD}/told" 2>&1
                echo "$verb $? $(grep -c 'another policy is in force' "{HELD}/told")"
            done
        """
        (HELD / "rules").write_text(RULE.format(path=FREE / "file", key="inner"))
        told = subprocess.run(["unshare", "-m", "sh", "-c", script, KRSI], check=False,
                              capture_output=True, text=True)
        equal(told.stdout.splitlines(),
              [f"list {NOT_ENFORCING} 1", f"status {NOT_ENFORCING} 1", f"unload {NOT_ENFORCING} 1",
               f"load {HELD}/rules {ERROR} 1"], told.stderr)
        equal(rules_in_force(), [["held"]])
        equal((write(HELD / "file"), write(FREE / "file")), (errno.EPERM, 0))


def test_user_namespace():
    """The message names the cause."""
    with files():
        (HELD / "rules").write_text(held())
        told = subprocess.run(["unshare", "-Ur", KRSI, "load", HELD / "rules"], check=False,
                              capture_output=True, text=True)
        equal(told.returncode, ERROR)
        assert "a user namespace" in told.stderr, told.stderr
        assert "mount -t bpf" not in told.stderr, told.stderr


# Three lines that do not fit, of three kinds, and two that do.
WRONG = ("-a never,exit -S adjtimex -F uid=no-such-user\n"
         "-a always,exit -S open -F success=0 -k a\n"
         "-a always,exit -S nothing\n"
         "-x\n")


def test_all_errors_at_once():
    result = run("load", "-", "--json", input=held() + WRONG)
    equal(result.returncode, ERROR)
    equal([error["line"] for error in json.loads(result.stdout)["errors"]], [2, 3, 4, 5])


def test_lines_that_are_left_out():
    """-i and -c, as auditctl means them."""
    with files():
        other = RULE.format(path=FREE / "file", key="free")
        for option, status in (("-i", SUCCESS), ("-c", ERROR)):
            text = held() + option + "\n" + WRONG + other
            told = run("load", "-", "--json", input=text)
            equal(told.returncode, status, told.stderr)
            told = json.loads(told.stdout)
            equal((told["rules"], [error["line"] for error in told["left_out"]]), (2, [3, 4, 5, 6]))
            equal(rules_in_force(), [["held"], ["free"]])
            equal((write(HELD / "file"), write(FREE / "file")), (errno.EPERM, errno.EPERM))
            run("unload")
            # Without an error there is nothing to fail for.
            load(held() + option + "\n")
            run("unload")
            # The option is for what follows it.
            load(WRONG + option + "\n" + held(), status=ERROR)
            equal(rules_in_force(), [])


def test_notes():
    """What is easily misunderstood is said."""
    with files(), tempfile.TemporaryDirectory() as top:
        link = pathlib.Path(top) / "wget"
        link.symlink_to("busybox")
        (pathlib.Path(top) / "busybox").touch()
        copy = "a copy of the program has another name"
        bind = "with a bind mount"
        for rule, *parts in (
                ("-a deny,exit -S execve -F argv=-R -F exe=/usr/bin/ssh", "exe is the program",
                 "whole arguments are compared"),
                (f"-a deny,exit -F path={link} -F perm=x", f"{link} leads to {top}/busybox", copy,
                 bind),
                (f"-a never,exit -F path={link} -F perm=x",),
                ("-a deny,exit -F path=/bin/true -F perm=x", copy, bind),
                ("-a deny,exit -S openat -F path=/none -F exe=/usr/bin/ssh",
                 "link and rename can give", bind),
                ("-a deny,exit -S bpf -F uid=54321",),
                ("-a always,exit -S openat -F uid=0 -F uid!=0", "no call matches this rule")):
            notes = [note for note in load(rule + "\n")["notes"] if "this also denies" not in note]
            run("unload")
            equal(len(notes), len(parts), f"{rule}: {notes}")
            for note, part in zip(notes, parts):
                assert part in note, f"{part}: {notes}"


def test_way_back():
    """What a note tells keeps root from being locked out."""
    locked = "-a deny?,exit -S bpf\n"
    note, = [note for note in load(locked)["notes"] if "root can no longer" in note]
    assert "bpf(2)" in note, note
    run("unload")
    krsi = shutil.which(rule_test.KRSI)
    way = note.split("'")[1].replace("/usr/sbin/krsi", os.path.realpath(krsi))
    # As `deny`: only what the note tells lets krsi remove it.
    notes = load(f"{way}\n{locked.replace('?', '')}")["notes"]
    equal([note for note in notes if "root can no longer" in note], [])
    equal(run("status").returncode, SUCCESS)
    equal(run("unload").returncode, SUCCESS)
    equal(rules_in_force(), [])


def test_rules_on_trial():
    """deny? decides, counts and records, and denies nothing."""
    with files():
        for option, rules, texts in (
                ([], "-a deny?=EACCES,exit -F path={0} -F perm=w\n"
                 "-a exit,deny? -F path={1} -F perm=w\n", None),
                (["--dry-run"], "-a deny=EACCES,exit -F path={0} -F perm=w\n"
                 " -aexit,kill -F path={1} -F perm=w\n",
                 ["-a deny?=EACCES,exit -F path={0} -F perm=w",
                  "-aexit,deny? -F path={1} -F perm=w"])):
            rules = rules.format(HELD / "file", FREE / "file")
            texts = texts or rules.splitlines()
            texts = [text.format(HELD / "file", FREE / "file") for text in texts]
            told = run("load", "-", "--json", *option, input=rules)
            equal(told.returncode, SUCCESS, told.stderr)
            equal(json.loads(told.stdout)["dry_run"], bool(option))
            equal((write(HELD / "file"), write(FREE / "file")), (0, 0))
            equal(rule_test.counters(), [(1, 0, 0), (1, 0, 0)])
            # They stay on trial when the policy is changed.
            equal(run("rule", f"-w {FREE} -p x").returncode, SUCCESS)
            listed = json.loads(run("list", "--json").stdout)["rules"][:2]
            equal([rule["text"] for rule in listed], texts)
            equal([rule["action"] for rule in listed], ["deny?=EACCES", "deny?=EPERM"])
            equal((write(HELD / "file"), write(FREE / "file")), (0, 0))
            load(rules.replace("?", ""))
            equal(write(HELD / "file"), errno.EACCES)
            run("unload")
        # The option that stands for it: an error for what is none.
        load("-a always?,exit -F path=/x -F perm=w\n", status=ERROR)


def provisional(rules, within="3s"):
    """Loads rules that end, and returns when they have."""
    told = run("load", "-", "--json", "--confirm", within, input=rules)
    equal(told.returncode, SUCCESS, told.stderr)
    return clock() + float(within.rstrip("s")) + 0.2


def clock():
    """The clock that the kernel compares."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def wait_until(moment):
    while clock() < moment:
        time.sleep(0.05)


def unconfirmed():
    return json.loads(run("list", "--json").stdout)["provisional"]


def test_what_is_not_confirmed_ends():
    """Even if the rules deny each system call that could bring the old ones back."""
    locked = f"-a deny=EACCES,exit -F path={FREE}/file -F perm=w\n-a deny,exit -S bpf\n" \
        "-a deny,exit -S execve\n"
    with files(), policy(held()):
        equal(write(HELD / "file"), errno.EPERM)
        before = rule_test.counters()
        end = provisional(locked)
        equal((write(HELD / "file"), write(FREE / "file")), (0, errno.EACCES))
        denied = rule_test.attempt(subprocess.run, ["/bin/true"], check=False)
        wait_until(end)
        equal(denied, errno.EPERM, "execve")
        equal((write(HELD / "file"), write(FREE / "file")), (errno.EPERM, 0))
        # It is the same policy, with its counters.
        equal(rule_test.counters()[0][0], before[0][0] + 1)
        equal(unconfirmed(), None)
        told = run("confirm")
        equal(told.returncode, ERROR)
        assert "its time is over" in told.stderr, told.stderr
        equal(run("status").returncode, SUCCESS)
        # What is left of the other does not keep the next one out.
        load(held().replace("deny", "deny=EBUSY"))
        equal(write(HELD / "file"), errno.EBUSY)
        equal(len(list(BPFFS.glob("generation-*"))), 1)
        assert not (BPFFS / "hooks" / "bpf").exists()


def test_what_is_confirmed_stays():
    with files(), policy(RULE.format(path=FREE / "file", key="free")):
        end = provisional(held())
        left = unconfirmed()
        assert 0 < left["seconds_left"] <= 3 and left["old_rules"] == 1, left
        assert "not confirmed" in run("status").stdout
        assert "krsi confirm" in run("list").stderr
        # A change would make a policy of rules that are to end.
        changed = run("rule", f"-w {FREE} -p x")
        equal(changed.returncode, ERROR)
        assert "not confirmed" in changed.stderr, changed.stderr
        told = run("confirm", "--json")
        equal((told.returncode, json.loads(told.stdout)["rules"]), (SUCCESS, 1), told.stderr)
        equal(unconfirmed(), None)
        wait_until(end)
        equal((write(HELD / "file"), write(FREE / "file")), (errno.EPERM, 0))
        equal(len(list(BPFFS.glob("generation-*"))), 1)
        equal(run("confirm").returncode, ERROR)


def test_nothing_follows_if_nothing_was_there():
    with files():
        end = provisional(held(), "2s")
        equal(unconfirmed()["old_rules"], 0)
        equal(write(HELD / "file"), errno.EPERM)
        wait_until(end)
        equal(write(HELD / "file"), 0)
        equal(rules_in_force(), [])
        # Nothing is missed.
        for verb in ("status", "list"):
            equal(run(verb).returncode, SUCCESS, verb)
        provisional(held(), "60s")
        equal(run("unload").returncode, SUCCESS)
        equal((write(HELD / "file"), rules_in_force()), (0, []))
        # Without --confirm, rules that end are replaced for good.
        end = provisional(held(), "1s")
        load(held())
        wait_until(end)
        equal((write(HELD / "file"), unconfirmed()), (errno.EPERM, None))
        run("unload")


def test_only_what_was_confirmed_returns():
    """However many provisional policies come after each other."""
    with files(), policy(held()):
        for number in range(18):
            provisional(RULE.format(path=FREE / "file", key=number), "60s")
            equal((write(HELD / "file"), write(FREE / "file")), (0, errno.EPERM), number)
            equal(unconfirmed()["old_rules"], 1)
        end = provisional(RULE.format(path=FREE / "file", key="last"), "1s")
        wait_until(end)
        equal((write(HELD / "file"), write(FREE / "file")), (errno.EPERM, 0))
        equal(rules_in_force(), [["held"]])
    equal(list(BPFFS.glob("generation-*")), [])


def test_each_call_is_decided_when_a_policy_ends():
    """By one of two policies that both deny."""
    with files(), policy(held()):
        end = provisional(held().replace("deny", "deny=EACCES"), "2s")
        verdicts = []
        while clock() < end + 0.5:
            verdicts.append(write(HELD / "file"))
        equal(set(verdicts), {errno.EACCES, errno.EPERM})
        equal(verdicts, sorted(verdicts, reverse=True), "each comes back")


def test_a_deadline_that_is_removed():
    """Whether the policy still decides is not known then."""
    with files(), policy(RULE.format(path=FREE / "file", key="free")):
        provisional(held(), "60s")
        (BPFFS / "provisional").unlink()
        for args in (["list"], ["load", "-"], ["confirm"], ["rule", f"-w {FREE} -p x"]):
            told = run(*args, input=held())
            equal(told.returncode, ERROR, f"{args}: {told.stderr}")
            assert "deadlines was removed" in told.stderr, told.stderr
        equal(write(HELD / "file"), errno.EPERM)
        equal(run("unload").returncode, SUCCESS)
        equal((write(HELD / "file"), rules_in_force()), (0, []))
    end = provisional(held(), "1s")
    wait_until(end)
    equal(rules_in_force(), [])


def test_time_namespaces():
    """Their clock since boot is another one than that of the deadline."""
    if not pathlib.Path("/proc/self/ns/time").exists():
        raise Skipped("no time namespaces")

    def shifted(by, *args, text):
        return subprocess.run(["unshare", "--time", "--fork", "--boottime", str(by), KRSI, *args],
                              input=text, check=False, capture_output=True, text=True)

    with files(), policy(held()):
        told = shifted(1000, "load", "-", "--confirm", "60s", text=held())
        equal(told.returncode, ERROR, told.stderr)
        assert "time namespace" in told.stderr, told.stderr
        equal(write(HELD / "file"), errno.EPERM)
        # There the time is over, and here it is not: one of the two policies decides each call.
        provisional(held().replace("deny", "deny=EACCES"), "60s")
        rejected = shifted(1000, "load", "-", text="-a deny,exit -S openat -F argv=x\n")
        equal(rejected.returncode, ERROR, rejected.stderr)
        equal(write(HELD / "file"), errno.EACCES)
        told = shifted(1000, "load", "-", text=held().replace("deny", "deny=EBUSY"))
        equal(told.returncode, SUCCESS, told.stderr)
        equal(write(HELD / "file"), errno.EBUSY)


def test_wrong_times():
    for within in ("0s", "25h", "soon"):
        told = run("load", "-", "--confirm", within, input=held())
        equal(told.returncode, 2, told.stderr)
        assert "from 1s to 24h" in told.stderr, told.stderr
    equal(rules_in_force(), [])


if __name__ == "__main__":
    sys.exit(rule_test.main(globals()))
