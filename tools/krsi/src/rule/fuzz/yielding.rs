// SPDX-License-Identifier: GPL-2.0

//! Which rule decides if paths are untrusted: what Documentation/admin-guide/LSM/krsi-rules.rst
//! says, rule by rule. It shares no code with `eval` and with programs, which are held to it.

use super::{
    chance::Chance,
    lowered,
    machine::{Fields, Loaded},
    rules::{self, Place},
};
use crate::rule::{
    emit::emit,
    eval::{eval, Event, Paths},
    hook,
    plan::plan,
    policy::{Action, Case, Test, Text},
};
use std::collections::BTreeSet;

/// Deny comes before `deny?`, that before always, and that before never.
fn severity(action: Action) -> u8 {
    match action {
        Action::Never => 0,
        Action::Always => 1,
        Action::Try(_) => 2,
        Action::Deny(_) | Action::Kill => 3,
    }
}

/// A rule that matches.
pub struct Match {
    pub rule: usize,
    pub action: Action,
    /// Whether all of its cases that match test an untrusted path.
    pub untrusted: bool,
}

/// What becomes of rules that match.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Search {
    pub decides: Option<usize>,
    /// The rule that ends the search.
    pub ends: Option<usize>,
    /// How many yield.
    pub yielded: usize,
}

/// Goes through the rules that match, in their order.
pub fn search(matches: impl IntoIterator<Item = Match>) -> Search {
    let mut search = Search::default();
    let mut highest = None;
    for found in matches {
        let severity = Some(severity(found.action));
        if severity > highest {
            highest = severity;
            search.decides = Some(found.rule);
        }
        if !found.untrusted || found.action.errno() != 0 {
            search.ends = Some(found.rule);
            break;
        }
        search.yielded += 1;
    }
    search
}

/// Whether a case tests a path that is on a mount of a user.
pub fn is_untrusted(case: &Case, event: &Event) -> bool {
    let untrusted = |name: &str| event.untrusted.iter().any(|other| other == name);
    let named = event
        .path
        .as_ref()
        .is_some_and(|paths| !paths.list().is_empty());
    case.tests.iter().any(|test| match test {
        Test::Text { text, .. } => match text {
            Text::Path => named && untrusted("path"),
            Text::Exe => untrusted("exe"),
            Text::ParentExe => untrusted("pexe"),
            _ => false,
        },
        _ => false,
    })
}

/// Rules of one system call that match often, and by paths as well as by other fields.
pub fn policy(chance: &mut Chance, action: impl Fn(&mut Chance) -> String) -> String {
    const TESTS: &[&str] = &[
        "",
        "-F uid>=1000",
        "-F uid<1000",
        "-F dir=/",
        "-F dir=/a",
        "-F dir=/a/b",
        "-F path=/a/b",
        "-F path!=/none",
        "-F exe!=/none",
        "-F exe!=/none -F uid>=1",
        "-F exe!=/none -F dir=/a",
        "-F exe=/a/b",
        "-F pexe!=/none",
        "-F pexe!=/none -F dir=/",
    ];
    let call = chance.pick(&["openat", "execve", "rename", "unlink"]);
    let count = 2 + chance.below(6);
    let rules = (0..count).map(|_| {
        let test = chance.pick(TESTS);
        format!("-a {} -S {call} {test}", action(chance))
    });
    rules.collect::<Vec<_>>().join("\n")
}

/// All policies of three rules with these actions and tests: those of two directories are one
/// lookup, and each of the others is a branch.
#[test]
fn programs_and_eval_decide_as_rules_yield() {
    const ACTIONS: &[&str] = &["never", "always", "deny?", "deny"];
    const TESTS: &[(&str, bool, bool)] = &[
        ("-F dir=/d", true, true),
        ("-F dir=/d/e", true, true),
        ("-F exe=/x", true, false),
        ("-F uid=5", false, false),
    ];
    let kinds = ACTIONS.len() * TESTS.len();
    let hook = hook::find("file_open").unwrap();
    let (mut event, unsaid) = rules::event(&mut Chance::new(1), hook, &BTreeSet::new());
    event.syscall = Some("openat".into());
    event.arch = Some("b64".into());
    event.path = Some(Paths::One("/d/e/f".into()));
    event.exe = Some("/x".into());
    event.numbers.uid = Some(0);
    let mut yielded = 0;
    for number in 0..kinds.pow(3) {
        let of = [
            number % kinds,
            number / kinds % kinds,
            number / kinds / kinds,
        ];
        let of = of.map(|kind| (ACTIONS[kind / TESTS.len()], TESTS[kind % TESTS.len()]));
        let text = of.map(|(action, (test, ..))| format!("-a {action},exit -S openat {test}"));
        let text = text.join("\n");
        let policy = lowered(&text);
        let (plan, fields) = (plan(&policy), Fields::new(true));
        let programs = emit(&policy, &plan, &fields).unwrap();
        let loaded = Loaded::new(&policy, &plan, &programs, &fields);
        for untrusted in [false, true] {
            event.untrusted = Vec::from_iter(untrusted.then(|| "path".into()));
            let matches = (0..).zip(&of).filter(|(_, (_, (_, matches, _)))| *matches);
            let expected = search(matches.map(|(rule, (_, (.., of_path)))| Match {
                rule,
                action: policy.rules[rule].action,
                untrusted: untrusted && *of_path,
            }));
            yielded += expected.yielded;
            let expected = expected.decides;
            let decisions = eval(&policy, &event, &Place).unwrap();
            let decided = decisions[0].rule.map(|rule| rule - 1);
            assert_eq!(decided, expected, "eval, untrusted: {untrusted}\n{text}");
            let outcome = loaded.decide(&programs.programs[0], &event, &unsaid, &Place);
            let decided = outcome.rule.map(|rule| rule - 1);
            assert_eq!(decided, expected, "program, untrusted: {untrusted}\n{text}");
            let action = expected.map_or(Action::Never, |rule| policy.rules[rule].action);
            let records = usize::from(action != Action::Never);
            assert_eq!(
                (outcome.errno, outcome.records),
                (action.errno(), records),
                "{text}"
            );
        }
    }
    assert!(yielded > 1_000, "{yielded}");
}
