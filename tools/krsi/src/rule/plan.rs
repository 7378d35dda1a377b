// SPDX-License-Identifier: GPL-2.0

//! How a hook's rules are looked for, so that many cost little more than a few.
//!
//! The first rule that matches decides, but rules need not be tried one after the other: of all
//! that match, the one with the smallest number is taken. Rules that differ in one text or address
//! only are one [`Branch`] with one lookup. What is tested by several branches is tested once: the
//! tests make a tree, the cheap ones at its root. Where branches want different values of the same
//! number, the number says which of them it is.

use super::{
    hook::Hook,
    policy::{Attr, How, Op, Policy, Strictness, Test, Text, Yielding},
};
use std::collections::{BTreeMap, HashMap};

/// The number of a rule, from 0.
pub type Index = u32;

/// What programs look up, for all hooks. A set is a number that is part of each key.
#[derive(Debug, Default)]
pub struct Sets {
    pub exact: BTreeMap<(u32, String), Index>,
    pub beneath: BTreeMap<(u32, String), Index>,
    pub prefixes: BTreeMap<(u32, String), Index>,
    pub networks: BTreeMap<(u32, u128, u8), Index>,
    count: u32,
}

impl Sets {
    fn number(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    /// How many bytes the longest text of a set has.
    pub fn longest(&self, set: u32) -> usize {
        let texts = self.exact.range((set, String::new())..);
        texts
            .take_while(|((other, _), _)| *other == set)
            .map(|((_, text), _)| text.len())
            .max()
            .unwrap_or(0)
    }

    /// What is found for a path in a set is the longest directory that it is beneath; give that
    /// the smallest number of all those.
    fn inherit(&mut self) {
        let entries: Vec<_> = self.beneath.keys().cloned().collect();
        for (set, path) in entries {
            let mut above = path.as_str();
            while let Some(end) = above.rfind('/') {
                above = if end == 0 { "/" } else { &above[..end] };
                let inherited = self.beneath.get(&(set, above.into())).copied();
                if let (Some(inherited), Some(own)) =
                    (inherited, self.beneath.get_mut(&(set, path.clone())))
                {
                    *own = inherited.min(*own);
                }
                if end == 0 {
                    break;
                }
            }
        }
        self.inherit_prefixes();
    }

    /// The same for what texts begin with.
    fn inherit_prefixes(&mut self) {
        let entries: Vec<_> = self.prefixes.keys().cloned().collect();
        for (set, text) in entries {
            let shorter = text.char_indices().skip(1).filter_map(|(end, _)| {
                let key = (set, text[..end].to_string());
                self.prefixes.get(&key).copied()
            });
            let least = shorter.min();
            if let (Some(least), Some(own)) = (least, self.prefixes.get_mut(&(set, text))) {
                *own = least.min(*own);
            }
        }
    }

    /// Whether a set has what texts begin with.
    pub fn has_prefixes(&self, set: u32) -> bool {
        let mut texts = self.prefixes.range((set, String::new())..);
        texts.next().is_some_and(|((other, _), _)| *other == set)
    }
}

/// A test of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A test that needs no map.
    Plain(Test),
    /// Whether a text is in a set, or is not.
    Text {
        text: Text,
        how: How,
        set: u32,
        /// A text that is found gives the rule.
        decides: bool,
        equal: bool,
    },
    Address {
        set: u32,
        decides: bool,
        equal: bool,
    },
}

/// What is done where a step holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Then {
    /// This rule matches.
    Rule(Index),
    /// The rule that a lookup has given matches.
    Found,
    Steps(Vec<Branch>),
    /// A number has one value: what is done if it is one of these.
    Cases(Attr, BTreeMap<u64, Vec<Branch>>),
}

#[derive(Debug, PartialEq, Eq)]
pub struct Branch {
    pub step: Option<Step>,
    pub then: Then,
    /// How strict the rule that is found is, if it yields; see [`Yielding`].
    pub yields: Option<Strictness>,
    /// The first of its rules, and the first of them that denies.
    pub first: Index,
    pub first_denial: Option<Index>,
}

#[derive(Debug)]
pub struct HookPlan {
    pub hook: &'static Hook,
    pub branches: Vec<Branch>,
    pub first: Index,
    pub first_denial: Option<Index>,
}

#[derive(Debug, Default)]
pub struct Plan {
    pub hooks: Vec<HookPlan>,
    pub sets: Sets,
}

/// Rules that have the same tests but for the value of one.
struct Group<'a> {
    tests: Vec<&'a Test>,
    /// The test whose value tells them apart.
    key: Option<&'a Test>,
    rules: Vec<(Index, Option<&'a Test>)>,
    first_denial: Option<Index>,
    /// Either all of them yield and are so strict, or none yields: a lookup gives one rule only.
    yields: Option<Strictness>,
}

/// What groups have in common that look a text up after the same tests.
type Similar<'a> = (Vec<&'a Test>, Test);

impl<'a> Group<'a> {
    fn similar(&self) -> Option<Similar<'a>> {
        let key = self.key.filter(|key| matches!(key, Test::Text { .. }))?;
        let before = self.tests.iter().filter(|test| cost(test) < cost(key));
        Some((before.copied().collect(), form(key)))
    }
}

/// How many groups are worth a lookup that passes over all of them.
const FILTER_MIN: usize = 3;
/// Into how many parts a filter's groups are divided, each with a filter again.
const FILTER_PARTS: usize = 4;

/// Sets of all texts that similar groups look up: what is in none of them needs one lookup, not one
/// for each, and what is in a few needs some for each of those. By group, from the set of all
/// similar groups to that of the nearest ones.
fn filters(groups: &[Group<'_>], sets: &mut Sets) -> Vec<Vec<u32>> {
    let mut similar: BTreeMap<Similar<'_>, Vec<usize>> = BTreeMap::new();
    for (number, group) in groups.iter().enumerate() {
        if let Some(form) = group.similar() {
            similar.entry(form).or_default().push(number);
        }
    }
    let mut filters = vec![Vec::new(); groups.len()];
    for numbers in similar.values() {
        if numbers.len() >= FILTER_MIN {
            filter(groups, numbers, sets, &mut filters);
        }
    }
    filters
}

fn filter(groups: &[Group<'_>], numbers: &[usize], sets: &mut Sets, filters: &mut [Vec<u32>]) {
    let set = sets.number();
    for number in numbers {
        filters[*number].push(set);
        for (_, key) in &groups[*number].rules {
            if let Some(Test::Text { how, values, .. }) = key {
                values
                    .iter()
                    .for_each(|value| add_text(sets, *how, set, value, 0));
            }
        }
    }
    if numbers.len() > FILTER_PARTS {
        for part in numbers.chunks(numbers.len().div_ceil(FILTER_PARTS)) {
            if part.len() > 1 {
                filter(groups, part, sets, filters);
            }
        }
    }
}

/// How much a test costs, roughly.
fn cost(test: &Test) -> u32 {
    match test {
        // Of what the rest of the rule is about only: it may be out of reach.
        Test::Number {
            attr: Attr::Label(label),
            ..
        } if label.slot.kept => 16,
        Test::Number { .. } | Test::NotMasked { .. } | Test::Compare { .. } => 0,
        Test::OneOf { .. } => 1,
        Test::Address { .. } => 2,
        Test::Text { text, how, .. } => {
            let lookup = u32::from(*how != How::Exactly);
            lookup
                + match text {
                    Text::Comm => 3,
                    Text::Path => 4,
                    Text::Exe => 6,
                    Text::ParentExe => 8,
                    Text::Argument(_) => 10,
                    Text::Environment(_) => 12,
                    Text::AnyArgument => 14,
                }
        }
    }
}

/// Whether the values of such tests can be keys that lead to rules.
fn can_be_key(test: &Test) -> bool {
    match test {
        Test::Text { equal, .. } | Test::Address { equal, .. } => *equal,
        _ => false,
    }
}

/// `test` without its value.
fn form(test: &Test) -> Test {
    match test {
        Test::Text {
            text, how, equal, ..
        } => Test::Text {
            text: text.clone(),
            how: *how,
            values: Vec::new(),
            equal: *equal,
        },
        Test::Address { equal, .. } => Test::Address {
            network: std::net::Ipv6Addr::UNSPECIFIED,
            bits: 0,
            equal: *equal,
        },
        other => other.clone(),
    }
}

/// Arranges the rules.
pub fn plan(policy: &Policy) -> Plan {
    let mut sets = Sets::default();
    let hooks = policy.hooks().into_iter();
    let hooks = hooks
        .map(|hook| plan_hook(policy, hook, &mut sets))
        .collect();
    sets.inherit();
    Plan { hooks, sets }
}

fn plan_hook(policy: &Policy, hook: &'static Hook, sets: &mut Sets) -> HookPlan {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut by_form: HashMap<(Form<'_>, Option<Strictness>), usize> = HashMap::new();
    let yielding = Yielding::new(policy, hook);
    let (mut first, mut first_denial) = (Index::MAX, None::<Index>);
    let forms = forms(policy, hook);
    for (index, rule) in (0..).zip(&policy.rules) {
        let cases = rule.cases.iter().filter(|case| case.hook.name == hook.name);
        for case in cases {
            let mut tests = sorted(&case.tests);
            let key = key(&tests, &forms).map(|at| tests.remove(at));
            let denies = (rule.action.errno() != 0).then_some(index);
            first = first.min(index);
            first_denial = first_denial.or(denies);
            let yields = yielding.contains(index as usize, rule.action, case);
            let yields = yields.then(|| rule.action.strictness());
            let found = by_form.entry(((tests.clone(), key.map(form)), yields));
            let group = *found.or_insert_with(|| {
                groups.push(Group {
                    tests,
                    key,
                    rules: Vec::new(),
                    first_denial: None,
                    yields,
                });
                groups.len() - 1
            });
            groups[group].rules.push((index, key));
            groups[group].first_denial = groups[group].first_denial.or(denies);
        }
    }
    let mut branches = Vec::new();
    let filters = filters(&groups, sets);
    // Texts that are tested only have one set for all.
    let mut tested: HashMap<&Test, u32> = HashMap::new();
    for (group, filters) in groups.iter().zip(&filters) {
        let first = group.rules[0].0;
        let (steps, then) = steps(group, sets, &mut tested, filters);
        let leaf = Branch {
            step: None,
            then,
            yields: group.yields,
            first,
            first_denial: group.first_denial,
        };
        insert(&mut branches, &steps, leaf);
    }
    HookPlan {
        hook,
        branches,
        first,
        first_denial,
    }
}

/// Tests, the cheap ones first.
fn sorted(tests: &[Test]) -> Vec<&Test> {
    let mut tests: Vec<&Test> = tests.iter().collect();
    tests.sort_by_key(|test| (cost(test), *test));
    tests
}

/// What rules have in common that are one lookup: their tests but one, and that one without its
/// value.
type Form<'a> = (Vec<&'a Test>, Option<Test>);

/// How many rules there are of each form. A rule is of a form for each test that can be its key.
fn forms<'a>(policy: &'a Policy, hook: &Hook) -> HashMap<Form<'a>, usize> {
    let mut forms = HashMap::new();
    let cases = policy.rules.iter().flat_map(|rule| &rule.cases);
    for case in cases.filter(|case| case.hook.name == hook.name) {
        let tests = sorted(&case.tests);
        for at in (0..tests.len()).filter(|at| can_be_key(tests[*at])) {
            *forms.entry(without(&tests, at)).or_default() += 1;
        }
    }
    forms
}

fn without<'a>(tests: &[&'a Test], at: usize) -> Form<'a> {
    let mut others = tests.to_vec();
    let key = others.remove(at);
    (others, Some(form(key)))
}

/// Which test makes the rule one lookup with most others: of those, the cheapest, so that what
/// costs more comes after it.
fn key(tests: &[&Test], forms: &HashMap<Form<'_>, usize>) -> Option<usize> {
    let keys = (0..tests.len()).filter(|at| can_be_key(tests[*at]));
    keys.min_by_key(|at| std::cmp::Reverse(forms.get(&without(tests, *at))))
}

/// The steps of a group, the cheap ones first.
fn steps<'a>(
    group: &Group<'a>,
    sets: &mut Sets,
    tested: &mut HashMap<&'a Test, u32>,
    filters: &[u32],
) -> (Vec<Step>, Then) {
    let mut steps: Vec<(u32, Step)> = Vec::new();
    for test in &group.tests {
        let step = match test {
            Test::Text {
                text,
                how,
                values,
                equal,
            } => {
                let set = *tested.entry(test).or_insert_with(|| {
                    let set = sets.number();
                    values
                        .iter()
                        .for_each(|value| add_text(sets, *how, set, value, 0));
                    set
                });
                Step::Text {
                    text: text.clone(),
                    how: *how,
                    set,
                    decides: false,
                    equal: *equal,
                }
            }
            Test::Address {
                network,
                bits,
                equal,
            } => {
                let set = *tested.entry(test).or_insert_with(|| {
                    let set = sets.number();
                    sets.networks.insert((set, u128::from(*network), *bits), 0);
                    set
                });
                Step::Address {
                    set,
                    decides: false,
                    equal: *equal,
                }
            }
            other => Step::Plain((*other).clone()),
        };
        steps.push((cost(test), step));
    }
    let Some(key) = group.key else {
        let then = Then::Rule(group.rules[0].0);
        return (steps.into_iter().map(|(_, step)| step).collect(), then);
    };
    let set = sets.number();
    for (index, key) in &group.rules {
        match key {
            Some(Test::Text { how, values, .. }) => {
                for value in values {
                    add_text(sets, *how, set, value, *index);
                }
            }
            Some(Test::Address { network, bits, .. }) => {
                let entry = (set, u128::from(*network), *bits);
                sets.networks.entry(entry).or_insert(*index);
            }
            _ => {}
        }
    }
    let step = match key {
        Test::Text { text, how, .. } => Step::Text {
            text: text.clone(),
            how: *how,
            set,
            decides: true,
            equal: true,
        },
        _ => {
            inherit_networks(sets, set);
            Step::Address {
                set,
                decides: true,
                equal: true,
            }
        }
    };
    let at = steps.iter().position(|(other, _)| *other >= cost(key));
    let at = at.unwrap_or(steps.len());
    steps.insert(at, (cost(key), step));
    if let Test::Text { text, how, .. } = key {
        let filters = filters.iter().map(|set| {
            let step = Step::Text {
                text: text.clone(),
                how: *how,
                set: *set,
                decides: false,
                equal: true,
            };
            (cost(key), step)
        });
        steps.splice(at..at, filters);
    }
    (
        steps.into_iter().map(|(_, step)| step).collect(),
        Then::Found,
    )
}

/// Rules come in their order, so the first of equal values stays.
fn add_text(sets: &mut Sets, how: How, set: u32, value: &str, index: Index) {
    let map = match how {
        How::Exactly => &mut sets.exact,
        How::Beneath => &mut sets.beneath,
        How::Prefix => &mut sets.prefixes,
    };
    map.entry((set, value.into())).or_insert(index);
}

/// As [`Sets::inherit`], for networks.
fn inherit_networks(sets: &mut Sets, set: u32) {
    let entries: Vec<_> = sets
        .networks
        .iter()
        .filter(|((other, ..), _)| *other == set)
        .map(|((_, network, bits), index)| (*network, *bits, *index))
        .collect();
    for (network, bits, _) in &entries {
        let covers = |(other, width, _): &&(u128, u8, Index)| {
            let mask = u128::MAX.checked_shl(128 - u32::from(*width)).unwrap_or(0);
            width <= bits && network & mask == *other
        };
        let least = entries
            .iter()
            .filter(covers)
            .map(|(.., index)| *index)
            .min();
        if let Some(least) = least {
            sets.networks.insert((set, *network, *bits), least);
        }
    }
}

/// Puts a group into the tree, beneath the steps that it shares with others.
fn insert(branches: &mut Vec<Branch>, steps: &[Step], leaf: Branch) {
    let Some((step, rest)) = steps.split_first() else {
        branches.push(leaf);
        return;
    };
    let number = match step {
        Step::Plain(Test::Number {
            attr,
            op: Op::Equal,
            value,
        }) => Some((*attr, *value)),
        _ => None,
    };
    let same = branches.iter_mut().find(|branch| match &branch.then {
        Then::Cases(attr, _) => number.is_some_and(|(other, _)| *attr == other),
        Then::Steps(_) => branch.step.as_ref() == Some(step),
        Then::Rule(_) | Then::Found => false,
    });
    let branch = match same {
        Some(branch) => branch,
        None => {
            let (step, then) = match number {
                Some((attr, _)) => (None, Then::Cases(attr, BTreeMap::new())),
                None => (Some(step.clone()), Then::Steps(Vec::new())),
            };
            branches.push(Branch {
                step,
                then,
                yields: None,
                first: leaf.first,
                first_denial: leaf.first_denial,
            });
            branches.last_mut().expect("it was just pushed")
        }
    };
    branch.first = branch.first.min(leaf.first);
    branch.first_denial = match (branch.first_denial, leaf.first_denial) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    match (&mut branch.then, number) {
        (Then::Steps(children), _) => insert(children, rest, leaf),
        (Then::Cases(_, cases), Some((_, value))) => {
            let children = cases.entry(value).or_default();
            insert(children, rest, leaf);
        }
        _ => unreachable!("such a branch was looked for"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{
        error::Missing,
        label::{Class, Slot},
        lower::System,
        policy::{Action, Case, Rule},
    };

    fn path(how: How, value: &str) -> Test {
        Test::Text {
            text: Text::Path,
            how,
            values: vec![value.into()],
            equal: true,
        }
    }

    fn exe(value: &str) -> Test {
        Test::Text {
            text: Text::Exe,
            how: How::Exactly,
            values: vec![value.into()],
            equal: true,
        }
    }

    /// A machine with slots, of which one is in extended attributes.
    struct Kept;

    impl System for Kept {
        fn user(&self, _: &str) -> Option<u32> {
            None
        }

        fn group(&self, _: &str) -> Option<u32> {
            None
        }

        fn cgroup(&self, _: &str) -> Option<(u8, u64)> {
            None
        }

        fn container(&self, name: &str) -> Result<String, Missing> {
            Err(Missing::new(name, "none"))
        }

        fn slot(&self, _: Class, name: &str) -> Result<Slot, Missing> {
            Ok(Slot {
                number: 7,
                size: 8,
                kept: name == "kept",
            })
        }

        fn resolve(&self, path: &str) -> String {
            path.into()
        }
    }

    fn policy(rules: Vec<(Action, Vec<Test>)>) -> Policy {
        let hook = crate::rule::hook::find("file_open").unwrap();
        let rule = |(action, tests)| Rule {
            file: "rules".into(),
            line: 1,
            text: String::new(),
            action,
            keys: Vec::new(),
            cases: vec![Case { hook, tests }],
        };
        Policy {
            rules: rules.into_iter().map(rule).collect(),
        }
    }

    fn leaves(branches: &[Branch]) -> usize {
        let mut count = 0;
        each_leaf(branches, &mut |_| count += 1);
        count
    }

    #[test]
    fn rules_that_differ_in_a_value_are_one_lookup() {
        let rules = (0..1000)
            .map(|number| {
                (
                    Action::Always,
                    vec![path(How::Exactly, &format!("/f{number}"))],
                )
            })
            .collect();
        let plan = plan(&policy(rules));
        assert_eq!(leaves(&plan.hooks[0].branches), 1);
        assert_eq!(plan.sets.exact.len(), 1000);
    }

    #[test]
    fn the_first_of_equal_values_and_of_directories_above_decides() {
        let rules = vec![
            (Action::Deny(13), vec![path(How::Beneath, "/a/b")]),
            (Action::Deny(1), vec![path(How::Beneath, "/a")]),
            (Action::Deny(1), vec![path(How::Beneath, "/a/b")]),
            (Action::Deny(1), vec![path(How::Beneath, "/a/b/c")]),
            (Action::Deny(1), vec![path(How::Beneath, "/a/x")]),
        ];
        let plan = plan(&policy(rules));
        let found: Vec<_> = plan
            .sets
            .beneath
            .iter()
            .map(|((_, path), index)| (path.as_str(), *index))
            .collect();
        assert_eq!(found, [("/a", 1), ("/a/b", 0), ("/a/b/c", 0), ("/a/x", 1)]);
        assert_eq!(plan.hooks[0].first_denial, Some(0));
    }

    #[test]
    fn the_first_of_nested_beginnings_decides() {
        let rules = ["--abc", "--ab", "--abd", "--ä", "--"].map(|value| {
            let test = Test::Text {
                text: Text::AnyArgument,
                how: How::Prefix,
                values: vec![value.into()],
                equal: true,
            };
            (Action::Deny(1), vec![test])
        });
        let plan = plan(&policy(rules.to_vec()));
        let found: Vec<_> = plan
            .sets
            .prefixes
            .iter()
            .map(|((_, text), index)| (text.as_str(), *index))
            .collect();
        let expected = [
            ("--", 4),
            ("--ab", 1),
            ("--abc", 0),
            ("--abd", 1),
            ("--ä", 3),
        ];
        assert_eq!(found, expected);
    }

    fn each_leaf(branches: &[Branch], visit: &mut dyn FnMut(&Branch)) {
        for branch in branches {
            match &branch.then {
                Then::Rule(_) | Then::Found => visit(branch),
                Then::Steps(branches) => each_leaf(branches, visit),
                Then::Cases(_, cases) => cases.values().for_each(|below| each_leaf(below, visit)),
            }
        }
    }

    /// A lookup gives one rule, so that none that yields may hide one that does not, or that is
    /// stricter.
    #[test]
    fn rules_that_yield_have_lookups_of_their_own() {
        let yielding = |first, second| {
            let plan = plan(&policy(vec![
                (first, vec![path(How::Beneath, "/a/b")]),
                (second, vec![path(How::Beneath, "/a")]),
                (Action::Deny(1), vec![path(How::Beneath, "/a")]),
                (first, vec![path(How::Beneath, "/a/c")]),
            ]));
            let mut yields = Vec::new();
            each_leaf(&plan.hooks[0].branches, &mut |leaf| {
                yields.push(leaf.yields)
            });
            yields
        };
        let (allows, records) = (Some(Strictness::Allows), Some(Strictness::Records));
        // The last one is after all that denies.
        assert_eq!(yielding(Action::Always, Action::Always), [records, None]);
        assert_eq!(yielding(Action::Never, Action::Never), [allows, None]);
        assert_eq!(
            yielding(Action::Never, Action::Always),
            [allows, records, None]
        );
        assert_eq!(yielding(Action::Deny(1), Action::Kill), [None]);
    }

    #[test]
    fn tests_that_are_shared_are_made_once() {
        let uid = Test::Number {
            attr: Attr::Uid,
            op: Op::Equal,
            value: 0,
        };
        let rules = vec![
            (Action::Never, vec![path(How::Exactly, "/a"), uid.clone()]),
            (Action::Never, vec![path(How::Beneath, "/b"), uid]),
        ];
        let plan = plan(&policy(rules));
        assert_eq!(plan.hooks[0].branches.len(), 1);
        assert_eq!(leaves(&plan.hooks[0].branches), 2);
    }

    /// So that what cannot be read of objects elsewhere denies nothing.
    #[test]
    fn labels_that_may_be_out_of_reach_come_last() {
        let steps = |name: &str| {
            let text =
                format!("-a deny,exit -S execve -F dir=/srv -F argv=x -F label[inode.{name}]!=0");
            let lines = crate::rule::parse("rules", &text).unwrap();
            let sources = lines.into_iter().map(|line| crate::rule::lower::Source {
                file: "rules".into(),
                line,
            });
            let lowered = crate::rule::lower::lower(sources.collect(), &Kept).unwrap();
            let plan = plan(&lowered.policy);
            let mut steps = Vec::new();
            let mut branches = &plan.hooks[0].branches;
            loop {
                steps.push(matches!(
                    branches[0].step,
                    Some(Step::Plain(Test::Number { .. }))
                ));
                match &branches[0].then {
                    Then::Steps(below) if below[0].step.is_some() => branches = below,
                    _ => return steps,
                }
            }
        };
        assert_eq!(steps("plain"), [true, false, false]);
        assert_eq!(steps("kept"), [false, false, true]);
    }

    /// How many steps a call goes through for which `holds` says what holds.
    fn tried(branches: &[Branch], holds: &dyn Fn(&Step) -> bool) -> usize {
        let of_branch = |branch: &Branch| {
            let beneath = match &branch.then {
                Then::Steps(branches) if branch.step.as_ref().is_none_or(holds) => {
                    tried(branches, holds)
                }
                _ => 0,
            };
            usize::from(branch.step.is_some()) + beneath
        };
        branches.iter().map(of_branch).sum()
    }

    #[test]
    fn what_differs_in_two_values_is_passed_over_at_once() {
        let rules = (0..1000)
            .map(|number| {
                let dir = path(How::Beneath, &format!("/d{number}"));
                (Action::Never, vec![dir, exe(&format!("/bin/{number}"))])
            })
            .collect();
        let plan = plan(&policy(rules));
        let branches = &plan.hooks[0].branches;
        assert_eq!(branches.len(), 1);
        assert_eq!(leaves(branches), 1000);
        let of_path = |path: Option<&str>| {
            tried(branches, &|step| match step {
                Step::Text { text, set, .. } => path.is_some_and(|path| {
                    *text == Text::Path && plan.sets.beneath.contains_key(&(*set, path.to_string()))
                }),
                _ => false,
            })
        };
        assert_eq!(of_path(None), 1);
        // Five levels of filters, and what comes after them.
        for number in [0, 499, 999] {
            let tried = of_path(Some(&format!("/d{number}")));
            assert!(tried < 30, "{tried}");
        }
    }

    #[test]
    fn the_test_that_differs_is_the_lookup() {
        let one = |number: u32| {
            let exe = exe(&format!("/bin/{number}"));
            (Action::Never, vec![path(How::Exactly, "/etc/shadow"), exe])
        };
        let other = |number: u32| {
            let argument = Test::Text {
                text: Text::AnyArgument,
                how: How::Exactly,
                values: vec![number.to_string()],
                equal: true,
            };
            (Action::Never, vec![path(How::Exactly, "/bin/sh"), argument])
        };
        let plan = plan(&policy(
            (0..50).map(one).chain((0..50).map(other)).collect(),
        ));
        assert_eq!(leaves(&plan.hooks[0].branches), 2);
    }

    #[test]
    fn a_number_says_which_branch_it_is() {
        let number = |attr, op, value| Test::Number { attr, op, value };
        let is = |attr, value| number(attr, Op::Equal, value);
        let rules = vec![
            (Action::Never, vec![is(Attr::Uid, 7), is(Attr::Gid, 1)]),
            (Action::Deny(1), vec![is(Attr::Uid, u64::from(u32::MAX))]),
            (Action::Never, vec![number(Attr::Uid, Op::NotEqual, 7)]),
            (Action::Deny(1), vec![is(Attr::Uid, 7), is(Attr::Gid, 2)]),
            (Action::Never, vec![is(Attr::Uid, 7)]),
        ];
        let plan = plan(&policy(rules));
        let branches = &plan.hooks[0].branches;
        assert_eq!((branches.len(), leaves(branches)), (2, 5));
        assert_eq!((branches[0].first, branches[0].first_denial), (0, Some(1)));
        let Then::Cases(Attr::Uid, cases) = &branches[0].then else {
            panic!("{branches:?}");
        };
        let values: Vec<_> = cases.keys().copied().collect();
        assert_eq!(values, [7, u64::from(u32::MAX)]);
        let of_seven = &cases[&7];
        assert_eq!((of_seven.len(), leaves(of_seven)), (2, 3));
        assert!(matches!(&of_seven[0].then, Then::Cases(Attr::Gid, cases) if cases.len() == 2));
        assert_eq!(of_seven[0].first_denial, Some(3));
        assert_eq!(of_seven[1].then, Then::Rule(4));
    }
}
