// SPDX-License-Identifier: GPL-2.0

//! What no person would write: the parser is given damaged rules, the rest rules by chance. None
//! may make it panic; programs have to be well formed, and to decide as `eval` does.
//!
//! Each round depends on its seed only. An ordinary test run has some rounds, the same ones each
//! time; `make fuzz` has as many as it has time for. What fails is shown with as few lines as still
//! fail.

mod chance;
mod machine;
mod rules;
mod yielding;

use super::{
    asm::Code,
    emit::{emit, Failed, Programs},
    eval::{eval, Event, Paths},
    hook,
    label::Label,
    lower::{lower, Source},
    parse,
    plan::plan,
    policy::{Action, Attr, Policy, Rule, Test},
    SyntaxError,
};
use crate::kernel::insn::Insn;
use chance::Chance;
use machine::{Fields, Loaded, Outcome};
use rules::{Place, Sockaddr, Unsaid};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use yielding::{is_untrusted, search, Match};

/// Rules to damage.
const CORPUS: &[&str] = &[
    include_str!("../../../tests/data/rules/bad.rules"),
    include_str!("../../../tests/data/rules/good.rules"),
    include_str!("../../../tests/data/rules/policy.rules"),
    include_str!("../../../tests/data/rules/refused.rules"),
    include_str!("../../../../testing/selftests/krsi/rules/baseline.rules"),
];

/// How often what happened.
#[derive(Default)]
struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    fn add(&mut self, what: &'static str, count: usize) {
        *self.0.entry(what).or_default() += count as u64;
    }
}

/// What a round tries: damaged rules, or those that are good for the most part.
fn input(chance: &mut Chance) -> String {
    match chance.below(4) {
        0 | 1 => damaged(chance),
        _ => rules::policy(chance),
    }
}

/// Lines of the corpus and of other rules, with pieces lost, doubled, moved and changed.
fn damaged(chance: &mut Chance) -> String {
    let line = |chance: &mut Chance| -> Vec<char> {
        if chance.one_in(3) {
            return rules::rule(chance).chars().collect();
        }
        let lines: Vec<_> = chance.pick(CORPUS).lines().collect();
        chance.of(&lines).chars().collect()
    };
    const PIECES: &[&str] = &[
        "",
        " ",
        "\t",
        "\n",
        "\r",
        "\0",
        "\u{1b}",
        "\u{fffd}",
        "\u{1f600}",
        "ü",
        "'",
        "\"",
        "\\",
        "#",
        ",",
        "=",
        "!",
        "<",
        ">",
        "&",
        "[",
        "]",
        "/",
        "..",
        "-",
        "--",
        "-F",
        "-S",
        "-C",
        "-a",
        "-k",
        "-1",
        "0x",
        "00",
        "99999999999999999999",
        "4294967296",
        "argv[",
        "env[",
        "unset",
        "all",
        "always,exit",
        "deny=",
        "deny?",
        "::/0",
        "0.0.0.0/33",
    ];
    let mut text = line(chance);
    while chance.one_in(3) {
        text.push('\n');
        text.extend(line(chance));
    }
    for _ in 0..=chance.below(6) {
        let from = chance.below(text.len() + 1);
        let to = (from + chance.below(8)).min(text.len());
        match chance.below(6) {
            0 => drop(text.drain(from..to)),
            1 => {
                let piece = text[from..to].to_vec();
                let at = chance.below(text.len() + 1);
                text.splice(at..at, piece);
            }
            2 => {
                let piece = text[from..to].repeat(1 + chance.below(200));
                text.splice(from..to, piece);
            }
            3 if from < text.len() => {
                let any = char::from_u32(chance.number() as u32 % 0x11_0000);
                text[from] = any.unwrap_or('\u{7f}');
            }
            4 => {
                let other = line(chance);
                let at = chance.below(other.len() + 1);
                text.truncate(from);
                text.extend(&other[at..]);
            }
            _ => {
                let piece = chance.pick(PIECES).chars();
                text.splice(from..to, piece);
            }
        }
    }
    text.into_iter().collect()
}

/// Tries a text. What it is tried for depends on the seed.
fn try_text(text: &str, seed: u64, tally: &mut Tally) {
    tally.add("texts", 1);
    let mut chance = Chance::new(seed ^ 0x5eed);
    let lines = match parse("rules", text) {
        Ok(lines) => lines,
        Err(errors) => return errors.iter().for_each(|error| can_be_shown(error, text)),
    };
    tally.add("parsed", 1);
    assert!(!serde_json::to_string(&lines).unwrap().is_empty());
    let sources = lines.into_iter().map(|line| Source {
        file: "rules".into(),
        line,
    });
    let policy = match lower(sources.collect(), &Place) {
        Ok(lowered) => lowered.policy,
        Err(errors) => return errors.iter().for_each(|error| can_be_shown(error, text)),
    };
    tally.add("policies", 1);
    tally.add("rules", policy.rules.len());
    let plan = plan(&policy);
    let fields = Fields::new(!chance.one_in(4));
    let programs = match emit(&policy, &plan, &fields) {
        Ok(programs) => programs,
        Err(Failed { why, .. }) => {
            let known = ["than there is room for", "too large a program"];
            assert!(known.iter().any(|known| why.contains(known)), "{why}");
            return tally.add("too large", 1);
        }
    };
    tally.add("programs", programs.programs.len());
    for program in &programs.programs {
        well_formed(&program.code);
    }
    let loaded = Loaded::new(&policy, &plan, &programs, &fields);
    let judge = Judge::new(&policy);
    let mut hooks: Vec<_> = programs.programs.iter().collect();
    // Enough for rules about everything.
    while hooks.len() > 4 {
        hooks.swap_remove(chance.below(hooks.len()));
    }
    for program in hooks {
        let hook = hook::find(program.hook).unwrap();
        for _ in 0..4 {
            let (event, unsaid) = rules::event(&mut chance, hook, &judge.labels);
            let outcome = loaded.decide(program, &event, &unsaid, &Place);
            let shown = || shown(&event, &unsaid, &programs);
            let (rule, errors) = match judge.decision(hook.name, &event, &unsaid) {
                Decision::Rule(rule) => (rule, Vec::new()),
                Decision::Failed(rule) => {
                    assert!(!outcome.errors.is_empty(), "{outcome:?}, {}", shown());
                    tally.add("events that an error decides", 1);
                    (Some(rule), outcome.errors.clone())
                }
                Decision::Perhaps(rule, before) => {
                    tally.add("events that an error may decide", 1);
                    let other = outcome.rule != rule.map(|rule| rule + 1);
                    let rule = outcome.rule.map(|rule| rule - 1).filter(|_| other).or(rule);
                    if other {
                        let failed = rule.is_some_and(|rule| before.contains(&rule));
                        assert!(
                            failed && !outcome.errors.is_empty(),
                            "{outcome:?}, {}",
                            shown()
                        );
                    }
                    (rule, outcome.errors.clone())
                }
            };
            let action = rule.map(|rule| policy.rules[rule].action);
            let recorded = action.is_some_and(|action| action != Action::Never);
            let expected = Outcome {
                errno: action.map_or(0, Action::errno),
                rule: rule.map(|rule| rule + 1),
                records: usize::from(recorded && fields.audit),
                // Not for a test that could not be made.
                signals: usize::from(
                    action == Some(Action::Kill)
                        && !rule.is_some_and(|rule| errors.contains(&(rule + 1))),
                ),
                errors,
            };
            assert_eq!(outcome, expected, "{}", shown());
            tally.add("events", 1);
            tally.add("rules that yield", judge.yielded.take());
            tally.add("events that a rule decides", usize::from(rule.is_some()));
        }
    }
}

/// What has to become of an event; rules are numbers from 0.
enum Decision {
    Rule(Option<usize>),
    /// This rule denies since one of its tests cannot be made.
    Failed(usize),
    /// This, or one of these rules, of which other tests may fail.
    Perhaps(Option<usize>, Vec<usize>),
}

/// Says what events come to: what `eval` says, and, where tests cannot be made, what is written of
/// errors in Documentation/admin-guide/LSM/krsi-rules.rst.
struct Judge<'a> {
    policy: &'a Policy,
    /// Each rule alone.
    rules: Vec<Policy>,
    /// How many rules have yielded so far.
    yielded: Cell<usize>,
    labels: BTreeSet<Label>,
}

impl<'a> Judge<'a> {
    fn new(policy: &'a Policy) -> Self {
        let alone = |rule: &Rule| Policy {
            rules: vec![rule.clone()],
        };
        let cases = policy.rules.iter().flat_map(|rule| &rule.cases);
        let labels = cases.flat_map(|case| &case.tests).filter_map(label);
        Self {
            policy,
            rules: policy.rules.iter().map(alone).collect(),
            yielded: Cell::new(0),
            labels: labels.collect(),
        }
    }

    fn decision(&self, hook: &str, event: &Event, unsaid: &Unsaid) -> Decision {
        let rules = &self.policy.rules;
        let unread: Vec<_> = self
            .labels
            .iter()
            .filter(|label| unsaid.is_out_of_reach(label))
            .collect();
        let no_address = unsaid.sockaddr == Sockaddr::OutOfReach;
        // Whether it matches; none if that depends on what is out of reach.
        let answers = self.rules.iter().map(|alone| {
            let lacks = match eval(alone, event, &Place) {
                Ok(decisions) => return Some(decisions[0].rule.is_some()),
                Err(lacks) => lacks,
            };
            let of_address = ["'raddr'", "'rport'", "'saddr_fam'"];
            let of_address = of_address.iter().any(|name| lacks.contains(name));
            assert!(of_address || lacks.contains("'label["), "{lacks}");
            // An address that is not there neither equals nor differs.
            (of_address && !no_address).then_some(false)
        });
        let answers: Vec<_> = answers.collect();
        let found = search(self.matches(hook, event, &answers));
        self.yielded.set(self.yielded.get() + found.yielded);
        let matches = found.decides;
        if let Ok(decisions) = eval(self.policy, event, &Place) {
            assert_eq!(decisions.len(), 1);
            let rule = decisions[0].rule.map(|rule| rule - 1);
            let errno = rule.map_or(0, |rule| rules[rule].action.errno());
            assert_eq!((rule, decisions[0].errno), (matches, errno), "{event:?}");
        }
        if unread.is_empty() && !no_address {
            return Decision::Rule(matches);
        }
        let denies = |index: &usize| rules[*index].action.errno() != 0;
        let fails = |test: &Test| match test {
            Test::Address { .. }
            | Test::Number {
                attr: Attr::RemotePort | Attr::Family,
                ..
            } => no_address,
            test => label(test).is_some_and(|label| unsaid.is_out_of_reach(&label)),
        };
        // What cannot be tested of a rule, by its cases.
        let untold = |index: usize| {
            let cases = rules[index].cases.iter();
            let cases = cases.filter(|case| case.hook.name == hook);
            let tests = cases.map(|case| case.tests.iter().filter(|test| fails(test)).collect());
            let tests = tests.filter(|tests: &Vec<&Test>| !tests.is_empty());
            tests.collect::<Vec<_>>()
        };
        let depends = |index: &usize| answers[*index].is_none();
        // A rule that would decide first, whatever is out of reach, as it does in lookups.
        let behind = |index: &usize| {
            let own = untold(*index);
            let mut others = (0..*index).filter(depends).flat_map(untold);
            others.any(|tests| own.contains(&tests))
        };
        let before = found.ends.unwrap_or(rules.len());
        let first = (0..before)
            .filter(depends)
            .filter(denies)
            .find(|index| !behind(index));
        // What is kept is tested when all else of the rule holds.
        let last = !no_address && unread.iter().all(|label| label.slot.kept);
        let may = (0..first.unwrap_or(before)).filter(denies).filter(|index| {
            if last {
                depends(index)
            } else {
                !untold(*index).is_empty()
            }
        });
        let may: Vec<_> = may.collect();
        match first {
            Some(first) if may.is_empty() => Decision::Failed(first),
            Some(first) => Decision::Perhaps(Some(first), may),
            None => Decision::Perhaps(matches, may),
        }
    }

    /// The rules that match, as far as that can be told.
    fn matches(&self, hook: &str, event: &Event, answers: &[Option<bool>]) -> Vec<Match> {
        let matches = (0..)
            .zip(answers)
            .filter(|(_, answer)| **answer == Some(true));
        let matches = matches.map(|(index, _)| {
            let rule = &self.policy.rules[index];
            let mut cases = rule.cases.iter().filter(|case| case.hook.name == hook);
            let trusted = cases.any(|case| {
                let cases = vec![case.clone()];
                let alone = Policy {
                    rules: vec![Rule {
                        cases,
                        ..rule.clone()
                    }],
                };
                let decisions = eval(&alone, event, &Place);
                let matches = decisions.is_ok_and(|decisions| decisions[0].rule.is_some());
                matches && !is_untrusted(case, event)
            });
            Match {
                rule: index,
                action: rule.action,
                untrusted: !trusted,
            }
        });
        matches.collect()
    }
}

/// The label that a test is about.
fn label(test: &Test) -> Option<Label> {
    match test {
        Test::Number {
            attr: Attr::Label(label),
            ..
        } => Some(*label),
        _ => None,
    }
}

fn shown(event: &Event, unsaid: &Unsaid, programs: &Programs) -> String {
    let mut text = serde_json::to_string(event).unwrap();
    let _ = write!(text, "\n{unsaid:?}");
    for program in &programs.programs {
        let _ = write!(text, "\n{}: {}", program.hook, program.code.insns.len());
    }
    text
}

/// An error says where it is, in the text, and what was expected.
fn can_be_shown(error: &SyntaxError, text: &str) {
    assert!(error.line >= 1 && error.line <= text.lines().count().max(1));
    let length = error.text.chars().count();
    let end = error.column + error.width;
    assert!(error.column >= 1 && error.width >= 1, "{error}");
    assert!(error.column <= length + 1 && end <= length + 2, "{error}");
    assert!(!error.message.is_empty() && !error.expected.is_empty());
    assert!(error.to_string().contains("expected "));
}

/// What the verifier asks of every program: jumps go to instructions, each instruction can be
/// reached, and none is the last but one that goes elsewhere.
fn well_formed(code: &Code) {
    let parts: Vec<_> = code.insns.iter().map(Insn::parts).collect();
    let mut reached = vec![false; parts.len()];
    let mut open = vec![0];
    while let Some(at) = open.pop() {
        if std::mem::replace(&mut reached[at], true) {
            continue;
        }
        let (opcode, registers, off, imm) = parts[at];
        let to = |distance: i64| {
            let to = at as i64 + 1 + distance;
            assert!(to >= 0 && (to as usize) < parts.len(), "{at} goes to {to}");
            to as usize
        };
        match opcode {
            // exit
            0x95 => {}
            // goto, with 16 and with 32 bits
            0x05 => open.push(to(off.into())),
            0x06 => open.push(to(imm.into())),
            // The second half of a number of 64 bits is no instruction.
            0x18 => {
                reached[at + 1] = true;
                open.push(to(1));
            }
            0x85 => {
                if registers >> 4 == 1 {
                    open.push(to(imm.into()));
                }
                open.push(to(0));
            }
            opcode if opcode & 7 == 5 => open.extend([to(off.into()), to(0)]),
            _ => open.push(to(0)),
        }
    }
    let lost = reached.iter().position(|reached| !reached);
    assert_eq!(lost, None, "instructions that nothing reaches");
    let ways = conditions(&parts);
    // BPF_COMPLEXITY_LIMIT_JMP_SEQ
    assert!(ways < 8192, "{ways} conditions on a way");
    for (at, symbol) in &code.symbols {
        assert!([0x18, 0x85].contains(&parts[*at].0), "{symbol:?} at {at}");
    }
}

/// How many conditions the verifier has in mind when it comes to the end, or to where it has been,
/// for the first time: it goes on with what comes next, and into functions.
fn conditions(parts: &[(u8, u8, i16, i32)]) -> usize {
    let mut been = vec![false; parts.len()];
    let (mut at, mut calls, mut count) = (0usize, Vec::new(), 0);
    loop {
        let (opcode, registers, off, imm) = parts[at];
        if opcode == 0x95 || std::mem::replace(&mut been[at], true) {
            match calls.pop() {
                Some(caller) => at = caller + 1,
                None => return count,
            }
            continue;
        }
        let distance = match opcode {
            0x05 => off.into(),
            0x06 => imm,
            0x18 => 1,
            0x85 if registers >> 4 == 1 => {
                calls.push(at);
                imm
            }
            opcode if opcode & 7 == 5 && opcode != 0x85 => {
                count += 1;
                0
            }
            _ => 0,
        };
        at = (at as i64 + 1 + i64::from(distance)) as usize;
    }
}

/// The panic that a text makes.
fn panic_of(text: &str, seed: u64, tally: &mut Tally) -> Option<String> {
    let said = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&said);
    panic::set_hook(Box::new(move |info| {
        *into.lock().unwrap() = info.to_string();
    }));
    let result = panic::catch_unwind(AssertUnwindSafe(|| try_text(text, seed, tally)));
    let _ = panic::take_hook();
    result.err().map(|_| said.lock().unwrap().clone())
}

/// Takes lines away for as long as the text still fails.
fn fewest(text: &str, seed: u64) -> String {
    let mut lines: Vec<_> = text.lines().collect();
    let mut size = lines.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < lines.len() {
            let mut fewer = lines.clone();
            fewer.drain(at..(at + size).min(lines.len()));
            if panic_of(&fewer.join("\n"), seed, &mut Tally::default()).is_some() {
                lines = fewer;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    lines.join("\n")
}

/// The policy of a text that has no errors.
fn lowered(text: &str) -> Policy {
    let sources = parse("rules", text).unwrap().into_iter();
    let sources = sources.map(|line| Source {
        file: "rules".into(),
        line,
    });
    lower(sources.collect(), &Place).unwrap().policy
}

/// One round; what fails is told as a text.
fn round(seed: u64, tally: &mut Tally) -> Result<(), String> {
    let text = input(&mut Chance::new(seed));
    let Some(said) = panic_of(&text, seed, tally) else {
        return Ok(());
    };
    let fewer = fewest(&text, seed);
    let said = panic_of(&fewer, seed, &mut Tally::default()).unwrap_or(said);
    Err(format!(
        "{said}\nmake fuzz SEED={seed} has it again; the rules, as a string:\n{fewer:?}\n\
         and as they are:\n{fewer}"
    ))
}

/// The number in a variable of the environment.
fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn some_rounds() {
    let mut tally = Tally::default();
    for seed in 0..1_200 {
        if let Err(told) = round(seed, &mut tally) {
            panic!("{told}");
        }
    }
    // Otherwise it tries nothing.
    for (what, least) in [
        ("parsed", 500),
        ("policies", 300),
        ("programs", 800),
        ("events", 3_000),
        ("events that a rule decides", 300),
        ("rules that yield", 200),
        ("events that an error decides", 10),
        ("events that an error may decide", 100),
    ] {
        let count = tally.0.get(what).copied().unwrap_or(0);
        assert!(count >= least, "{what}: {count}");
    }
}

/// More than the verifier takes one behind the other.
#[test]
fn rules_of_many_forms() {
    let rule = |number| format!("-a deny,exit -S openat -F dir=/a/{number} -F exe!=/a/{number}\n");
    let mut tally = Tally::default();
    let text: String = (0..1500).map(rule).collect();
    // Beside other rules, and beneath a test that all have.
    let deep = text.replace("-S openat", "-F arch=b64 -S openat -F uid>=0");
    for text in [&text, &deep, &format!("{text}{deep}")] {
        for seed in 0..4 {
            try_text(text, seed, &mut tally);
        }
    }
    assert_eq!(tally.0["programs"], 12);
    assert!(
        tally.0["events that a rule decides"] > 4,
        "{}",
        counts(&tally)
    );
}

/// What cannot be tested denies only what the rest of the rule is about, and is counted for that
/// rule, also if many rules are one lookup.
#[test]
fn errors_are_of_the_rule_that_was_found() {
    let text = "\
-a deny=EACCES,exit -S openat -F dir=/a/1 -F label[inode.kept]=1
-a never,exit -S openat -F dir=/a/2 -F label[inode.kept]=1
-a deny=EBUSY,exit -S openat -F dir=/a/3 -F label[inode.kept]=1
-a never,exit -S openat -F path=/b/1 -F label[inode.kept]=1
-a always,exit -S openat -F path=/b/2 -F label[inode.kept]=1";
    let policy = lowered(text);
    let (plan, fields) = (plan(&policy), Fields::new(true));
    let programs = emit(&policy, &plan, &fields).unwrap();
    let loaded = Loaded::new(&policy, &plan, &programs, &fields);
    let (program, judge) = (&programs.programs[0], Judge::new(&policy));
    let hook = hook::find(program.hook).unwrap();
    for (path, rule, errno, errors) in [
        ("/a/1/x", Some(1), 13, vec![1]),
        ("/a/2/x", None, 0, vec![2]),
        ("/a/3/x", Some(3), 16, vec![3]),
        ("/a/4/x", None, 0, vec![]),
        ("/b/1", None, 0, vec![4]),
        ("/b/2", None, 0, vec![5]),
    ] {
        let (mut event, mut unsaid) = rules::event(&mut Chance::new(1), hook, &judge.labels);
        event.path = Some(Paths::One(path.into()));
        event.label = None;
        unsaid.absent.clear();
        unsaid.slots.values_mut().for_each(|bytes| *bytes = None);
        let outcome = loaded.decide(program, &event, &unsaid, &Place);
        assert_eq!(
            (outcome.rule, outcome.errno, outcome.errors),
            (rule, errno, errors),
            "{path}"
        );
    }
}

/// KRSI_FUZZ_SECONDS says how long; KRSI_FUZZ_SEED has one round.
#[test]
#[ignore = "takes as long as it is told to: make fuzz"]
fn as_long_as_it_is_told_to() {
    if let Some(seed) = variable("KRSI_FUZZ_SEED") {
        let mut tally = Tally::default();
        let told = round(seed, &mut tally);
        println!("{:?}", tally.0);
        return told.unwrap();
    }
    let time = Duration::from_secs(variable("KRSI_FUZZ_SECONDS").unwrap_or(600));
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    // Seeds that no other run has had.
    let first = since.as_secs() << 24;
    let (start, mut said) = (Instant::now(), Instant::now());
    let (mut tally, mut rounds, mut failures) = (Tally::default(), 0, Vec::new());
    while start.elapsed() < time {
        if let Err(told) = round(first + rounds, &mut tally) {
            println!("{told}\n");
            failures.push(first + rounds);
            assert!(failures.len() < 20, "too much fails: {failures:?}");
        }
        rounds += 1;
        if said.elapsed() > Duration::from_secs(60) {
            said = Instant::now();
            println!("rounds: {rounds}; {}", counts(&tally));
        }
    }
    println!("rounds: {rounds}, from seed {first}; {}", counts(&tally));
    assert!(failures.is_empty(), "these seeds fail: {failures:?}");
}

fn counts(tally: &Tally) -> String {
    let counts = tally.0.iter();
    let counts: Vec<_> = counts
        .map(|(what, count)| format!("{what}: {count}"))
        .collect();
    counts.join("; ")
}
