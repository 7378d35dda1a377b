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

use super::{
    asm::Code,
    emit::{emit, Failed, Programs},
    eval::{eval, Event},
    hook,
    lower::{lower, Source},
    parse,
    plan::plan,
    policy::Action,
    SyntaxError,
};
use crate::kernel::insn::Insn;
use chance::Chance;
use machine::{Fields, Loaded, Outcome};
use rules::Place;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

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
    // What the machine does not have.
    if ["container", "saddr_fam", "label["]
        .iter()
        .any(|field| text.contains(field))
    {
        return tally.add("not compiled", 1);
    }
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
    let mut hooks: Vec<_> = programs.programs.iter().collect();
    // Enough for rules about everything.
    while hooks.len() > 4 {
        hooks.swap_remove(chance.below(hooks.len()));
    }
    for program in hooks {
        let hook = hook::find(program.hook).unwrap();
        for _ in 0..4 {
            let event = rules::event(&mut chance, hook);
            let Ok(decisions) = eval(&policy, &event, &Place) else {
                tally.add("events that lack something", 1);
                continue;
            };
            assert_eq!(decisions.len(), 1);
            let rule = decisions[0].rule.map(|rule| policy.rules[rule - 1].action);
            let recorded = rule.is_some_and(|action| action != Action::Never);
            let expected = Outcome {
                errno: decisions[0].errno,
                rule: decisions[0].rule,
                records: usize::from(recorded && fields.audit),
                signals: usize::from(rule == Some(Action::Kill)),
                errors: 0,
            };
            let outcome = loaded.decide(program, &event, &Place);
            assert_eq!(outcome, expected, "{}", shown(&event, &programs));
            tally.add("events", 1);
            tally.add("events that a rule decides", usize::from(rule.is_some()));
        }
    }
}

fn shown(event: &Event, programs: &Programs) -> String {
    let mut text = serde_json::to_string(event).unwrap();
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
    for seed in 0..1_000 {
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
