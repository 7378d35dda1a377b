// SPDX-License-Identifier: GPL-2.0

//! The command as its users see it: what it prints, and how it ends. The kernel's files are those
//! of tests/data; what needs a kernel is in tools/testing/selftests/krsi.

use serde_json::{json, Value};
use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

fn krsi(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_krsi"));
    command
        .args(args)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"))
        .stdin(Stdio::null());
    command
}

/// What the command prints and how it ends.
struct Run {
    status: i32,
    out: String,
    err: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("it prints UTF-8");
        Self {
            status: output.status.code().expect("no signal ends it"),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

fn run(args: &[&str]) -> Run {
    krsi(args).output().expect("krsi starts").into()
}

/// Runs it, which has to succeed without a word on stderr.
fn good(args: &[&str]) -> String {
    let run = run(args);
    assert_eq!((run.status, run.err.as_str()), (0, ""), "{}", run.out);
    run.out
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

#[test]
fn hooks() {
    assert_eq!(
        good(&["hooks", "--securityfs", "active"]),
        "\
HOOK                 SLEEPABLE  DEFAULT  CALLS  DENIALS  PROGRAMS
bprm_check_security  yes              0      0        0  -
file_open            yes              0   5012        3  31:guard,17:log
task_free            no            void      7        0  cgroup
task_prctl           yes            -38      0        0  -
"
    );
}

#[test]
fn hooks_that_are_asked_for() {
    let names = |args: &[&str]| {
        let args = [&["hooks", "--securityfs", "active"], args].concat();
        let text = good(&args);
        let rows = text.lines().skip(1);
        rows.map(|row| row.split(' ').next().unwrap().to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&["--attached"]), ["file_open", "task_free"]);
    assert_eq!(names(&["task_*"]), ["task_free", "task_prctl"]);
    assert_eq!(names(&["task_*", "--attached"]), ["task_free"]);
    assert_eq!(names(&["task_*", "--sleepable"]), ["task_prctl"]);
    assert_eq!(
        names(&["file_open", "bprm*"]),
        ["bprm_check_security", "file_open"]
    );
}

#[test]
fn hooks_json() {
    let out = good(&["hooks", "--securityfs", "active", "--attached", "--json"]);
    let expected = json!({ "schema": 1, "hooks": [
        {
            "name": "file_open", "sleepable": true, "default": 0, "calls": 5012, "denials": 3,
            "programs": [{ "id": 31, "name": "guard" }, { "id": 17, "name": "log" }],
        },
        {
            "name": "task_free", "sleepable": false, "default": null, "calls": 7, "denials": 0,
            "programs": [{ "id": 0, "name": "cgroup" }],
        },
    ]});
    assert_eq!(parsed(&out), expected);
}

#[test]
fn a_hook_that_is_not_there() {
    let run = run(&["hooks", "--securityfs", "active", "file_opne"]);
    assert_eq!(run.status, 1);
    assert_eq!(run.out, "");
    assert_eq!(
        run.err,
        "\
krsi: this kernel has no hook 'file_opne'
  krsi hooks lists the hooks; patterns have '*', as in 'inode_*'
"
    );
}

#[test]
fn status() {
    let out = good(&["status", "--securityfs", "active", "--no-self-test"]);
    let lines: Vec<_> = out
        .lines()
        .filter(|line| !line.contains("  kernel "))
        .collect();
    let expected = [
        "KRSI is active; whether it enforces was not tried.",
        "",
        "  LSMs       capability,landlock,lockdown,yama,krsi",
        "  run by     krsi, which replaces bpf",
        "  KRSI       abi 1; bpf_lsm cgroup",
        "  hooks      4, 2 with programs",
        "  programs   3",
        "  audit      12 records written, 3 lost",
        "  sealed     no: who may use bpf(2) can remove programs",
        "  policy     none",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn status_json() {
    let out = good(&[
        "status",
        "--securityfs",
        "active",
        "--no-self-test",
        "--json",
    ]);
    let mut read = parsed(&out);
    assert!(read["kernel"].take().is_string());
    let expected = json!({
        "schema": 1, "state": "active", "reason": null, "hint": null, "kernel": null,
        "lsms": ["capability", "landlock", "lockdown", "yama", "krsi"], "enforced_by": "krsi",
        "abi": 1, "features": ["bpf_lsm", "cgroup"],
        "hooks": 4, "hooks_attached": 2, "programs": 3,
        "audit": { "written": 12, "disabled": 0, "lost_backlog": 2, "lost_keys": 1 },
        "sealed": false,
        "policy": { "generation": null, "rules": 0, "hooks": 0, "damaged": [], "ended": [],
            "provisional": null },
        "self_test": {
            "result": "not-run", "hook": "task_getpgid",
            "before": null, "attached": null, "after": null,
        },
    });
    assert_eq!(read, expected);
}

#[test]
fn inactive() {
    let why = "KRSI is not active; the bpf LSM runs programs in its place \
               (LSMs: capability,landlock,yama,bpf)";

    let text = run(&["status", "--securityfs", "bpf"]);
    assert_eq!(text.status, 3);
    assert!(
        text.out.starts_with(&format!("{why}.\n  boot ")),
        "{}",
        text.out
    );

    let status = run(&["status", "--securityfs", "bpf", "--json"]);
    assert_eq!((status.status, status.err.as_str()), (3, ""));
    let read = parsed(&status.out);
    assert_eq!(
        (&read["state"], &read["reason"]),
        (&json!("inactive"), &json!(why))
    );
    assert_eq!(read["enforced_by"], "bpf");
    assert_eq!(read["hooks"], Value::Null);

    for verb in ["hooks", "top"] {
        let run = run(&[verb, "--securityfs", "bpf"]);
        assert_eq!((run.status, run.out.as_str()), (3, ""));
        assert!(
            run.err.starts_with(&format!("krsi: {why}\n  boot ")),
            "{}",
            run.err
        );
    }
}

#[test]
fn securityfs_is_not_there() {
    let run = run(&["status", "--securityfs", "/nowhere", "--json"]);
    assert_eq!(run.status, 1);
    let read = parsed(&run.out);
    assert_eq!(read["state"], "unknown");
    assert_eq!(read["reason"], "securityfs is not mounted on /nowhere");
    assert_eq!(read["enforced_by"], Value::Null);
    assert_eq!(read["hint"], "mount -t securityfs none /nowhere");
}

#[test]
fn formats_of_a_later_kernel() {
    for verb in ["status", "hooks"] {
        let run = run(&[verb, "--securityfs", "later"]);
        assert_eq!(run.status, 1);
        let all = run.out + &run.err;
        assert!(
            all.contains("KRSI has version 2 of its files, this command knows 1"),
            "{all}"
        );
    }
}

#[test]
fn a_file_that_is_no_such_file() {
    let run = run(&["hooks", "--securityfs", "damaged", "--json"]);
    assert_eq!(run.status, 1);
    let message = "damaged/krsi/hooks: line 2: 'calls' has the value 'many'";
    assert_eq!(run.err, format!("krsi: {message}\n"));
    let expected = json!({ "schema": 1, "error": { "message": message, "hint": null } });
    assert_eq!(parsed(&run.out), expected);
}

#[test]
fn wrong_command_lines() {
    for args in [
        &[][..],
        &["nonsense"],
        &["status", "--nonsense"],
        &["hooks", "["],
        &["top", "--interval", "0"],
        &["top", "--count", "0"],
        &["completions", "tcsh"],
        &["man"],
        &["check", "--parse-only", "--event", "{}", "rules/good.rules"],
        &["load"],
        &["rule"],
    ] {
        let run = run(args);
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{args:?}");
        let tells = run.err.contains("Usage: krsi") || run.err.contains("try '--help'");
        assert!(tells, "{args:?}: {}", run.err);
    }
}

#[test]
fn help() {
    let out = good(&["--help"]);
    for part in [
        "Usage: krsi <COMMAND>",
        "  status ",
        "Exit status:\n  0  ",
        "\n  4  ",
    ] {
        assert!(out.contains(part), "{part} is not in {out}");
    }
    for verb in ["status", "hooks", "programs", "top"] {
        assert!(good(&[verb, "--help"]).contains("--json"));
    }
    assert_eq!(
        good(&["--version"]),
        concat!("krsi ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn nobody_reads() {
    let mut child = krsi(&["hooks", "--securityfs", "active"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env("RUST_BACKTRACE", "0")
        .spawn()
        .unwrap();
    // Whether that is before or after it writes: it does not complain.
    drop(child.stdout.take());
    let run = Run::from(child.wait_with_output().unwrap());
    assert_eq!(run.err, "");
}

#[test]
fn the_disk_is_full() {
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = krsi(&["hooks", "--securityfs", "active"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write the output"));
}

#[test]
fn rules_that_are_well_formed() {
    let file = "rules/good.rules";
    let args = ["check", "--parse-only", file];
    assert_eq!(
        good(&args),
        "rules/good.rules: well formed; statements: 34\n"
    );

    let read = parsed(&good(&[&args[..], &["--json"]].concat()));
    assert_eq!(
        (&read["errors"], &read["files"][0]["file"]),
        (&json!([]), &json!(file))
    );
    let statements = read["files"][0]["statements"].as_array().unwrap();
    let expected = json!({
        "line": 10, "statement": "watch", "change": "append", "path": "/etc/localtime",
        "permissions": { "read": false, "write": true, "execute": false, "attributes": true },
        "keys": ["time"],
    });
    assert_eq!(
        statements.iter().find(|one| one["line"] == 10),
        Some(&expected)
    );
    let expected = json!({
        "line": 46, "statement": "rule", "change": "append", "action": { "deny": "EPERM" },
        "list": "exit", "syscalls": ["execve"], "keys": ["rm"],
        "conditions": [{
            "field": { "argv": 1 }, "op": "=", "value": { "text": "--no-preserve-root" },
        }],
    });
    assert_eq!(
        statements.iter().find(|one| one["line"] == 46),
        Some(&expected)
    );
}

#[test]
fn rules_that_are_wrong() {
    let run = run(&[
        "check",
        "--parse-only",
        "rules/bad.rules",
        "rules/good.rules",
    ]);
    assert_eq!((run.status, run.err.as_str()), (1, ""));
    assert_eq!(run.out, include_str!("data/rules/bad.expected"));

    let run = self::run(&["check", "--parse-only", "rules/bad.rules", "--json"]);
    assert_eq!(run.status, 1);
    let read = parsed(&run.out);
    assert_eq!(
        read["files"],
        json!([{ "file": "rules/bad.rules", "statements": null }])
    );
    let expected = json!({
        "file": "rules/bad.rules", "line": 1, "column": 11,
        "message": "'exti' is neither a list nor an action that goes before one",
        "expected": "one of the lists task, exit, user, exclude, filesystem, io_uring",
    });
    assert_eq!(read["errors"][0], expected);
}

/// What no hook can decide, with the place, the reason, and what to do instead.
#[test]
fn rules_that_are_refused() {
    let run = run(&["check", "rules/refused.rules", "--securityfs", "active"]);
    assert_eq!((run.status, run.err.as_str()), (1, ""));
    assert_eq!(run.out, include_str!("data/rules/refused.expected"));
}

/// What is well formed, and more than a program can have.
#[test]
fn rules_that_are_too_many() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("many.rules");
    let rule = |number| format!("-a deny,exit -S execve -F argv[{number}]=x\n");
    let text: String = (0..50).map(rule).collect();
    fs::write(&file, format!("# many\n{text}")).unwrap();
    let run = run(&["check", file.to_str().unwrap()]);
    assert_eq!((run.status, run.err.as_str()), (1, ""));
    let place = format!(
        "{}:2:1: rules on bprm_check_security test more",
        file.display()
    );
    assert!(run.out.contains(&place), "{}", run.out);
    assert!(
        run.out.contains("cannot be loaded; errors: 1"),
        "{}",
        run.out
    );
}

#[test]
fn events_are_decided() {
    let args = [
        "check",
        "rules/policy.rules",
        "--events",
        "rules/events.json",
    ];
    assert_eq!(good(&args), include_str!("data/rules/events.expected"));

    let event = r#"{"syscall":"execve","argv":["rm","-x"],"path":"/usr/bin/rm"}"#;
    let read = parsed(&good(&[
        "check",
        "rules/policy.rules",
        "--event",
        event,
        "--json",
    ]));
    let decisions = &read["events"][0]["decisions"];
    assert_eq!(
        (&decisions[0]["rule"], &decisions[0]["errno"]),
        (&json!(3), &json!(13))
    );

    let lacks = run(&[
        "check",
        "rules/policy.rules",
        "--event",
        r#"{"hook":"file_open"}"#,
    ]);
    assert_eq!((lacks.status, lacks.err.as_str()), (1, ""));
    assert!(
        lacks.out.contains("lacks 'uid', which rule 1"),
        "{}",
        lacks.out
    );
    let wrong = run(&["check", "rules/policy.rules", "--event", "nonsense"]);
    assert_eq!((wrong.status, wrong.out.as_str()), (1, ""));
    assert!(wrong.err.contains("--event is no event"), "{}", wrong.err);
}

/// What auditd has written, and what of it rules cannot be asked about.
#[test]
fn events_of_audit() {
    let rules = Path::new(env!("CARGO_TARGET_TMPDIR")).join("audit.rules");
    let text = "-a deny,exit -S openat -F path=/etc/krsi-dump\n\
                -a never,exit -S connect -F raddr=127.0.0.0/8\n";
    fs::write(&rules, text).unwrap();
    let rules = rules.to_str().unwrap();
    let run = run(&["check", rules, "--events", "rules/audit.log", "--json"]);
    let events = &parsed(&run.out)["events"];
    // The one that KRSI has recorded, and a connection.
    for (number, rule, hook) in [(2, 1, "file_open"), (5, 2, "socket_connect")] {
        let decision = &events[number]["decisions"][0];
        let decided = (&decision["rule"], &decision["hook"]);
        assert_eq!(decided, (&json!(rule), &json!(hook)));
    }
    // A name beneath a descriptor.
    assert_eq!((run.status, &events[1]["decisions"]), (1, &Value::Null));
    assert!(events[1]["lacks"].as_str().unwrap().contains("'path'"));

    let broken = Path::new(env!("CARGO_TARGET_TMPDIR")).join("broken.log");
    fs::write(
        &broken,
        "type=DAEMON_START msg=audit(1.0:1): op=start\ntype=\n",
    )
    .unwrap();
    let broken = broken.to_str().unwrap();
    let run = self::run(&["check", rules, "--events", broken]);
    assert_eq!(run.status, 1);
    let message = format!("{broken}:2 is no record of audit");
    assert!(run.err.contains(&message), "{}", run.err);
}

/// What another machine has, and what was recorded there.
#[test]
fn events_of_another_machine() {
    let file = |name: &str, text: &str| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_string()
    };
    let rules = file(
        "elsewhere.rules",
        "-a deny,exit -S execve -F uid=web-elsewhere -F cgroup=/web/one -F argv[1]=-x\n\
         -a deny=EACCES,exit -S execve -F gid=www-elsewhere -F env[A]=b\n",
    );
    let passwd = file("passwd", "web-elsewhere:x:333:334::/:/bin/false\n");
    let group = file("group", "www-elsewhere:x:444:\n");
    let exec = |gid, argv: &str| {
        format!(
            r#"{{"schema":1,"exec":{{"pid":7,"uid":333,"gid":{gid},"file":"/nowhere/x",
            "argv":["x","{argv}"],"env":[{{"name":"A","values":["b"]}}],
            "cgroup":{{"id":1,"path":"/web/one/below"}},"new":1}}}}"#
        )
        .replace('\n', "")
    };
    let events = file(
        "recorded.json",
        &[
            r#"{"schema":1,"watching":true}"#,
            &exec(1, "-x"),
            &exec(444, "-y"),
            &exec(1, "-y"),
            r#"{"schema":1,"lost":{"arguments":0},"end":true}"#,
        ]
        .join("\n"),
    );
    assert_eq!(run(&["check", &rules]).status, 1);
    let there = [
        "--passwd", &passwd, "--group", &group, "--cgroup", "/web/one",
    ];
    let args = [
        &["check", &rules, "--events", &events, "--json"][..],
        &there,
    ]
    .concat();
    let read = parsed(&good(&args));
    let decided: Vec<_> = read["events"].as_array().unwrap().iter().collect();
    let rules: Vec<_> = decided
        .iter()
        .map(|event| &event["decisions"][0]["rule"])
        .collect();
    assert_eq!(rules, [&json!(1), &json!(2), &json!(null)]);
}

/// Programs read of every failure, also of a wrong command line; --json may stand anywhere.
#[test]
fn json_of_what_is_wrong() {
    let wrong = run(&["hooks", "--json", "--nonsense"]);
    assert_eq!(wrong.status, 2);
    let message = parsed(&wrong.out)["error"]["message"].take();
    assert_eq!(message, "unexpected argument '--nonsense' found");
    assert!(wrong.err.contains("Usage:"), "{}", wrong.err);
    let wrong = run(&["hooks", "--nonsense"]);
    assert_eq!((wrong.status, wrong.out.as_str()), (2, ""));

    for args in [["rule", "--json", "-w"], ["rule", "-w", "--json"]] {
        let wrong = run(&args);
        assert_eq!(wrong.status, 1);
        let message = parsed(&wrong.out)["errors"][0]["message"].take();
        assert_eq!(message, "-w lacks its value", "{args:?}");
    }
}

/// Labels are those of slots in securityfs, or in a copy of it, or they are taken for granted.
#[test]
fn labels_are_looked_for() {
    let args = [
        "check",
        "rules/labels.rules",
        "--events",
        "rules/labels.json",
        "--securityfs",
    ];
    let expected = include_str!("data/rules/labels.expected");
    assert_eq!(good(&[&args[..], &["active"]].concat()), expected);

    let granted = "is taken for granted: no file krsi/blobs can be read here";
    let notes = format!(
        "rules/labels.rules:1: label[inode.label:8,8] {granted}\n\
         rules/labels.rules:2: label[task.state] {granted}\n"
    );
    let formed = "rules/labels.rules: well formed";
    assert_eq!(
        good(&[&args[..], &["bpf"]].concat()),
        expected.replacen(formed, &format!("{notes}{formed}"), 1)
    );
}

#[test]
fn rules_that_are_not_there() {
    let run = run(&["check", "--parse-only", "rules/none.rules"]);
    assert_eq!((run.status, run.out.as_str()), (1, ""));
    assert!(
        run.err.starts_with("krsi: cannot read rules/none.rules: "),
        "{}",
        run.err
    );
}

#[test]
fn completions() {
    for shell in ["bash", "zsh", "fish"] {
        let script = good(&["completions", shell]);
        for word in ["krsi", "programs", "no-self-test"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn man_pages() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("man");
    let _ = fs::remove_dir_all(&dir);
    good(&["man", dir.to_str().unwrap()]);

    let entries = fs::read_dir(&dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "blobs",
        "blobs-claim",
        "blobs-release",
        "check",
        "completions",
        "confirm",
        "diff",
        "exec",
        "hooks",
        "list",
        "load",
        "man",
        "programs",
        "rule",
        "status",
        "top",
        "unload",
    ];
    let mut expected = expected.map(|verb| format!("krsi-{verb}.8")).to_vec();
    expected.push("krsi.8".into());
    expected.push("krsi.rules.7".into());
    expected.sort();
    assert_eq!(names, expected);

    let page = fs::read_to_string(dir.join("krsi-status.8")).unwrap();
    assert!(page.contains(".TH krsi-status 8"), "{page}");
    assert!(page.contains("\\fBkrsi status\\fR"), "{page}");

    let failed = run(&["man", "/dev/null/man"]);
    assert_eq!(failed.status, 1);
    assert!(
        failed
            .err
            .starts_with("krsi: cannot write into /dev/null/man: "),
        "{}",
        failed.err
    );
}

#[test]
fn blobs() {
    assert_eq!(
        good(&["blobs", "--securityfs", "active"]),
        "\
CLASS  RESERVED  FREE
inode        64    32
task         32    24

      SLOT  CLASS  NAME   OFFSET  SIZE  ALIGN  INHERIT  OWNER    STATE  OTHER
1955274240  inode  label       0    24      8  reset    runtime  live   -
        18  task   state       0     8      8  copy     boot     live   later=x
"
    );
    let all = parsed(&good(&[
        "blobs",
        "--all",
        "--json",
        "--securityfs",
        "active",
    ]));
    assert_eq!(all["classes"].as_array().map(Vec::len), Some(3));
    assert_eq!(all["slots"][1]["state"], "released");
    assert_eq!(all["slots"][2]["other"], json!({ "later": "x" }));
    // The file is not there, or KRSI is not active.
    assert_eq!(run(&["blobs", "--securityfs", "later"]).status, 1);
    let inactive = run(&["blobs", "claim", "inode", "x", "8", "--securityfs", "bpf"]);
    assert_eq!((inactive.status, inactive.out.as_str()), (3, ""));
    // A name with a space would be another command.
    let wrong = run(&["blobs", "release", "inode", "a b", "--securityfs", "active"]);
    assert_eq!(wrong.status, 1);
    assert!(wrong.err.contains("a name is a word"), "{}", wrong.err);
}

#[test]
fn exec_needs_krsi() {
    let run = run(&["exec", "--json", "--securityfs", "bpf"]);
    assert_eq!(run.status, 3);
    assert!(parsed(&run.out)["error"]["message"]
        .as_str()
        .is_some_and(|message| message.starts_with("KRSI is not active")));
}
