// SPDX-License-Identifier: GPL-2.0

//! `krsi load`, `unload` and `list`: the policy that is in force.

use crate::{
    cli,
    error::{Error, Exit, Result},
    rule::{
        self,
        ast::Statement,
        expected,
        load::{require_active, Counters, InForce, Provisional, Store},
        lower::{lower_most, Lowered, Source, TOLERANT},
        system::Machine,
        SyntaxError,
    },
    ui::{
        self,
        table::{Align, Table},
    },
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

/// The files that `paths` name: of a directory those that end in .rules, in the order of their
/// names, as augenrules takes them.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" || !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(|error| Error::read(path, &error))?;
        let mut found: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
        found.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "rules")
        });
        if found.is_empty() {
            return Err(Error::new(format!(
                "{} has no file that ends in .rules",
                path.display()
            )));
        }
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

pub fn read(path: &Path) -> Result<String> {
    let text = if path.as_os_str() == "-" {
        io::read_to_string(io::stdin())
    } else {
        fs::read_to_string(path)
    };
    text.map_err(|error| Error::read(path, &error))
}

/// What rules became, and how it ends if they can be loaded.
pub struct Compiled {
    pub lowered: Lowered,
    /// Lines that -i or -c before them has left out.
    left_out: Vec<SyntaxError>,
    exit: Exit,
}

/// Reads, parses and resolves rules. As auditctl has it, the lines after -i or -c in a file may
/// have errors and are then left out: after -c the command fails in the end, after -i it does not.
pub fn compile(paths: &[PathBuf]) -> Result<std::result::Result<Compiled, Vec<SyntaxError>>> {
    let (mut sources, mut errors) = (Vec::new(), Vec::new());
    // By file, and the line of the option.
    let (mut tolerant, mut exit) = (BTreeMap::new(), Exit::Success);
    for path in files(paths)? {
        let file = path.to_string_lossy().into_owned();
        let (lines, wrong) = rule::parse_most(&file, &read(&path)?);
        errors.extend(wrong);
        for line in lines {
            if let Statement::Setting { option, .. } = &line.statement {
                if TOLERANT.contains(&option.as_str()) {
                    tolerant.entry(file.clone()).or_insert(line.line);
                    if option == "-c" {
                        exit = Exit::Error;
                    }
                }
            }
            sources.push(Source {
                file: file.clone(),
                line,
            });
        }
    }
    let (lowered, more) = lower_most(sources, &Machine::new());
    errors.extend(more);
    errors.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
    let passed_over = |error: &SyntaxError| {
        let from = tolerant.get(&error.file);
        from.is_some_and(|from| *from < error.line)
    };
    if !errors.iter().all(passed_over) {
        return Ok(Err(errors));
    }
    Ok(Ok(Compiled {
        lowered,
        exit: if errors.is_empty() {
            Exit::Success
        } else {
            exit
        },
        left_out: errors,
    }))
}

#[derive(Serialize)]
struct Refused<'a> {
    errors: &'a [SyntaxError],
}

fn tell(errors: &[SyntaxError]) {
    for error in errors {
        for line in error.to_string().lines() {
            eprintln!("{}", ui::clean(line));
        }
    }
}

/// Tells what is wrong with rules.
pub fn refuse(errors: &[SyntaxError], json: bool) -> Result<Exit> {
    if json {
        ui::json::print(&Refused { errors })?;
    }
    tell(errors);
    eprintln!("krsi: nothing has changed; errors: {}", errors.len());
    Ok(Exit::Error)
}

#[derive(Serialize)]
struct Loaded {
    /// Whether rules that deny were loaded to deny nothing.
    dry_run: bool,
    /// After how many seconds the old rules return if these are not confirmed.
    confirm_within: Option<u64>,
    rules: usize,
    hooks: Vec<&'static str>,
    notes: Vec<String>,
    /// What is wrong with the lines that -i or -c has left out.
    left_out: Vec<SyntaxError>,
}

pub fn load(args: &cli::Load) -> Result<Exit> {
    let Compiled {
        mut lowered,
        left_out,
        exit,
    } = match compile(&args.files)? {
        Ok(compiled) => compiled,
        Err(errors) => return refuse(&errors, args.output.json),
    };
    tell(&left_out);
    if lowered.policy.rules.is_empty() {
        return Err(Error::new("there is no rule in that").hint("krsi unload removes a policy"));
    }
    if !args.output.json {
        lowered.notes.iter().for_each(|note| ui::warn(note));
    }
    if args.dry_run {
        lowered.on_trial();
    }
    Store::open()?.replace(&lowered, args.confirm)?;
    let loaded = Loaded {
        dry_run: args.dry_run,
        confirm_within: args.confirm.map(|time| time.as_secs()),
        rules: lowered.policy.rules.len(),
        hooks: lowered
            .policy
            .hooks()
            .iter()
            .map(|hook| hook.name)
            .collect(),
        notes: lowered.notes,
        left_out,
    };
    if args.output.json {
        ui::json::print(&loaded)?;
    } else {
        let left_out = match loaded.left_out.len() {
            0 => String::new(),
            number => format!("; lines left out: {number}"),
        };
        let confirm = loaded.confirm_within.map_or(String::new(), |seconds| {
            format!(" for {seconds} s; 'krsi confirm' keeps them")
        });
        ui::print(&format!(
            "{}: {} rules on {} hooks{confirm}{left_out}.\n",
            if loaded.dry_run {
                "On trial, denying nothing"
            } else {
                "In force"
            },
            loaded.rules,
            loaded.hooks.len()
        ))?;
    }
    Ok(exit)
}

#[derive(Serialize)]
struct Confirmed {
    rules: usize,
}

pub fn confirm(args: &cli::Confirm) -> Result<Exit> {
    require_active()?;
    let rules = match Store::existing()? {
        Some(store) => store.confirm()?,
        None => None,
    };
    let rules = rules.ok_or_else(|| {
        Error::new(
            "there is no policy to confirm: none was loaded with --confirm, or its time is over",
        )
        .hint("krsi list shows the rules in force")
    })?;
    if args.output.json {
        ui::json::print(&Confirmed { rules })?;
    } else {
        ui::print(&format!("Confirmed: {rules} rules.\n"))?;
    }
    Ok(Exit::Success)
}

#[derive(Serialize)]
struct Unloaded {
    unloaded: bool,
}

pub fn unload(args: &cli::Unload) -> Result<Exit> {
    require_active()?;
    let unloaded = match Store::existing()? {
        Some(store) => store.clear()?,
        None => {
            expected::only_here(&BTreeSet::new())?;
            expected::forget()?;
            false
        }
    };
    if args.output.json {
        ui::json::print(&Unloaded { unloaded })?;
    } else {
        ui::print(if unloaded {
            "The policy is removed.\n"
        } else {
            "There was no policy.\n"
        })?;
    }
    Ok(Exit::Success)
}

#[derive(Serialize)]
struct Listed<'a> {
    /// Null if there is no policy.
    generation: Option<u32>,
    /// Null, or when the policy ends by itself.
    provisional: Option<Provisional>,
    /// Hooks that do not ask the policy any more.
    damaged: &'a [String],
    /// What is easily misunderstood of rules that were added.
    notes: &'a [String],
    rules: Vec<ListedRule<'a>>,
}

#[derive(Serialize)]
struct ListedRule<'a> {
    number: usize,
    /// Whether it tests a cgroup that has ended.
    ended: bool,
    #[serde(flatten)]
    rule: &'a rule::load::Described,
    #[serde(flatten)]
    counters: Counters,
}

/// What is in force, if there is something. Fails if there should be something and is not, or if
/// something is that this bpffs has no pins of.
pub fn in_force() -> Result<Option<InForce>> {
    let found = match Store::existing()? {
        Some(store) => {
            expected::only_here(&store.links()?)?;
            store.in_force()?
        }
        None => {
            expected::only_here(&BTreeSet::new())?;
            None
        }
    };
    if found.is_none() {
        expected::nothing()?;
    }
    Ok(found)
}

pub fn list(args: &cli::List) -> Result<Exit> {
    require_active()?;
    show(in_force()?.as_ref(), None, &[], args.output.json)
}

/// Shows the rules that have the key, or all.
pub fn show(
    policy: Option<&InForce>,
    key: Option<&str>,
    notes: &[String],
    json: bool,
) -> Result<Exit> {
    let rules: Vec<ListedRule<'_>> = policy
        .into_iter()
        .flat_map(|policy| {
            let rules = policy.description.rules.iter().zip(&policy.counters);
            (1..)
                .zip(rules)
                .map(|(number, (rule, counters))| ListedRule {
                    number,
                    ended: policy.ended.contains(&number),
                    rule,
                    counters: *counters,
                })
        })
        .filter(|listed| key.is_none_or(|key| listed.rule.keys.iter().any(|own| own == key)))
        .collect();
    let damaged = policy.map_or(&[][..], |policy| &policy.damaged);
    let exit = if damaged.is_empty() {
        Exit::Success
    } else {
        Exit::NotEnforcing
    };
    if json {
        ui::json::print(&Listed {
            generation: policy.map(|policy| policy.generation),
            provisional: policy.and_then(|policy| policy.provisional),
            damaged,
            notes,
            rules,
        })?;
        return Ok(exit);
    }
    if let Some(damage) = policy.and_then(InForce::damage) {
        ui::warn(&damage);
    }
    if let Some(ended) = policy.and_then(InForce::ended) {
        ui::warn(&ended);
    }
    if let Some(unconfirmed) = policy.and_then(InForce::unconfirmed) {
        ui::warn(&unconfirmed);
    }
    if rules.is_empty() {
        ui::print("No rules\n")?;
        return Ok(exit);
    }
    let columns = [
        ("RULE", Align::Right),
        ("HITS", Align::Right),
        ("DENIALS", Align::Right),
        ("ERRORS", Align::Right),
        ("TEXT", Align::Left),
    ];
    let mut table = Table::new(&columns, ui::colours());
    for listed in &rules {
        table.row(
            [
                listed.number.to_string(),
                listed.counters.hits.to_string(),
                listed.counters.denials.to_string(),
                listed.counters.errors.to_string(),
                listed.rule.text.clone(),
            ],
            listed.counters.errors > 0 || listed.ended,
        );
    }
    ui::print(&table.render())?;
    Ok(exit)
}
