// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::rule::{
    error::Missing,
    label::{Class, Slot},
    lower::{lower, Source},
    parse,
};

/// A machine that every machine is: one user, one cgroup, one symbolic link.
struct Fixed;

impl System for Fixed {
    fn user(&self, name: &str) -> Option<u32> {
        (name == "root").then_some(0)
    }

    fn group(&self, name: &str) -> Option<u32> {
        (name == "wheel").then_some(10)
    }

    fn cgroup(&self, path: &str) -> Option<(u8, u64)> {
        (path == "/a.slice").then_some((1, 77))
    }

    fn container(&self, name: &str) -> Result<String, Missing> {
        match name {
            "a" => Ok("/a.slice".into()),
            "b" => Ok("/a.slice/b".into()),
            _ => Err(Missing::new(format!("there is no container {name}"), "a")),
        }
    }

    fn slot(&self, class: Class, name: &str) -> Result<Slot, Missing> {
        let size = match name {
            "byte" => 1,
            "wide" => 24,
            "word" => 8,
            _ => {
                let message = format!("{} has no slot {name}", class.name());
                return Err(Missing::new(message, "another"));
            }
        };
        Ok(Slot {
            number: 7,
            size,
            kept: false,
        })
    }

    fn resolve(&self, path: &str) -> String {
        path.replace("/bin/", "/usr/bin/")
            .replace("/usr/usr/", "/usr/")
    }
}

fn policy(text: &str) -> Policy {
    let lines = parse("rules", text).unwrap_or_else(|errors| panic!("{}", errors[0]));
    let sources = lines.into_iter().map(|line| Source {
        file: "rules".into(),
        line,
    });
    let lowered = lower(sources.collect(), &Fixed);
    lowered
        .unwrap_or_else(|errors| panic!("{}", errors[0]))
        .policy
}

/// The rule that decides the event, which is about one hook, and the errno.
fn decided(text: &str, event: &str) -> (Option<usize>, u16) {
    let event = serde_json::from_str(event).unwrap_or_else(|error| panic!("{error}: {event}"));
    let decisions = eval(&policy(text), &event, &Fixed).unwrap();
    assert_eq!(decisions.len(), 1, "{event:?}");
    (decisions[0].rule, decisions[0].errno)
}

#[test]
fn the_first_rule_that_matches_decides() {
    let rules = "\
-a never,exit -S openat -F path=/etc/a -F uid=0
-a deny=EACCES,exit -S openat -F path=/etc/a
-A always,exit -S openat -F path=/etc/a -F uid=5
";
    let open = |uid| format!(r#"{{"syscall":"openat","path":"/etc/a","uid":{uid}}}"#);
    // -A goes to the front.
    assert_eq!(decided(rules, &open(5)), (Some(1), 0));
    assert_eq!(decided(rules, &open(0)), (Some(2), 0));
    assert_eq!(decided(rules, &open(7)), (Some(3), 13));
    let other = r#"{"hook":"file_open","path":"/etc/b","uid":0}"#;
    assert_eq!(decided(rules, other), (None, 0));
}

#[test]
fn directories_end_at_components() {
    let rules = "-a deny,exit -S openat -F dir=/etc/sub/";
    for (path, denied) in [
        ("/etc/sub", true),
        ("/etc/sub/a/b", true),
        ("/etc/subway", false),
        ("/etc", false),
    ] {
        let event = format!(r#"{{"syscall":"openat","path":"{path}"}}"#);
        assert_eq!(decided(rules, &event).1 == 1, denied, "{path}");
    }
}

#[test]
fn watches_are_about_what_is_beneath_and_how() {
    let rules = "-w /etc/x -p wa -k id";
    let event = |perm: &str, path: &str| {
        format!(r#"{{"hook":"file_open","path":"{path}","perm":"{perm}"}}"#)
    };
    assert_eq!(decided(rules, &event("w", "/etc/x")).0, Some(1));
    assert_eq!(decided(rules, &event("rw", "/etc/x/y")).0, Some(1));
    assert_eq!(decided(rules, &event("r", "/etc/x")).0, None);
    let rename = r#"{"hook":"path_rename","path":["/tmp/a","/etc/x"]}"#;
    assert_eq!(decided(rules, rename).0, Some(1));
}

#[test]
fn links_match_by_both_names() {
    let rules = "-w /bin/su -p x -k su";
    for path in ["/bin/su", "/usr/bin/su"] {
        let event = format!(r#"{{"syscall":"execve","path":"{path}"}}"#);
        assert_eq!(decided(rules, &event).0, Some(1), "{path}");
    }
}

#[test]
fn what_is_absent_neither_equals_nor_differs() {
    let event = r#"{"syscall":"execve","argv":["a"],"env":{}}"#;
    for field in ["argv[1]=b", "argv[1]!=b", "env[X]=1", "env[X]!=1"] {
        let rules = format!("-a deny,exit -S execve -F {field}");
        assert_eq!(decided(&rules, event).0, None, "{field}");
    }
    assert_eq!(
        decided("-a deny,exit -S execve -F argv!=b", event).0,
        Some(1)
    );
    assert_eq!(
        decided("-a deny,exit -S execve -F argv=a", event).0,
        Some(1)
    );
}

#[test]
fn addresses_are_in_networks() {
    let rules = "-a deny,exit -S connect -F raddr=10.0.0.0/8 -F rport=80";
    let event =
        |address, port| format!(r#"{{"syscall":"connect","raddr":"{address}","rport":{port}}}"#);
    assert_eq!(decided(rules, &event("10.1.2.3", 80)).1, 1);
    assert_eq!(decided(rules, &event("::ffff:10.1.2.3", 80)).1, 1);
    assert_eq!(decided(rules, &event("11.1.2.3", 80)).1, 0);
    assert_eq!(decided(rules, &event("10.1.2.3", 81)).1, 0);
}

#[test]
fn cgroups_have_what_is_beneath() {
    let rules = "-a deny,exit -S execve -F cgroup=/a.slice";
    let event = |cgroup| format!(r#"{{"syscall":"execve","cgroup":"{cgroup}"}}"#);
    assert_eq!(decided(rules, &event("/a.slice")).1, 1);
    assert_eq!(decided(rules, &event("/a.slice/b")).1, 1);
    assert_eq!(decided(rules, &event("/b.slice")).1, 0);
    assert_eq!(decided(rules, &event("/")).1, 0);
}

#[test]
fn never_without_system_calls_is_about_what_the_others_are() {
    let rules = "-a never,exit -F auid=unset\n-w /etc/x -p w -k x";
    let event = r#"{"hook":"path_unlink","path":"/etc/x","auid":4294967295}"#;
    assert_eq!(decided(rules, event).0, Some(1));
    let event = r#"{"hook":"path_unlink","path":"/etc/x","auid":1000}"#;
    assert_eq!(decided(rules, event).0, Some(2));
}

#[test]
fn numbers_have_no_sign() {
    let rules = "-a deny,exit -S execve -F auid>=1000 -F auid!=-1";
    let event = |auid: u64| format!(r#"{{"syscall":"execve","auid":{auid}}}"#);
    assert_eq!(decided(rules, &event(1000)).1, 1);
    assert_eq!(decided(rules, &event(999)).1, 0);
    assert_eq!(decided(rules, &event(4_294_967_295)).1, 0);
}

#[test]
fn what_an_event_lacks_is_told() {
    let policy = policy("-a deny,exit -S execve -F uid=0 -F gid=0");
    let eval = |text: &str| eval(&policy, &serde_json::from_str(text).unwrap(), &Fixed);
    // One test that fails is enough.
    assert!(eval(r#"{"syscall":"execve","gid":5}"#).is_ok());
    let error = eval(r#"{"syscall":"execve","gid":0}"#).unwrap_err();
    assert_eq!(error, "the event lacks 'uid', which rule 1 tests");
    assert!(eval(r#"{"uid":0}"#).is_err());
    assert!(serde_json::from_str::<Event>(r#"{"hook":"file_open","nonsense":1}"#).is_err());
}

#[test]
fn reasons_name_the_test() {
    let policy = policy("-a deny,exit -S execve -F uid=5\n-a deny,exit -S execve -F uid=6");
    let event = serde_json::from_str(r#"{"syscall":"execve","uid":6}"#).unwrap();
    let decision = &eval(&policy, &event, &Fixed).unwrap()[0];
    assert_eq!(decision.reasons[0].why, "not uid=5");
    assert_eq!(decision.reasons[1].why, "uid=6");
    assert!(decision.reasons[1].matches);

    let text = "-a deny,exit -S execve -F label[inode.wide:8,4]&0x10 -F container!=host";
    let event = serde_json::from_str(
        r#"{"syscall":"execve","label":{"inode.wide:8,4":48},"container":"a"}"#,
    );
    let decision = &eval(&self::policy(text), &event.unwrap(), &Fixed).unwrap()[0];
    assert_eq!(
        decision.reasons[0].why,
        "container!=host, label[inode.wide:8,4]&16"
    );
}

#[test]
fn labels_are_numbers_without_a_sign() {
    let event = |label: &str| format!(r#"{{"hook":"bprm_check_security","label":{{{label}}}}}"#);
    for (field, label, denied) in [
        (
            "label[inode.word]=18446744073709551615",
            "18446744073709551615",
            true,
        ),
        (
            "label[inode.word]=18446744073709551615",
            "4294967295",
            false,
        ),
        ("label[inode.word]!=0", "0", false),
        ("label[inode.word]!=0", "9223372036854775808", true),
        (
            "label[inode.word]>=0x8000000000000000",
            "9223372036854775807",
            false,
        ),
        ("label[inode.word]<4294967296", "4294967295", true),
        (
            "label[inode.word]&0x8000000000000001",
            "9223372036854775808",
            true,
        ),
        (
            "label[inode.word]&=0x8000000000000001",
            "9223372036854775808",
            false,
        ),
        ("label[inode.byte]<=017", "15", true),
        // An object that is not there neither equals nor differs.
        ("label[inode.word]=0", "null", false),
        ("label[inode.word]!=0", "null", false),
    ] {
        let rules = format!("-a deny,exit -S execve -F {field}");
        let key = field[6..].split(']').next().unwrap();
        let event = event(&format!(r#""{key}":{label}"#));
        assert_eq!(decided(&rules, &event).1 == 1, denied, "{field} of {label}");
    }
    // Parts have names of their own.
    let rules = "-a deny,exit -S execve -F label[inode.wide:8,4]=5 -F label[inode.wide:0,1]=1";
    let both = event(r#""inode.wide:8,4":5,"inode.wide:0,1":1"#);
    assert_eq!(decided(rules, &both).1, 1);
    let policy = policy(rules);
    let event = serde_json::from_str(&event(r#""inode.wide:8,4":5"#)).unwrap();
    let error = eval(&policy, &event, &Fixed).unwrap_err();
    assert_eq!(
        error,
        "the event lacks 'label[inode.wide:0,1]', which rule 1 tests"
    );
}

#[test]
fn containers_are_cgroups() {
    let event = |more: &str| format!(r#"{{"syscall":"execve",{more}}}"#);
    for (field, more, denied) in [
        ("container=a", r#""container":"a""#, true),
        ("container=a", r#""container":"b""#, true),
        ("container=a", r#""container":"host""#, false),
        ("container=a", r#""container":"elsewhere""#, false),
        ("container=a", r#""cgroup":"/a.slice/x""#, true),
        ("container!=a", r#""container":"host""#, true),
        ("container!=a", r#""cgroup":"/b.slice""#, true),
        ("container=host", r#""container":"host""#, true),
        ("container=host", r#""container":"a""#, false),
        ("container!=host", r#""container":"a""#, true),
        // One that shares the host's namespaces.
        (
            "container=host",
            r#""container":"host","cgroup":"/a.slice/x""#,
            true,
        ),
        (
            "container=a",
            r#""container":"host","cgroup":"/a.slice/x""#,
            true,
        ),
        (
            "container!=a",
            r#""container":"host","cgroup":"/a.slice/x""#,
            false,
        ),
    ] {
        let rules = format!("-a deny,exit -S execve -F {field}");
        assert_eq!(
            decided(&rules, &event(more)).1 == 1,
            denied,
            "{field}, {more}"
        );
    }
    // A cgroup alone does not tell.
    let policy = policy("-a deny,exit -S execve -F container=host");
    let event = serde_json::from_str(&event(r#""cgroup":"/""#)).unwrap();
    assert!(eval(&policy, &event, &Fixed).is_err());
}

#[test]
fn families_are_those_of_addresses() {
    let rules = "-a deny,exit -F saddr_fam=1";
    for hook in ["socket_bind", "socket_connect", "socket_sendmsg"] {
        let event = |family| format!(r#"{{"hook":"{hook}","saddr_fam":{family}}}"#);
        assert_eq!(
            (decided(rules, &event(1)).1, decided(rules, &event(2)).1),
            (1, 0)
        );
    }
}

#[test]
fn hooks_have_objects_of_some_classes() {
    let message = |call: &str, class: &str| {
        let text = format!("-a deny,exit -S {call} -F label[{class}.word]=1");
        let lines = parse("rules", &text)
            .unwrap()
            .into_iter()
            .map(|line| Source {
                file: "rules".into(),
                line,
            });
        let errors = lower(lines.collect(), &Fixed).err();
        errors.map(|errors| errors[0].message.clone())
    };
    let at = |what: &str, hook: &str| {
        Some(format!(
            "there is no {what} at {hook}, which decides this rule"
        ))
    };
    for class in ["cred", "task"] {
        for call in ["openat", "execve", "truncate", "connect", "kill"] {
            assert_eq!(message(call, class), None, "{class} at {call}");
        }
    }
    for call in ["openat", "execve", "truncate", "unlink", "setxattr"] {
        assert_eq!(message(call, "inode"), None, "{call}");
    }
    assert_eq!(message("kill", "inode"), at("file", "task_kill"));
    for call in ["openat", "execve", "read"] {
        assert_eq!(message(call, "file"), None, "{call}");
    }
    assert_eq!(
        message("truncate", "file"),
        at("open file", "path_truncate")
    );
    assert_eq!(message("kill", "file"), at("file", "task_kill"));
    for call in ["bind", "connect", "sendto", "recvmsg"] {
        assert_eq!(message(call, "sock"), None, "{call}");
    }
    assert_eq!(message("socket", "sock"), at("socket", "socket_create"));
}

#[test]
fn values_that_are_too_long_to_match_are_refused() {
    let message = |field: &str, length: usize| {
        let text = format!("-a deny,exit -S execve -F {field}={}", "x".repeat(length));
        let lines = parse("rules", &text).unwrap().into_iter();
        let sources = lines.map(|line| Source {
            file: "rules".into(),
            line,
        });
        let errors = lower(sources.collect(), &Fixed).err();
        errors.map(|errors| errors[0].message.clone())
    };
    for field in ["argv", "argv[1]", "env[A]"] {
        assert_eq!(message(field, 4000), None, "{field}");
        let refused = Some(String::from("this value is too long to match"));
        assert_eq!(message(field, 4001), refused, "{field}");
    }
}

#[test]
fn paths_that_users_choose_deny_and_allow_nothing() {
    const DENY: &str = "-a deny,exit -S openat\n";
    const AUDIT: &str = "-a always,exit -S openat -k all\n";
    const TRIAL: &str = "-a deny?,exit -S openat\n";
    const NEVER: &str = "-a never,exit -S openat -F uid=0\n";
    const LATER: &str = "-a deny,exit -S openat -F uid=5\n";
    let allow = |action: &str, test: &str| format!("-a {action},exit -S openat -F {test}\n");
    // With a trusted path and without, the rule that decides.
    for (rules, trusted, untrusted) in [
        // What denies holds it by its name, and what is another name as well.
        (allow("deny", "exe=/x") + DENY, 1, 1),
        (allow("deny", "dir=/d") + DENY, 1, 1),
        (allow("deny", "exe!=/x") + AUDIT, 2, 1),
        (allow("kill", "dir!=/d") + AUDIT, 2, 1),
        (allow("always", "exe!=/x") + "", 0, 1),
        // What allows comes after what denies.
        (allow("never", "exe=/x") + DENY, 1, 2),
        (allow("never", "path=/d/f") + DENY, 1, 2),
        (allow("never", "pexe=/p") + DENY, 1, 2),
        (allow("always", "exe=/x") + DENY, 1, 2),
        (allow("deny?", "exe=/x") + DENY, 1, 2),
        (allow("never", "exe!=/y") + DENY, 1, 2),
        (allow("never", "exe=/x") + AUDIT, 1, 2),
        (allow("never", "exe=/x") + TRIAL, 1, 2),
        (allow("always", "exe=/x") + TRIAL, 1, 2),
        // But nothing else changes: what only records still does, and the first of them.
        (allow("always", "exe=/x") + AUDIT, 1, 1),
        (allow("deny?", "exe=/x") + AUDIT, 1, 1),
        (allow("deny?", "exe=/x") + TRIAL, 1, 1),
        (DENY.replace("deny", "never") + DENY, 1, 1),
        (allow("never", "uid=0") + DENY, 1, 1),
        (
            allow("always", "exe=/x") + "-a deny,exit -S openat -F uid=5",
            1,
            1,
        ),
        (
            allow("never", "exe=/x")
                + &allow("always", "dir=/d")
                + "-a deny,exit -S openat -F uid=5",
            1,
            2,
        ),
        // A rule that yields is not lost to a more lenient one, which ends the search.
        (allow("always", "exe=/x") + NEVER + LATER, 1, 1),
        (allow("always", "exe=/x") + NEVER + DENY, 1, 1),
        (allow("always", "exe=/x") + AUDIT + LATER, 1, 1),
        (allow("deny?", "exe=/x") + NEVER + DENY, 1, 1),
        (allow("deny?", "exe=/x") + AUDIT + DENY, 1, 1),
        (
            allow("never", "exe=/x") + &allow("deny?", "dir=/d") + NEVER + DENY,
            1,
            2,
        ),
        // Nor does one before it count.
        (NEVER.to_owned() + &allow("always", "exe=/x") + DENY, 1, 1),
        (
            allow("never", "exe=/x") + NEVER + &allow("always", "exe=/x") + DENY,
            1,
            1,
        ),
        // Of equally strict ones the first decides.
        (
            allow("always", "exe=/x") + &allow("always", "dir=/d") + LATER,
            1,
            1,
        ),
        // The hook of the later rule is another.
        (allow("always", "exe=/x") + "-a deny,exit -S unlink", 1, 1),
    ] {
        for (mounts, expected) in [("[]", trusted), (r#"["exe","path","pexe"]"#, untrusted)] {
            let event = format!(
                r#"{{"syscall":"openat","path":"/d/f","exe":"/x","pexe":"/p","uid":0,
                     "untrusted":{mounts}}}"#
            );
            let found = decided(&rules, &event).0.unwrap_or(0);
            assert_eq!(found, expected, "{rules} {mounts}");
        }
    }
}

#[test]
fn only_paths_that_a_rule_tests_matter() {
    let rules = "-a never,exit -S openat -F exe=/x\n-a deny,exit -S openat";
    for (mounts, expected) in [(r#"["path","pexe"]"#, 1), (r#"["exe"]"#, 2)] {
        let event = format!(
            r#"{{"syscall":"openat","path":"/d/f","exe":"/x","pexe":"/p","untrusted":{mounts}}}"#
        );
        assert_eq!(decided(rules, &event).0, Some(expected), "{mounts}");
    }
}
