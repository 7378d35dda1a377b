// SPDX-License-Identifier: GPL-2.0

use super::*;

fn one(line: &str) -> Statement {
    let mut lines = parse("rules", line).unwrap_or_else(|errors| panic!("{}", errors[0]));
    assert_eq!(lines.len(), 1, "{line}");
    lines.remove(0).statement
}

fn rule(line: &str) -> Rule {
    match one(line) {
        Statement::Rule { rule, .. } => rule,
        other => panic!("{line} is {other:?}"),
    }
}

/// The only condition of a rule that is made of `field`.
fn condition(field: &str) -> (Field, Op, Value) {
    let mut rule = rule(&format!("-a always,exit -F {field}"));
    assert_eq!(rule.conditions.len(), 1, "{field}");
    match rule.conditions.remove(0) {
        Condition::Test { field, op, value } => (field, op, value),
        other => panic!("{field} is {other:?}"),
    }
}

/// Column, width and message of the error in a line.
fn wrong(line: &str) -> (usize, usize, String) {
    let errors = match parse("rules", line) {
        Ok(statement) => panic!("{line} is accepted: {statement:?}"),
        Err(errors) => errors,
    };
    assert_eq!(errors.len(), 1, "{line}");
    // Whatever is wrong can be shown.
    assert!(errors[0].to_string().contains("expected "), "{line}");
    (errors[0].column, errors[0].width, errors[0].message.clone())
}

const NONE: Permissions = Permissions {
    read: false,
    write: false,
    execute: false,
    attributes: false,
};

#[test]
fn watches() {
    let expected = Statement::Watch {
        change: Change::Append,
        watch: Watch {
            path: "/etc/passwd".into(),
            permissions: Permissions {
                write: true,
                attributes: true,
                ..NONE
            },
            keys: vec!["identity".into()],
            places: Places::default(),
        },
    };
    assert_eq!(one("-w /etc/passwd -p wa -k identity"), expected);
    // In any order.
    assert_eq!(one("-k identity -p aw -w /etc/passwd"), expected);

    let Statement::Watch { change, watch } = one(r"-W /a\ b") else {
        panic!("a watch");
    };
    assert_eq!((change, watch.path.as_str()), (Change::Delete, "/a b"));
    let all = watch.permissions;
    assert!(all.read && all.write && all.execute && all.attributes);
}

#[test]
fn rules() {
    let read = rule(
        "-a always,exit -F arch=b64 -S unlink,rename -S 87 -F auid>=1000 -F auid!=unset \
         -C uid!=obj_uid -F key=delete -k more",
    );
    let test = |field, op, value| Condition::Test {
        field: Field::Named(field),
        op,
        value,
    };
    let expected = Rule {
        action: Action::Always,
        list: List::Exit,
        syscalls: ["unlink", "rename", "87"].map(String::from).to_vec(),
        conditions: vec![
            test("arch", Op::Equal, Value::Name("b64".into())),
            test("auid", Op::GreaterOrEqual, Value::Number(1000)),
            test("auid", Op::NotEqual, Value::Unset),
            Condition::Compare {
                field: Field::Named("uid"),
                op: Op::NotEqual,
                with: Field::Named("obj_uid"),
            },
        ],
        keys: vec!["delete".into(), "more".into()],
        places: Places::default(),
    };
    assert_eq!(read, expected);
    // All of them is none of them in particular.
    assert_eq!(rule("-a exit,always -S all").syscalls, [""; 0]);
}

#[test]
fn heads() {
    for (text, action, list) in [
        ("always,exit", Action::Always, List::Exit),
        ("exit,always", Action::Always, List::Exit),
        ("never,task", Action::Never, List::Task),
        ("user,never", Action::Never, List::User),
        ("never,exclude", Action::Never, List::Exclude),
        ("never,filesystem", Action::Never, List::Filesystem),
        ("always,io_uring", Action::Always, List::IoUring),
        ("deny,exit", Action::Deny("EPERM".into()), List::Exit),
        (
            "exit,deny=EACCES",
            Action::Deny("EACCES".into()),
            List::Exit,
        ),
        ("kill,exit", Action::Kill, List::Exit),
    ] {
        let read = rule(&format!("-a {text}"));
        assert_eq!((read.action, read.list), (action, list), "{text}");
    }
    for (option, expected) in [
        ("-a", Change::Append),
        ("-A", Change::Prepend),
        ("-d", Change::Delete),
    ] {
        let Statement::Rule { change, .. } = one(&format!("{option} always,exit")) else {
            panic!("a rule");
        };
        assert_eq!(change, expected);
    }
}

#[test]
fn operators() {
    for (text, expected) in [
        ("a0=1", Op::Equal),
        ("a0!=1", Op::NotEqual),
        ("a0<1", Op::Less),
        ("a0<=1", Op::LessOrEqual),
        ("a0>1", Op::Greater),
        ("a0>=1", Op::GreaterOrEqual),
        ("a0&1", Op::AnyBit),
        ("a0&=1", Op::AllBits),
    ] {
        assert_eq!(
            condition(text),
            (Field::Named("a0"), expected, Value::Number(1))
        );
    }
}

#[test]
fn values() {
    for (text, expected) in [
        ("a1=0x1f", Value::Number(31)),
        ("a1=017", Value::Number(15)),
        ("a1=-1", Value::Number(-1)),
        ("a1=0", Value::Number(0)),
        ("a1=4294967295", Value::Number(0xffff_ffff)),
        ("exit=-EACCES", Value::Name("-EACCES".into())),
        ("exit=-13", Value::Number(-13)),
        ("success=yes", Value::Number(1)),
        ("uid=root", Value::Name("root".into())),
        ("auid=4294967295", Value::Unset),
        ("auid=-1", Value::Unset),
        (
            "perm=rx",
            Value::Permissions(Permissions {
                read: true,
                execute: true,
                ..NONE
            }),
        ),
        ("path=/a=b", Value::Text("/a=b".into())),
        ("filetype=dir", Value::Name("dir".into())),
        ("comm=sh", Value::Text("sh".into())),
        ("raddr=10.0.0.0/8", Value::Text("10.0.0.0/8".into())),
        ("raddr=2001:db8::1", Value::Text("2001:db8::1".into())),
        ("rport=443", Value::Number(443)),
    ] {
        assert_eq!(condition(text).2, expected, "{text}");
    }
}

#[test]
fn arguments_and_variables() {
    let (field, op, value) = condition("argv[1]!=--force");
    assert_eq!(field, Field::Argument { argv: 1 });
    assert_eq!((op, value), (Op::NotEqual, Value::Text("--force".into())));
    // Operators in brackets are none.
    let env = "A>B".into();
    assert_eq!(condition("env[A>B]=x=y").0, Field::Environment { env });
    assert_eq!(condition("argv=x").0, Field::Named("argv"));
}

#[test]
fn other_lines() {
    assert_eq!(one("-D"), Statement::DeleteAll { key: None });
    let key = Some("old".into());
    assert_eq!(one("-D -k old"), Statement::DeleteAll { key });
    assert_eq!(one("-l"), Statement::List { key: None });
    let setting = |option: &str, value: Option<&str>| Statement::Setting {
        option: option.into(),
        value: value.map(String::from),
    };
    assert_eq!(one("-b 8192"), setting("-b", Some("8192")));
    assert_eq!(one("-e 2"), setting("-e", Some("2")));
    assert_eq!(
        one("--loginuid-immutable"),
        setting("--loginuid-immutable", None)
    );
}

#[test]
fn lines_are_counted() {
    let lines = parse("rules", "# rules\n\n-D\n  \n-b 1\r\n").unwrap();
    assert_eq!(
        lines.iter().map(|line| line.line).collect::<Vec<_>>(),
        [3, 5]
    );
    assert_eq!(parse("rules", ""), Ok(Vec::new()));

    // All errors at once, and no statement of a file that has one.
    let errors = parse("rules", "-D\n-b\n-x\n").unwrap_err();
    assert_eq!(
        errors.iter().map(|error| error.line).collect::<Vec<_>>(),
        [2, 3]
    );
    assert_eq!(errors[0].file, "rules");
}

/// Where each error points, and what it says.
#[test]
fn errors() {
    for (line, column, width, message) in [
        ("-x", 1, 2, "there is no option '-x'"),
        ("-R /etc/x.rules", 1, 2, "-R: a file cannot load another"),
        (
            "-q /a,/b",
            1,
            2,
            "-q: rules are about names, so what is mounted in a directory is in it",
        ),
        ("-s", 1, 2, "-s: this shows how audit is"),
        ("--signal stop", 1, 8, "--signal: this is for auditd"),
        ("-w", 3, 1, "-w lacks its value"),
        (
            "-w etc/passwd",
            4,
            10,
            "'etc/passwd' does not begin at the root",
        ),
        ("-w /etc/../x", 4, 9, "'/etc/../x' goes up with '..'"),
        ("-w /etc -p rq", 12, 2, "there is no permission 'q'"),
        ("-w /etc -p ''", 12, 2, "there is no permission"),
        ("-w /etc -p r -p w", 14, 2, "-p is there twice"),
        ("-w /etc -S open", 9, 2, "this does not go with -w path"),
        ("-w /etc -F uid=0", 12, 5, "this does not go with -w path"),
        (
            "-w /etc -w /usr",
            9,
            2,
            "-w is one thing too many for a line",
        ),
        (
            "-D -a always,exit",
            4,
            2,
            "-a is one thing too many for a line",
        ),
        ("-D -p r", 4, 2, "this does not go with it"),
        ("-k key", 1, 2, "this is a part of a rule that is not there"),
        (
            "-F uid=0 -S open",
            4,
            5,
            "this is a part of a rule that is not there",
        ),
        ("-b many", 4, 4, "-b has the value 'many'"),
        ("-e 3", 4, 1, "-e has the value '3'"),
        ("-e 1 -k x", 6, 2, "this does not go with -e"),
        ("-a always", 4, 6, "'always' is not an action and a list"),
        ("-a exit,task", 4, 9, "this has no action"),
        (
            "-a alwyas,exit",
            4,
            6,
            "there is no action 'alwyas'; is it 'always'?",
        ),
        ("-a exit,deny=13", 9, 7, "'13' is no errno"),
        ("-a exit,kill=9", 9, 6, "there is no action 'kill=9'"),
        (
            "-a always,exti",
            11,
            4,
            "'exti' is neither a list nor an action that goes before one",
        ),
        (
            "-a entry,always",
            4,
            5,
            "the list entry is no more: the kernel dropped it",
        ),
        ("-a deny,user", 1, 2, "deny and kill decide system calls"),
        ("-a always,exit -p r", 16, 2, "-p belongs to watches"),
        (
            "-a never,task -S open",
            15,
            2,
            "system calls are known to the lists exit and io_uring only",
        ),
        (
            "-a always,exit -S open,,x",
            24,
            1,
            "'' is no name of a system call",
        ),
        (
            "-a always,exit -S a,Open",
            21,
            4,
            "'Open' is no name of a system call",
        ),
        ("-a always,exit -F auid", 19, 4, "there is no operator"),
        (
            "-a always,exit -F auid!1000",
            23,
            1,
            "there is no operator '!'",
        ),
        ("-a always,exit -F auid=", 24, 1, "auid lacks its value"),
        (
            "-a always,exit -F pth=/x",
            19,
            3,
            "there is no field 'pth'; is it 'path'?",
        ),
        (
            "-a always,exit -F nonsense=1",
            19,
            8,
            "there is no field 'nonsense'",
        ),
        (
            "-a always,exit -F path>/x",
            23,
            1,
            "path has no such operator",
        ),
        (
            "-a always,exit -F auid&=1",
            23,
            2,
            "auid has no such operator",
        ),
        (
            "-a always,exit -F path=x",
            24,
            1,
            "'x' does not begin at the root",
        ),
        ("-a always,exit -F pid=x", 23, 1, "pid has the value 'x'"),
        ("-a always,exit -F a0=08", 22, 2, "a0 has the value '08'"),
        ("-a always,exit -F a0=+1", 22, 2, "a0 has the value '+1'"),
        ("-a always,exit -F a0=0x", 22, 2, "a0 has the value '0x'"),
        (
            "-a always,exit -F a0=4294967296",
            22,
            10,
            "a0 has the value '4294967296'",
        ),
        (
            "-a always,exit -F a0=-2147483649",
            22,
            11,
            "a0 has the value '-2147483649'",
        ),
        ("-a always,exit -F uid=-2", 23, 2, "uid has the value '-2'"),
        (
            "-a always,exit -F exit=-eacces",
            24,
            7,
            "exit has the value '-eacces'",
        ),
        (
            "-a always,exit -F success=2",
            27,
            1,
            "success has the value '2'",
        ),
        (
            "-a always,exit -F filetype=pipe",
            28,
            4,
            "filetype has the value 'pipe'",
        ),
        (
            "-a always,exit -F raddr=10.0.0.0/33",
            25,
            11,
            "raddr has the value '10.0.0.0/33'",
        ),
        (
            "-a always,exit -F rport=65536",
            25,
            5,
            "rport has the value '65536'",
        ),
        (
            "-a always,exit -F argv[x]=1",
            19,
            7,
            "'x' is no number of an argument",
        ),
        (
            "-a always,exit -F env[]=1",
            19,
            5,
            "'' is no name of a variable",
        ),
        (
            "-a always,exit -S open -F arch=b64",
            27,
            8,
            "arch comes after the system calls that depend on it",
        ),
        (
            "-a always,exit -F msgtype=1300",
            19,
            12,
            "this list does not know msgtype",
        ),
        (
            "-a always,exit -F fstype=tracefs",
            19,
            14,
            "this list does not know fstype",
        ),
        (
            "-a never,filesystem -F uid=0",
            24,
            5,
            "this list does not know uid",
        ),
        (
            "-a always,exit -C uid=0",
            23,
            1,
            "-C does not compare uid with '0'",
        ),
        (
            "-a always,exit -C uid=uid",
            23,
            3,
            "-C does not compare uid with 'uid'",
        ),
        (
            "-a always,exit -C uid=gid",
            23,
            3,
            "-C does not compare uid with 'gid'",
        ),
        (
            "-a always,exit -C uid>euid",
            22,
            1,
            "-C has no such operator",
        ),
        (
            "-a always,exit -C path=exe",
            19,
            4,
            "-C does not compare 'path'",
        ),
        (
            "-a always,exit -F key!=x",
            22,
            2,
            "key has no such operator",
        ),
        ("-a always,exit -k ''", 19, 2, "this is no key"),
        (
            "-a always,exit -F 'path=/x",
            19,
            1,
            "the quote does not end",
        ),
    ] {
        assert_eq!(wrong(line), (column, width, message.into()), "{line}");
    }
}

#[test]
fn limits() {
    let key = |length| format!("-w /etc -k {}", "k".repeat(length));
    assert!(parse("rules", &key(KEY_MAX)).is_ok());
    assert_eq!(wrong(&key(KEY_MAX + 1)).2, "this is no key");

    let path = |length| format!("-w /{}", "p".repeat(length - 1));
    assert!(parse("rules", &path(PATH_MAX - 1)).is_ok());
    assert_eq!(wrong(&path(PATH_MAX)).2, "this path is too long");

    let conditions = |count| format!("-a always,exit{}", " -F uid=0".repeat(count));
    assert!(parse("rules", &conditions(CONDITIONS_MAX)).is_ok());
    assert_eq!(
        wrong(&conditions(CONDITIONS_MAX + 1)).2,
        "this condition is one too many"
    );
}

#[test]
fn labels_name_a_slot_or_a_part_of_it() {
    let label = |class: &str, slot: &str, part| Field::Label {
        label: Label {
            class: class.into(),
            slot: slot.into(),
            part,
        },
    };
    for (text, field, op, number) in [
        (
            "label[inode.origin]!=0",
            label("inode", "origin", None),
            Op::NotEqual,
            0,
        ),
        (
            "label[cred.a.b-c_1]&0x1",
            label("cred", "a.b-c_1", None),
            Op::AnyBit,
            1,
        ),
        (
            "label[task.x:8,4]>=017",
            label("task", "x", Some((8, 4))),
            Op::GreaterOrEqual,
            15,
        ),
        (
            "label[bpf_map.x]=18446744073709551615",
            label("bpf_map", "x", None),
            Op::Equal,
            u64::MAX,
        ),
    ] {
        let expected = (field, op, Value::Unsigned(number));
        assert_eq!(condition(text), expected, "{text}");
    }
    let long = format!("inode.{}", "a".repeat(32));
    for slot in [
        "",
        "inode",
        "inode.",
        ".x",
        "Inode.x",
        "inode.X",
        "inode.x:",
        "inode.x:8",
        "inode.x:8,3",
        "inode.x:2,4",
        "inode.x:8,0",
        "inode.x:-8,4",
        "inode.x:+8,4",
        "inode.x:8,4,2",
        &long,
    ] {
        let (column, _, message) = wrong(&format!("-a always,exit -F label[{slot}]=1"));
        assert_eq!(
            (column, message),
            (19, format!("'{slot}' is no slot of a class")),
            "{slot}"
        );
    }
    let (_, _, message) = wrong("-a always,exit -F label=1");
    assert_eq!(message, "label of what?");
    for number in [
        "-1",
        "18446744073709551616",
        "0x",
        "1x",
        "08",
        "root",
        "unset",
    ] {
        let (.., message) = wrong(&format!("-a always,exit -F label[inode.x]={number}"));
        assert_eq!(message, format!("label[inode.x] has the value '{number}'"));
    }
}
