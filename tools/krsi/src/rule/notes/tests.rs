// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::rule::{
    error::Missing,
    eval::eval,
    label::{Class, Slot},
    lower::lower_most,
    parse,
};

/// A machine without names.
struct Bare;

impl System for Bare {
    fn user(&self, _: &str) -> Option<u32> {
        None
    }

    fn group(&self, _: &str) -> Option<u32> {
        None
    }

    fn cgroup(&self, path: &str) -> Option<(u8, u64)> {
        (path == "/a.slice").then_some((1, 77))
    }

    fn container(&self, name: &str) -> Result<String, Missing> {
        Err(Missing::new(name, "none"))
    }

    fn slot(&self, _: Class, name: &str) -> Result<Slot, Missing> {
        Err(Missing::new(name, "none"))
    }

    fn resolve(&self, path: &str) -> String {
        path.into()
    }
}

fn notes_of(text: &str) -> Vec<String> {
    let lines = parse("rules", text).unwrap_or_else(|errors| panic!("{}", errors[0]));
    let sources = lines.into_iter().map(|line| Source {
        file: "rules".into(),
        line,
    });
    let (lowered, errors) = lower_most(sources.collect(), &Bare);
    assert!(errors.is_empty(), "{}", errors[0]);
    lowered.notes
}

/// Whether a policy has the note.
fn has(text: &str, part: &str) -> bool {
    notes_of(text).iter().any(|note| note.contains(part))
}

/// Each note with a rule that has it, and one that is as near to it as can be and has it not.
#[test]
fn each_limit_is_told_where_it_is_one() {
    for (part, with, without) in [
        (
            "no call matches this rule: uid=0 excludes uid!=0",
            "-a deny,exit -S openat -F uid=0 -F uid!=0",
            "-a deny,exit -S openat -F uid=0 -F euid!=0",
        ),
        (
            "nothing is uid<0",
            "-a always,exit -S openat -F uid<0",
            "-a always,exit -S openat -F uid<1",
        ),
        (
            "excludes path=",
            "-a always,exit -F path=/a -F path=/b -F perm=r",
            "-a always,exit -F path=/a -F path=/b -F perm=rw",
        ),
        ("wildcards", "-w /home/*/.ssh -p wa", "-w /usr/bin/[ -p wa"),
        (
            "wildcards",
            "-a never,exit -S connect -F exe=/opt/v[0-9]/x",
            "-a always,exit -S execve -F argv=*",
        ),
        (
            "files of its own",
            "-a always,exit -S connect -F exe=/proc/self/exe",
            "-a always,exit -S connect -F exe=/proc/selfish",
        ),
        (
            "rules:3: this denies nothing: rules:1 matches the same calls before it",
            "-a never,exit -S openat -F uid=0\n-a always,exit -S connect\n\
             -a deny,exit -S openat -F gid=1 -F uid=0",
            "-a never,exit -S openat -F uid=1\n-a always,exit -S openat -F gid=2\n\
             -a deny,exit -S openat -F gid=1 -F uid=0",
        ),
        (
            "this denies nothing: rules:1 ",
            "-a always,exit -S openat\n-a deny?,exit -S openat -F path=/x",
            "-a deny,exit -S openat\n-a deny,exit -S openat -F path=/x",
        ),
        (
            "this denies nothing",
            "-a never,exit -S openat\n-a kill,exit -F arch=b64 -S openat",
            "-a never,exit -F arch=b64 -S openat\n-a kill,exit -S openat",
        ),
        (
            "this denies nothing",
            "-a never,exit -S rename\n-a deny,exit -S rename",
            "-a never,exit -S rename\n-a deny,exit -S rename,openat",
        ),
        (
            "this denies nothing",
            "-a never,exit -S openat -F uid=0\n-a deny,exit -S openat -F uid=0 -F dir=/x",
            "-a never,exit -S openat -F dir=/x\n-a deny,exit -S openat -F uid=0 -F dir=/x",
        ),
        (
            "chooses its comm",
            "-a deny,exit -S openat -F comm=sshd",
            "-a always,exit -S openat -F comm=sshd",
        ),
        (
            "LD_PRELOAD",
            "-a deny,exit -S connect -F exe!=/usr/bin/ok",
            "-a deny,exit -S connect -F exe=/usr/bin/ok",
        ),
        (
            "double fork",
            "-a deny?,exit -S connect -F pexe!=/usr/bin/ok",
            "-a always,exit -S connect -F pexe!=/usr/bin/ok",
        ),
        (
            "glued",
            "-a deny,exit -S execve -F argv[1]=-R -F uid=1",
            "-a deny,exit -S execve -F argv[0]=ls -F uid=1",
        ),
        (
            "ld.so",
            "-a deny,exit -F path=/opt/x -F perm=x",
            "-a deny,exit -F path=/opt/x -F perm=rx",
        ),
        (
            "link and rename can give",
            "-a deny,exit -F dir=/srv -F perm=r",
            "-a deny,exit -F dir=/srv -F perm=rw",
        ),
        (
            "rules:1: rename can give",
            "-a deny,exit -F dir=/srv -F perm=ra",
            "-a deny,exit -F dir=/srv -F perm=ra\n\
             -a deny,exit -S rename -F dir=/srv",
        ),
        (
            "with a bind mount: inode=",
            "-a deny?,exit -S openat -F path=/srv/x",
            "-a deny,exit -S openat -F inode=7 -F devmajor=8 -F devminor=1",
        ),
        (
            "ACLs by it",
            "-a deny,exit -F dir=/srv -F perm=wa",
            "-a deny,exit -F dir=/srv -F perm=w",
        ),
        (
            "fspick, mount_setattr, open_tree make or change mounts: no rule denies that",
            "-a deny,exit -S mount -S fsopen -F uid=1",
            "-a deny,exit -S mount -F uid=1\n\
             -a deny,exit -S fsopen,fspick,mount_setattr,open_tree -F uid=1",
        ),
        (
            "finit_module loads modules",
            "-a deny,exit -S init_module",
            "-a deny,exit -S init_module,finit_module",
        ),
        (
            "sendto, sendmsg reach",
            "-a deny,exit -S connect -F raddr=192.0.2.1",
            "-a deny,exit -F raddr=192.0.2.1",
        ),
    ] {
        assert!(has(with, part), "{with}: {:?}", notes_of(with));
        assert!(!has(without, part), "{without}: {:?}", notes_of(without));
        assert!(!has("-w /etc/passwd -p wa", part));
    }
}

#[test]
fn rules_that_share_a_limit_share_its_note() {
    let rules = ["1", "2", "3"].map(|uid| format!("-a deny,exit -S openat -F comm=x -F uid={uid}"));
    let notes = notes_of(&rules.join("\n"));
    let comm: Vec<_> = notes.iter().filter(|note| note.contains("comm")).collect();
    assert_eq!(comm.len(), 1, "{notes:?}");
    assert!(comm[0].starts_with("rules:1: ") && comm[0].ends_with(" (2 more rules like it)"));
}

#[test]
fn rules_that_lock_root_out_say_what_keeps_a_way_back() {
    const OUT: &str = "root can no longer";
    // Each with an exception that the note tells, or another.
    for (rule, what, exception) in [
        (
            "-a deny,exit -S execve",
            "start a shell",
            "-a never,exit -S execve -F uid=0",
        ),
        (
            "-a deny,exit -S execve -F path!=/usr/bin/bash",
            "start krsi,",
            "-a never,exit -S execve -F path=/opt/bin/krsi",
        ),
        (
            "-a kill,exit -F dir=/usr/sbin -F perm=x",
            "start krsi,",
            "-a never,exit -S execve -F path=/usr/sbin/krsi -F uid=0",
        ),
        (
            "-a deny?,exit -S bpf -F auid=0",
            "bpf(2)",
            "-a never,exit -S bpf -F exe=/usr/sbin/krsi",
        ),
        (
            "-a deny,exit -S openat -F uid=0",
            "libraries",
            "-a always,exit -S openat -F exe=/usr/sbin/krsi",
        ),
        (
            "-a deny,exit -F arch=b64 -S mmap",
            "maps its libraries",
            "-a never,exit -S mmap -F euid=0",
        ),
        (
            "-a deny,exit -F dir=/sys -F perm=w",
            "pins",
            "-a never,exit -S unlink -F dir=/sys/fs/bpf",
        ),
    ] {
        let notes = notes_of(rule);
        let out: Vec<_> = notes.iter().filter(|note| note.contains(OUT)).collect();
        assert_eq!(out.len(), 1, "{rule}: {notes:?}");
        assert!(out[0].contains(what), "{rule}: {notes:?}");
        let kept = format!("{exception}\n{rule}");
        assert!(!has(&kept, OUT), "{kept}: {:?}", notes_of(&kept));
        // The exception that the note tells is one.
        let told = out[0].split('\'').nth(1).unwrap();
        let kept = format!("{told}\n{rule}");
        assert!(!has(&kept, what), "{kept}: {:?}", notes_of(&kept));
    }
    // A file or a directory that is called krsi is not the program.
    for (other, program) in [
        ("-w /etc/krsi -p wa", KRSI),
        ("-a never,exit -S openat -F path=/var/log/krsi", KRSI),
        ("-a never,exit -S execve -F dir=/opt/krsi", KRSI),
        ("-a never,exit -S connect -F pexe=/opt/krsi", "/opt/krsi"),
        ("-a never,exit -F path=/opt/krsi -F perm=x", "/opt/krsi"),
    ] {
        let policy = format!("{other}\n-a deny,exit -S bpf");
        let exception = format!("exe={program} -F uid=0'");
        assert!(
            has(&policy, &exception),
            "{policy}: {:?}",
            notes_of(&policy)
        );
    }
    for rule in [
        "-a deny,exit -S execve -F uid>=1000",
        "-a deny,exit -S execve -F auid!=0",
        "-a deny,exit -S execve -F exe!=/usr/bin/bash -F exe!=/usr/bin/login",
        "-a deny,exit -S execve -F path=/usr/bin/wget",
        "-a deny,exit -S execve -F cgroup=/a.slice",
        "-a deny,exit -S bpf -F exe!=/usr/local/bin/krsi",
        "-a deny,exit -S bpf -F container!=host",
        "-a always,exit -S bpf",
        "-a deny,exit -F dir=/etc -F perm=wa",
    ] {
        assert!(!has(rule, OUT), "{rule}: {:?}", notes_of(rule));
    }
}

/// What is unknown of a way neither hides a rule that locks root out, nor is taken for one.
#[test]
fn rules_that_may_lock_root_out_say_on_what_it_depends() {
    const DENY: &str = "-a deny,exit -S openat\n";
    const OUT: &str =
        "root can no longer start krsi, which opens its libraries, until the next boot";
    const DEPENDS: &str = "it depends on 'inode', which is unknown, whether root can still \
                           start krsi, which opens its libraries: ";
    let never = "-a never,exit -S openat -F inode=7\n";
    for (rules, note) in [
        (
            format!("{never}{DENY}"),
            format!("rules:2: {OUT} unless rules:1, which tests 'inode', allows it: "),
        ),
        (
            format!("-a deny,exit -S openat -F inode=8\n{DENY}"),
            format!("rules:2: {OUT}: "),
        ),
        (
            "-a deny,exit -S openat -F inode=8\n".into(),
            format!("rules:1: {DEPENDS}"),
        ),
        (
            format!("{never}-a kill,exit -S openat -F inode!=8"),
            format!("rules:2: {DEPENDS}"),
        ),
    ] {
        assert!(has(&rules, &note), "{rules}: {:?}", notes_of(&rules));
        assert!(has(
            &rules,
            "'-a never,exit -S openat -F exe=/usr/sbin/krsi -F uid=0'"
        ));
    }
    for rules in [
        never.into(),
        format!("-a never,exit -S openat -F uid=0\n{never}{DENY}"),
        format!(
            "{}-a always,exit -S openat -F inode=8",
            DENY.replace("\n", " -F uid=5\n")
        ),
    ] {
        assert!(
            !has(&rules, "start krsi"),
            "{rules}: {:?}",
            notes_of(&rules)
        );
    }
}

/// The events say all that rules can test, but for labels, numbers of inodes and the like.
#[test]
fn ways_lack_nothing() {
    let lower = |rule: &str| {
        let lines = parse("rules", rule).unwrap_or_else(|errors| panic!("{}", errors[0]));
        let sources = lines.into_iter().map(|line| Source {
            file: "rules".into(),
            line,
        });
        let (lowered, errors) = lower_most(sources.collect(), &Bare);
        assert!(errors.is_empty(), "{}", errors[0]);
        lowered.policy
    };
    let check = |way: &Way, rule: &str| {
        let decided = eval(&lower(rule), &event(way, KRSI), &Bare);
        let decided = decided.unwrap_or_else(|lacks| panic!("{rule}: {lacks}"));
        assert_eq!(decided[0].rule, None, "{rule}");
    };
    for way in WAYS {
        for test in [
            "pid=1",
            "ppid=1",
            "pers=1",
            "sessionid=7",
            "auid=7",
            "uid=7",
            "euid=7",
            "suid=7",
            "fsuid=7",
            "gid=7",
            "egid=7",
            "sgid=7",
            "fsgid=7",
            "exe=/x",
            "pexe=/x",
            "comm=x",
            "cgroup=/a.slice",
            "container!=host",
            "a0=99",
        ] {
            let call = way.syscall;
            check(way, &format!("-a always,exit -S {call} -F {test}"));
        }
        let call = way.syscall;
        check(way, &format!("-a always,exit -F arch=b32 -S {call}"));
        if way.path.is_some() {
            for test in [
                "path=/x",
                "dir=/x",
                "obj_uid=7",
                "obj_gid=7",
                "filetype=fifo",
            ] {
                let call = way.syscall;
                check(way, &format!("-a always,exit -S {call} -F {test}"));
            }
        }
        if way.syscall == "execve" {
            for test in ["argv=x", "argv[3]=x", "env[X]=x"] {
                check(way, &format!("-a always,exit -F {test}"));
            }
        }
    }
}
