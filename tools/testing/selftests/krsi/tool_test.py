#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The krsi command on a real kernel: what it says, and how it ends.

Every test has to pass whichever LSM runs programs, krsi, bpf or none: the
command then says different things, and each time the right ones. It is found
as $KRSI or on the PATH; what it says of programs is compared with bpftool.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import platform
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

from ktap import ACTIVE, LSMS, SECURITYFS, equal, run_all

KRSI = os.environ.get("KRSI", "krsi")
OBJECTS = pathlib.Path.cwd()
STATS = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")

SUCCESS, ERROR, USAGE, INACTIVE, BUG = 0, 1, 2, 3, 5

ENFORCED_BY = next((lsm for lsm in ("krsi", "bpf") if lsm in LSMS), None)


def run(*args, **more):
    return subprocess.run(
        [KRSI, *args], capture_output=True, text=True, timeout=600, check=False, **more
    )


def document(*args, status=SUCCESS, **more):
    """The JSON that the command prints."""
    result = run(*args, "--json", **more)
    equal(result.returncode, status, f"status of {args}: {result.stdout}{result.stderr}")
    read = json.loads(result.stdout)
    equal(read["schema"], 1)
    return read


def bpftool(*args):
    out = subprocess.run(["bpftool", "-j", *args], capture_output=True, text=True, check=False)
    assert out.returncode == 0, f"bpftool {args}: {out.stdout}{out.stderr}"
    return json.loads(out.stdout) if out.stdout.strip() else None


def program_ids():
    return {program["id"] for program in document("programs", "--all")["programs"]}


@contextlib.contextmanager
def pinned(*objects, attach=True):
    """Loads the objects' programs, pinned in a directory of bpffs.

    Waits until they are gone: the kernel ends a link some time after its last pin is removed.
    """
    before = program_ids()
    with tempfile.TemporaryDirectory(dir="/sys/fs/bpf", prefix="krsi_tool_") as name:
        directory = pathlib.Path(name)
        try:
            for item in objects:
                how = ["autoattach"] if attach else []
                bpftool("prog", "loadall", str(OBJECTS / f"{item}.bpf.o"), str(directory / item), *how)
            yield directory
        finally:
            for pin in directory.glob("*/*"):
                pin.unlink()
            for item in directory.iterdir():
                item.rmdir()
            until = time.monotonic() + 60
            while program_ids() - before and time.monotonic() < until:
                time.sleep(0.1)


def open_pin(path):
    """BPF_OBJ_GET."""
    text = ctypes.create_string_buffer(str(path).encode())
    attr = struct.pack("QII", ctypes.addressof(text), 0, 0)
    buf = ctypes.create_string_buffer(attr, 128)
    fd = ctypes.CDLL(None, use_errno=True).syscall(321, 7, buf, len(attr))
    assert fd >= 0, os.strerror(ctypes.get_errno())
    return fd


def can_attach():
    """Without an LSM that runs programs, KRSI refuses to attach them."""
    return ENFORCED_BY is not None


def test_status():
    result = run("status")
    read = document("status", status=SUCCESS if ACTIVE else INACTIVE)
    equal(read["kernel"], platform.release())
    equal(read["lsms"], LSMS)
    equal(read["enforced_by"], ENFORCED_BY)
    equal(ENFORCED_BY == "krsi", "  run by     krsi, which replaces bpf\n" in result.stdout)
    equal(result.stderr, "")
    if ACTIVE:
        equal(result.returncode, SUCCESS, result.stdout)
        assert result.stdout.startswith("KRSI is active and enforces.\n"), result.stdout
        equal(read["state"], "active")
        equal(read["self_test"], {
            "result": "passed", "hook": "task_getpgid", "before": 0, "attached": 117, "after": 0,
        })
        assert "bpf_lsm" in read["features"], read
        assert read["hooks"] > 200, read
        return
    equal(result.returncode, INACTIVE, result.stdout)
    equal(read["state"], "inactive")
    equal(read["self_test"]["result"], "not-run")
    assert read["reason"].startswith("KRSI is not active"), read
    equal("the bpf LSM runs programs" in read["reason"], "bpf" in LSMS, read["reason"])
    # The kernel has KRSI, and the hint is what enables it.
    chosen = ["krsi" if lsm == "bpf" else lsm for lsm in LSMS if lsm != "capability"]
    chosen += [] if "krsi" in chosen else ["krsi"]
    equal(read["hint"], f"boot with lsm={','.join(chosen)} on the kernel command line")


def test_self_test_leaves_nothing():
    def counted():
        hooks = document("hooks", "task_getpgid")["hooks"]
        return hooks[0]["denials"], hooks[0]["programs"]

    if not ACTIVE:
        # Nor does it try.
        before = bpftool("prog", "show")
        run("status")
        equal(bpftool("prog", "show"), before)
        return
    denials, programs = counted()
    equal(programs, [])
    equal(run("status", "--no-self-test").returncode, SUCCESS)
    equal(counted(), (denials, []), "without the self-test")
    # Exactly its own call is denied, and another thread's is not.
    done = threading.Event()
    failures = []

    def others():
        while not done.is_set():
            try:
                os.getpgid(os.getpid())
            except OSError as error:
                failures.append(error)

    thread = threading.Thread(target=others)
    thread.start()
    try:
        for _ in range(5):
            equal(run("status").returncode, SUCCESS)
    finally:
        done.set()
        thread.join()
    equal(failures, [])
    equal(counted(), (denials + 5, []), "with the self-test")


def test_self_test_in_a_pid_namespace():
    result = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", KRSI, "status"],
        capture_output=True, text=True, timeout=600, check=False,
    )
    equal(result.returncode, SUCCESS if ACTIVE else INACTIVE, result.stdout + result.stderr)


def test_not_permitted():
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    read = document("status", status=ERROR if ACTIVE else INACTIVE, **nobody)
    equal(read["state"], "unknown" if ACTIVE else "inactive")
    if ACTIVE:
        equal(read["hint"], "run it as root")
        equal(read["abi"], 1)
    for verb in ("hooks", "programs", "top"):
        result = run(verb, **nobody)
        wanted = ERROR if ACTIVE or verb == "programs" else INACTIVE
        equal(result.returncode, wanted, f"{verb}: {result.stderr}")
        equal(result.stdout, "")
        if wanted == ERROR:
            assert result.stderr.endswith("\n  run it as root\n"), result.stderr


def test_not_mounted():
    result = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", f'umount {SECURITYFS}; exec "$0" status --json', KRSI],
        capture_output=True, text=True, timeout=600, check=False,
    )
    equal(result.returncode, ERROR, result.stdout + result.stderr)
    read = json.loads(result.stdout)
    equal(read["state"], "unknown")
    equal(read["hint"], f"mount -t securityfs none {SECURITYFS}")


def test_wrong_command_line():
    equal(run("status", "--nonsense").returncode, USAGE)
    equal(run().returncode, USAGE)


def test_hooks():
    if not ACTIVE:
        for verb in ("hooks", "top"):
            read = document(verb, status=INACTIVE)
            assert read["error"]["message"].startswith("KRSI is not active"), read
        return
    lines = (SECURITYFS / "krsi/hooks").read_text().splitlines()
    read = document("hooks")["hooks"]
    equal([hook["name"] for hook in read], [line.split()[0] for line in lines])
    equal(document("hooks", "--attached")["hooks"], [])
    with pinned("order") as pins:
        names = sorted(pin.name for pin in (pins / "order").iterdir())
        read = document("hooks", "--attached")["hooks"]
        equal({hook["name"] for hook in read}, {"task_getpgid", "file_set_fowner"})
        equal(sorted(p["name"] for hook in read for p in hook["programs"]), names)
        ids = {p["id"] for hook in read for p in hook["programs"]}
        equal(ids, {link["prog_id"] for link in bpftool("link", "show")})
        calls = document("hooks", "task_getpgid")["hooks"][0]["calls"]
        os.getpgid(os.getpid())
        assert document("hooks", "task_getpgid")["hooks"][0]["calls"] > calls
        text = run("hooks", "--attached").stdout
        equal(len(text.splitlines()), 3, text)
        equal("\x1b" in text, False, "colours without a terminal")


def test_programs():
    read = document("programs")
    equal((read["enforced_by"], read["programs"]), (ENFORCED_BY, []))
    equal(run("programs").stdout, "No program is attached to a hook.\n")
    result = run("programs", "no_such_hook")
    equal((result.returncode, result.stdout), (ERROR, ""), result.stderr)

    # Loaded is not attached.
    with pinned("sleepable", attach=False) as pins:
        equal(document("programs")["programs"], [])
        read = document("programs", "--all")["programs"]
        loaded = {program["name"]: program for program in read}
        equal(set(loaded), {pin.name for pin in (pins / "sleepable").iterdir()})
        for name, program in loaded.items():
            equal((program["attached"], program["link"]), ("no", None))
            equal(program["pins"], [str(pins / "sleepable" / name)])
            equal(program["sleepable"], name.startswith("sleepable"), name)
    equal(document("programs", "--all")["programs"], [])
    if not can_attach():
        return

    with pinned("order", "sleepable") as pins:
        read = document("programs")["programs"]
        shown = {program["id"]: program for program in bpftool("prog", "show")}
        links = {link["id"]: link for link in bpftool("link", "show")}
        equal({program["link"] for program in read}, set(links))
        for program in read:
            equal(links[program["link"]]["prog_id"], program["id"])
            equal(shown[program["id"]]["name"], program["name"])
            equal(shown[program["id"]]["uid"], program["uid"])
            equal(program["attached"], "lsm")
            item = "order" if program["hook"] in ("task_getpgid", "file_set_fowner") else "sleepable"
            equal(program["link_pins"], [str(pins / item / program["name"])])
            equal(program["sleepable"], program["name"].startswith("sleepable"), program["name"])
            equal((program["link_holders"], program["holders"]), ([], []))
        hooks = document("programs", "task_*")["programs"]
        equal({program["hook"] for program in hooks}, {"task_getpgid"})

        # Who holds a link is named; paths of others are shown, not obeyed.
        fd = open_pin(pins / "order/getpgid0")
        odd = pins / "order/a\x1b]0;b"
        subprocess.run(["bpftool", "link", "pin", "pinned", str(pins / "order/getpgid0"), str(odd)],
                       check=True, capture_output=True)
        comm = pathlib.Path("/proc/self/comm").read_text().rstrip("\n")
        read = {program["name"]: program for program in document("programs")["programs"]}
        equal(read["getpgid0"]["link_holders"], [{"pid": os.getpid(), "comm": comm}])
        equal(read["getpgid0"]["link_pins"], sorted([str(odd), str(pins / "order/getpgid0")]))
        equal(read["getpgid1"]["link_holders"], [])
        text = run("programs").stdout
        assert f"{comm}({os.getpid()})" in text, text
        equal("\x1b" in text, False, text)
        os.close(fd)
        equal({program["runs"] for program in read.values()}, {0}, "statistics were off")


def test_tracing_programs():
    if not can_attach():
        equal(document("programs")["programs"], [])
        return
    with pinned("tool"):
        read = {program["name"]: program for program in document("programs")["programs"]}
        equal({name: (program["attached"], program["hook"], program["function"])
               for name, program in read.items()}, {
            "lsm": ("lsm", "task_getpgid", "bpf_lsm_task_getpgid"),
            "fentry": ("fentry", "task_getpgid", "bpf_lsm_task_getpgid"),
            "fexit": ("fexit", "task_getpgid", "bpf_lsm_task_getpgid"),
            "fmod_ret": ("fmod_ret", "task_getpgid", "security_task_getpgid"),
        })
        assert all(program["link"] for program in read.values()), read
        assert "task_getpgid (fmod_ret)" in run("programs", "task_getpgid").stdout
    equal(document("programs")["programs"], [])


def test_cgroup_programs():
    cgroup = pathlib.Path("/sys/fs/cgroup/krsi_tool")
    with pinned("cgroup", attach=False) as pins:
        cgroup.mkdir()
        try:
            attach = ["bpftool", "cgroup", "attach", str(cgroup), "lsm_cgroup", "pinned"]
            done = subprocess.run([*attach, str(pins / "cgroup/getpgid"), "multi"],
                                  capture_output=True, text=True, check=False)
            equal(done.returncode == 0, can_attach(), done.stderr)
            read = document("programs")["programs"]
            if not can_attach():
                equal(read, [])
                return
            equal(len(read), 1)
            program = read[0]
            equal((program["name"], program["hook"]), ("getpgid", "task_getpgid"))
            equal((program["attached"], program["link"]), ("lsm_cgroup", None))
            equal(program["cgroup"], {"id": cgroup.stat().st_ino, "path": str(cgroup)})
            if ACTIVE:
                read = document("hooks", "--attached")["hooks"]
                equal([hook["programs"] for hook in read], [[{"id": 0, "name": "cgroup"}]])
            # At once: the end of a cgroup takes its time.
            bpftool("cgroup", "detach", str(cgroup), "lsm_cgroup", "pinned",
                    str(pins / "cgroup/getpgid"))
            equal(document("programs")["programs"], [])
        finally:
            cgroup.rmdir()


@contextlib.contextmanager
def busy():
    """Calls getpgid(2) of this process all the time."""
    done = threading.Event()

    def call():
        while not done.is_set():
            os.getpgid(os.getpid())
            time.sleep(0.001)

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_top():
    if not ACTIVE:
        equal(run("top", "-n", "1").returncode, INACTIVE)
        return
    equal(STATS.read_text(), "0\n")
    with pinned("order"), busy():
        result = run("top", "--count", "2", "--interval", "2", "--json")
        equal((result.returncode, result.stderr), (SUCCESS, ""))
        looks = [json.loads(line) for line in result.stdout.splitlines()]
        equal(len(looks), 2)
        for look in looks:
            assert look["seconds"] >= 2, look
            equal(look["hooks"][0]["name"], "task_getpgid")
            assert look["hooks"][0]["calls_per_second"] > 1, look
            equal(look["hooks"][0]["denials_per_second"], 0)
            ran = [program for program in look["programs"] if program["runs_per_second"] > 1]
            equal({program["hook"] for program in ran}, {"task_getpgid"})
            equal(len(ran), 4, look)
            assert all(program["ns_per_run"] > 0 for program in ran), look

        # The statistics went off with it.
        runs = [program["runs"] for program in document("programs")["programs"]]
        assert max(runs) > 0, runs
        time.sleep(0.2)
        equal([program["runs"] for program in document("programs")["programs"]], runs)

        text = run("top", "-n", "1", "-i", "0.2").stdout
        assert text.startswith("HOOK "), text
        equal("\x1b" in text, False, text)


def test_top_ends_on_a_signal():
    if not ACTIVE:
        equal(run("top").returncode, INACTIVE)
        return
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with subprocess.Popen([KRSI, "top", "-i", "0.1"], stdout=subprocess.PIPE) as child:
            assert child.stdout.readline(), "it prints"
            child.send_signal(number)
            child.stdout.read()
            equal(child.wait(timeout=600), SUCCESS)


def on_terminal(end, **environment):
    """Runs `krsi top` on a terminal, ends it with end(terminal, pid).

    Returns the status, what it wrote, and the modes before and after.
    """
    master, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    env = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    with subprocess.Popen(
        [KRSI, "top", "-i", "0.2"], stdin=terminal, stdout=terminal, stderr=terminal,
        env={**env, "TERM": "xterm", **environment},
    ) as child:
        wrote = b""
        ended = False
        until = time.monotonic() + 600
        while time.monotonic() < until:
            if select.select([master], [], [], 0.2)[0]:
                wrote += os.read(master, 65536)
            elif child.poll() is not None:
                break
            # Twice the head: it has refreshed.
            if not ended and wrote.count(b"DENIALS/S") >= 2:
                ended = True
                end(master, child.pid)
        child.kill()
    after = termios.tcgetattr(terminal)
    os.close(master)
    os.close(terminal)
    return child.returncode, wrote, before, after


def test_top_on_a_terminal():
    ends = {
        "q": lambda master, pid: os.write(master, b"q"),
        "control-c": lambda master, pid: os.write(master, b"\x03"),
        "SIGTERM": lambda master, pid: os.kill(pid, signal.SIGTERM),
    }
    if not ACTIVE:
        status, wrote, before, after = on_terminal(ends["q"])
        equal((status, after), (INACTIVE, before), wrote)
        equal(b"\x1b[?1049h" in wrote, False, "it touched the terminal")
        return
    for name, end in ends.items():
        status, wrote, before, after = on_terminal(end)
        equal(status, SUCCESS, f"{name}: {wrote}")
        equal(after, before, f"{name}: modes of the terminal")
        # The other screen and the cursor: taken, and given back last.
        for taken, given in ((b"\x1b[?1049h", b"\x1b[?1049l"), (b"\x1b[?25l", b"\x1b[?25h")):
            assert -1 < wrote.rfind(taken) < wrote.rfind(given), f"{name}: {wrote}"
        assert b"\x1b[1m" in wrote, f"{name}: no colours: {wrote}"
    status, wrote, _, _ = on_terminal(ends["q"], NO_COLOR="1")
    equal(status, SUCCESS)
    equal(b"\x1b[1m" in wrote, False, "NO_COLOR")


def test_blobs():
    if not ACTIVE:
        equal(document("blobs", status=INACTIVE)["error"]["hint"] is not None, True)
        return
    lines = (SECURITYFS / "krsi/blobs").read_text().splitlines()
    read = document("blobs", "--all")
    equal([item["class"] for item in read["classes"]],
          [line.split()[0].split("=")[1] for line in lines if line.startswith("class=")])
    reserved = {item["class"]: item for item in read["classes"]}
    if reserved["inode"]["free"] < 8:
        equal(run("blobs", "claim", "inode", "tool", "8").returncode, ERROR)
        return
    free = reserved["inode"]["free"]
    equal(document("blobs", "claim", "inode", "tool", "8")["done"], "claim inode tool 8")
    try:
        # Again, with the same values, and with others.
        equal(run("blobs", "claim", "inode", "tool", "8").returncode, SUCCESS)
        other = run("blobs", "claim", "inode", "tool", "16")
        equal((other.returncode, other.stdout), (ERROR, ""))
        assert "there is a slot of that name with other values" in other.stderr, other.stderr
        read = document("blobs")
        (slot,) = (slot for slot in read["slots"] if slot["name"] == "tool")
        equal((slot["class"], slot["size"], slot["owner"], slot["state"]),
              ("inode", 8, "runtime", "live"))
        equal([item["free"] for item in read["classes"] if item["class"] == "inode"], [free - 8])
        assert " tool " in run("blobs").stdout
        wrong = [(("claim", "dentry", "x", "8"), "no such class"),
                 (("claim", "inode", "X", "8"), "names are"),
                 (("claim", "inode", "x", str(free)), "too few bytes"),
                 (("release", "inode", "none"), "no slot of that name")]
        wrong += [(("claim", name, "x", "8"), "nothing is reserved")
                  for name, item in reserved.items() if not item["reserved"]][:1]
        for args, hint in wrong:
            done = run("blobs", *args)
            equal(done.returncode, ERROR, args)
            assert hint in done.stderr, (args, done.stderr)
        nobody = run("blobs", "claim", "inode", "x", "8", user=65534, group=65534, extra_groups=[])
        equal(nobody.returncode, ERROR)
        assert "CAP_MAC_ADMIN" in nobody.stderr, nobody.stderr
    finally:
        equal(run("blobs", "release", "inode", "tool").returncode, SUCCESS)
    equal([slot for slot in document("blobs")["slots"] if slot["name"] == "tool"], [])


def test_a_program_that_the_verifier_refuses():
    """Whatever the reason: the command has made that program, and the rules before stay."""
    rules = "-a never,exit -S connect -F raddr=192.0.2.1\n"
    if not ACTIVE:
        for verb in (["load", "-"], ["list"], ["unload"], ["rule", "-l"], ["rule", rules.strip()]):
            equal(run(*verb, input=rules).returncode, INACTIVE, verb)
        return
    equal(run("load", "-", input="-a never,exit -S acct -F uid=0\n").returncode, SUCCESS)
    try:
        before = document("list")
        with pinned("refuse"):
            error = document("load", "-", status=BUG, input=rules)["error"]
            assert "socket_connect: this is a bug in krsi" in error["message"], error
            log = pathlib.Path(error["hint"].rpartition(" ")[2])
            assert "cannot use helper bpf_probe_read_kernel" in log.read_text(), error
            log.unlink()
            equal(document("list"), before)
        equal(run("load", "-", input=rules).returncode, SUCCESS)
    finally:
        equal(run("unload").returncode, SUCCESS)


if __name__ == "__main__":
    sys.exit(run_all(globals()))
