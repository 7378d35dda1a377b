#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What Debian's auditctl takes, krsi can read: some 1,700 lines are given to both.

Those that auditctl takes and krsi refuses are the ones that STRICTER names, no
more and no fewer, which is what the documentation says in "Compared with
auditd". What krsi takes and auditctl refuses is not compared: audit and KRSI
do not have the same fields, lists and limits.
"""

import itertools
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from ktap import Results, skip_all

KRSI = os.environ.get("KRSI", "krsi")

# What krsi refuses on purpose: why, and lines.
FIELD = r"-a always,exit -S openat -F "
STRICTER = {
    "numbers that auditctl reads in part, or cuts off":
        FIELD + r"[a-z0-9_]+=(08|1\.5|1x|1e3|-2|4294967296|0xffffffffffffffff)",
    "families by name, which auditctl reads as 0":
        FIELD + r"saddr_fam=(inet|ipv4|local)",
    "success is 0 or 1, and neither more nor less":
        FIELD + r"success(<=?1|>=?1|=2)",
    "a key is given, not compared, and not empty":
        FIELD + r"(key!=text|key=)",
    "names in capital letters":
        r".* (-F UID[!<>=]+0|-S OPENAT.*|-F filetype=FILE|-F perm=R|-p R)",
    "a path that goes up":
        r".*/\.\.(/.*| -p wa|)",
    "the action 'possible', which Linux has no more":
        r"-[aA] [a-z_]+,possible .*",
    "an empty name among system calls":
        r".* -S (openat,|,openat)( .*)?",
    "-p twice":
        r"-w \S+ -p r -p w",
}

OPS = ("=", "!=", "<", "<=", ">", ">=", "&", "&=")

# A good value of each field, then others, good and bad.
IDS = ("0", "1000", "root", "unset", "-1", "4294967295", "4294967294", "-2", "nobody-of-this-name",
       "0x10", "1e3", "")
NUMBERS = ("1", "0", "-1", "0x1f", "010", "08", "2147483648", "4294967295", "4294967296", "1.5",
           "text", "1x", "")
TEXTS = ("text", "a b", "", "x" * 300)
VALUES = {
    **dict.fromkeys(("a0", "a1", "a2", "a3"), (*NUMBERS, "0xffffffffffffffff", "-EACCES")),
    "arch": ("b64", "b32", "x86_64", "i686", "aarch64", "b65", "B64", "", "64"),
    **dict.fromkeys(("auid", "loginuid", "uid", "euid", "suid", "fsuid", "obj_uid"), IDS),
    **dict.fromkeys(("gid", "egid", "sgid", "fsgid", "obj_gid"), IDS),
    **dict.fromkeys(("devmajor", "devminor", "inode", "pers", "pid", "ppid"), NUMBERS),
    "sessionid": (*NUMBERS, "unset"),
    **dict.fromkeys(("path", "exe"), ("/etc/passwd", "/etc/no-such-file", "/etc/", "/etc/../x", "etc",
                                      "", "/", "/" + "x" * 300, "/" + "x/" * 2060, "/a//b", "/a*")),
    "dir": ("/etc", "/etc/", "/no-such-directory", "etc", "", "/", "/a//b", "/etc/passwd"),
    "exit": ("0", "-13", "-EACCES", "EACCES", "13", "-ENOSUCH", "ENOSUCH", "-", "", "0x1"),
    "filetype": ("file", "dir", "socket", "link", "character", "block", "fifo", "FILE", "pipe", "",
                 "1"),
    "perm": ("r", "w", "x", "a", "rwxa", "rr", "R", "rwxaq", "", "rwxar"),
    "success": ("1", "0", "yes", "no", "2", "-1", ""),
    "saddr_fam": ("2", "10", "inet", "ipv4", "-1", "46", "47", "0x2", "", "local"),
    "key": ("text", "", "x" * 256, "x" * 257, "a,b"),
    **dict.fromkeys(("subj_user", "subj_role", "subj_type", "subj_sen", "subj_clr", "obj_user",
                     "obj_role", "obj_type", "obj_lev_low", "obj_lev_high"), TEXTS),
    "msgtype": ("CWD", "1307", "cwd", "NO_SUCH", "-1", "", "99999"),
    "fstype": ("debugfs", "tracefs", "ext4", "0x64626720", ""),
    "field": ("1",),
    "UID": ("0",),
}
COMPARED = ("auid", "uid", "euid", "suid", "fsuid", "obj_uid", "gid", "egid", "sgid", "fsgid", "obj_gid",
            "pid", "path")


def lines():
    """Lines to try, each about one thing."""
    about = {"msgtype": "always,exclude", "fstype": "never,filesystem"}
    for name, (good, *others) in VALUES.items():
        start = f"-a {about.get(name, 'always,exit')}" + ("" if name in about else " -S openat")
        for op in OPS:
            yield f"{start} -F {name}{op}{good}"
        for value in others:
            quoted = f'"{name}={value}"' if " " in value else f"{name}={value}"
            yield f"{start} -F {quoted}"
        yield f"{start} -F {name}"
    for one, other in itertools.product(COMPARED, COMPARED):
        yield f"-a always,exit -S openat -C {one}!={other}"
        yield f"-a always,exit -S openat -C {one}={other}"
    for op in OPS[2:]:
        yield f"-a always,exit -S openat -C uid{op}euid"
    yield "-a always,exit -S openat -C uid"
    yield "-a always,exit -S openat -C uid!=0"

    words = ("always", "never", "possible", "exit", "entry", "task", "user", "exclude", "filesystem",
             "io_uring", "Always", "")
    for one, other in itertools.product(words, words):
        yield f"-a {one},{other} -F uid=0"
        yield f"-A {one},{other} -S openat -F uid=0"
    for text in ("always", "always,exit,exit", "always exit", "", "-S openat"):
        yield f"-a {text} -F uid=0"
    for calls in ("openat", "open,openat", "all", "257", "9999", "no_such_call", "openat,", ",openat",
                  "open openat", "-1", "", "OPENAT", "0x101", "257,open", "socketcall", "all,open"):
        yield f"-a always,exit -S {calls} -F uid=0"
        yield f"-a always,exit -F arch=b64 -S {calls}"
        yield f"-a always,exit -F arch=b32 -S {calls}"
    yield "-a always,exit -S openat -S close -F uid=0"
    yield "-a always,exit -F uid=0 -S openat -F gid=0"
    yield "-a always,exit -S openat -F arch=b64"
    yield "-a always,exit -F arch=b64 -F arch=b32 -S openat"
    yield "-a always,exit"
    yield "-a always,exit -k a"
    yield "-S openat -F uid=0"
    yield "-F uid=0 -a always,exit -S openat"
    yield "-a always,exit -a always,exit -S openat"
    yield "-a always,exit -A always,exit -S openat"
    for field in ("dir=/etc -F path=/etc/passwd", "path=/etc/passwd -F path=/etc/group",
                  "dir=/etc -F dir=/usr", "exe=/bin/sh -F exe=/bin/ls", "perm=r -F perm=w",
                  "uid=0 -F uid=1", "path=/etc/passwd -F inode=1", "inode=1 -F devmajor=1",
                  "key=a -F key=b", "filetype=file -F filetype=dir"):
        yield f"-a always,exit -S openat -F {field}"
        yield f"-a always,exit -F {field}"
    for field in ("perm=wa", "path=/etc/passwd", "exit=-EACCES", "success=0", "a0=1", "dir=/etc",
                  "exe=/bin/sh", "filetype=file", "obj_uid=0", "pid=1", "auid=0", "subj_user=x"):
        for place in ("task", "user", "exclude", "filesystem", "io_uring"):
            yield f"-a always,{place} -F {field}"
    for count in (1, 32, 63, 64, 65):
        yield "-a always,exit -S openat" + " -F uid=0" * count
    for key in ("a", "a -k b", '"a b"', "x" * 31, "x" * 32, "x" * 256, "x" * 257, "", "a,b"):
        yield f"-a always,exit -S openat -F uid=0 -k {key}"
        yield f"-w /etc/passwd -k {key}"
    for path in ("/etc/passwd", "/etc", "/etc/", "/", "etc", "", "/no-such", "/no/such/x", "/a b",
                 "/" + "x" * 300, "/" + "x/" * 2060, "/etc/*", "/etc/.", "/etc/.."):
        yield f"-w {path}"
        yield f"-w {path} -p wa"
    for permissions in ("r", "rwxa", "wa", "", "q", "rr", "R", "rwxar", "r,w"):
        yield f"-w /etc/shadow -p {permissions}"
        yield f"-p {permissions} -w /etc/shadow"
        yield f"-a always,exit -F path=/etc/shadow -p {permissions}"
    yield "-w /etc/passwd -F uid=0"
    yield "-w /etc/passwd -S openat"
    yield "-w /etc/passwd -w /etc/group"
    yield "-w /etc/passwd -p r -p w"
    yield "-w /etc/passwd extra"
    yield "-a always,exit -S openat -F uid=0 extra"
    yield "-a always,exit -S openat -F uid =0"
    yield "-a always,exit -S openat -F uid = 0"
    yield "-a always,exit -S openat -Fuid=0"
    yield "-aalways,exit -Sopenat -Fuid=0 -kkey"
    yield "-w/etc/passwd -pwa -kkey"
    yield "-W /etc/no-such-watch"
    yield "-d always,exit -S no_such_call"
    yield "-X"
    yield "--unknown"
    yield "extra"
    yield "-a"
    yield "-w"
    yield "-a always,exit -S"
    yield "-a always,exit -S openat -F"
    yield "-a always,exit -S openat -C"
    yield "-a always,exit -S openat -F uid=0 -k"
    yield "  -w   /etc/passwd    -p   wa  "
    yield "\t-w\t/etc/passwd\t-p\twa"
    yield "# -w /etc/passwd"
    yield "  # -w /etc/passwd"
    yield ""
    yield "-w /etc/passwd # comment"
    yield "-w /etc/passwd -k 'a b'"
    yield "-w /etc/passwd\r"


def auditctl(rules, directory):
    """The numbers of the lines that auditctl, or the kernel, refuses; and why."""
    path = directory / "each.rules"
    path.write_text("-c\n" + "".join(f"{line}\n-D\n" for line in rules))
    done = subprocess.run(["auditctl", "-R", path], capture_output=True, text=True, check=False)
    refused, said = {}, []
    for text in done.stderr.splitlines():
        if error := re.match(r"There was an error in line (\d+) of", text):
            refused[int(error[1]) // 2] = " ".join(said)
            said = []
        else:
            said.append(text)
    return refused


def krsi(rules, directory):
    """The numbers of the lines that krsi refuses to read; and why."""
    path = directory / "all.rules"
    path.write_text("".join(line + "\n" for line in rules))
    done = subprocess.run([KRSI, "check", "--parse-only", "--json", path], capture_output=True,
                          text=True, check=False)
    return {error["line"]: error["message"] for error in json.loads(done.stdout)["errors"]}


def main():
    if subprocess.run(["auditctl", "-s"], capture_output=True, check=False).returncode:
        return skip_all("the kernel has no audit, or somebody else has it")
    rules = list(dict.fromkeys(lines()))
    with tempfile.TemporaryDirectory() as name:
        audit, own = (refused(rules, pathlib.Path(name)) for refused in (auditctl, krsi))
    stricter = {rules[number - 1]: why for number, why in own.items() if number not in audit}
    both = sum(number not in audit and number not in own for number in range(1, len(rules) + 1))

    results = Results(len(STRICTER) + 2)
    for name, pattern in STRICTER.items():
        found = [line for line in stricter if re.fullmatch(pattern, line)]
        results.case(name, found, "there are no such lines")
        for line in found:
            del stricter[line]
    results.case("krsi takes all else", not stricter,
                 *(f"{line[:200]}: {why}" for line, why in stricter.items()))
    results.case("most of what auditctl takes was tried", both > 500, f"{both} of {len(rules)}")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
