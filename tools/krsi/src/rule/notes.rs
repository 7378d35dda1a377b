// SPDX-License-Identifier: GPL-2.0

//! Notes on rules that load but mean something else than they seem to, that a task can get
//! around, that never match, or that lock the admin out.

use super::{
    ast::{self, Condition, Field, Statement},
    contradiction::contradiction,
    eval::{beneath, eval_known, Event, Lacks, Numbers, Paths},
    hook,
    lower::{implied, syscall, whole, Source, System, HOST},
    policy::{Action, Case, How, Policy, Rule, Test, Text},
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A rule, and what the rules of its policy deny.
struct Subject<'a> {
    source: &'a Source,
    rule: &'a Rule,
    denied: &'a Denied<'a>,
    allowed: &'a Allowed<'a>,
}

/// What earlier rules let go on whatever comes after them: by hook and tests, the first such rule.
/// Rules that test a path are none of them, since they may yield.
#[derive(Default)]
struct Allowed<'a>(HashMap<(&'static str, Vec<&'a Test>), &'a Rule>);

impl<'a> Allowed<'a> {
    fn add(&mut self, rule: &'a Rule) {
        if rule.action.errno() != 0 {
            return;
        }
        for case in rule.cases.iter().filter(|case| !case.tests_path()) {
            let key = (case.hook.name, sorted(&case.tests));
            self.0.entry(key).or_insert(rule);
        }
    }

    /// A rule that lets all calls go on that the case is about.
    fn all_of(&self, case: &'a Case) -> Option<&'a Rule> {
        // Rules seldom have more, and there are as many subsets as numbers of so many bits.
        const MOST: usize = 6;
        let tests = sorted(&case.tests);
        let subsets = if tests.len() > MOST {
            1
        } else {
            1 << tests.len()
        };
        (0..subsets).find_map(|subset: usize| {
            let tests = tests.iter().enumerate();
            let tests = tests.filter(|(number, _)| (subset >> number) & 1 != 0);
            let tests = tests.map(|(_, test)| *test).collect();
            self.0.get(&(case.hook.name, tests)).copied()
        })
    }
}

fn sorted(tests: &[Test]) -> Vec<&Test> {
    let mut tests: Vec<&Test> = tests.iter().collect();
    tests.sort_unstable();
    tests
}

/// What the rules of a policy deny, so that each rule can ask without looking at all others.
#[derive(Default)]
struct Denied<'a> {
    /// Hooks with a rule that tests no path.
    hooks: HashSet<&'static str>,
    /// Hooks with a rule of which this is the only test of a path.
    paths: HashSet<(&'static str, &'a Test)>,
    /// Those of [`OTHER_CALLS`].
    calls: HashSet<&'static str>,
}

impl<'a> Denied<'a> {
    fn new(policy: &'a Policy) -> Self {
        let mut denied = Self::default();
        // The tests that tell a call from others, by its hook.
        let mut calls: HashMap<&str, Vec<(&str, Vec<Test>)>> = HashMap::new();
        for call in OTHER_CALLS.iter().flat_map(|(_, others, _)| *others) {
            if let hook::Decided::By(hooks) = hook::deciding(call) {
                for (hook, tests) in hooks {
                    calls.entry(hook.name).or_default().push((call, tests));
                }
            }
        }
        let rules = policy.rules.iter().filter(|rule| denies(rule));
        for case in rules.flat_map(|rule| &rule.cases) {
            let hook = case.hook.name;
            let mut paths = case.tests.iter().filter(|test| of_object(test));
            match paths.next() {
                None => _ = denied.hooks.insert(hook),
                Some(path) if paths.all(|other| other == path) => {
                    denied.paths.insert((hook, path));
                }
                Some(_) => {}
            }
            for (call, tests) in calls.get(hook).into_iter().flatten() {
                if tests.iter().all(|test| case.tests.contains(test)) {
                    denied.calls.insert(call);
                }
            }
        }
        denied
    }

    /// Whether a rule denies what the hook decides about this path.
    fn has_path(&self, hook: &'static str, path: &Test) -> bool {
        self.hooks.contains(hook) || self.paths.contains(&(hook, path))
    }

    fn has_call(&self, call: &str) -> bool {
        self.calls.contains(call)
    }
}

/// Whether it is about the path of the object.
fn of_object(test: &Test) -> bool {
    matches!(
        test,
        Test::Text {
            text: Text::Path,
            ..
        }
    )
}

/// Notes on a single rule. Each returns a note if it applies.
const OF_RULE: &[fn(&Subject<'_>) -> Option<String>] = &[
    |subject| by_exec(subject.source).map(String::from),
    |subject| caller(subject.source).map(String::from),
    wider,
    targets,
    never_matches,
    never_reached,
];

/// Notes on the limits of what rules compare. Rules of a file often share these, so that each is
/// shown once, with the lines of all of its rules.
const LIMITS: &[fn(&Subject<'_>) -> Option<String>] = &[
    wildcard,
    own_process,
    comm,
    program,
    parent,
    argument,
    copies,
    other_names,
    mounts,
    attributes_without_path,
    other_calls,
];

/// The notes on rules, of which `lines` are the sources.
pub fn notes(lines: &[Source], policy: &Policy, system: &dyn System) -> Vec<String> {
    let mut notes = Vec::new();
    let mut shared: Vec<(String, &Source, usize)> = Vec::new();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let denied = Denied::new(policy);
    let mut allowed = Allowed::default();
    for (source, rule) in lines.iter().zip(&policy.rules) {
        let subject = Subject {
            source,
            rule,
            denied: &denied,
            allowed: &allowed,
        };
        let of_rule = OF_RULE.iter().filter_map(|note| note(&subject));
        notes.extend(of_rule.map(|note| format!("{}:{}: {note}", source.file, source.line.line)));
        for text in LIMITS.iter().filter_map(|note| note(&subject)) {
            match numbers.get(&text) {
                Some(number) => shared[*number].2 += 1,
                None => {
                    numbers.insert(text.clone(), shared.len());
                    shared.push((text, source, 0));
                }
            }
        }
        allowed.add(rule);
    }
    notes.extend(shared.into_iter().map(|(text, first, others)| {
        let also = match others {
            0 => String::new(),
            1 => " (1 more rule like it)".into(),
            more => format!(" ({more} more rules like it)"),
        };
        format!("{}:{}: {text}{also}", first.file, first.line.line)
    }));
    notes.extend(lockouts(policy, system));
    notes
}

/// The written form of a rule; none of a watch.
fn written(source: &Source) -> Option<&ast::Rule> {
    match &source.line.statement {
        Statement::Rule { rule, .. } => Some(rule),
        _ => None,
    }
}

/// Whether a rule denies, or would after its trial.
fn denies(rule: &Rule) -> bool {
    matches!(rule.action, Action::Deny(_) | Action::Try(_) | Action::Kill)
}

fn tests(rule: &Rule) -> impl Iterator<Item = &Test> {
    rule.cases.iter().flat_map(|case| &case.tests)
}

/// The first text test that `wanted` accepts, by its text, values and operator.
fn find_text(rule: &Rule, wanted: impl Fn(&Text, &[String], bool) -> bool) -> Option<&Test> {
    tests(rule).find(|test| match test {
        Test::Text {
            text,
            values,
            equal,
            ..
        } => wanted(text, values, *equal),
        _ => false,
    })
}

/// The system calls that a rule names.
fn calls(source: &Source) -> Vec<&str> {
    let Some(rule) = written(source) else {
        return Vec::new();
    };
    let names = rule.syscalls.iter();
    names
        .filter_map(|name| syscall(name, rule, whole(source)).ok())
        .collect()
}

fn names_exec(source: &Source) -> bool {
    let calls = calls(source);
    calls.contains(&"execve") || calls.contains(&"execveat")
}

/// A rule that means something else to auditctl.
pub fn by_exec(source: &Source) -> Option<&'static str> {
    const BY_EXEC: &[&str] = &["euid", "suid", "fsuid", "egid", "sgid", "fsgid"];
    let by_exec = |field: &Field| matches!(field, Field::Named(name) if BY_EXEC.contains(name));
    let tested = written(source)?
        .conditions
        .iter()
        .any(|condition| match condition {
            Condition::Test { field, .. } => by_exec(field),
            Condition::Compare { field, with, .. } => by_exec(field) || by_exec(with),
        });
    (tested && names_exec(source)).then_some(
        "euid and the like are those of who executes: \
         what a set-user-ID or set-group-ID program changes comes after the decision",
    )
}

/// A rule about exec that names the program that executes another.
fn caller(source: &Source) -> Option<&'static str> {
    let rule = written(source)?;
    let exe = |condition: &Condition| {
        matches!(
            condition,
            Condition::Test {
                field: Field::Named("exe"),
                ..
            }
        )
    };
    let exec = if rule.syscalls.is_empty() {
        implied(rule).is_some_and(|hooks| {
            let mut names = hooks.iter().map(|hook| hook.name);
            names.next() == Some("bprm_check_security") && names.next().is_none()
        })
    } else {
        names_exec(source)
    };
    (exec && rule.conditions.iter().any(exe))
        .then_some("exe is the program that executes another; path is the one that is executed")
}

/// What else a rule that denies holds because a path in it is a link.
fn targets(subject: &Subject<'_>) -> Option<String> {
    let Subject { source, rule, .. } = subject;
    if !denies(rule) {
        return None;
    }
    let name = |path: &str| path.rsplit('/').next().map(String::from);
    let linked = tests(rule).find_map(|test| match test {
        Test::Text {
            text: Text::Path,
            how: How::Exactly,
            values,
            equal: true,
        } => match values.as_slice() {
            // Links above it, such as /bin, give it no other name.
            [path, target] if name(path) != name(target) => Some((path, target)),
            _ => None,
        },
        _ => None,
    });
    let (path, target) = linked?;
    let instead = if source.line.text.contains("argv[0]") {
        ""
    } else {
        "; -F argv[0]= tells by which name it is executed"
    };
    Some(format!(
        "{path} leads to {target}, which this holds by every name that it has{instead}"
    ))
}

/// The names of the first few, and how many more there are.
fn few(names: &[&str]) -> String {
    const MOST: usize = 8;
    let shown = names[..names.len().min(MOST)].join(", ");
    match names.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Which system calls a rule that denies covers beside those that it names.
fn wider(subject: &Subject<'_>) -> Option<String> {
    if !denies(subject.rule) {
        return None;
    }
    let also = hook::also_covered(&calls(subject.source));
    (!also.is_empty()).then(|| {
        let also = few(&also);
        format!("this also denies {also}: they have the same hook")
    })
}

/// A rule that no call matches.
fn never_matches(subject: &Subject<'_>) -> Option<String> {
    let contradictions: Option<Vec<String>> =
        subject.rule.cases.iter().map(contradiction).collect();
    let first = contradictions?.into_iter().next()?;
    Some(format!("no call matches this rule: {first}"))
}

/// A rule that denies nothing, because earlier rules let all of it go on.
fn never_reached(subject: &Subject<'_>) -> Option<String> {
    if !denies(subject.rule) {
        return None;
    }
    let cases = subject.rule.cases.iter();
    let earlier: Option<Vec<&Rule>> = cases.map(|case| subject.allowed.all_of(case)).collect();
    let Rule { file, line, .. } = earlier?.into_iter().next()?;
    Some(format!(
        "this denies nothing: {file}:{line} matches the same calls before it, and lets them go on"
    ))
}

fn wildcard(subject: &Subject<'_>) -> Option<String> {
    let has = |value: &String| {
        value.contains(['*', '?'])
            || value
                .split_once('[')
                .is_some_and(|(_, rest)| rest.contains(']'))
    };
    find_text(subject.rule, |text, values, _| {
        text.is_path() && values.iter().any(has)
    })?;
    Some("paths have no wildcards: *, ? and [] are part of the name".into())
}

/// A path that means the process that reads the rule.
fn own_process(subject: &Subject<'_>) -> Option<String> {
    const OWN: &[&str] = &[
        "/proc/self",
        "/proc/thread-self",
        "/dev/fd",
        "/dev/stdin",
        "/dev/stdout",
        "/dev/stderr",
    ];
    let own = |path: &str| OWN.iter().any(|own| beneath(path, own));
    find_text(subject.rule, |text, values, _| {
        text.is_path() && values.first().is_some_and(|path| own(path))
    })?;
    Some("this path leads each process to files of its own; the rule has those of krsi".into())
}

fn comm(subject: &Subject<'_>) -> Option<String> {
    if !denies(subject.rule) {
        return None;
    }
    find_text(subject.rule, |text, _, _| *text == Text::Comm)?;
    Some(
        "a task chooses its comm, and workers of io_uring have another: exe, uid or cgroup hold"
            .into(),
    )
}

/// A program that is trusted by its name.
fn program(subject: &Subject<'_>) -> Option<String> {
    if !denies(subject.rule) {
        return None;
    }
    find_text(subject.rule, |text, _, equal| *text == Text::Exe && !equal)?;
    Some(
        "who may execute this program can have it run other code, with LD_PRELOAD or ptrace, \
         unless it is set-user-ID or the like"
            .into(),
    )
}

fn parent(subject: &Subject<'_>) -> Option<String> {
    if !denies(subject.rule) {
        return None;
    }
    find_text(subject.rule, |text, _, _| *text == Text::ParentExe)?;
    Some("a task can get another parent by a double fork: cgroup holds".into())
}

fn argument(subject: &Subject<'_>) -> Option<String> {
    if !denies(subject.rule) {
        return None;
    }
    tests(subject.rule).find(|test| {
        matches!(
            test,
            Test::Text {
                text: Text::AnyArgument | Text::Argument(1..),
                how: How::Exactly,
                equal: true,
                ..
            }
        )
    })?;
    Some(
        "whole arguments are compared: many programs also take a value that is glued to its \
         option, such as -mMODULE, which argv^=-m matches, or an option that is written in \
         another way"
            .into(),
    )
}

fn has_hook(rule: &Rule, name: &str) -> bool {
    rule.cases.iter().any(|case| case.hook.name == name)
}

fn held_path(rule: &Rule) -> Option<&Test> {
    let path = find_text(rule, |text, _, equal| *text == Text::Path && equal);
    path.filter(|_| denies(rule))
}

fn only_exec(rule: &Rule) -> bool {
    let exec = |case: &Case| case.hook.name == "bprm_check_security";
    rule.cases.iter().all(exec)
}

/// A program that can be executed under another name.
fn copies(subject: &Subject<'_>) -> Option<String> {
    held_path(subject.rule)?;
    only_exec(subject.rule).then(|| {
        "a copy of the program has another name, and ld.so executes it as an argument: \
         perm=rx denies reading it, too"
            .into()
    })
}

/// Files that can get a name that no rule denies.
fn other_names(subject: &Subject<'_>) -> Option<String> {
    let path = held_path(subject.rule)?;
    let of_names = |case: &Case| hook::of_names(case.hook);
    if only_exec(subject.rule) || !subject.rule.cases.iter().any(of_names) {
        return None;
    }
    let calls = [("path_link", "link"), ("path_rename", "rename")];
    let missing = calls
        .iter()
        .filter(|(hook, _)| !subject.denied.has_path(hook, path));
    let missing: Vec<&str> = missing.map(|(_, call)| *call).collect();
    (!missing.is_empty()).then(|| {
        let missing = missing.join(" and ");
        format!("{missing} can give the file another name: perm=rwxa, or a rule with -S, denies it")
    })
}

/// Files that a user can mount elsewhere.
fn mounts(subject: &Subject<'_>) -> Option<String> {
    held_path(subject.rule)?;
    Some(
        "in a user namespace, any user can give a file another name with a bind mount: \
         inode=, devmajor= and devminor= hold the file"
            .into(),
    )
}

/// Attributes that are changed by calls whose hooks know no path.
fn attributes_without_path(subject: &Subject<'_>) -> Option<String> {
    held_path(subject.rule)?;
    (has_hook(subject.rule, "path_chmod")).then(|| {
        "setxattr(2), and ACLs by it, have hooks that know no path: \
         -S setxattr with inode=, devmajor= and devminor= decides them"
            .into()
    })
}

/// System calls, others that do much the same at another hook, and what they do.
const OTHER_CALLS: &[(&[&str], &[&str], &str)] = &[
    (
        &["mount"],
        &["fsopen", "fspick", "mount_setattr", "open_tree"],
        "make or change mounts",
    ),
    (&["init_module"], &["finit_module"], "loads modules"),
    (&["finit_module"], &["init_module"], "loads modules"),
    (&["kexec_load"], &["kexec_file_load"], "loads a kernel"),
    (&["kexec_file_load"], &["kexec_load"], "loads a kernel"),
    (
        &["ptrace"],
        &["process_vm_readv", "process_vm_writev", "pidfd_getfd"],
        "reach into other processes",
    ),
    (
        &["process_vm_readv", "process_vm_writev", "pidfd_getfd"],
        &["ptrace"],
        "reaches into other processes",
    ),
    (
        &["connect"],
        &["sendto", "sendmsg"],
        "reach another end without connecting",
    ),
    (
        &["settimeofday", "clock_settime"],
        &["adjtimex", "clock_adjtime"],
        "set the clock",
    ),
    (
        &["unlink", "unlinkat"],
        &["rename"],
        "removes a name, too, by moving the file away or another file over it",
    ),
    (
        &["write", "pwrite64", "writev"],
        &["mmap", "truncate", "ftruncate"],
        "change a file's content",
    ),
    (&["read", "pread64", "readv"], &["mmap"], "reads a file"),
    (
        &["chmod", "fchmod", "fchmodat"],
        &["setxattr"],
        "sets ACLs, which change the mode",
    ),
];

fn other_calls(subject: &Subject<'_>) -> Option<String> {
    if !denies(subject.rule) {
        return None;
    }
    let own = calls(subject.source);
    let mut parts = Vec::new();
    for (calls, others, what) in OTHER_CALLS {
        if !calls.iter().any(|call| own.contains(call)) {
            continue;
        }
        let missing: Vec<&str> = others
            .iter()
            .copied()
            .filter(|call| !own.contains(call) && !subject.denied.has_call(call))
            .collect();
        if !missing.is_empty() {
            parts.push(format!("{} {what}", missing.join(", ")));
        }
    }
    (!parts.is_empty()).then(|| {
        let parts = parts.join("; ");
        format!("{parts}: no rule denies that")
    })
}

/// What root at a console does to remove a policy: the hook, the system call and its first
/// argument, the path, and what it is.
struct Way {
    hook: &'static str,
    syscall: &'static str,
    a0: u64,
    path: Option<&'static [&'static str]>,
    what: &'static str,
    exception: &'static str,
}

/// Stands for the path of krsi.
const KRSI: &str = "/usr/sbin/krsi";

const WAYS: &[Way] = &[
    Way {
        hook: "bprm_check_security",
        syscall: "execve",
        a0: 0,
        path: Some(&["/usr/bin/bash", "/bin/bash"]),
        what: "start a shell",
        exception: "-S execve -F path=/usr/bin/bash",
    },
    Way {
        hook: "bprm_check_security",
        syscall: "execve",
        a0: 0,
        path: Some(&[KRSI]),
        what: "start krsi",
        exception: "-S execve -F path=KRSI",
    },
    Way {
        hook: "file_open",
        syscall: "openat",
        a0: 0,
        path: Some(&["/usr/lib/x86_64-linux-gnu/libc.so.6", "/lib/libc.so.6"]),
        what: "start krsi, which opens its libraries",
        exception: "-S openat -F exe=KRSI",
    },
    Way {
        hook: "mmap_file",
        syscall: "mmap",
        a0: 0,
        path: None,
        what: "start krsi, which maps its libraries",
        exception: "-S mmap -F exe=KRSI",
    },
    Way {
        hook: "bpf",
        syscall: "bpf",
        // BPF_OBJ_GET
        a0: 7,
        path: None,
        what: "change or remove the policy, for which krsi calls bpf(2)",
        exception: "-S bpf -F exe=KRSI",
    },
    Way {
        hook: "path_unlink",
        syscall: "unlink",
        a0: 0,
        path: Some(&["/sys/fs/bpf/krsi/policy/hooks/file_open/link"]),
        what: "remove the policy, for which krsi removes its pins",
        exception: "-S unlink -F exe=KRSI",
    },
];

/// Where the policy says that the program krsi is; otherwise where it usually is.
fn krsi(policy: &Policy) -> &str {
    let cases = policy.rules.iter().flat_map(|rule| &rule.cases);
    let mut programs = cases.flat_map(|case| {
        let exec = case.hook.name == "bprm_check_security";
        let programs = case.tests.iter().filter_map(move |test| match test {
            Test::Text {
                text: Text::Exe | Text::ParentExe,
                values,
                ..
            } => Some(values),
            Test::Text {
                text: Text::Path,
                how: How::Exactly,
                values,
                ..
            } if exec => Some(values),
            _ => None,
        });
        programs.flatten().map(String::as_str)
    });
    programs
        .find(|path| path.ends_with("/krsi"))
        .unwrap_or(KRSI)
}

/// The event in which root at a console takes the way.
fn event(way: &Way, krsi: &str) -> Event {
    let exec = way.hook == "bprm_check_security";
    let shell = "/usr/bin/bash";
    let path: Option<Vec<String>> = way.path.map(|paths| {
        let path = |path: &&str| String::from(if *path == KRSI { krsi } else { *path });
        paths.iter().map(path).collect()
    });
    let starts_shell = path
        .as_ref()
        .is_some_and(|paths| paths.iter().any(|path| path == shell));
    let (exe, pexe, comm) = match (exec, starts_shell) {
        (true, true) => ("/usr/bin/login", "/usr/lib/systemd/systemd", "login"),
        (true, false) => (shell, "/usr/bin/login", "bash"),
        _ => (krsi, shell, "krsi"),
    };
    let argv = if starts_shell {
        vec!["-bash".into()]
    } else {
        vec!["krsi".into(), "unload".into()]
    };
    let root = Some(0);
    Event {
        hook: Some(way.hook.into()),
        syscall: Some(way.syscall.into()),
        arch: Some("b64".into()),
        path: path.map(Paths::Several),
        perm: Some("r".into()),
        exe: Some(exe.into()),
        pexe: Some(pexe.into()),
        comm: Some(comm.into()),
        argv: Some(argv),
        env: Some(BTreeMap::new()),
        cgroup: Some("/".into()),
        container: Some(HOST.into()),
        numbers: Numbers {
            pid: Some(4000),
            ppid: Some(3999),
            auid: root,
            sessionid: Some(1),
            pers: Some(0),
            uid: root,
            euid: root,
            suid: root,
            fsuid: root,
            gid: root,
            egid: root,
            sgid: root,
            fsgid: root,
            a0: Some(way.a0),
            obj_uid: root,
            obj_gid: root,
            filetype: Some(0o100_000),
            ..Numbers::default()
        },
        ..Event::default()
    }
}

/// The rules that keep root at a console from removing the policy, or may. Rules on trial count as
/// if they denied.
fn lockouts(policy: &Policy, system: &dyn System) -> Vec<String> {
    let mut denying = policy.clone();
    for rule in &mut denying.rules {
        if let Action::Try(errno) = rule.action {
            rule.action = Action::Deny(errno);
        }
    }
    let krsi = krsi(policy);
    let mut notes: Vec<String> = Vec::new();
    let mut told: Vec<usize> = Vec::new();
    for way in WAYS {
        let (decisions, unknown) = match eval_known(&denying, &event(way, krsi), system) {
            Ok(known) => known,
            Err(why) => {
                notes.push(format!(
                    "whether root can still {} is unknown: {why}",
                    way.what
                ));
                continue;
            }
        };
        let errno = |lacks: &&Lacks| denying.rules[lacks.rule - 1].action.errno();
        let denial = decisions.iter().find(|decision| decision.errno != 0);
        let (decides, outcome) = if let Some(rule) = denial.and_then(|decision| decision.rule) {
            let unless = unknown.iter().find(|lacks| errno(lacks) == 0);
            let unless = unless.map_or(String::new(), |lacks| {
                let Rule { file, line, .. } = &policy.rules[lacks.rule - 1];
                let what = &lacks.what;
                format!(" unless {file}:{line}, which tests '{what}', allows it")
            });
            let what = way.what;
            (
                rule,
                format!("root can no longer {what}, until the next boot{unless}"),
            )
        } else if let Some(lacks) = unknown.iter().find(|lacks| errno(lacks) != 0) {
            let Lacks { rule, what } = lacks;
            let outcome = format!(
                "it depends on '{what}', which is unknown, whether root can still {}",
                way.what
            );
            (*rule, outcome)
        } else {
            continue;
        };
        // One note for each rule.
        if told.contains(&decides) {
            continue;
        }
        told.push(decides);
        let rule = &policy.rules[decides - 1];
        let exception = way.exception.replace("KRSI", krsi);
        notes.push(format!(
            "{}:{}: {outcome}: '-a never,exit {exception} -F uid=0' before it allows that",
            rule.file, rule.line
        ));
    }
    notes
}

#[cfg(test)]
mod tests;
