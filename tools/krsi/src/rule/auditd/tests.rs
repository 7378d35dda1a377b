// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::rule::system::Machine;
use serde_json::{json, Value};

/// Records of Debian's auditd, by ausearch --raw: a Python program opens, renames, removes,
/// connects, executes, and becomes somebody else.
const RECORDS: &str = include_str!("../../../tests/data/rules/audit.log");

fn log(text: &str) -> Log {
    read(text, &Machine::new()).unwrap()
}

/// The events of a text as JSON.
fn shown(text: &str) -> Vec<Value> {
    let events = log(text).events;
    let shown = events.iter().map(serde_json::to_value);
    shown.map(Result::unwrap).collect()
}

/// What an event has of these fields, and null of what it does not.
fn some(event: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| event[name].clone()).collect()
}

#[test]
fn an_open_is_an_event() {
    let open = &shown(RECORDS)[0];
    let expected = json!({
        "syscall": "openat", "arch": "b64", "path": ["/var/tmp/k/a b"], "perm": "w",
        "exe": "/usr/bin/python3.13", "comm": "python3",
        "a0": 0xffff_ff9cu32, "a1": 0x2c34_16d0, "a2": 0x80241, "a3": 0o666,
        "pid": 90, "ppid": 73, "auid": u32::MAX, "sessionid": u32::MAX, "pers": 0,
        "uid": 0, "euid": 0, "suid": 0, "fsuid": 0, "gid": 0, "egid": 0, "sgid": 0, "fsgid": 0,
        "inode": 16, "devmajor": 0, "devminor": 0x17, "obj_uid": 0, "obj_gid": 0,
        "filetype": 0o100_000,
    });
    assert_eq!(open, &expected);
}

#[test]
fn paths_are_those_that_are_told() {
    let events = shown(RECORDS);
    let paths: Vec<_> = events
        .iter()
        .map(|event| some(event, &["syscall", "path"]))
        .collect();
    assert_eq!(
        paths[..5],
        [
            json!(["openat", ["/var/tmp/k/a b"]]),
            // Beneath a descriptor.
            json!(["openat", null]),
            // As KRSI has it.
            json!(["openat", "/etc/krsi-dump"]),
            json!(["rename", ["/var/tmp/k/a b", "/var/tmp/k/c"]]),
            json!(["unlink", ["/var/tmp/k/c"]]),
        ]
    );
    let call = "type=SYSCALL msg=audit(1.0:1): arch=c000003e syscall=87 success=yes items=1\n\
                type=PATH msg=audit(1.0:1): item=0 name=";
    let removed = |name: &str| shown(&format!("{call}{name} nametype=DELETE")).remove(0);
    for name in [
        "\"/proc/self/stat\"",
        "\"/a/../b\"",
        "\"b\"",
        "FF",
        "(null)",
    ] {
        assert_eq!(removed(name)["path"], Value::Null, "{name}");
    }
    // What overlayfs does beneath.
    let beneath = "\"/a\" nametype=DELETE\ntype=PATH msg=audit(1.0:1): item=1 name=(null)";
    assert_eq!(removed(beneath)["path"], json!(["/a"]));
}

#[test]
fn records_of_krsi_say_which_hook_it_was() {
    let events = shown(RECORDS);
    let names = ["hook", "path", "perm", "cgroup", "exe", "comm", "argv"];
    assert_eq!(
        some(&events[2], &names),
        json!([
            "file_open",
            "/etc/krsi-dump",
            "w",
            "/",
            "/usr/bin/python3.13",
            "python3",
            null
        ])
    );
    // The task as it was when that was decided, and the arguments from audit.
    assert_eq!(
        some(&events[8], &names),
        json!([
            "bprm_check_security",
            "/usr/bin/true",
            null,
            "/",
            "/usr/bin/python3.13",
            "python3",
            ["true", "-x", "ü"]
        ])
    );
}

#[test]
fn addresses_are_what_calls_were_given() {
    let names = ["syscall", "raddr", "rport", "saddr_fam"];
    let events: Vec<_> = shown(RECORDS)[5..8]
        .iter()
        .map(|event| some(event, &names))
        .collect();
    assert_eq!(
        events,
        [
            json!(["connect", "127.0.0.1", 9, 2]),
            json!(["connect", "::1", 9, 10]),
            json!(["connect", null, null, 1]),
        ]
    );
}

/// Records are written when calls end.
#[test]
fn what_a_call_has_changed_is_not_known() {
    let events = shown(RECORDS);
    let names = ["syscall", "exe", "comm", "uid", "euid", "argv", "pers"];
    // A script, whose arguments are its interpreter's.
    let script = json!(["execve", null, null, 0, null, null, null]);
    assert_eq!(some(&events[9], &names), script);
    let python = "/usr/bin/python3.13";
    let setuid = json!(["setuid", python, "python3", null, null, null, 0]);
    assert_eq!(some(&events[10], &names), setuid);
    // What has failed has changed nothing.
    let failed = RECORDS.replace("success=yes", "success=no");
    assert_eq!(shown(&failed)[10]["uid"], 33);
}

#[test]
fn long_arguments_are_in_parts() {
    let text = "type=SYSCALL msg=audit(1.0:1): arch=40000003 syscall=11 success=yes exe=\"/x\"\n\
                type=EXECVE msg=audit(1.0:1): argc=2 a0=\"x\" a1_len=6 a1[0]=6120\n\
                type=CWD msg=audit(2.0:2): cwd=\"/\"\n\
                type=EXECVE msg=audit(1.0:1):  a1[1]=62\n\
                type=PATH msg=audit(1.0:1): item=0 name=\"/x\" nametype=NORMAL\n";
    let event = &shown(text)[0];
    assert_eq!(
        some(event, &["syscall", "arch", "argv"]),
        json!(["execve", "b32", ["x", "a b"]])
    );
    // The last one was lost.
    let cut = text.replace("argc=2", "argc=3");
    assert_eq!(shown(&cut)[0]["argv"], Value::Null);
    assert_eq!(log(text).others, 1);
}

#[test]
fn logs_are_told_from_other_events() {
    assert!(is_log(RECORDS) && is_log("\nnode=x type=USER_END msg=audit(1.0:1): pid=1"));
    assert!(!is_log("{\"hook\":\"file_open\"}") && !is_log(""));
    let other = "type=SYSCALL msg=audit(1.0:1): arch=c00000b7 syscall=56 success=yes";
    assert_eq!((log(other).others, log(other).events.len()), (1, 0));
    let enriched =
        "node=x type=SYSCALL msg=audit(1.0:1): arch=c000003e syscall=87 uid=5\x1dUID=\"x\"";
    assert_eq!(log(enriched).events[0].numbers.uid, Some(5));
    assert_eq!(
        read("type=X msg=audit(1.0:1): a=b\nnonsense", &Machine::new()).unwrap_err(),
        2
    );
}
