// SPDX-License-Identifier: GPL-2.0

//! A plan becomes a program for each hook.
//!
//! A program runs in three parts. First it collects the numbers that its tests need into memory of
//! the current task, [`state`]. Then it goes down the tree of branches; each rule that matches and
//! is before the best so far becomes the best. Rules that yield have bests of their own, one for
//! each strictness. Last it does what the best rule of all says: counters, record, signal, verdict.
//!
//! Texts are made when the first test needs them, by a function for each, into memory of the task
//! too, since paths are larger than the stack, and what belongs to a CPU can be used by two tasks
//! at once. Everything that tests look at is loaded from that memory: the verifier forgets what it
//! learnt of it, so that it need not follow each combination of tests.
//!
//! R6 is the context, R7 the state, R8 the text at hand, and R9 what a lookup has found.

use super::{
    asm::{Asm, Code, If, Label, Size, R},
    hook::{Access, Address, Hook, Name, Node, Skip},
    label::{Class, Label as ObjectLabel},
    plan::{Branch, HookPlan, Index, Plan, Step, Then},
    policy::{Attr, How, Op, Policy, Strictness, Test, Text},
};
use libbpf_rs::libbpf_sys as sys;
use std::collections::{BTreeMap, BTreeSet};

/// The kernel's types, and what else programs are made for.
pub trait Target {
    /// Where a field is, in bytes; see `kernel::btf::Kernel::offset`.
    fn offset(&self, structure: &str, path: &str) -> Option<u32>;
    /// Whether programs can write audit records.
    fn has_audit(&self) -> bool;
}

/// Sizes of the keys that exact texts are looked up with, and the maps that have them.
pub const CLASSES: &[(usize, &str)] = &[(64, "exact64"), (256, "exact256"), (4096, "exact4096")];
pub const BENEATH: &str = "beneath";
pub const NETWORKS: &str = "networks";
pub const RULES: &str = "rules";
pub const COUNTERS: &str = "counters";
pub const EVENTS: &str = "events";
pub const NAMES: &str = "names";
pub const STATE: &str = "state";
/// State of hooks that are asked while another hook's program runs.
pub const STATE_NESTED: &str = "state_nested";

/// How much of a directory's path is looked at.
pub const BENEATH_SIZE: usize = 252;

/// `struct krsi_audit_event`.
pub const EVENT_SIZE: usize = 16 + 256;

/// What a rule does, as programs read it: two numbers of 32 bits.
pub const RULE_SIZE: usize = 8;
pub const DO_RECORD: u32 = 1;
pub const DO_KILL: u32 = 2;

/// Three numbers of 64 bits: hits, denials, errors.
pub const COUNTERS_SIZE: usize = 24;

/// What programs know a rule by: its place among the others, and how lenient it is, so that they
/// need not look that up.
pub fn rank(policy: &Policy, index: Index) -> u32 {
    let rule = policy.rules.get(index as usize);
    let strictness = rule.map_or(Strictness::Allows, |rule| rule.action.strictness());
    (index << LENIENCY_BITS) | leniency(strictness) as u32
}

/// 0 of rules that deny. No rule, [`NONE`], is as lenient as one that allows.
fn leniency(strictness: Strictness) -> i32 {
    Strictness::Denies as i32 - strictness as i32
}

/// The lowest bits of a rank.
const LENIENCY_BITS: i32 = 2;
const LENIENCY: i32 = (1 << LENIENCY_BITS) - 1;

/// The layout of the state.
mod state {
    /// The rank of the best rule so far that does not yield, and whether it is for an error.
    pub const BEST: i16 = 0;
    pub const BEST_FAILED: i16 = 4;
    /// The rank of the rule that was found last.
    pub const FOUND: i16 = 8;
    pub const FOUND_NAME: i16 = 12;
    pub const BEST_NAME: i16 = 16;
    pub const LOOP: i16 = 20;
    pub const REMOTE: i16 = 24;
    /// What was found for the arguments so far.
    pub const ARGUMENT: i16 = 28;
    /// struct { u32 prefix; u32 set; u8 address[16]; }
    pub const NETWORK: i16 = 32;
    pub const SOCKADDR: i16 = 56;
    /// By leniency from 1, the rank of the best rule so far that yields, and which of an object's
    /// paths it is about.
    const YIELDED: i16 = 88;
    pub const ATTRS: i16 = 112;
    pub const SIZE: usize = 528;
    pub const ATTRS_MAX: usize = (SIZE - ATTRS as usize) / 8;

    pub const fn yielded(leniency: i32) -> i16 {
        YIELDED + 8 * (leniency as i16 - 1)
    }
}
pub const STATE_SIZE: usize = state::SIZE;

/// The layout of a text.
mod slot {
    pub const STATUS: i16 = 0;
    /// With its NUL.
    pub const LENGTH: i16 = 4;
    /// Whether it is a path on a mount that an unprivileged user may have made.
    pub const UNTRUSTED: i16 = 8;
    pub const PREFIX: i16 = 16;
    pub const SET: i16 = 20;
    pub const TEXT: i16 = 24;
}

/// How much a path can have, with its NUL, and how much is tried first: making a path fills the
/// rest with zeroes.
const PATH_SIZE: i32 = 4096;
const PATH_FIRST: i32 = 256;
const COMM_SIZE: i32 = 16;
/// How much of a text is looked at for how it begins, with the rest of a key.
const PREFIX_SIZE: i32 = 256;

/// What making a text comes to.
const NOT_YET: i32 = 0;
const THERE: i32 = 1;
const ABSENT: i32 = 2;
const FAILED: i32 = 3;
/// An object that has no name in any mount namespace.
const NAMELESS: i32 = 4;

/// No rule.
const NONE: i32 = -1;

const PATH_DELETED: i32 = 2;
const PATH_TRUSTED_MOUNT: i32 = 4;
const EPERM: i32 = 1;
const ENOENT: i32 = 2;
const ENAMETOOLONG: i32 = 36;
const EOPNOTSUPP: i32 = 95;
const ESTALE: i32 = 116;
const SIGKILL: i32 = 9;

/// Flags of tasks: PF_KTHREAD, and PF_IO_WORKER with PF_USER_WORKER.
const KERNEL_THREAD: i32 = 0x0020_0000;
const URING_WORKER: i32 = 0x10 | 0x4000;

const R0: R = R(0);
const R1: R = R(1);
const R2: R = R(2);
const R3: R = R(3);
const R4: R = R(4);
const CTX: R = R(6);
const STATE_R: R = R(7);
const SLOT: R = R(8);
const R9: R = R(9);
const FP: R = R(10);

/// A text with memory of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Made {
    /// One of the hook's paths, by its place in the table.
    Name(u8),
    Other(Text),
}

/// A program, to be loaded for a hook.
#[derive(Debug)]
pub struct Program {
    pub hook: &'static str,
    pub sleepable: bool,
    pub code: Code,
}

#[derive(Debug, Default)]
pub struct Programs {
    pub programs: Vec<Program>,
    /// Maps of texts, by name, and the sizes of their values.
    pub texts: BTreeMap<String, usize>,
    /// Names of environment variables, each with a NUL.
    pub names: Vec<u8>,
}

/// Why a policy cannot be compiled.
#[derive(Debug)]
pub struct Failed {
    /// The first rule of the hook whose program it is.
    pub rule: Index,
    /// What the kernel lacks, or what is too large.
    pub why: String,
}

/// Compiles a plan.
pub fn emit(policy: &Policy, plan: &Plan, target: &dyn Target) -> Result<Programs, Failed> {
    let mut programs = Programs::default();
    for hook in &plan.hooks {
        let program = Emitter::new(policy, plan, hook, target, &mut programs)
            .and_then(Emitter::emit)
            .map_err(|why| Failed {
                rule: hook.first,
                why,
            })?;
        programs.programs.push(program);
    }
    Ok(programs)
}

/// A kernel that has every field, somewhere: for who wants to know whether a policy compiles.
pub struct Anywhere {
    pub audit: bool,
}

impl Target for Anywhere {
    fn offset(&self, structure: &str, path: &str) -> Option<u32> {
        Some((structure.len() + path.len()) as u32 * 8)
    }

    fn has_audit(&self) -> bool {
        self.audit
    }
}

struct Emitter<'a> {
    asm: Asm,
    policy: &'a Policy,
    plan: &'a Plan,
    hook: &'a HookPlan,
    target: &'a dyn Target,
    attrs: BTreeMap<Attr, i16>,
    made: BTreeMap<Made, (usize, Label)>,
    /// Paths for which it matters whether an unprivileged user made the mount.
    doubted: BTreeSet<&'a Text>,
    /// How lenient the rules are that yield, the strictest first.
    yielding: BTreeSet<i32>,
    any_argument: Label,
    any_argument_prefix: Label,
    /// In how many loops this is.
    loops: usize,
    programs: &'a mut Programs,
    /// Where a program goes that has no memory for its state.
    broken: Label,
    out: Label,
}

fn each_branch<'a>(branches: &'a [Branch], visit: &mut dyn FnMut(&'a Branch)) {
    for branch in branches {
        visit(branch);
        match &branch.then {
            Then::Steps(branches) => each_branch(branches, visit),
            Then::Cases(_, cases) => {
                for branches in cases.values() {
                    each_branch(branches, visit);
                }
            }
            Then::Rule(_) | Then::Found => {}
        }
    }
}

/// The paths that a rule which yields tests, or whose difference from a name is tested. `way` has
/// those on the way to the branches.
fn doubted<'a>(branches: &'a [Branch], way: &BTreeSet<&'a Text>, found: &mut BTreeSet<&'a Text>) {
    for branch in branches {
        let mut way = way.clone();
        if let Some(Step::Text { text, equal, .. }) = &branch.step {
            if text.is_path() {
                way.insert(text);
                if !equal {
                    found.insert(text);
                }
            }
        }
        match &branch.then {
            Then::Steps(branches) => doubted(branches, &way, found),
            Then::Cases(_, cases) => {
                for branches in cases.values() {
                    doubted(branches, &way, found);
                }
            }
            Then::Rule(_) | Then::Found if branch.yields.is_some() => found.extend(way),
            Then::Rule(_) | Then::Found => {}
        }
    }
}

/// How many words of the state an attribute takes. What an event may lack has a second one, which
/// says whether it is there.
fn words(attr: Attr) -> usize {
    match attr {
        Attr::Label(_) | Attr::Family => 2,
        _ => 1,
    }
}

/// How many conditions may be on a way through branches: less than half of what the kernel takes,
/// BPF_COMPLEXITY_LIMIT_JMP_SEQ.
const WAY_MAX: usize = 3000;

/// How many conditions there are where a test cannot be made, and where it may be that.
const FAILED_CONDITIONS: usize = 4;
const DEMAND_CONDITIONS: usize = 2 + FAILED_CONDITIONS;

/// How many conditions a function that makes a text has, or some more.
const FUNCTION_CONDITIONS: usize = 11;
/// The same for the one that looks at all arguments, and takes turns.
const ANY_ARGUMENT_CONDITIONS: usize = 20;

/// How many conditions tell whether a rule yields, for up to two paths of an object and two
/// programs, and whether it is before others that do.
const YIELD_CONDITIONS: usize = 4 + 1;

/// How many conditions a step has, or some more, without the functions that it calls.
fn conditions(step: &Step) -> usize {
    // Whether it is there and on a mount that counts, which length it has, whether it is found,
    // before the others.
    const TEXT: usize = 5 + 3 * CLASSES.len() + 1;
    match step {
        // Up to two paths.
        Step::Text { .. } => 2 * TEXT + 2 + FAILED_CONDITIONS,
        Step::Plain(Test::OneOf { values, .. }) => values.len(),
        Step::Plain(_) | Step::Address { .. } => DEMAND_CONDITIONS + 1,
    }
}

/// How many conditions the longest way through a branch has, or some more.
fn way(branch: &Branch) -> usize {
    let functions = match &branch.step {
        Some(Step::Text { text, .. }) if *text == Text::AnyArgument => 2 * ANY_ARGUMENT_CONDITIONS,
        Some(Step::Text { .. }) => 2 * FUNCTION_CONDITIONS,
        _ => 0,
    };
    functions
        + branch.step.as_ref().map_or(0, conditions)
        + match &branch.then {
            Then::Rule(_) | Then::Found if branch.yields.is_some() => 1 + YIELD_CONDITIONS,
            Then::Rule(_) | Then::Found => 1,
            Then::Steps(branches) => parts(branches).1,
            Then::Cases(_, cases) => {
                let longest = cases.values().map(|branches| parts(branches).1).max();
                let halves = cases.len().ilog2() as usize + 2;
                DEMAND_CONDITIONS + halves + longest.unwrap_or(0)
            }
        }
}

/// Branches in parts, none of which has too long a way if that can be, and the longest way.
fn parts(branches: &[Branch]) -> (Vec<&[Branch]>, usize) {
    let (mut parts, mut start, mut length, mut longest) = (Vec::new(), 0, 0, 0);
    for (at, branch) in branches.iter().enumerate() {
        let way = way(branch);
        if length + way > WAY_MAX && at > start {
            parts.push(&branches[start..at]);
            (start, length) = (at, 0);
        }
        length += way;
        longest = longest.max(length);
    }
    parts.push(&branches[start..]);
    (parts, longest)
}

/// What the steps on the way to branches have noted in the state.
#[derive(Clone, Copy, Default)]
struct Noted {
    /// Which of an object's paths it is.
    name: bool,
    /// The rule that a lookup has given.
    rule: bool,
    /// Which paths were tested: of the object, of the program, of the parent's.
    paths: [bool; 3],
}

/// Texts that are paths, in the order of [`Noted::paths`].
const PATHS: [Text; 3] = [Text::Path, Text::Exe, Text::ParentExe];

impl Noted {
    fn and(self, step: Option<&Step>) -> Self {
        let path = |text: &Text, equal: bool| *text == Text::Path && equal;
        let (name, rule) = match step {
            Some(Step::Text {
                text,
                equal,
                decides,
                ..
            }) => (path(text, *equal), *decides),
            Some(Step::Address { decides, .. }) => (false, *decides),
            Some(Step::Plain(_)) | None => (false, false),
        };
        let mut paths = self.paths;
        if let Some(Step::Text { text, .. }) = step {
            for (known, path) in paths.iter_mut().zip(&PATHS) {
                *known |= text == path;
            }
        }
        Self {
            name: self.name || name,
            rule: self.rule || rule,
            paths,
        }
    }
}

impl<'a> Emitter<'a> {
    fn new(
        policy: &'a Policy,
        plan: &'a Plan,
        hook: &'a HookPlan,
        target: &'a dyn Target,
        programs: &'a mut Programs,
    ) -> Result<Self, String> {
        let mut asm = Asm::default();
        let mut attrs = BTreeSet::new();
        let mut texts = BTreeSet::new();
        let mut address = false;
        let mut yielding = BTreeSet::new();
        each_branch(&hook.branches, &mut |branch| {
            yielding.extend(branch.yields.map(leniency));
            if let Then::Cases(attr, _) = &branch.then {
                attrs.insert(*attr);
            }
            match &branch.step {
                Some(Step::Plain(Test::Number { attr, .. } | Test::NotMasked { attr, .. }))
                | Some(Step::Plain(Test::OneOf { attr, .. })) => {
                    attrs.insert(*attr);
                }
                Some(Step::Plain(Test::Compare { attr, with, .. })) => {
                    attrs.extend([*attr, *with]);
                }
                Some(Step::Text { text, .. }) => {
                    texts.insert(text.clone());
                }
                Some(Step::Address { .. }) => address = true,
                Some(Step::Plain(_)) | None => {}
            }
        });
        if address {
            attrs.insert(Attr::RemotePort);
        }
        if attrs.iter().copied().map(words).sum::<usize>() > state::ATTRS_MAX {
            return Err(format!(
                "rules on {} test more cgroups and labels than there is room for",
                hook.hook.name
            ));
        }
        let mut made = BTreeSet::new();
        for text in texts {
            if text == Text::Path {
                made.extend((0..hook.hook.names.len() as u8).map(Made::Name));
            } else {
                made.insert(Made::Other(text));
            }
        }
        // Records say which object it was.
        if !hook.hook.names.is_empty() {
            made.insert(Made::Name(0));
        }
        if made.len() > 40 {
            return Err(format!(
                "rules on {} test more arguments and variables than there is room for",
                hook.hook.name
            ));
        }
        let made = (0..)
            .zip(made)
            .map(|(number, made)| (made, (number, asm.label())))
            .collect();
        let mut end = state::ATTRS;
        let attrs = attrs
            .into_iter()
            .map(|attr| {
                let at = end;
                end += 8 * words(attr) as i16;
                (attr, at)
            })
            .collect();
        let mut doubts = BTreeSet::new();
        doubted(&hook.branches, &BTreeSet::new(), &mut doubts);
        Ok(Self {
            any_argument: asm.label(),
            any_argument_prefix: asm.label(),
            loops: 0,
            broken: asm.label(),
            out: asm.label(),
            asm,
            policy,
            plan,
            hook,
            target,
            attrs,
            made,
            doubted: doubts,
            yielding,
            programs,
        })
    }

    fn emit(mut self) -> Result<Program, String> {
        self.prologue()?;
        let plan = self.hook;
        self.branches(&plan.branches, Noted::default())?;
        self.decide()?;
        self.texts()?;
        let sleepable = self.hook.hook.name == "bprm_check_security";
        let hook = self.hook.hook.name;
        let code = self
            .asm
            .finish()
            .ok_or_else(|| format!("rules on {hook} make too large a program"))?;
        Ok(Program {
            hook,
            sleepable,
            code,
        })
    }

    fn offset(&self, structure: &str, path: &str) -> Result<i16, String> {
        let offset = self.target.offset(structure, path);
        offset
            .and_then(|offset| i16::try_from(offset).ok())
            .ok_or_else(|| format!("this kernel has no {path} in struct {structure}"))
    }

    /// Loads a field of what `src` points to.
    fn field(
        &mut self,
        size: Size,
        dst: R,
        src: R,
        structure: &str,
        path: &str,
    ) -> Result<(), String> {
        let offset = self.offset(structure, path)?;
        self.asm.load(size, dst, src, offset);
        Ok(())
    }

    /// Loads an argument of the hook.
    fn argument(&mut self, dst: R, number: u8) {
        self.asm.load(Size::U64, dst, CTX, i16::from(number) * 8);
    }

    fn name_of(&mut self, made: &Made) -> String {
        // Paths of all hooks share their memory: no two hooks are asked at once for a task.
        match made {
            Made::Name(number) => format!("path{number}"),
            Made::Other(Text::Exe) => "exe".into(),
            Made::Other(Text::ParentExe) => "pexe".into(),
            Made::Other(Text::Comm) => "comm".into(),
            Made::Other(Text::AnyArgument) => "argv".into(),
            Made::Other(Text::Argument(number)) => format!("argv{number}"),
            Made::Other(Text::Environment(name)) => {
                let names = self.programs.names.split(|byte| *byte == 0);
                let before = names.take_while(|other| *other != name.as_bytes()).count();
                format!("env{before}")
            }
            Made::Other(Text::Path) => unreachable!("paths are names"),
        }
    }

    /// How much of a text is kept.
    fn capacity(&self, made: &Made) -> i32 {
        let (text, mut longest) = match made {
            Made::Name(_) | Made::Other(Text::Path | Text::Exe | Text::ParentExe) => {
                return PATH_SIZE
            }
            Made::Other(text) => (text, 0),
        };
        let mut prefix = false;
        each_branch(&self.hook.branches, &mut |branch| {
            if let Some(Step::Text {
                text: other, set, ..
            }) = &branch.step
            {
                if other == text {
                    longest = longest.max(self.plan.sets.longest(*set));
                    prefix |= self.plan.sets.has_prefixes(*set);
                }
            }
        });
        let capacity = class(longest) as i32;
        if prefix {
            capacity.max(PREFIX_SIZE)
        } else {
            capacity
        }
    }

    /// Gets the memory, and collects the numbers.
    fn prologue(&mut self) -> Result<(), String> {
        let hook = self.hook.hook;
        self.asm.mov(CTX, R1);
        self.skip(hook)?;
        self.asm.helper(sys::BPF_FUNC_get_current_task_btf);
        self.asm.mov(R9, R0);
        self.skip_kernel()?;

        let state = if hook.nested { STATE_NESTED } else { STATE };
        self.storage(state);
        self.asm.mov(STATE_R, R0);
        let made: Vec<_> = self
            .made
            .iter()
            .map(|(made, (number, _))| (made.clone(), *number))
            .collect();
        for (made, number) in made {
            let capacity = self.capacity(&made);
            if let Made::Other(Text::Environment(name)) = &made {
                let known = self.programs.names.split(|byte| *byte == 0);
                if !known.into_iter().any(|other| other == name.as_bytes()) {
                    self.programs.names.extend(name.as_bytes());
                    self.programs.names.push(0);
                }
            }
            let name = self.name_of(&made);
            // Keys of directories have to fit even where the text is shorter.
            let size = usize::try_from(capacity).unwrap_or(0).max(256) + slot::TEXT as usize;
            let known = self.programs.texts.entry(name.clone()).or_default();
            *known = size.max(*known);
            self.storage(&name);
            self.asm.store_imm(Size::U32, R0, slot::STATUS, NOT_YET);
            self.asm.store(Size::U64, FP, slot_place(number), R0);
        }
        self.asm.store_imm(Size::U32, STATE_R, state::BEST, NONE);
        self.asm
            .store_imm(Size::U32, STATE_R, state::BEST_FAILED, 0);
        self.asm.store_imm(Size::U32, STATE_R, state::BEST_NAME, 0);
        self.asm.store_imm(Size::U32, STATE_R, state::FOUND_NAME, 0);
        for leniency in &self.yielding {
            let place = state::yielded(*leniency);
            self.asm.store_imm(Size::U32, STATE_R, place, NONE);
        }

        let attrs: Vec<_> = self.attrs.iter().map(|(attr, at)| (*attr, *at)).collect();
        for (attr, at) in attrs {
            if attr == Attr::RemotePort {
                // After the others: it needs R9.
                continue;
            }
            self.attr(attr)?;
            self.asm.store(Size::U64, STATE_R, at, R0);
        }
        if self.attrs.contains_key(&Attr::RemotePort) {
            self.remote()?;
        }
        Ok(())
    }

    /// `return 0`
    fn allow(&mut self) {
        self.asm.set(R0, 0);
        self.asm.exit();
    }

    /// R0 = memory of the current task, which is in R9.
    ///
    /// The kernel allocates it without waiting for a lock, and fails if another CPU holds that
    /// lock. A virtual CPU may be scheduled out while it holds one, so that a fixed number of
    /// tries is over before it runs again. Tries until the kernel ends the loop, a quarter of a
    /// second later: then memory is short indeed.
    fn storage(&mut self, map: &str) {
        let (again, there) = (self.asm.label(), self.asm.label());
        self.asm.place(again);
        self.asm.map(R1, map);
        self.asm.mov(R2, R9);
        self.asm.set(R3, 0);
        self.asm.set(R4, sys::BPF_LOCAL_STORAGE_GET_F_CREATE as i32);
        self.asm.helper(sys::BPF_FUNC_task_storage_get);
        self.asm.near_if(If::NotEqual, R0, 0, there);
        self.asm.may_goto(self.broken);
        self.asm.jump(again);
        self.asm.place(there);
    }

    /// Skips what the kernel does for itself: kernel threads, and calls that a file system or the
    /// like makes with credentials of its own in the context of a task. overlayfs opens its layers
    /// and sets attributes in them with those of its mounter, and core dumps are written with a
    /// copy.
    ///
    /// Requests of io_uring may have other credentials than the task, too, and are the task's.
    /// They run in its context at the end of any system call, so that a task which has ever used
    /// io_uring is not skipped.
    fn skip_kernel(&mut self) -> Result<(), String> {
        let (kernel, user) = (self.asm.label(), self.asm.label());
        self.field(Size::U32, R3, R9, "task_struct", "flags")?;
        self.asm.near_if(If::AnyBit, R3, KERNEL_THREAD, kernel);
        self.field(Size::U64, R1, R9, "task_struct", "cred")?;
        self.field(Size::U64, R2, R9, "task_struct", "real_cred")?;
        self.asm.near_if_reg(If::Equal, R1, R2, user);
        self.asm.near_if(If::AnyBit, R3, URING_WORKER, user);
        // Only a kernel with io_uring has the field.
        if self.target.offset("task_struct", "io_uring").is_some() {
            self.field(Size::U64, R1, R9, "task_struct", "io_uring")?;
            self.asm.near_if(If::NotEqual, R1, 0, user);
        }
        self.asm.place(kernel);
        self.allow();
        self.asm.place(user);
        Ok(())
    }

    fn skip(&mut self, hook: &Hook) -> Result<(), String> {
        match hook.skip {
            Skip::Nothing => {}
            Skip::KernelSocket(kern) => {
                let go_on = self.asm.label();
                self.argument(R1, kern);
                self.asm.mov32(R1, R1);
                self.asm.near_if(If::Equal, R1, 0, go_on);
                self.allow();
                self.asm.place(go_on);
            }
            Skip::ExecutedOrBacking(file) => {
                const FMODE_EXEC: i32 = 1 << 5;
                const FMODE_BACKING: i32 = 1 << 24;
                let (skip, go_on) = (self.asm.label(), self.asm.label());
                self.argument(R1, file);
                self.field(Size::U32, R2, R1, "file", "f_flags")?;
                self.asm.near_if(If::AnyBit, R2, FMODE_EXEC, skip);
                self.field(Size::U32, R2, R1, "file", "f_mode")?;
                self.asm.near_if(If::AnyBit, R2, FMODE_BACKING, skip);
                self.asm.jump(go_on);
                self.asm.place(skip);
                self.allow();
                self.asm.place(go_on);
            }
            Skip::OthersSignal(cred) => {
                let go_on = self.asm.label();
                self.argument(R1, cred);
                // The verifier takes arguments for pointers that are never NULL, and would drop a
                // comparison with 0; what is left of two pointers is a number to it.
                self.asm.mov(R2, CTX);
                self.asm.sub(R2, R1);
                self.asm.near_if_reg(If::Equal, R2, CTX, go_on);
                self.allow();
                self.asm.place(go_on);
            }
        }
        Ok(())
    }

    /// R0 = the number; the current task is in R9.
    fn attr(&mut self, attr: Attr) -> Result<(), String> {
        let task = |path| (Size::U32, "task_struct", path);
        let cred = |path| (Size::U32, "cred", path);
        match attr {
            Attr::Pid | Attr::Auid | Attr::Session | Attr::Personality => {
                let (size, structure, path) = task(match attr {
                    Attr::Pid => "tgid",
                    Attr::Auid => "loginuid",
                    Attr::Session => "sessionid",
                    _ => "personality",
                });
                self.field(size, R0, R9, structure, path)?;
            }
            Attr::Ppid => {
                self.field(Size::U64, R1, R9, "task_struct", "real_parent")?;
                self.field(Size::U32, R0, R1, "task_struct", "tgid")?;
            }
            Attr::Compat => self.compat()?,
            Attr::Uid
            | Attr::Euid
            | Attr::Suid
            | Attr::Fsuid
            | Attr::Gid
            | Attr::Egid
            | Attr::Sgid
            | Attr::Fsgid => {
                let (size, structure, path) = cred(match attr {
                    Attr::Uid => "uid",
                    Attr::Euid => "euid",
                    Attr::Suid => "suid",
                    Attr::Fsuid => "fsuid",
                    Attr::Gid => "gid",
                    Attr::Egid => "egid",
                    Attr::Sgid => "sgid",
                    _ => "fsgid",
                });
                self.field(Size::U64, R1, R9, "task_struct", "cred")?;
                // The verifier does not know that a task always has some.
                self.asm.jump_if(If::Equal, R1, 0, self.broken);
                self.field(size, R0, R1, structure, path)?;
            }
            Attr::Cgroup(depth) | Attr::Container(depth) => {
                self.asm.set(R1, depth.into());
                self.asm
                    .helper(sys::BPF_FUNC_get_current_ancestor_cgroup_id);
            }
            Attr::Host => self.host()?,
            Attr::Label(label) => self.object_label(label, self.attrs[&attr] + 8)?,
            Attr::Family => self.family(self.attrs[&attr] + 8)?,
            Attr::Syscall | Attr::Argument(_) => self.syscall(attr)?,
            Attr::Inode
            | Attr::DevMajor
            | Attr::DevMinor
            | Attr::ObjUid
            | Attr::ObjGid
            | Attr::FileType => self.node(attr)?,
            Attr::Access => match self.hook.hook.access {
                Access::Open(file) => {
                    const O_ACCMODE: i32 = 3;
                    const O_TRUNC: i32 = 1 << 9;
                    let mode = self.asm.label();
                    self.argument(R1, file);
                    self.field(Size::U32, R0, R1, "file", "f_mode")?;
                    self.asm.and(R0, 3);
                    self.field(Size::U32, R1, R1, "file", "f_flags")?;
                    // Access 3 is for ioctl(2): open(2) asks for permission to read and to write,
                    // and f_mode has neither.
                    self.asm.mov(R2, R1);
                    self.asm.and(R2, O_ACCMODE);
                    self.asm.near_if(If::NotEqual, R2, O_ACCMODE, mode);
                    self.asm.set(R0, 3);
                    self.asm.place(mode);
                    // Truncating is writing, whatever it is opened for; WRITE is 2.
                    self.asm.and(R1, O_TRUNC);
                    self.asm.shr(R1, 8);
                    self.asm.or(R0, R1);
                }
                Access::Mask(mask) => {
                    // MAY_READ is 4, MAY_WRITE 2.
                    self.argument(R0, mask);
                    self.asm.mov(R1, R0);
                    self.asm.and(R1, 2);
                    self.asm.shr(R0, 2);
                    self.asm.and(R0, 1);
                    self.asm.or(R0, R1);
                }
                Access::None | Access::Fixed(_) => {
                    return Err(format!("{} has no access to test", self.hook.hook.name))
                }
            },
            Attr::Detail => {
                let Some((number, _)) = self.hook.hook.detail else {
                    return Err(format!("{} has no detail to test", self.hook.hook.name));
                };
                self.argument(R0, number);
                self.asm.mov32(R0, R0);
            }
            Attr::RemotePort => {}
        }
        Ok(())
    }

    /// R0 = 1 in a system call of a 32-bit program.
    fn compat(&mut self) -> Result<(), String> {
        self.field(Size::U32, R0, R9, "task_struct", "thread_info.status")?;
        // TS_COMPAT is 2.
        self.asm.shr(R0, 1);
        self.asm.and(R0, 1);
        Ok(())
    }

    /// R0 = the number of the system call, or an argument of it.
    fn syscall(&mut self, attr: Attr) -> Result<(), String> {
        let (none, compat, done) = (self.asm.label(), self.asm.label(), self.asm.label());
        // Workers of io_uring have made no system call.
        self.field(Size::U32, R1, R9, "task_struct", "flags")?;
        self.asm.near_if(If::AnyBit, R1, URING_WORKER, none);
        self.asm.mov(R1, R9);
        self.asm.helper(sys::BPF_FUNC_task_pt_regs);
        self.asm.mov(R2, R0);
        self.compat()?;
        match attr {
            Attr::Argument(number) => {
                const NATIVE: [&str; 4] = ["di", "si", "dx", "r10"];
                const COMPAT: [&str; 4] = ["bx", "cx", "dx", "si"];
                let number = usize::from(number);
                self.asm.near_if(If::NotEqual, R0, 0, compat);
                // Like audit's, 32 bits of it.
                self.field(Size::U32, R0, R2, "pt_regs", NATIVE[number])?;
                self.asm.jump(done);
                self.asm.place(compat);
                self.field(Size::U32, R0, R2, "pt_regs", COMPAT[number])?;
            }
            _ => {
                self.asm.shl(R0, 32);
                self.field(Size::U32, R1, R2, "pt_regs", "orig_ax")?;
                self.asm.or(R0, R1);
                self.asm.place(compat);
            }
        }
        self.asm.jump(done);
        self.asm.place(none);
        self.asm.set(R0, NONE);
        self.asm.place(done);
        Ok(())
    }

    /// R0 = 1 if the task is in no container: in the first namespaces of processes and of cgroups.
    fn host(&mut self) -> Result<(), String> {
        // Of enum init_ns_ino, which is ABI.
        const CGROUP_NS_INIT_INO: u32 = 0xefff_fffb;
        let (within, done) = (self.asm.label(), self.asm.label());
        self.asm.set(R0, 1);
        // The first one of processes is at level 0, all others are beneath it.
        self.field(Size::U64, R1, R9, "task_struct", "thread_pid")?;
        self.field(Size::U32, R1, R1, "pid", "level")?;
        self.asm.near_if(If::NotEqual, R1, 0, within);
        // A task that ends has left its other namespaces already.
        self.field(Size::U64, R1, R9, "task_struct", "nsproxy")?;
        self.asm.near_if(If::Equal, R1, 0, done);
        self.field(Size::U64, R1, R1, "nsproxy", "cgroup_ns")?;
        self.asm.near_if(If::Equal, R1, 0, done);
        self.field(Size::U32, R1, R1, "cgroup_namespace", "ns.inum")?;
        self.asm.set64(R2, CGROUP_NS_INIT_INO.into());
        self.asm.near_if_reg(If::Equal, R1, R2, done);
        self.asm.place(within);
        self.asm.set(R0, 0);
        self.asm.place(done);
        Ok(())
    }

    /// R0 = the label that an object has; whether it has is noted at `status`.
    fn object_label(&mut self, label: ObjectLabel, status: i16) -> Result<(), String> {
        let hook = self.hook.hook;
        let (absent, failed, done) = (self.asm.label(), self.asm.label(), self.asm.label());
        let Ok(offset) = i16::try_from(label.offset()) else {
            return Err(format!("{label} is too far away"));
        };
        let without = || format!("{} has no {}", hook.name, label.class.name());
        // The object, if not the current credentials, is in R1 then.
        let kfunc = match (label.class, hook.node, hook.socket) {
            (Class::Cred, ..) => "krsi_current_cred_blob",
            (Class::Task, ..) => {
                self.asm.mov(R1, R9);
                "krsi_task_blob"
            }
            (Class::Inode, Some(node), _) => {
                self.inode(node, absent)?;
                match node {
                    // The verifier does not trust what a path leads to.
                    Node::Path(number) => {
                        self.argument(R1, number);
                        "krsi_path_inode_blob"
                    }
                    _ => "krsi_inode_blob",
                }
            }
            (Class::File, Some(Node::File(number) | Node::Bprm(number)), _) => {
                self.argument(R1, number);
                if matches!(hook.node, Some(Node::Bprm(_))) {
                    self.field(Size::U64, R1, R1, "linux_binprm", "file")?;
                }
                self.asm.near_if(If::Equal, R1, 0, absent);
                "krsi_file_blob"
            }
            (Class::Sock, _, Some(number)) => {
                self.argument(R1, number);
                self.field(Size::U64, R1, R1, "socket", "sk")?;
                self.asm.near_if(If::Equal, R1, 0, absent);
                "krsi_sock_blob"
            }
            _ => return Err(without()),
        };
        let (number, size) = if label.class == Class::Cred {
            (R1, R2)
        } else {
            (R2, R3)
        };
        self.asm.set32(number, label.slot.number);
        self.asm.set32(size, label.slot.size);
        self.asm.kfunc(kfunc);
        self.asm.near_if(If::Equal, R0, 0, failed);
        let width = match label.width() {
            1 => Size::U8,
            2 => Size::U16,
            4 => Size::U32,
            _ => Size::U64,
        };
        self.asm.load(width, R0, R0, offset);
        self.there(status, absent, failed, done);
        Ok(())
    }

    /// Notes that the number in R0 is there, or, where the labels lead to, that it is not.
    fn there(&mut self, status: i16, absent: Label, failed: Label, done: Label) {
        self.asm.store_imm(Size::U32, STATE_R, status, THERE);
        self.asm.jump(done);
        self.asm.place(failed);
        self.asm.store_imm(Size::U32, STATE_R, status, FAILED);
        self.asm.set(R0, 0);
        // Not everything can be absent, and the verifier refuses what is never reached.
        if self.asm.is_called(absent) {
            self.asm.jump(done);
            self.asm.place(absent);
            self.asm.store_imm(Size::U32, STATE_R, status, ABSENT);
            self.asm.set(R0, 0);
        }
        self.asm.place(done);
    }

    /// R1 = the object's inode, or goes to `none`.
    fn inode(&mut self, node: Node, none: Label) -> Result<(), String> {
        match node {
            Node::File(number) | Node::Bprm(number) => {
                self.argument(R1, number);
                if matches!(node, Node::Bprm(_)) {
                    self.field(Size::U64, R1, R1, "linux_binprm", "file")?;
                    self.asm.near_if(If::Equal, R1, 0, none);
                }
                self.field(Size::U64, R1, R1, "file", "f_inode")?;
            }
            Node::Path(number) => {
                self.argument(R1, number);
                self.field(Size::U64, R1, R1, "path", "dentry")?;
                self.asm.near_if(If::Equal, R1, 0, none);
                self.field(Size::U64, R1, R1, "dentry", "d_inode")?;
            }
            Node::Dentry(number) => {
                self.argument(R1, number);
                self.field(Size::U64, R1, R1, "dentry", "d_inode")?;
            }
        }
        self.asm.near_if(If::Equal, R1, 0, none);
        Ok(())
    }

    /// R0 = something of the object's inode; 0 if it has none.
    fn node(&mut self, attr: Attr) -> Result<(), String> {
        let none = self.asm.label();
        let Some(node) = self.hook.hook.node else {
            return Err(format!("{} has no inode to test", self.hook.hook.name));
        };
        self.asm.set(R0, 0);
        self.inode(node, none)?;
        match attr {
            Attr::Inode => self.field(Size::U64, R0, R1, "inode", "i_ino")?,
            Attr::ObjUid => self.field(Size::U32, R0, R1, "inode", "i_uid")?,
            Attr::ObjGid => self.field(Size::U32, R0, R1, "inode", "i_gid")?,
            Attr::FileType => {
                self.field(Size::U16, R0, R1, "inode", "i_mode")?;
                self.asm.and(R0, 0o170_000);
            }
            _ => {
                self.field(Size::U64, R1, R1, "inode", "i_sb")?;
                self.asm.near_if(If::Equal, R1, 0, none);
                self.field(Size::U32, R0, R1, "super_block", "s_dev")?;
                if attr == Attr::DevMajor {
                    self.asm.shr(R0, 20);
                } else {
                    self.asm.and(R0, 0xf_ffff);
                }
            }
        }
        self.asm.place(none);
        Ok(())
    }

    /// R1 = the socket, as the protocol has it, or 0. It is the first argument where there is an
    /// address.
    fn socket(&mut self) -> Result<(), String> {
        self.argument(R1, 0);
        self.field(Size::U64, R1, R1, "socket", "sk")
    }

    /// R3 = the address that the hook is asked about, `length` its length.
    fn address(&mut self, address: Address, length: R) -> Result<(), String> {
        match address {
            Address::Plain(address, size) => {
                self.argument(R3, address);
                self.argument(length, size);
            }
            Address::Message(message) => {
                self.argument(R1, message);
                self.field(Size::U64, R3, R1, "msghdr", "msg_name")?;
                self.field(Size::U32, length, R1, "msghdr", "msg_namelen")?;
            }
        }
        self.asm.mov32(length, length);
        Ok(())
    }

    /// Puts `size` bytes of the address into the state; goes to a label if it has less than `least`
    /// or none, or cannot be read. `length` is changed.
    fn sockaddr(
        &mut self,
        address: Address,
        length: R,
        [least, size]: [i32; 2],
        [absent, failed]: [Label; 2],
    ) -> Result<(), String> {
        self.address(address, length)?;
        self.asm.near_if(If::Equal, R3, 0, absent);
        self.asm.near_if(If::Less, length, least, absent);
        self.asm.mov(R1, STATE_R);
        self.asm.add(R1, state::SOCKADDR.into());
        self.asm.set(R2, size);
        self.asm.helper(sys::BPF_FUNC_probe_read_kernel);
        self.asm.near_if(If::NotEqual, R0, 0, failed);
        Ok(())
    }

    /// R0 = the family of the address; whether there is one is noted at `status`.
    fn family(&mut self, status: i16) -> Result<(), String> {
        let (absent, failed, done) = (self.asm.label(), self.asm.label(), self.asm.label());
        let Some(address) = self.hook.hook.address() else {
            return Err(format!("{} has no address", self.hook.hook.name));
        };
        self.sockaddr(address, R2, [2, 2], [absent, failed])?;
        self.asm.load(Size::U16, R0, STATE_R, state::SOCKADDR);
        self.there(status, absent, failed, done);
        Ok(())
    }

    /// The address of the other end, IPv4 as a part of IPv6, and its port.
    fn remote(&mut self) -> Result<(), String> {
        const AF_INET: i32 = 2;
        const AF_INET6: i32 = 10;
        let Some(remote) = self.hook.hook.remote else {
            return Err(format!("{} has no remote address", self.hook.hook.name));
        };
        let port = self.attrs[&Attr::RemotePort];
        let labels: [Label; 6] = std::array::from_fn(|_| self.asm.label());
        let [absent, failed, ipv4, ipv6, there, done] = labels;
        self.sockaddr(remote, R9, [16, 28], [absent, failed])?;
        self.asm.load(Size::U16, R1, STATE_R, state::SOCKADDR);
        self.asm.near_if(If::Equal, R1, AF_INET, ipv4);
        self.asm.near_if(If::Equal, R1, AF_INET6, ipv6);
        if matches!(remote, Address::Message(_)) {
            // Without a family it is that of the socket.
            self.asm.near_if(If::NotEqual, R1, 0, absent);
            self.socket()?;
            self.asm.near_if(If::Equal, R1, 0, ipv4);
            self.field(Size::U16, R1, R1, "sock", "__sk_common.skc_family")?;
            self.asm.near_if(If::NotEqual, R1, AF_INET6, ipv4);
        } else {
            self.asm.jump(absent);
        }
        self.asm.place(ipv6);
        self.asm.near_if(If::Less, R9, 24, absent);
        for part in 0..2 {
            self.asm
                .load(Size::U64, R1, STATE_R, state::SOCKADDR + 8 + 8 * part);
            self.asm
                .store(Size::U64, STATE_R, state::NETWORK + 8 + 8 * part, R1);
        }
        self.asm.jump(there);

        self.asm.place(ipv4);
        self.asm
            .store_imm(Size::U64, STATE_R, state::NETWORK + 8, 0);
        // ::ffff, as bytes
        self.asm
            .store_imm(Size::U32, STATE_R, state::NETWORK + 16, -65536);
        self.asm.load(Size::U32, R1, STATE_R, state::SOCKADDR + 4);
        self.asm.store(Size::U32, STATE_R, state::NETWORK + 20, R1);

        self.asm.place(there);
        self.itself()?;
        self.asm.load(Size::U8, R1, STATE_R, state::SOCKADDR + 2);
        self.asm.load(Size::U8, R2, STATE_R, state::SOCKADDR + 3);
        self.asm.shl(R1, 8);
        self.asm.or(R1, R2);
        self.asm.store(Size::U64, STATE_R, port, R1);
        self.asm.store_imm(Size::U32, STATE_R, state::REMOTE, THERE);
        self.asm.jump(done);
        self.asm.place(failed);
        self.asm
            .store_imm(Size::U32, STATE_R, state::REMOTE, FAILED);
        self.asm.jump(done);
        self.asm.place(absent);
        self.asm
            .store_imm(Size::U32, STATE_R, state::REMOTE, ABSENT);
        self.asm.place(done);
        Ok(())
    }

    /// No address is the machine itself: the address that the socket is bound to, or that of the
    /// loopback. The kernel finds that only later.
    fn itself(&mut self) -> Result<(), String> {
        // As they lie in memory: ::ffff and 127.0.0.1.
        const MAPPED: i32 = -65536;
        const LOOPBACK: i32 = 0x0100_007f;
        let labels: [Label; 5] = std::array::from_fn(|_| self.asm.label());
        let [ipv4, lo, ipv6, lo6, other] = labels;
        self.asm.load(Size::U64, R1, STATE_R, state::NETWORK + 8);
        self.asm.near_if(If::NotEqual, R1, 0, other);
        self.asm.load(Size::U32, R1, STATE_R, state::NETWORK + 20);
        self.asm.near_if(If::NotEqual, R1, 0, other);
        self.asm.load(Size::U32, R1, STATE_R, state::NETWORK + 16);
        self.asm.near_if(If::Equal, R1, 0, ipv6);
        self.asm.set(R2, MAPPED);
        self.asm.mov32(R2, R2);
        self.asm.near_if_reg(If::Equal, R1, R2, ipv4);
        self.asm.jump(other);

        self.asm.place(ipv4);
        self.socket()?;
        self.asm.near_if(If::Equal, R1, 0, lo);
        self.field(Size::U32, R1, R1, "sock", "__sk_common.skc_rcv_saddr")?;
        self.asm.near_if(If::Equal, R1, 0, lo);
        self.asm.store(Size::U32, STATE_R, state::NETWORK + 20, R1);
        self.asm.jump(other);
        self.asm.place(lo);
        self.asm
            .store_imm(Size::U32, STATE_R, state::NETWORK + 20, LOOPBACK);
        self.asm.jump(other);

        // A socket that is bound to an address of IPv4 goes to the loopback of that.
        self.asm.place(ipv6);
        const BOUND: &str = "__sk_common.skc_v6_rcv_saddr";
        if let Ok(bound) = self.offset("sock", BOUND) {
            self.socket()?;
            self.asm.near_if(If::Equal, R1, 0, lo6);
            self.asm.load(Size::U64, R2, R1, bound);
            self.asm.near_if(If::NotEqual, R2, 0, lo6);
            self.asm.load(Size::U32, R1, R1, bound + 8);
            self.asm.set(R2, MAPPED);
            self.asm.mov32(R2, R2);
            self.asm.near_if_reg(If::NotEqual, R1, R2, lo6);
            self.asm
                .store_imm(Size::U32, STATE_R, state::NETWORK + 16, MAPPED);
            self.asm.jump(lo);
        }
        self.asm.place(lo6);
        self.asm
            .store_imm(Size::U8, STATE_R, state::NETWORK + 23, 1);
        self.asm.place(other);
        Ok(())
    }

    /// Goes through branches; `noted` is what has been found on the way to them.
    ///
    /// The verifier keeps all conditions of a way through the program in mind, and can do so with
    /// [`WAY_MAX`] only. If there are more, branches take turns: in a loop of which the verifier
    /// sees that one turn is as good as another, so that no way goes through more than one part.
    fn branches(&mut self, branches: &[Branch], noted: Noted) -> Result<(), String> {
        let (parts, _) = parts(branches);
        if parts.len() < 2 {
            return self.all(branches, noted);
        }
        let taken: usize = self.attrs.keys().copied().map(words).sum();
        let place = state::ATTRS + 8 * (taken + self.loops) as i16;
        if place as usize + 8 > state::SIZE {
            return Err(format!(
                "rules on {} test more than there is room for",
                self.hook.hook.name
            ));
        }
        let (again, done) = (self.asm.label(), self.asm.label());
        self.asm.store_imm(Size::U64, STATE_R, place, 0);
        self.asm.place(again);
        // Whatever the turn before has left there.
        self.asm.store_imm(Size::U64, FP, -8, 0);
        self.asm.store_imm(Size::U64, FP, -16, 0);
        self.asm.set(SLOT, 0);
        self.asm.set(R9, 0);
        self.asm.may_goto(self.broken);
        self.asm.load(Size::U64, R1, STATE_R, place);
        self.asm.mov(R2, R1);
        self.asm.add(R2, 1);
        self.asm.store(Size::U64, STATE_R, place, R2);
        self.number_if(If::GreaterOrEqual, parts.len() as u64, done);
        self.loops += 1;
        self.turn(&parts, 0, noted, again)?;
        self.loops -= 1;
        self.asm.place(done);
        Ok(())
    }

    /// Goes through the part whose turn it is, by the number in R1; the first one has `first`.
    fn turn(
        &mut self,
        parts: &[&[Branch]],
        first: usize,
        noted: Noted,
        again: Label,
    ) -> Result<(), String> {
        if let [part] = parts {
            self.all(part, noted)?;
            self.asm.jump(again);
            return Ok(());
        }
        let middle = parts.len() / 2;
        let above = self.asm.label();
        self.number_if(If::GreaterOrEqual, (first + middle) as u64, above);
        self.turn(&parts[..middle], first, noted, again)?;
        self.asm.place(above);
        self.turn(&parts[middle..], first + middle, noted, again)
    }

    fn all(&mut self, branches: &[Branch], noted: Noted) -> Result<(), String> {
        for branch in branches {
            let fail = self.asm.label();
            if let Some(step) = &branch.step {
                let before = self.asm.conditions();
                self.step(step, branch, noted, fail)?;
                self.no_more_than(conditions(step), before);
            }
            let noted = noted.and(branch.step.as_ref());
            match &branch.then {
                Then::Rule(index) => {
                    self.found(*index);
                    self.leaf(branch, noted);
                }
                Then::Found => self.leaf(branch, noted),
                Then::Steps(branches) => self.branches(branches, noted)?,
                Then::Cases(attr, cases) => {
                    self.demand(*attr, branch, noted, fail);
                    self.asm.load(Size::U64, R1, STATE_R, self.attrs[attr]);
                    let cases: Vec<_> = cases.iter().collect();
                    self.cases(&cases, noted, fail)?;
                }
            }
            self.asm.place(fail);
        }
        Ok(())
    }

    /// Goes to the case of the number in R1, by halves, or to `none`, which has to come next.
    fn cases(
        &mut self,
        cases: &[(&u64, &Vec<Branch>)],
        noted: Noted,
        none: Label,
    ) -> Result<(), String> {
        if let [(value, branches)] = cases {
            self.number_if(If::NotEqual, **value, none);
            return self.branches(branches, noted);
        }
        let (below, above) = cases.split_at(cases.len() / 2);
        let from_here = self.asm.label();
        self.number_if(If::GreaterOrEqual, *above[0].0, from_here);
        self.cases(below, noted, none)?;
        self.asm.jump(none);
        self.asm.place(from_here);
        self.cases(above, noted, none)
    }

    /// Goes to the label if the number in R1 compares so.
    fn number_if(&mut self, cond: If, value: u64, to: Label) {
        // What is in the instruction has its sign extended.
        if let Ok(small) = i32::try_from(value) {
            self.asm.jump_if(cond, R1, small, to);
        } else {
            self.asm.set64(R2, value);
            self.asm.jump_if_reg(cond, R1, R2, to);
        }
    }

    /// A rule is found.
    fn leaf(&mut self, branch: &Branch, noted: Noted) {
        let done = self.asm.label();
        if let Some(strictness) = branch.yields {
            self.yield_untrusted(leniency(strictness), noted, done);
        }
        self.better(false, noted);
        self.asm.place(done);
    }

    /// Has the rule that was found yield, and goes to `done`, if one of the paths that it tests is
    /// on a mount that an unprivileged user may have made.
    fn yield_untrusted(&mut self, leniency: i32, noted: Noted, done: Label) {
        let (yields, trusted) = (self.asm.label(), self.asm.label());
        let tested = PATHS.iter().zip(noted.paths).filter(|(_, tested)| *tested);
        let made: Vec<Made> = tested.flat_map(|(text, _)| self.made_of(text)).collect();
        for made in made {
            let (slot, _) = self.made[&made];
            self.asm.load(Size::U64, SLOT, FP, slot_place(slot));
            self.asm.load(Size::U32, R1, SLOT, slot::UNTRUSTED);
            self.asm.near_if(If::NotEqual, R1, 0, yields);
        }
        self.asm.jump(trusted);
        self.asm.place(yields);
        let place = state::yielded(leniency);
        self.asm.load(Size::U32, R1, STATE_R, state::FOUND);
        self.asm.load(Size::U32, R2, STATE_R, place);
        self.asm.near_if_reg(If::GreaterOrEqual, R1, R2, done);
        self.asm.store(Size::U32, STATE_R, place, R1);
        self.name(place + 4, noted);
        self.asm.jump(done);
        self.asm.place(trusted);
    }

    /// Notes which of an object's paths the rule that was found is about.
    fn name(&mut self, place: i16, noted: Noted) {
        if noted.name {
            self.asm.load(Size::U32, R1, STATE_R, state::FOUND_NAME);
            self.asm.store(Size::U32, STATE_R, place, R1);
        } else {
            self.asm.store_imm(Size::U32, STATE_R, place, 0);
        }
    }

    /// The texts with memory of their own that a text of rules is.
    fn made_of(&self, text: &Text) -> Vec<Made> {
        if *text == Text::Path {
            let names = self.hook.hook.names.len() as u8;
            (0..names).map(Made::Name).collect()
        } else {
            vec![Made::Other(text.clone())]
        }
    }

    /// What was found becomes the best if it is before that.
    fn better(&mut self, failed: bool, noted: Noted) {
        let worse = self.asm.label();
        self.asm.load(Size::U32, R1, STATE_R, state::FOUND);
        self.asm.load(Size::U32, R2, STATE_R, state::BEST);
        self.asm.near_if_reg(If::GreaterOrEqual, R1, R2, worse);
        self.asm.store(Size::U32, STATE_R, state::BEST, R1);
        self.asm
            .store_imm(Size::U32, STATE_R, state::BEST_FAILED, failed.into());
        self.name(state::BEST_NAME, noted);
        self.asm.place(worse);
    }

    /// Tests find out whether what [`way`] counts on is less than what there is.
    fn no_more_than(&self, conditions: usize, before: usize) {
        assert!(!cfg!(test) || self.asm.conditions() - before <= conditions);
    }

    /// Goes to `fail` if the step does not hold.
    fn step(
        &mut self,
        step: &Step,
        branch: &Branch,
        noted: Noted,
        fail: Label,
    ) -> Result<(), String> {
        match step {
            Step::Plain(Test::Number { attr, op, value }) => {
                self.demand(*attr, branch, noted, fail);
                self.asm.load(Size::U64, R1, STATE_R, self.attrs[attr]);
                match op {
                    Op::Equal => self.number_if(If::NotEqual, *value, fail),
                    Op::NotEqual => self.number_if(If::Equal, *value, fail),
                    Op::Less => self.number_if(If::GreaterOrEqual, *value, fail),
                    Op::LessOrEqual => self.number_if(If::Greater, *value, fail),
                    Op::Greater => self.number_if(If::LessOrEqual, *value, fail),
                    Op::GreaterOrEqual => self.number_if(If::Less, *value, fail),
                    Op::AnyBit => {
                        self.asm.set64(R2, *value);
                        self.asm.and_with(R1, R2);
                        self.asm.jump_if(If::Equal, R1, 0, fail);
                    }
                    Op::AllBits => {
                        self.asm.set64(R2, *value);
                        self.asm.and_with(R1, R2);
                        self.asm.jump_if_reg(If::NotEqual, R1, R2, fail);
                    }
                }
            }
            Step::Plain(Test::NotMasked { attr, mask, value }) => {
                self.asm.load(Size::U64, R1, STATE_R, self.attrs[attr]);
                self.asm.set64(R2, *mask);
                self.asm.and_with(R1, R2);
                self.number_if(If::Equal, *value, fail);
            }
            Step::Plain(Test::OneOf { attr, values }) => {
                let holds = self.asm.label();
                self.asm.load(Size::U64, R1, STATE_R, self.attrs[attr]);
                for value in values {
                    self.number_if(If::Equal, *value, holds);
                }
                self.asm.jump(fail);
                self.asm.place(holds);
            }
            Step::Plain(Test::Compare { attr, with, equal }) => {
                self.asm.load(Size::U64, R1, STATE_R, self.attrs[attr]);
                self.asm.load(Size::U64, R2, STATE_R, self.attrs[with]);
                let cond = if *equal { If::NotEqual } else { If::Equal };
                self.asm.jump_if_reg(cond, R1, R2, fail);
            }
            Step::Plain(Test::Text { .. } | Test::Address { .. }) => {
                return Err("a test that needs a map was planned without one".into())
            }
            Step::Text {
                text,
                how,
                set,
                decides,
                equal,
            } => self.text_step(text, *how, *set, *decides, *equal, branch, noted, fail),
            Step::Address {
                set,
                decides,
                equal,
            } => {
                self.demand(Attr::RemotePort, branch, noted, fail);
                self.asm.store_imm(Size::U32, STATE_R, state::NETWORK, 160);
                self.asm
                    .store_imm(Size::U32, STATE_R, state::NETWORK + 4, *set as i32);
                self.asm.map(R1, NETWORKS);
                self.asm.mov(R2, STATE_R);
                self.asm.add(R2, state::NETWORK.into());
                self.asm.helper(sys::BPF_FUNC_map_lookup_elem);
                let cond = if *equal { If::Equal } else { If::NotEqual };
                self.asm.jump_if(cond, R0, 0, fail);
                if *decides {
                    self.asm.load(Size::U32, R1, R0, 0);
                    self.asm.store(Size::U32, STATE_R, state::FOUND, R1);
                }
            }
        }
        Ok(())
    }

    /// Goes to `fail` unless the attribute is there, if an event may lack it.
    fn demand(&mut self, attr: Attr, branch: &Branch, noted: Noted, fail: Label) {
        let status = match attr {
            Attr::RemotePort => state::REMOTE,
            other if words(other) > 1 => self.attrs[&other] + 8,
            _ => return,
        };
        let (there, failed) = (self.asm.label(), self.asm.label());
        self.asm.load(Size::U32, R1, STATE_R, status);
        self.asm.near_if(If::Equal, R1, THERE, there);
        self.asm.near_if(If::Equal, R1, FAILED, failed);
        self.asm.jump(fail);
        self.asm.place(failed);
        self.failed(branch, noted);
        self.asm.jump(fail);
        self.asm.place(there);
    }

    /// A test cannot be made: the first rule of the branch that denies does so; without one it is
    /// only counted. Where a lookup has given a rule, the others of the branch are not about this.
    fn failed(&mut self, branch: &Branch, noted: Noted) {
        match branch.first_denial {
            Some(_) if noted.rule => {
                let (allows, done) = (self.asm.label(), self.asm.label());
                self.asm.load(Size::U32, R1, STATE_R, state::FOUND);
                self.asm.near_if(If::AnyBit, R1, LENIENCY, allows);
                self.better(true, noted);
                self.asm.jump(done);
                self.asm.place(allows);
                self.count_found();
                self.asm.place(done);
            }
            None if noted.rule => self.count_found(),
            Some(index) => {
                self.found(index);
                self.better(true, Noted::default());
            }
            None => {
                self.found(branch.first);
                self.count_found();
            }
        }
    }

    /// A rule that is known now is found.
    fn found(&mut self, index: Index) {
        let rank = rank(self.policy, index);
        self.asm
            .store_imm(Size::U32, STATE_R, state::FOUND, rank as i32);
    }

    /// Counts an error of the rule that was found, unless a rule before it decides.
    fn count_found(&mut self) {
        let decided = self.asm.label();
        self.asm.load(Size::U32, R1, STATE_R, state::FOUND);
        self.asm.load(Size::U32, R2, STATE_R, state::BEST);
        self.asm.near_if_reg(If::GreaterOrEqual, R1, R2, decided);
        self.asm.shr(R1, LENIENCY_BITS);
        self.asm.store(Size::U32, FP, -4, R1);
        self.count_this(16);
        self.asm.place(decided);
    }

    /// Counts for a rule that is known now.
    fn count(&mut self, index: Index, off: i16) {
        self.asm.store_imm(Size::U32, FP, -4, index as i32);
        self.count_this(off);
    }

    /// Counts for the rule whose number is in the stack.
    fn count_this(&mut self, off: i16) {
        let gone = self.asm.label();
        self.asm.map(R1, COUNTERS);
        self.asm.mov(R2, FP);
        self.asm.add(R2, -4);
        self.asm.helper(sys::BPF_FUNC_map_lookup_elem);
        self.asm.near_if(If::Equal, R0, 0, gone);
        self.asm.set(R1, 1);
        self.asm.count(R0, off, R1);
        self.asm.place(gone);
    }

    #[allow(clippy::too_many_arguments)]
    fn text_step(
        &mut self,
        text: &Text,
        how: How,
        set: u32,
        decides: bool,
        equal: bool,
        branch: &Branch,
        noted: Noted,
        fail: Label,
    ) {
        if *text == Text::AnyArgument {
            return self.any_argument_step(how, set, decides, equal, branch, noted, fail);
        }
        let made = self.made_of(text);
        // Whether there is a text at all is in the stack; what is found in R9.
        self.asm.set(R9, NONE);
        self.asm.mov32(R9, R9);
        self.asm.store_imm(Size::U64, FP, -16, 0);
        let (end, failed) = (self.asm.label(), self.asm.label());
        for (number, made) in (0..).zip(&made) {
            let (next, have, hit) = (self.asm.label(), self.asm.label(), self.asm.label());
            let (slot, function) = self.made[made];
            self.asm.load(Size::U64, SLOT, FP, slot_place(slot));
            self.asm.load(Size::U32, R0, SLOT, slot::STATUS);
            self.asm.near_if(If::NotEqual, R0, NOT_YET, have);
            self.asm.mov(R1, CTX);
            self.asm.mov(R2, SLOT);
            self.asm.call(function);
            self.asm.place(have);
            self.asm.near_if(If::Equal, R0, FAILED, failed);
            if !equal && self.hook.hook.nameless_differs(text) {
                let named = self.asm.label();
                self.asm.near_if(If::NotEqual, R0, NAMELESS, named);
                self.asm.store_imm(Size::U64, FP, -16, 1);
                self.asm.jump(next);
                self.asm.place(named);
            }
            self.asm.near_if(If::NotEqual, R0, THERE, next);
            self.asm.store_imm(Size::U64, FP, -16, 1);
            if !equal && self.doubted.contains(text) {
                // Users choose such a path, so it is not the one that the rule means.
                self.asm.load(Size::U32, R1, SLOT, slot::UNTRUSTED);
                self.asm.near_if(If::NotEqual, R1, 0, next);
            }
            self.asm.store_imm(Size::U32, SLOT, slot::SET, set as i32);
            match how {
                How::Exactly => self.exactly(set, hit, next),
                How::Beneath => self.beneath(hit, next),
                How::Prefix => {
                    self.prefix();
                    self.asm.near_if(If::Equal, R0, 0, next);
                    self.asm.jump(hit);
                }
            }
            self.asm.place(hit);
            self.asm.load(Size::U32, R1, R0, 0);
            self.asm.near_if_reg(If::GreaterOrEqual, R1, R9, next);
            self.asm.mov(R9, R1);
            if *text == Text::Path && equal {
                self.asm
                    .store_imm(Size::U32, STATE_R, state::FOUND_NAME, number);
            }
            self.asm.place(next);
        }
        let none = self.asm.label();
        self.asm.set(R1, NONE);
        self.asm.mov32(R1, R1);
        self.asm.near_if_reg(If::Equal, R9, R1, none);
        // Found.
        if equal {
            self.asm.jump(end);
        } else {
            self.asm.jump(fail);
        }
        self.asm.place(none);
        if equal {
            self.asm.jump(fail);
        } else {
            self.asm.load(Size::U64, R1, FP, -16);
            self.asm.near_if(If::NotEqual, R1, 0, end);
            self.asm.jump(fail);
        }
        self.asm.place(failed);
        self.failed(branch, noted);
        self.asm.jump(fail);
        self.asm.place(end);
        if decides {
            self.asm.store(Size::U32, STATE_R, state::FOUND, R9);
        }
    }

    /// R0 = the value of the text in SLOT.
    fn exactly(&mut self, set: u32, hit: Label, next: Label) {
        let texts = self.plan.sets.exact.range((set, String::new())..);
        let sizes: BTreeSet<usize> = texts
            .take_while(|((other, _), _)| *other == set)
            .map(|((_, text), _)| class(text.len()))
            .collect();
        self.asm.load(Size::U32, R3, SLOT, slot::LENGTH);
        for (number, (size, map)) in CLASSES.iter().enumerate() {
            if !sizes.contains(size) {
                continue;
            }
            let larger = self.asm.label();
            self.asm.near_if(If::Greater, R3, *size as i32, larger);
            if number > 0 {
                // It would have been of the class before.
                let below = CLASSES[number - 1].0 as i32;
                self.asm.near_if(If::LessOrEqual, R3, below, next);
            }
            self.asm.map(R1, map);
            self.asm.mov(R2, SLOT);
            self.asm.add(R2, slot::SET.into());
            self.asm.helper(sys::BPF_FUNC_map_lookup_elem);
            self.asm.near_if(If::NotEqual, R0, 0, hit);
            self.asm.jump(next);
            self.asm.place(larger);
        }
        self.asm.jump(next);
    }

    /// R0 = the value of the longest directory that has the text in SLOT. A slash takes the place
    /// of the NUL meanwhile, so that a directory is beneath itself, and nothing that only begins
    /// like it.
    fn beneath(&mut self, hit: Label, next: Label) {
        let short = self.asm.label();
        let end = |asm: &mut Asm, byte: u8| {
            asm.load(Size::U32, R1, SLOT, slot::LENGTH);
            // It is not, but the verifier has to see it.
            asm.near_if(If::Greater, R1, PATH_SIZE, next);
            asm.mov(R2, SLOT);
            asm.add_with(R2, R1);
            asm.store_imm(Size::U8, R2, slot::TEXT - 1, byte.into());
        };
        end(&mut self.asm, b'/');
        self.asm.load(Size::U32, R3, SLOT, slot::LENGTH);
        self.asm
            .near_if(If::LessOrEqual, R3, BENEATH_SIZE as i32, short);
        self.asm.set(R3, BENEATH_SIZE as i32);
        self.asm.place(short);
        self.asm.add(R3, 4);
        self.asm.shl(R3, 3);
        self.asm.store(Size::U32, SLOT, slot::PREFIX, R3);
        self.asm.map(R1, BENEATH);
        self.asm.mov(R2, SLOT);
        self.asm.add(R2, slot::PREFIX.into());
        self.asm.helper(sys::BPF_FUNC_map_lookup_elem);
        end(&mut self.asm, 0);
        self.asm.near_if(If::Equal, R0, 0, next);
        self.asm.jump(hit);
    }

    /// R0 = the value of the longest beginning of the text in SLOT, or NULL. The map has no text
    /// with a NUL, so what is after the end of the text does not matter.
    fn prefix(&mut self) {
        self.asm
            .store_imm(Size::U32, SLOT, slot::PREFIX, 8 * (4 + BENEATH_SIZE as i32));
        self.asm.map(R1, BENEATH);
        self.asm.mov(R2, SLOT);
        self.asm.add(R2, slot::PREFIX.into());
        self.asm.helper(sys::BPF_FUNC_map_lookup_elem);
    }

    #[allow(clippy::too_many_arguments)]
    fn any_argument_step(
        &mut self,
        how: How,
        set: u32,
        decides: bool,
        equal: bool,
        branch: &Branch,
        noted: Noted,
        fail: Label,
    ) {
        let (slot, _) = self.made[&Made::Other(Text::AnyArgument)];
        let (failed, end) = (self.asm.label(), self.asm.label());
        self.asm.load(Size::U64, SLOT, FP, slot_place(slot));
        self.asm.store_imm(Size::U32, SLOT, slot::SET, set as i32);
        self.asm.mov(R1, CTX);
        self.asm.mov(R2, SLOT);
        self.asm.mov(R3, STATE_R);
        let function = if how == How::Prefix {
            self.any_argument_prefix
        } else {
            self.any_argument
        };
        self.asm.call(function);
        self.asm.near_if(If::Equal, R0, FAILED, failed);
        let wanted = if equal { THERE } else { ABSENT };
        self.asm.near_if(If::Equal, R0, wanted, end);
        self.asm.jump(fail);
        self.asm.place(failed);
        self.failed(branch, noted);
        self.asm.jump(fail);
        self.asm.place(end);
        if decides {
            self.asm.load(Size::U32, R1, STATE_R, state::ARGUMENT);
            self.asm.store(Size::U32, STATE_R, state::FOUND, R1);
        }
    }

    /// Does what the best rule says.
    fn decide(&mut self) -> Result<(), String> {
        let (gone, kept, allowed, fine) = (
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
        );
        self.asm.load(Size::U32, R1, STATE_R, state::BEST);
        self.best_of_yielding();
        self.asm.set(R2, NONE);
        self.asm.mov32(R2, R2);
        self.asm.near_if_reg(If::NotEqual, R1, R2, kept);
        self.allow();
        self.asm.place(kept);
        self.asm.shr(R1, LENIENCY_BITS);
        self.asm.store(Size::U32, FP, -4, R1);
        self.asm.map(R1, RULES);
        self.asm.mov(R2, FP);
        self.asm.add(R2, -4);
        self.asm.helper(sys::BPF_FUNC_map_lookup_elem);
        self.asm.near_if(If::Equal, R0, 0, gone);
        // The verdict and what else to do; SLOT is free now.
        self.asm.load(Size::U32, R9, R0, 4);
        self.asm.load(Size::U32, SLOT, R0, 0);

        self.asm.map(R1, COUNTERS);
        self.asm.mov(R2, FP);
        self.asm.add(R2, -4);
        self.asm.helper(sys::BPF_FUNC_map_lookup_elem);
        self.asm.near_if(If::Equal, R0, 0, gone);
        self.asm.set(R1, 1);
        self.asm.count(R0, 0, R1);
        self.asm.near_if(If::Equal, R9, 0, allowed);
        self.asm.set(R1, 1);
        self.asm.count(R0, 8, R1);
        self.asm.place(allowed);
        self.asm.load(Size::U32, R1, STATE_R, state::BEST_FAILED);
        self.asm.near_if(If::Equal, R1, 0, fine);
        self.asm.set(R1, 1);
        self.asm.count(R0, 16, R1);
        // The rule may not be about this call: deny it, but do not kill.
        self.asm.and(SLOT, DO_RECORD as i32);
        self.asm.place(fine);

        if self.target.has_audit() {
            self.record()?;
        }
        let alive = self.asm.label();
        self.asm.mov(R1, SLOT);
        self.asm.and(R1, DO_KILL as i32);
        self.asm.near_if(If::Equal, R1, 0, alive);
        self.asm.set(R1, SIGKILL);
        self.asm.helper(sys::BPF_FUNC_send_signal);
        self.asm.place(alive);
        let out = self.out;
        self.asm.place(out);
        // Between 0 and -4095, for the verifier.
        self.asm.and(R9, 0xfff);
        self.asm.set(R0, 0);
        self.asm.sub(R0, R9);
        self.asm.exit();

        // Both maps have every rule, so this is not reached.
        self.asm.place(gone);
        let verdict = self.verdict_without_state();
        self.asm.set(R0, verdict);
        self.asm.exit();

        let broken = self.broken;
        self.asm.place(broken);
        let index = self.hook.first_denial.unwrap_or(self.hook.first);
        self.count(index, 16);
        if self.hook.first_denial.is_some() {
            self.count(index, 8);
        }
        self.asm.set(R0, verdict);
        self.asm.exit();
        Ok(())
    }

    /// R1 is the rank of the best rule that does not yield. Of those that yield and are before it,
    /// takes the strictest, unless the best one is stricter.
    fn best_of_yielding(&mut self) {
        let done = self.asm.label();
        for leniency in self.yielding.clone() {
            let next = self.asm.label();
            let place = state::yielded(leniency);
            self.asm.load(Size::U32, R2, STATE_R, place);
            self.asm.near_if_reg(If::GreaterOrEqual, R2, R1, next);
            self.asm.mov(R3, R1);
            self.asm.and(R3, LENIENCY);
            // The others that yield are more lenient still.
            self.asm.near_if(If::Less, R3, leniency, done);
            self.asm.load(Size::U32, R1, STATE_R, place + 4);
            self.asm.store(Size::U32, STATE_R, state::BEST_NAME, R1);
            self.asm.mov(R1, R2);
            self.asm.jump(done);
            self.asm.place(next);
        }
        self.asm.place(done);
    }

    /// The verdict where no rule can be looked for: the one of the first rule that denies.
    fn verdict_without_state(&self) -> i32 {
        let index = self.hook.first_denial.map(|index| index as usize);
        let rule = index.and_then(|index| self.policy.rules.get(index));
        rule.map_or(0, |rule| -i32::from(rule.action.errno()))
    }

    /// Writes a record, if the rule wants one, with the path that the rule is about. One that is
    /// lost is an error of the rule.
    fn record(&mut self) -> Result<(), String> {
        let labels: [Label; 4] = std::array::from_fn(|_| self.asm.label());
        let [skip, nameless, lost, done] = labels;
        self.asm.mov(R1, SLOT);
        self.asm.and(R1, DO_RECORD as i32);
        self.asm.jump_if(If::Equal, R1, 0, skip);
        self.asm.store(Size::U64, FP, -24, SLOT);

        let names: Vec<_> = self
            .made
            .iter()
            .filter_map(|(made, place)| match made {
                Made::Name(number) => Some((*number, *place)),
                Made::Other(_) => None,
            })
            .collect();
        let call = |asm: &mut Asm, failed: Label| {
            asm.map(R1, EVENTS);
            asm.mov(R2, FP);
            asm.add(R2, -4);
            asm.helper(sys::BPF_FUNC_map_lookup_elem);
            asm.near_if(If::Equal, R0, 0, failed);
            asm.mov(R1, R0);
            asm.set(R2, EVENT_SIZE as i32);
        };
        for (number, (slot, function)) in names {
            let (next, have) = (self.asm.label(), self.asm.label());
            self.asm.load(Size::U32, R1, STATE_R, state::BEST_NAME);
            self.asm.near_if(If::NotEqual, R1, number.into(), next);
            self.asm.load(Size::U64, SLOT, FP, slot_place(slot));
            self.asm.load(Size::U32, R0, SLOT, slot::STATUS);
            self.asm.near_if(If::NotEqual, R0, NOT_YET, have);
            self.asm.mov(R1, CTX);
            self.asm.mov(R2, SLOT);
            self.asm.call(function);
            self.asm.place(have);
            self.asm.near_if(If::NotEqual, R0, THERE, nameless);
            call(&mut self.asm, done);
            self.asm.mov(R3, SLOT);
            self.asm.add(R3, slot::TEXT.into());
            self.asm.set(R4, PATH_SIZE);
            self.asm.kfunc("krsi_audit_log");
            self.asm.near_if(If::NotEqual, R0, 0, lost);
            self.asm.jump(done);
            self.asm.place(next);
        }
        self.asm.place(nameless);
        call(&mut self.asm, done);
        self.asm.store_imm(Size::U64, FP, -16, 0);
        self.asm.mov(R3, FP);
        self.asm.add(R3, -16);
        self.asm.set(R4, 8);
        self.asm.kfunc("krsi_audit_log");
        self.asm.near_if(If::Equal, R0, 0, done);
        self.asm.place(lost);
        self.asm.map(R1, COUNTERS);
        self.asm.mov(R2, FP);
        self.asm.add(R2, -4);
        self.asm.helper(sys::BPF_FUNC_map_lookup_elem);
        self.asm.near_if(If::Equal, R0, 0, done);
        self.asm.set(R1, 1);
        self.asm.count(R0, 16, R1);
        self.asm.place(done);
        self.asm.load(Size::U64, SLOT, FP, -24);
        self.asm.place(skip);
        Ok(())
    }

    /// The functions that make texts: R1 is the context, R2 the slot; R0 is its status.
    fn texts(&mut self) -> Result<(), String> {
        let made: Vec<_> = self
            .made
            .iter()
            .map(|(made, (_, label))| (made.clone(), *label))
            .collect();
        for (made, label) in made {
            if made == Made::Other(Text::AnyArgument) {
                continue;
            }
            // The verifier refuses what is never reached.
            if !self.asm.is_called(label) {
                continue;
            }
            self.asm.place(label);
            self.asm.mov(CTX, R1);
            self.asm.mov(SLOT, R2);
            let before = self.asm.conditions();
            let capacity = self.capacity(&made);
            match &made {
                Made::Name(number) => {
                    let name = self.hook.hook.names[usize::from(*number)];
                    self.path(&Text::Path, |emitter, size, flags| {
                        emitter.path_call(name, size, flags);
                    });
                }
                Made::Other(Text::Exe) => self.exe(false)?,
                Made::Other(Text::ParentExe) => self.exe(true)?,
                Made::Other(Text::Comm) => {
                    self.asm.mov(R1, SLOT);
                    self.asm.add(R1, slot::TEXT.into());
                    self.asm.set(R2, COMM_SIZE);
                    self.asm.helper(sys::BPF_FUNC_get_current_comm);
                    // Shorter ones have zeroes behind them, and the class is the same.
                    self.asm.set(R0, 1);
                }
                Made::Other(Text::Argument(number)) => {
                    self.clear(capacity);
                    self.asm.load(Size::U64, R1, CTX, 0);
                    self.asm.set(R2, *number as i32);
                    self.asm.mov(R3, SLOT);
                    self.asm.add(R3, slot::TEXT.into());
                    self.asm.set(R4, capacity);
                    self.asm.kfunc("krsi_bprm_arg");
                }
                Made::Other(Text::Environment(name)) => {
                    self.clear(capacity);
                    let mut offset = 0;
                    for other in self.programs.names.split(|byte| *byte == 0) {
                        if other == name.as_bytes() {
                            break;
                        }
                        offset += other.len() as u32 + 1;
                    }
                    self.asm.load(Size::U64, R1, CTX, 0);
                    self.asm.value(R2, NAMES, offset);
                    self.asm.mov(R3, SLOT);
                    self.asm.add(R3, slot::TEXT.into());
                    self.asm.set(R4, capacity);
                    self.asm.kfunc("krsi_bprm_env");
                }
                Made::Other(Text::AnyArgument | Text::Path) => {}
            }
            self.status();
            self.no_more_than(FUNCTION_CONDITIONS, before);
        }
        for function in [self.any_argument, self.any_argument_prefix] {
            if self.asm.is_called(function) {
                let before = self.asm.conditions();
                self.any_argument_function(function);
                self.no_more_than(ANY_ARGUMENT_CONDITIONS, before);
            }
        }
        Ok(())
    }

    /// Zeroes: texts shorter than their key have them behind.
    fn clear(&mut self, capacity: i32) {
        for at in (0..capacity).step_by(8) {
            self.asm
                .store_imm(Size::U64, SLOT, slot::TEXT + at as i16, 0);
        }
    }

    /// Notes length or error, which is in R0, and returns what it comes to.
    fn status(&mut self) {
        let labels: [Label; 4] = std::array::from_fn(|_| self.asm.label());
        let [error, absent, nameless, end] = labels;
        self.asm.near_if(If::LessSigned, R0, 0, error);
        self.asm.store(Size::U32, SLOT, slot::LENGTH, R0);
        self.asm.store_imm(Size::U32, SLOT, slot::STATUS, THERE);
        self.asm.jump(end);
        self.asm.place(error);
        self.asm.near_if(If::Equal, R0, -ENOENT, absent);
        self.asm.near_if(If::Equal, R0, -EOPNOTSUPP, nameless);
        self.asm.near_if(If::Equal, R0, -ESTALE, nameless);
        self.asm.store_imm(Size::U32, SLOT, slot::STATUS, FAILED);
        self.asm.jump(end);
        self.asm.place(nameless);
        self.asm.store_imm(Size::U32, SLOT, slot::STATUS, NAMELESS);
        self.asm.jump(end);
        self.asm.place(absent);
        self.asm.store_imm(Size::U32, SLOT, slot::STATUS, ABSENT);
        self.asm.place(end);
        self.asm.load(Size::U32, R0, SLOT, slot::STATUS);
        self.asm.exit();
    }

    /// R0 = the length of a path. Notes whether users choose it, if that matters for the text.
    fn path(&mut self, text: &Text, call: impl Fn(&mut Self, i32, i32)) {
        if !self.doubted.contains(text) {
            return self.path_with(PATH_DELETED, call);
        }
        let done = self.asm.label();
        self.asm.store_imm(Size::U32, SLOT, slot::UNTRUSTED, 0);
        self.path_with(PATH_DELETED | PATH_TRUSTED_MOUNT, &call);
        self.asm.near_if(If::NotEqual, R0, -EPERM, done);
        self.asm.store_imm(Size::U32, SLOT, slot::UNTRUSTED, 1);
        self.path_with(PATH_DELETED, &call);
        self.asm.place(done);
    }

    /// Tries with little memory first.
    fn path_with(&mut self, flags: i32, call: impl Fn(&mut Self, i32, i32)) {
        let done = self.asm.label();
        call(self, PATH_FIRST, flags);
        self.asm.near_if(If::NotEqual, R0, -ENAMETOOLONG, done);
        call(self, PATH_SIZE, flags);
        self.asm.place(done);
    }

    fn path_call(&mut self, name: Name, size: i32, with: i32) {
        let (registers, kfunc): ([R; 3], _) = match name {
            Name::File(file) => {
                self.argument(R1, file);
                ([R2, R3, R4], "krsi_file_path")
            }
            Name::Path(path) => {
                self.argument(R1, path);
                ([R2, R3, R4], "krsi_path")
            }
            Name::Bprm(bprm) => {
                self.argument(R1, bprm);
                ([R2, R3, R4], "krsi_bprm_path")
            }
            Name::At(dir, entry) => {
                self.argument(R1, dir);
                self.argument(R2, entry);
                ([R3, R4, R(5)], "krsi_path_at")
            }
        };
        let [dst, length, flags] = registers;
        self.asm.mov(dst, SLOT);
        self.asm.add(dst, slot::TEXT.into());
        self.asm.set(length, size);
        self.asm.set(flags, with);
        self.asm.kfunc(kfunc);
    }

    /// R0 = length of the path of what the current task, or its parent, runs.
    fn exe(&mut self, parent: bool) -> Result<(), String> {
        let (none, done) = (self.asm.label(), self.asm.label());
        self.asm.helper(sys::BPF_FUNC_get_current_task_btf);
        self.asm.mov(R1, R0);
        if parent {
            self.asm.kfunc("krsi_task_real_parent");
            self.asm.near_if(If::Equal, R0, 0, none);
            self.asm.mov(R9, R0);
            self.asm.mov(R1, R0);
            self.asm.kfunc("bpf_get_task_exe_file");
            self.asm.mov(CTX, R0);
            self.asm.mov(R1, R9);
            self.asm.kfunc("bpf_task_release");
        } else {
            self.asm.kfunc("bpf_get_task_exe_file");
            self.asm.mov(CTX, R0);
        }
        self.asm.near_if(If::Equal, CTX, 0, none);
        let text = if parent { Text::ParentExe } else { Text::Exe };
        self.path(&text, |emitter, size, flags| {
            emitter.asm.mov(R1, CTX);
            emitter.asm.mov(R2, SLOT);
            emitter.asm.add(R2, slot::TEXT.into());
            emitter.asm.set(R3, size);
            emitter.asm.set(R4, flags);
            emitter.asm.kfunc("krsi_file_path");
        });
        self.asm.mov(R9, R0);
        self.asm.mov(R1, CTX);
        self.asm.kfunc("bpf_put_file");
        self.asm.mov(R0, R9);
        self.asm.jump(done);
        self.asm.place(none);
        self.asm.set(R0, -ENOENT);
        self.asm.place(done);
        Ok(())
    }

    /// Whether an argument is in the set that the slot names, or begins with one of it, and the
    /// least that is found for all of them: R1 is the context, R2 the slot, R3 the state; R0 is
    /// THERE, ABSENT, or FAILED.
    fn any_argument_function(&mut self, function: Label) {
        let made = Made::Other(Text::AnyArgument);
        let capacity = self.capacity(&made);
        let labels: [Label; 7] = std::array::from_fn(|_| self.asm.label());
        let [again, found, absent, failed, next, error, end] = labels;
        self.asm.place(function);
        self.asm.mov(CTX, R1);
        self.asm.mov(SLOT, R2);
        self.asm.mov(STATE_R, R3);
        self.asm.store_imm(Size::U32, STATE_R, state::LOOP, 0);
        self.asm
            .store_imm(Size::U32, STATE_R, state::ARGUMENT, NONE);
        self.asm.place(again);
        self.asm.may_goto(failed);
        self.clear(capacity);
        self.asm.load(Size::U64, R1, CTX, 0);
        self.asm.load(Size::U32, R2, STATE_R, state::LOOP);
        self.asm.mov(R3, SLOT);
        self.asm.add(R3, slot::TEXT.into());
        self.asm.set(R4, capacity);
        self.asm.kfunc("krsi_bprm_arg");
        self.asm.near_if(If::LessSigned, R0, 0, error);
        if function == self.any_argument_prefix {
            self.prefix();
            self.asm.near_if(If::NotEqual, R0, 0, found);
        } else {
            self.find_whole_argument(capacity, found, next);
        }
        self.asm.jump(next);
        self.asm.place(found);
        self.asm.load(Size::U32, R1, R0, 0);
        self.asm.load(Size::U32, R2, STATE_R, state::ARGUMENT);
        self.asm.near_if_reg(If::GreaterOrEqual, R1, R2, next);
        self.asm.store(Size::U32, STATE_R, state::ARGUMENT, R1);
        self.asm.place(next);
        self.asm.load(Size::U32, R1, STATE_R, state::LOOP);
        self.asm.add(R1, 1);
        self.asm.store(Size::U32, STATE_R, state::LOOP, R1);
        self.asm.jump(again);
        self.asm.place(error);
        self.asm.near_if(If::Equal, R0, -ENOENT, end);
        self.asm.place(failed);
        self.asm.set(R0, FAILED);
        self.asm.exit();
        self.asm.place(end);
        self.asm.load(Size::U32, R1, STATE_R, state::ARGUMENT);
        self.asm.set(R2, NONE);
        self.asm.mov32(R2, R2);
        self.asm.near_if_reg(If::Equal, R1, R2, absent);
        self.asm.set(R0, THERE);
        self.asm.exit();
        self.asm.place(absent);
        self.asm.set(R0, ABSENT);
        self.asm.exit();
    }

    /// R0 has the length of an argument, and is the value of the whole of it afterwards, where it
    /// goes to `found`. All values are in maps of the class of the longest or a smaller one.
    fn find_whole_argument(&mut self, capacity: i32, found: Label, next: Label) {
        self.asm.near_if(If::Greater, R0, capacity, next);
        for (number, (size, map)) in CLASSES.iter().enumerate() {
            if *size as i32 > capacity {
                break;
            }
            let other = self.asm.label();
            self.asm.mov(R9, R0);
            self.asm.near_if(If::Greater, R0, *size as i32, other);
            if number > 0 {
                let below = CLASSES[number - 1].0 as i32;
                self.asm.near_if(If::LessOrEqual, R0, below, other);
            }
            self.asm.map(R1, map);
            self.asm.mov(R2, SLOT);
            self.asm.add(R2, slot::SET.into());
            self.asm.helper(sys::BPF_FUNC_map_lookup_elem);
            self.asm.near_if(If::NotEqual, R0, 0, found);
            self.asm.jump(next);
            self.asm.place(other);
            self.asm.mov(R0, R9);
        }
    }
}

/// Where the stack has the address of a text.
fn slot_place(number: usize) -> i16 {
    -32 - 8 * number as i16
}

/// The size of the keys of texts so long.
pub fn class(length: usize) -> usize {
    // With the NUL.
    let fits = CLASSES.iter().find(|(size, _)| length < *size);
    fits.map_or(4096, |(size, _)| *size)
}

#[cfg(test)]
mod tests;
