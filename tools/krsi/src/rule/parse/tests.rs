// SPDX-License-Identifier: GPL-2.0

use super::*;
use std::{collections::HashSet, fs, path::Path};

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

/// What is wrong with a line.
fn wrong(line: &str) -> String {
    statement(line).expect_err(line).message
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
    assert_eq!(one("-w/etc/passwd -pwa -kidentity"), expected);

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
fn watches_with_more_are_rules() {
    let long = one("-a always,exit -S openat -F uid>=1000 -F dir=/srv -F perm=rw -k srv");
    assert_eq!(one("-w /srv -p rw -S openat -F uid>=1000 -k srv"), long);
    assert_eq!(
        one("-w /srv -C uid!=euid"),
        one("-a always,exit -C uid!=euid -F dir=/srv -F perm=rwxa")
    );
    assert_eq!(
        one("-a deny,exit -F path=/x -p r"),
        one("-a deny,exit -F path=/x -F perm=r")
    );
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
fn beginnings() {
    for (text, field, op) in [
        ("exe^=/usr/", Field::Named("exe"), Op::Equal),
        ("exe!^=/usr/", Field::Named("exe"), Op::NotEqual),
        ("argv[1]^=/usr/", Field::Argument { argv: 1 }, Op::Equal),
        (
            "env[A^]!^=/usr/",
            Field::Environment { env: "A^".into() },
            Op::NotEqual,
        ),
    ] {
        let value = Value::Prefix("/usr/".into());
        assert_eq!(condition(text), (field, op, value), "{text}");
    }
    // Elsewhere it is a letter like any other.
    let value = Value::Text("^=x".into());
    assert_eq!(
        condition("comm=^=x"),
        (Field::Named("comm"), Op::Equal, value)
    );
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

/// Lines each of which is wrong, and what is shown of that. KRSI_UPDATE=1 writes the latter anew.
const WRONG: &str = include_str!("errors.rules");
const SHOWN: &str = "src/rule/parse/errors.txt";

/// The place, the part of the line, what is wrong with it, and the form that is expected.
#[test]
fn errors() {
    let errors = parse("errors.rules", WRONG).unwrap_err();
    let wrong = (1..).zip(WRONG.lines());
    let wrong = wrong.filter(|(_, line)| !line.is_empty() && !line.starts_with("#"));
    let numbers: Vec<usize> = wrong.map(|(number, _)| number).collect();
    assert_eq!(
        numbers,
        errors.iter().map(|error| error.line).collect::<Vec<_>>()
    );
    assert!(errors.iter().all(|error| !error.expected.is_empty()));
    let shown: Vec<String> = errors.iter().map(|error| format!("{error}\n")).collect();

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(SHOWN);
    if std::env::var_os("KRSI_UPDATE").is_some() {
        fs::write(&path, shown.join("\n")).unwrap();
    }
    let wanted = fs::read_to_string(&path).unwrap();
    for (shown, wanted) in shown.iter().zip(wanted.split_inclusive("\n\n")) {
        assert_eq!(shown.trim_end(), wanted.trim_end());
    }
    assert_eq!(shown.join("\n"), wanted);
}

/// No error can be made that is not among those.
#[test]
fn errors_are_all_errors() {
    let made: HashSet<(&str, u32)> = WRONG
        .lines()
        .filter_map(|line| statement(line).err())
        .map(|wrong| (wrong.by.file(), wrong.by.line()))
        .collect();
    for (file, source) in [
        ("src/rule/lexer.rs", include_str!("../lexer.rs")),
        ("src/rule/parse.rs", include_str!("../parse.rs")),
    ] {
        for (number, line) in (1..).zip(source.lines()) {
            let good = !line.contains("Wrong::new(") || made.contains(&(file, number));
            assert!(good, "nothing is wrong as {file}:{number} says");
        }
    }
    let shown: HashSet<String> = parse("errors.rules", WRONG)
        .unwrap_err()
        .into_iter()
        .flat_map(|error| [error.message, error.expected])
        .collect();
    let settings = SETTINGS.iter().filter_map(|(_, value)| *value);
    let refused = REFUSED.iter();
    let texts = refused
        .map(|(option, why, _)| format!("{option}: {why}"))
        .chain(settings.map(|(form, _)| form.to_string()))
        .chain(
            field::FIELDS
                .iter()
                .flat_map(|field| [field.kind.form(), field.ops.form()].map(String::from)),
        );
    for text in texts {
        assert!(shown.contains(&text), "no error says: {text}");
    }
}

#[test]
fn limits() {
    let key = |length| format!("-w /etc -k {}", "k".repeat(length));
    assert!(parse("rules", &key(KEY_MAX)).is_ok());
    assert_eq!(wrong(&key(KEY_MAX + 1)), "this is no key");

    let path = |length| format!("-w /{}", "p".repeat(length - 1));
    assert!(parse("rules", &path(PATH_MAX - 1)).is_ok());
    assert_eq!(wrong(&path(PATH_MAX)), "this path is too long");

    let conditions = |count| format!("-a always,exit{}", " -F uid=0".repeat(count));
    assert!(parse("rules", &conditions(CONDITIONS_MAX)).is_ok());
    assert_eq!(
        wrong(&conditions(CONDITIONS_MAX + 1)),
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
}
