// SPDX-License-Identifier: GPL-2.0

//! Policies in the kernel: how one comes into force, is replaced, shown, and removed.
//!
//! On each hook that rules are about there is one program that stays, the entry. It goes on in the
//! program of the policy in force, which it finds in an array by one number, the generation. A new
//! policy is loaded beside the old one, into places of its own; then the number is changed, which
//! is all that anybody sees of it: each call of a hook is decided by the old policy as a whole or
//! by the new one.
//!
//! A task can be held up between reading the number and going on, for as long as the scheduler
//! likes. If it finds no program then, it reads the number again. Is it the same, this policy has
//! no rules for the hook: its programs are in their places before the number says so, and stay
//! there while it does. Is it another, the task goes on with that one. So no call is decided by no
//! policy, whenever old programs are removed. They are removed only after those have ended that can
//! be waited for, which are all but the sleepable ones, so that it hardly ever comes to that. A
//! place is used again by the [`PLACES`]th policy after.
//!
//! What is pinned, beneath /sys/fs/bpf/krsi/policy:
//!
//! - `active`: the map that has the generation, 0 for none;
//! - `provisional`: the map that has deadlines, see [`provisional`];
//! - `hooks/HOOK/programs`, `hooks/HOOK/link`: the array of programs, and the entry;
//! - `generation-N/rules`, `counters`, `policy`: the maps of generation N that are read later.
//!
//! Whatever was left by a command that did not come to its end belongs to no generation in force:
//! the next one removes it.

use super::{
    asm::{Asm, Code, If, Size, Symbol, R},
    ast::{Change, Statement},
    emit::{self, Programs, Target},
    errno, expected,
    lower::{Lowered, Source},
    parse,
    plan::{plan, Plan},
    policy::{Action, Policy},
    provisional,
};
use crate::{
    error::{Error, Exit, Result},
    kernel::{
        bpf::{self, Map, NewMap, NewProgram},
        btf::Kernel,
        cgroup, container,
        insn::Insn,
        mounts,
        securityfs::{self, Securityfs},
    },
};
use libbpf_rs::libbpf_sys as sys;
use rustix::fs::{flock, FlockOperation};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs::{self, File},
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::{DirBuilderExt, MetadataExt},
    },
    path::{Path, PathBuf},
    time::Duration,
};

const ROOT: &str = "/sys/fs/bpf/krsi";
const MOUNT: &str = "mount -t bpf -o mode=700 bpf /sys/fs/bpf";

/// How many places a hook has for programs. The first stays empty: it is that of generation 0.
const PLACES: u32 = 16;

/// How often an entry looks for a program while the policy in force is another each time. After
/// that many policies in a row it denies.
const TRIES: u32 = 16;
const EPERM: i32 = 1;
const EINTR: i32 = 4;
const EAGAIN: i32 = 11;
const ENOMEM: i32 = 12;

/// What is said of a policy in force, in its own map.
#[derive(Debug, Serialize, Deserialize)]
pub struct Description {
    pub rules: Vec<Described>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Described {
    pub file: String,
    pub line: usize,
    pub text: String,
    pub action: String,
    pub keys: Vec<String>,
    pub hooks: Vec<String>,
    /// Ids of the cgroups that it tests, by `cgroup` or `container`.
    #[serde(default)]
    pub cgroups: Vec<u64>,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Counters {
    pub hits: u64,
    pub denials: u64,
    pub errors: u64,
}

/// A policy in force, and its counters.
pub struct InForce {
    pub generation: u32,
    pub description: Description,
    pub counters: Vec<Counters>,
    /// Hooks that do not ask it any more, since somebody has removed what is pinned.
    pub damaged: Vec<String>,
    /// Numbers of rules that test a cgroup which has ended: no task is in it, nor will be.
    pub ended: Vec<usize>,
    /// If it ends by itself, when that is.
    pub provisional: Option<Provisional>,
}

/// What follows an unconfirmed policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Provisional {
    /// When the old policy returns.
    pub seconds_left: u64,
    /// How many rules that one has; 0 if there is none.
    pub old_rules: usize,
}

impl InForce {
    /// What is to be said of a policy that ends by itself.
    pub fn unconfirmed(&self) -> Option<String> {
        self.provisional.map(|provisional| {
            format!(
                "the policy is not confirmed: {}; 'krsi confirm' keeps it",
                provisional.text()
            )
        })
    }

    /// The hooks that its rules are about.
    pub fn hooks(&self) -> BTreeSet<String> {
        let rules = self.description.rules.iter();
        rules.flat_map(|rule| rule.hooks.iter().cloned()).collect()
    }

    /// What is to be said of rules about cgroups that have ended.
    pub fn ended(&self) -> Option<String> {
        let numbers: Vec<String> = self.ended.iter().map(ToString::to_string).collect();
        let (rules, are) = match numbers.len() {
            0 => return None,
            1 => ("rule", "is"),
            _ => ("rules", "are"),
        };
        Some(format!(
            "{rules} {} {are} about a cgroup that has ended, and not about one that was made anew \
             in its place; load the policy again",
            numbers.join(", ")
        ))
    }

    /// What is wrong with it.
    pub fn damage(&self) -> Option<String> {
        (!self.damaged.is_empty()).then(|| {
            format!(
                "the policy is not in force on {}, where somebody has removed its programs; \
                 load it again",
                self.damaged.join(", ")
            )
        })
    }
}

impl Provisional {
    /// What happens, and when.
    pub fn text(&self) -> String {
        let seconds = self.seconds_left;
        match self.old_rules {
            0 => format!("in {seconds} s no rules are in force"),
            1 => format!("in {seconds} s the old policy of 1 rule returns"),
            rules => format!("in {seconds} s the old policy of {rules} rules returns"),
        }
    }
}

/// The directory that has the policy, locked against other commands.
pub struct Store {
    dir: PathBuf,
    active: Map,
    /// None if an earlier version of the command has made the rest.
    provisional: Option<Map>,
    _lock: File,
}

/// Which policies are loaded.
struct State {
    /// What `active` has.
    word: u32,
    /// The generation in force, 0 if none is.
    generation: u32,
    /// Its deadline and the old generation, if it is provisional.
    provisional: Option<provisional::Entry>,
}

impl State {
    /// The generations that have to stay loaded.
    fn kept(&self) -> Vec<u32> {
        let old = self.provisional.map(|entry| entry.old);
        [self.generation].into_iter().chain(old).collect()
    }
}

fn failed(action: &str, error: &io::Error) -> Error {
    Error::os(action, error)
}

/// Fails where KRSI is not active: there the kernel has nothing of what programs call.
pub fn require_active() -> Result {
    let krsi = Securityfs::new(Path::new(securityfs::MOUNT)).require_krsi();
    let inactive = krsi
        .err()
        .filter(|error| error.exit_status() == Exit::Inactive);
    inactive.map_or(Ok(()), Err)
}

/// Why the store cannot be made.
fn cannot_make(error: &io::Error) -> Error {
    let new = failed("make a directory in /sys/fs/bpf", error);
    let mounted = mounts::of_type("bpf")
        .is_ok_and(|mounts| mounts.iter().any(|mount| mount == Path::new("/sys/fs/bpf")));
    if mounted {
        new
    } else {
        new.hint(format!("bpffs has to be mounted there: {MOUNT}"))
    }
}

struct Kernels<'a>(&'a Kernel);

impl Target for Kernels<'_> {
    fn offset(&self, structure: &str, path: &str) -> Option<u32> {
        self.0.offset(structure, path)
    }

    fn has_audit(&self) -> bool {
        self.0.function("krsi_audit_log").is_some()
    }
}

impl Store {
    /// The store, made if it is not there.
    pub fn open() -> Result<Self> {
        if !container::in_first_user_namespace() {
            return Err(
                Error::new("a user namespace cannot change the machine's policy")
                    .hint("run it as root outside of the namespace"),
            );
        }
        let dir = Path::new(ROOT).join("policy");
        for dir in [Path::new(ROOT), &dir, &dir.join("hooks")] {
            match fs::DirBuilder::new().mode(0o700).create(dir) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(cannot_make(&error))
                }
                _ => own(dir)?,
            }
        }
        Self::locked(dir)
    }

    /// The store, if there is one.
    pub fn existing() -> Result<Option<Self>> {
        let dir = Path::new(ROOT).join("policy");
        match fs::metadata(dir.join("active")) {
            Ok(_) => Self::locked(dir).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::read(&dir, &error)),
        }
    }

    fn locked(dir: PathBuf) -> Result<Self> {
        for dir in [Path::new(ROOT), &dir, &dir.join("hooks")] {
            own(dir)?;
        }
        let locked = || {
            let lock = File::open(&dir)?;
            flock(&lock, FlockOperation::LockExclusive)?;
            Ok(lock)
        };
        let lock = locked().map_err(|error: io::Error| failed("lock the policy", &error))?;
        let path = dir.join("active");
        let open = || -> io::Result<Map> {
            match bpf::pinned(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let fd = bpf::create(&NewMap::single("krsi_active", 4))?;
                    bpf::pin(&fd, &path)?;
                    Map::new(fd)
                }
                other => Map::new(other?),
            }
        };
        let path = dir.join(provisional::MAP);
        let open_provisional = || -> io::Result<Option<Map>> {
            match bpf::pinned(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // Programs on hooks do not know it then.
                    if fs::read_dir(dir.join("hooks"))?.next().is_some() {
                        return Ok(None);
                    }
                    let size = provisional::size(PLACES);
                    let fd = bpf::create(&NewMap::single("krsi_provision", size))?;
                    bpf::pin(&fd, &path)?;
                    Map::new(fd).map(Some)
                }
                other => Map::new(other?).map(Some),
            }
        };
        let maps = || Ok((open()?, open_provisional()?));
        let (active, provisional) =
            maps().map_err(|error: io::Error| failed("open the policy", &error))?;
        Ok(Self {
            dir,
            active,
            provisional,
            _lock: lock,
        })
    }

    /// Reads what is loaded.
    fn state(&self) -> io::Result<State> {
        let value = self.active.lookup(&0u32.to_ne_bytes())?.unwrap_or_default();
        let word = value.try_into().map_or(0, u32::from_ne_bytes);
        let generation = word & !provisional::FLAG;
        let mut state = State {
            word,
            generation,
            provisional: None,
        };
        if word & provisional::FLAG != 0 {
            let map = self.provisional.as_ref().ok_or_else(|| {
                io::Error::other("the pin of the map of deadlines was removed; krsi unload helps")
            })?;
            let entry = provisional::read(map, generation % PLACES)?;
            let entry = entry.ok_or_else(|| io::Error::other("the deadline is missing"))?;
            if entry.left(provisional::now()).is_some() {
                state.provisional = Some(entry);
            } else {
                state.generation = entry.old;
            }
        }
        Ok(state)
    }

    /// Ends a policy whose time is over, so that no call still looks for the programs that are
    /// removed next. A task in a time namespace may think so too early.
    fn settle(&self, state: &State) -> io::Result<()> {
        if state.word & provisional::FLAG == 0 || state.provisional.is_some() {
            return Ok(());
        }
        self.set_active(state.generation)?;
        bpf::wait_for_programs()
    }

    /// Writes the number that programs on hooks read.
    fn set_active(&self, word: u32) -> io::Result<()> {
        self.active.update(&0u32.to_ne_bytes(), &word.to_ne_bytes())
    }

    fn generation_dir(&self, generation: u32) -> PathBuf {
        self.dir.join(format!("generation-{generation}"))
    }

    /// The hooks that have an entry.
    fn entries(&self) -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(self.dir.join("hooks"))?;
        entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect()
    }

    /// The ids of the links that are pinned here.
    pub fn links(&self) -> Result<BTreeSet<u32>> {
        let mut links = BTreeSet::new();
        let mut read = || -> io::Result<()> {
            for entry in self.entries()? {
                match bpf::pinned(&entry.join("link")) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    found => {
                        links.insert(bpf::info::<bpf::LinkInfo>(&found?)?.id);
                    }
                }
            }
            Ok(())
        };
        read().map_err(|error| failed("read the policy in force", &error))?;
        Ok(links)
    }

    /// What is in force.
    pub fn in_force(&self) -> Result<Option<InForce>> {
        let read = || -> io::Result<Option<InForce>> {
            let State {
                generation,
                provisional,
                ..
            } = self.state()?;
            let dir = self.generation_dir(generation);
            let Some(description) = self.description(generation)? else {
                return Ok(None);
            };
            let provisional = match provisional {
                Some(entry) => Some(Provisional {
                    seconds_left: entry
                        .left(provisional::now())
                        .unwrap_or_default()
                        .as_secs_f64()
                        .ceil() as u64,
                    old_rules: self
                        .description(entry.old)?
                        .map_or(0, |old| old.rules.len()),
                }),
                None => None,
            };
            let counters = Map::new(bpf::pinned(&dir.join("counters"))?)?;
            let counters = (0..description.rules.len() as u32)
                .map(|index| {
                    let value = counters.lookup(&index.to_ne_bytes())?.unwrap_or_default();
                    Ok(Counters::sum(&value))
                })
                .collect::<io::Result<_>>()?;
            let mut policy = InForce {
                generation,
                description,
                counters,
                damaged: Vec::new(),
                ended: Vec::new(),
                provisional,
            };
            policy.ended = ended(&policy.description, cgroup::ids);
            for hook in policy.hooks() {
                if !self.asks(&hook, generation)? {
                    policy.damaged.push(hook);
                }
            }
            Ok(Some(policy))
        };
        read().map_err(|error| failed("read the policy in force", &error))
    }

    /// What is said of a generation, if it is loaded.
    fn description(&self, generation: u32) -> io::Result<Option<Description>> {
        let path = self.generation_dir(generation).join("policy");
        if generation == 0 || !path.exists() {
            return Ok(None);
        }
        let policy = Map::new(bpf::pinned(&path)?)?;
        let text = policy.lookup(&0u32.to_ne_bytes())?.unwrap_or_default();
        Ok(serde_json::from_slice(&text)?)
    }

    /// Whether the hook has an entry, and that the program of the generation.
    fn asks(&self, hook: &str, generation: u32) -> io::Result<bool> {
        let dir = self.dir.join("hooks").join(hook);
        let programs = match bpf::pinned(&dir.join("programs")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            found => Map::new(found?)?,
        };
        let program = programs.lookup(&(generation % PLACES).to_ne_bytes())?;
        Ok(program.is_some() && dir.join("link").exists())
    }

    /// Puts a policy into force instead of the one that is: permanently, or only for the time that
    /// is given, if [`Self::confirm`] is not called.
    pub fn replace(&self, lowered: &Lowered, confirm_within: Option<Duration>) -> Result {
        require_active()?;
        expected::only_here(&self.links()?).map_err(|error| error.exit(Exit::Error))?;
        let kernel = Kernel::load().map_err(|error| failed("read the kernel's types", &error))?;
        let plan = plan(&lowered.policy);
        let programs = emit::emit(&lowered.policy, &plan, &Kernels(&kernel)).map_err(|failed| {
            let rule = &lowered.policy.rules[failed.rule as usize];
            Error::new(format!(
                "{}:{}: the policy cannot be compiled: {}",
                rule.file, rule.line, failed.why
            ))
        })?;
        needs(&kernel, &lowered.policy, &plan)?;
        if confirm_within.is_some() && !container::in_first_time_namespace() {
            return Err(Error::new(
                "a time namespace has another clock than the deadline of --confirm",
            )
            .hint("run it outside of the namespace"));
        }

        let state = self
            .state()
            .map_err(|error| failed("read the policy in force", &error))?;
        let Some(deadlines) = &self.provisional else {
            return Err(
                Error::new("an earlier version of krsi has loaded the policy in force")
                    .hint("krsi unload removes it; then load the new one"),
            );
        };
        // What returns: never a policy that was not confirmed.
        let old = state
            .provisional
            .map_or(state.generation, |entry| entry.old);
        let mut new = after(state.word & !provisional::FLAG);
        while new % PLACES == old % PLACES {
            new = after(new);
        }
        self.settle(&state)
            .and_then(|()| self.sweep(&state.kept()))
            .map_err(|error| failed("remove what is left of an earlier command", &error))?;
        let mut made = Made {
            store: self,
            generation: new,
            entries: Vec::new(),
            done: false,
        };
        made.load(&kernel, lowered, &plan, &programs)?;
        let entry = confirm_within.map(|time| provisional::Entry {
            deadline: provisional::now() + time,
            old,
        });
        made.publish(entry.map(|entry| (deadlines, entry)))
            .map_err(|error| failed("put the policy into force", &error))?;
        drop(made);
        // One that ends by itself is not missed.
        if entry.is_none() {
            remember(lowered.policy.rules.len());
        }
        // The new one is in force; what this leaves, the next command removes.
        let kept = [new].into_iter().chain(entry.map(|entry| entry.old));
        let swept = bpf::wait_for_programs().and_then(|()| self.sweep(&kept.collect::<Vec<_>>()));
        if let Err(error) = swept {
            crate::ui::warn(&format!("something is left of the old policy: {error}"));
        }
        Ok(())
    }

    /// Keeps a provisional policy, and gives the number of its rules. None if the policy in force
    /// is not provisional, which may be because its time is over.
    pub fn confirm(&self) -> Result<Option<usize>> {
        let confirm = || -> io::Result<Option<usize>> {
            let state = self.state()?;
            if state.provisional.is_none() {
                return Ok(None);
            }
            let rules = self.description(state.generation)?;
            self.set_active(state.generation)?;
            Ok(Some(rules.map_or(0, |description| description.rules.len())))
        };
        let rules = confirm().map_err(|error| failed("confirm the policy", &error))?;
        if let Some(rules) = rules {
            remember(rules);
            let swept = self.state().and_then(|state| {
                bpf::wait_for_programs().and_then(|()| self.sweep(&state.kept()))
            });
            if let Err(error) = swept {
                crate::ui::warn(&format!("something is left of the old policy: {error}"));
            }
        }
        Ok(rules)
    }

    /// Removes the policy, and the note that there should be one; false if there was none.
    pub fn clear(&self) -> Result<bool> {
        let clear = || -> io::Result<bool> {
            // Without its deadline, a policy is taken for one in force.
            let was = self.state().map_or(true, |state| state.generation != 0);
            self.set_active(0)?;
            bpf::wait_for_programs()?;
            self.sweep(&[])?;
            Ok(was)
        };
        let was = clear().map_err(|error| failed("remove the policy", &error))?;
        expected::forget()?;
        Ok(was)
    }

    /// Removes whatever does not belong to the generations.
    fn sweep(&self, kept: &[u32]) -> io::Result<()> {
        let own: Vec<u32> = kept.iter().map(|generation| generation % PLACES).collect();
        let dirs: Vec<PathBuf> = kept
            .iter()
            .map(|generation| self.generation_dir(*generation))
            .collect();
        for dir in self.entries()? {
            let programs = match bpf::pinned(&dir.join("programs")) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                found => Some(Map::new(found?)?),
            };
            let mut used = false;
            if let Some(programs) = programs {
                for place in 0..PLACES {
                    if own.contains(&place) {
                        used |= programs.lookup(&place.to_ne_bytes())?.is_some();
                    } else {
                        programs.delete(&place.to_ne_bytes())?;
                    }
                }
            }
            if !used {
                remove_entry(&dir)?;
            }
        }
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_policy = name.to_string_lossy().starts_with("generation-");
            if is_policy && !dirs.contains(&entry.path()) {
                remove_all(&entry.path())?;
            }
        }
        Ok(())
    }
}

impl Counters {
    /// Of all CPUs.
    fn sum(bytes: &[u8]) -> Self {
        let mut sum = Self::default();
        for cpu in bytes.chunks_exact(emit::COUNTERS_SIZE) {
            let number = |at: usize| {
                let bytes = cpu[at..at + 8].try_into().unwrap_or_default();
                u64::from_ne_bytes(bytes)
            };
            sum.hits += number(0);
            sum.denials += number(8);
            sum.errors += number(16);
        }
        sum
    }
}

/// Fails if anybody else could put something else into the place of what is in this directory. By
/// default everybody can make directories in bpffs, so it may have been there before the first
/// policy.
fn own(dir: &Path) -> Result {
    let about = fs::symlink_metadata(dir).map_err(|error| Error::read(dir, &error))?;
    let safe = [0, rustix::process::geteuid().as_raw()].contains(&about.uid())
        && about.mode() & 0o022 == 0
        && about.is_dir();
    if safe {
        return Ok(());
    }
    let (kind, uid, mode) = (about.is_dir(), about.uid(), about.mode() & 0o7777);
    let what = if kind { "directory" } else { "link or file" };
    Err(Error::new(format!(
        "others could change the policy: {} is a {what} of user {uid} with mode {mode:o}",
        dir.display()
    ))
    .hint(format!(
        "remove it, and let nobody else make directories in bpffs: {MOUNT}"
    )))
}

/// Takes an entry from its hook. The link goes first: without it the rest is nothing.
fn remove_entry(dir: &Path) -> io::Result<()> {
    for name in ["link", "programs"] {
        match fs::remove_file(dir.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::remove_dir(dir)
}

fn remove_all(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        fs::remove_file(entry?.path())?;
    }
    fs::remove_dir(dir)
}

/// Refuses what this kernel cannot do.
fn needs(kernel: &Kernel, policy: &Policy, plan: &Plan) -> Result {
    let target = Kernels(kernel);
    if !target.has_audit() {
        let recorded = policy
            .rules
            .iter()
            .find(|rule| rule.action == Action::Always);
        if let Some(rule) = recorded {
            return Err(Error::new(format!(
                "{}:{}: this kernel cannot record what rules decide: it has no krsi_audit_log()",
                rule.file, rule.line
            ))
            .hint("deny, kill and never work without it"));
        }
        let denies = policy.rules.iter().any(|rule| rule.action.errno() != 0);
        if denies {
            crate::ui::warn("this kernel has no krsi_audit_log(): denials are not recorded");
        }
    }
    for hook in &plan.hooks {
        if kernel.hook_function(hook.hook.name).is_none() {
            let name = hook.hook.name;
            let rule = &policy.rules[hook.first as usize];
            return Err(Error::new(format!(
                "{}:{}: this kernel has no hook {name}, which decides this rule",
                rule.file, rule.line
            )));
        }
    }
    Ok(())
}

/// A generation that is being made. Dropped before it is done, it leaves nothing.
struct Made<'a> {
    store: &'a Store,
    generation: u32,
    /// Arrays of the hooks, with the program of each.
    entries: Vec<(Map, OwnedFd)>,
    done: bool,
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        if !self.done {
            let state = self.store.state();
            if let Err(error) = state.and_then(|state| self.store.sweep(&state.kept())) {
                crate::ui::warn(&format!("something is left of the new policy: {error}"));
            }
        }
    }
}

fn key(set: u32, text: &str, size: usize) -> Vec<u8> {
    let mut key = set.to_ne_bytes().to_vec();
    key.extend(text.as_bytes());
    key.resize(4 + size, 0);
    key
}

/// Minimal types: a number of 32 bits, and for each size a structure without members.
fn types(sizes: &[usize]) -> Vec<u8> {
    const MAGIC: u32 = 0x01_eb9f;
    const INT: u32 = 1 << 24;
    const STRUCT: u32 = 4 << 24;
    let strings = b"\0u32\0memory\0";
    let mut words = vec![1, INT, 4, 32];
    for size in sizes {
        words.extend([5, STRUCT, *size as u32]);
    }
    let length = 4 * words.len() as u32;
    let header = [MAGIC, 24, 0, length, length, strings.len() as u32];
    let mut bytes: Vec<u8> = header
        .iter()
        .chain(&words)
        .flat_map(|word| word.to_ne_bytes())
        .collect();
    bytes.extend(strings);
    bytes
}

impl Made<'_> {
    /// Loads all of it, in force nowhere.
    fn load(
        &mut self,
        kernel: &Kernel,
        lowered: &Lowered,
        plan: &Plan,
        programs: &Programs,
    ) -> Result {
        let maps = self
            .maps(kernel, lowered, plan, programs)
            .map_err(|error| failed("make the maps of the policy", &error))?;
        for program in &programs.programs {
            let function = kernel.hook_function(program.hook).unwrap_or(0);
            let insns = link(&program.code, &maps, kernel)?;
            let name: String = program.hook.chars().take(15).collect();
            let fd = bpf::load_lsm(&NewProgram {
                name: &name,
                function,
                sleepable: program.sleepable,
                insns: &insns,
            })
            .map_err(|error| rejected(program.hook, &error))?;
            let array = self.entry(program.hook, program.sleepable, function)?;
            self.entries.push((array, fd));
        }
        self.pins(lowered, &maps)
            .map_err(|error| failed("pin the policy", &error))
    }

    fn maps(
        &self,
        kernel: &Kernel,
        lowered: &Lowered,
        plan: &Plan,
        programs: &Programs,
    ) -> io::Result<BTreeMap<String, Map>> {
        let rules = &lowered.policy.rules;
        let mut maps = BTreeMap::new();
        let mut make = |name: &str, kind, key, value, entries: usize, flags| {
            let short: String = format!("krsi_{name}").chars().take(15).collect();
            let fd = bpf::create(&NewMap {
                kind,
                name: &short,
                key,
                value,
                entries: entries.max(1),
                flags,
                types: None,
            })?;
            let map = Map::new(fd)?;
            maps.insert(name.to_string(), map);
            io::Result::Ok(())
        };
        let array = sys::BPF_MAP_TYPE_ARRAY;
        make(emit::RULES, array, 4, emit::RULE_SIZE, rules.len(), 0)?;
        make(
            emit::COUNTERS,
            sys::BPF_MAP_TYPE_PERCPU_ARRAY,
            4,
            emit::COUNTERS_SIZE,
            rules.len(),
            0,
        )?;
        if Kernels(kernel).has_audit() {
            make(emit::EVENTS, array, 4, emit::EVENT_SIZE, rules.len(), 0)?;
        }
        for (size, name) in emit::CLASSES {
            let count = plan
                .sets
                .exact
                .keys()
                .filter(|(_, text)| emit::class(text.len()) == *size)
                .count();
            make(name, sys::BPF_MAP_TYPE_HASH, 4 + size, 4, count, 0)?;
        }
        make(
            emit::BENEATH,
            sys::BPF_MAP_TYPE_LPM_TRIE,
            4 + 4 + emit::BENEATH_SIZE,
            4,
            plan.sets.beneath.len() + plan.sets.prefixes.len(),
            sys::BPF_F_NO_PREALLOC,
        )?;
        make(
            emit::NETWORKS,
            sys::BPF_MAP_TYPE_LPM_TRIE,
            4 + 4 + 16,
            4,
            plan.sets.networks.len(),
            sys::BPF_F_NO_PREALLOC,
        )?;
        if !programs.names.is_empty() {
            make(
                emit::NAMES,
                array,
                4,
                programs.names.len(),
                1,
                sys::BPF_F_RDONLY_PROG,
            )?;
        }
        let mut storages: BTreeMap<&str, usize> = programs
            .texts
            .iter()
            .map(|(name, size)| (name.as_str(), *size))
            .collect();
        storages.insert(emit::STATE, emit::STATE_SIZE);
        storages.insert(emit::STATE_NESTED, emit::STATE_SIZE);
        let sizes: Vec<usize> = storages.values().copied().collect();
        let btf = bpf::load_btf(&types(&sizes))?;
        for (number, (name, size)) in (2..).zip(&storages) {
            let short: String = format!("krsi_{name}").chars().take(15).collect();
            let fd = bpf::create(&NewMap {
                kind: sys::BPF_MAP_TYPE_TASK_STORAGE,
                name: &short,
                key: 4,
                value: *size,
                entries: 0,
                flags: sys::BPF_F_NO_PREALLOC,
                types: Some((&btf, 1, number)),
            })?;
            maps.insert((*name).to_string(), Map::new(fd)?);
        }
        fill(&maps, lowered, plan, programs)?;
        Ok(maps)
    }

    /// The array of a hook's entry, which is attached if it is not there.
    fn entry(&self, hook: &str, sleepable: bool, function: u32) -> Result<Map> {
        let dir = self.store.dir.join("hooks").join(hook);
        let action = format!("attach to {hook}");
        match bpf::pinned(&dir.join("programs")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found if dir.join("link").exists() => {
                return found
                    .and_then(Map::new)
                    .map_err(|error| failed(&action, &error))
            }
            // Somebody has removed the link, and nothing asks this entry any more.
            _ => remove_entry(&dir).map_err(|error| failed(&action, &error))?,
        }
        let array = bpf::create(&NewMap {
            kind: sys::BPF_MAP_TYPE_PROG_ARRAY,
            name: "krsi_policy",
            key: 4,
            value: 4,
            entries: PLACES as usize,
            flags: 0,
            types: None,
        })
        .and_then(Map::new)
        .map_err(|error| failed(&action, &error))?;
        let program = bpf::load_lsm(&NewProgram {
            name: expected::NAME,
            function,
            sleepable,
            insns: &entry_program(self.store, &array),
        })
        .map_err(|error| rejected(hook, &error))?;
        let attach = || {
            let link = bpf::attach(&program, sys::BPF_LSM_MAC)?;
            fs::create_dir_all(&dir)?;
            bpf::pin(array.fd(), &dir.join("programs"))?;
            bpf::pin(&link, &dir.join("link"))
        };
        attach().map_err(|error: io::Error| failed(&action, &error))?;
        Ok(array)
    }

    fn pins(&self, lowered: &Lowered, maps: &BTreeMap<String, Map>) -> io::Result<()> {
        let dir = self.store.generation_dir(self.generation);
        fs::create_dir_all(&dir)?;
        for name in [emit::RULES, emit::COUNTERS] {
            bpf::pin(maps[name].fd(), &dir.join(name))?;
        }
        let text = serde_json::to_vec(&describe(&lowered.policy))?;
        let fd = bpf::create(&NewMap::single("krsi_text", text.len()))?;
        let map = Map::new(fd)?;
        map.update(&0u32.to_ne_bytes(), &text)?;
        map.freeze()?;
        bpf::pin(map.fd(), &dir.join("policy"))
    }

    /// Puts it into force.
    fn publish(&mut self, entry: Option<(&Map, provisional::Entry)>) -> io::Result<()> {
        let place = self.generation % PLACES;
        for (array, program) in &self.entries {
            array.update(&place.to_ne_bytes(), &program.as_raw_fd().to_ne_bytes())?;
        }
        let mut word = self.generation;
        if let Some((map, entry)) = entry {
            provisional::write(map, place, entry)?;
            word |= provisional::FLAG;
        }
        self.store.set_active(word)?;
        self.done = true;
        Ok(())
    }
}

/// The numbers of the rules that test a cgroup which is not among those that there are. None if
/// it is not known which there are. That takes a walk through all of them, hence is asked only if
/// a rule tests one.
fn ended(description: &Description, there: impl FnOnce() -> Option<HashSet<u64>>) -> Vec<usize> {
    let rules = (1..).zip(&description.rules);
    let mut rules = rules
        .filter(|(_, rule)| !rule.cgroups.is_empty())
        .peekable();
    let Some(there) = rules.peek().and_then(|_| there()) else {
        return Vec::new();
    };
    rules
        .filter(|(_, rule)| rule.cgroups.iter().any(|id| !there.contains(id)))
        .map(|(number, _)| number)
        .collect()
}

fn describe(policy: &Policy) -> Description {
    let rules = policy.rules.iter().map(|rule| {
        let mut hooks: Vec<String> = Vec::new();
        for case in &rule.cases {
            if !hooks.iter().any(|hook| hook == case.hook.name) {
                hooks.push(case.hook.name.into());
            }
        }
        Described {
            file: rule.file.clone(),
            line: rule.line,
            text: rule.text.clone(),
            action: action_name(rule.action),
            keys: rule.keys.clone(),
            hooks,
            cgroups: rule.cgroups(),
        }
    });
    Description {
        rules: rules.collect(),
    }
}

/// As it is written in rules.
pub fn action_name(action: Action) -> String {
    match action {
        Action::Always => "always".into(),
        Action::Never => "never".into(),
        Action::Kill => "kill".into(),
        Action::Deny(number) | Action::Try(number) => {
            let deny = if action == Action::Deny(number) {
                "deny"
            } else {
                "deny?"
            };
            match errno::name(number) {
                Some(name) => format!("{deny}={name}"),
                None => format!("{deny}={number}"),
            }
        }
    }
}

/// The sources of a policy in force, to be changed and loaded again.
pub fn sources(description: &Description) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for rule in &description.rules {
        let parsed = parse(&rule.file, &rule.text).map_err(|errors| {
            Error::new(format!("the policy in force cannot be read: {}", errors[0]))
        })?;
        sources.extend(parsed.into_iter().map(|mut line| {
            line.line = rule.line;
            // They are in the order in which they decide, whatever put them there.
            if let Statement::Rule { change, .. } | Statement::Watch { change, .. } =
                &mut line.statement
            {
                *change = Change::Append;
            }
            Source {
                file: rule.file.clone(),
                line,
            }
        }));
    }
    Ok(sources)
}

/// What maps are to have: their names, keys and values.
pub(super) fn contents(policy: &Policy, plan: &Plan) -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let mut contents = Vec::new();
    for (index, rule) in (0u32..).zip(&policy.rules) {
        let mut flags = 0;
        if rule.action != Action::Never {
            flags |= emit::DO_RECORD;
        }
        if rule.action == Action::Kill {
            flags |= emit::DO_KILL;
        }
        let errno = u32::from(rule.action.errno());
        let mut value = flags.to_ne_bytes().to_vec();
        value.extend(errno.to_ne_bytes());
        contents.push((emit::RULES, index.to_ne_bytes().to_vec(), value));

        const AUDIT_KILL: u32 = 1;
        let kill = if rule.action == Action::Kill {
            AUDIT_KILL
        } else {
            0
        };
        let verdict = -i32::from(rule.action.errno());
        let mut event = (index + 1).to_ne_bytes().to_vec();
        event.extend(verdict.to_ne_bytes());
        event.extend(kill.to_ne_bytes());
        event.extend(0u32.to_ne_bytes());
        event.extend(rule.keys.join("\x01").as_bytes());
        event.truncate(emit::EVENT_SIZE - 1);
        event.resize(emit::EVENT_SIZE, 0);
        contents.push((emit::EVENTS, index.to_ne_bytes().to_vec(), event));
    }
    let rank = |index| emit::rank(policy, index).to_ne_bytes().to_vec();
    for ((set, text), index) in &plan.sets.exact {
        let size = emit::class(text.len());
        let class = emit::CLASSES.iter().find(|(class, _)| *class == size);
        let Some((_, name)) = class else { continue };
        contents.push((*name, key(*set, text, size), rank(*index)));
    }
    for ((set, path), index) in &plan.sets.beneath {
        let path = if path == "/" {
            path.clone()
        } else {
            format!("{path}/")
        };
        let bits = 8 * (4 + path.len() as u32);
        let mut key = bits.to_ne_bytes().to_vec();
        key.extend(self::key(*set, &path, emit::BENEATH_SIZE));
        contents.push((emit::BENEATH, key, rank(*index)));
    }
    for ((set, text), index) in &plan.sets.prefixes {
        let bits = 8 * (4 + text.len() as u32);
        let mut key = bits.to_ne_bytes().to_vec();
        key.extend(self::key(*set, text, emit::BENEATH_SIZE));
        contents.push((emit::BENEATH, key, rank(*index)));
    }
    for ((set, network, bits), index) in &plan.sets.networks {
        let mut key = (32 + u32::from(*bits)).to_ne_bytes().to_vec();
        key.extend(set.to_ne_bytes());
        key.extend(network.to_be_bytes());
        contents.push((emit::NETWORKS, key, rank(*index)));
    }
    contents
}

fn fill(
    maps: &BTreeMap<String, Map>,
    lowered: &Lowered,
    plan: &Plan,
    programs: &Programs,
) -> io::Result<()> {
    for (name, key, value) in contents(&lowered.policy, plan) {
        // There are no events where nothing can be recorded.
        if let Some(map) = maps.get(name) {
            map.update(&key, &value)?;
        }
    }
    if let Some(names) = maps.get(emit::NAMES) {
        names.update(&0u32.to_ne_bytes(), &programs.names)?;
    }
    // Only programs change them from here on.
    maps.values().try_for_each(Map::freeze)
}

/// Notes that a policy of so many rules is in force permanently.
fn remember(rules: usize) {
    if let Err(error) = expected::remember(rules) {
        crate::ui::warn(&format!(
            "krsi status will not miss the policy if its pins are removed: {error}"
        ));
    }
}

/// The generation after this one, whose place is never that of 0.
fn after(generation: u32) -> u32 {
    let next = (generation + 1) & !provisional::FLAG;
    if next % PLACES == 0 {
        next + 1
    } else {
        next
    }
}

/// The program that stays on a hook: see above. On x86, which rules are for, what is read stays in
/// this order.
fn entry_code() -> Code {
    const R0: R = R(0);
    let (context, active, generation, before) = (R(6), R(7), R(8), R(9));
    let mut asm = Asm::default();
    let none = asm.label();
    // Where provisional generations are looked up, and where that goes on.
    let mut rare = Vec::new();
    let mut read = |asm: &mut Asm| {
        let (look_up, known) = (asm.label(), asm.label());
        asm.load(Size::U32, generation, active, 0);
        asm.near_if(If::AnyBit, generation, provisional::FLAG as i32, look_up);
        asm.place(known);
        rare.push((look_up, known));
    };
    asm.mov(context, R(1));
    asm.value(active, "active", 0);
    read(&mut asm);
    for _ in 0..TRIES {
        asm.mov(R(1), context);
        asm.map(R(2), "programs");
        asm.mov(R(3), generation);
        asm.and(R(3), PLACES as i32 - 1);
        asm.helper(sys::BPF_FUNC_tail_call);
        // It has no program here.
        asm.mov(before, generation);
        read(&mut asm);
        asm.near_if_reg(If::Equal, generation, before, none);
    }
    asm.set(R0, -EPERM);
    asm.exit();
    asm.place(none);
    asm.set(R0, 0);
    asm.exit();
    for (look_up, known) in rare {
        asm.place(look_up);
        provisional::emit(&mut asm, generation, PLACES, known);
    }
    asm.finish().expect("its jumps are near")
}

fn entry_program(store: &Store, array: &Map) -> Vec<Insn> {
    let code = entry_code();
    let mut insns = code.insns;
    for (at, symbol) in code.symbols {
        let map = match (symbol, &store.provisional) {
            (Symbol::Value(name, _), Some(map)) if name == provisional::MAP => map,
            (Symbol::Value(..), _) => &store.active,
            _ => array,
        };
        insns[at].set_imm(map.fd().as_raw_fd());
    }
    insns
}

/// Fills in what is only known now.
fn link(code: &Code, maps: &BTreeMap<String, Map>, kernel: &Kernel) -> Result<Vec<Insn>> {
    let mut insns = code.insns.clone();
    for (at, symbol) in &code.symbols {
        match symbol {
            Symbol::Map(name) => insns[*at].set_imm(maps[name].fd().as_raw_fd()),
            Symbol::Value(name, offset) => {
                insns[*at].set_imm(maps[name].fd().as_raw_fd());
                insns[*at + 1].set_imm(*offset as i32);
            }
            Symbol::Kfunc(name) => {
                let function = kernel.function(name).ok_or_else(|| {
                    Error::new(format!("this kernel has no {name}()"))
                        .hint("krsi status tells whether KRSI is active")
                })?;
                insns[*at].set_imm(function as i32);
            }
        }
    }
    Ok(insns)
}

/// A program that the kernel does not take. Is it the verifier that refuses it, which says why, it
/// is never the user's mistake. Anything else, such as a lack of memory, is none of krsi's.
fn rejected(hook: &str, error: &bpf::LoadError) -> Error {
    let errno = error.error.raw_os_error();
    if error.log.trim().is_empty() || [EINTR, EAGAIN, ENOMEM].map(Some).contains(&errno) {
        return failed(&format!("load the program for {hook}"), &error.error);
    }
    // More instructions or conditions than it has time for; nothing is wrong with them.
    if error.error.kind() == io::ErrorKind::ArgumentListTooLong {
        return Error::new(format!(
            "rules on {hook} make too large a program for this kernel; nothing has changed"
        ))
        .hint("rules that differ in one value only take no more room; those of many forms do");
    }
    let path = std::env::temp_dir().join(format!("krsi-verifier-{}.log", std::process::id()));
    let text = format!("{hook}: {}\n{}", error.error, error.log);
    let hint = match write_new(&path, &text) {
        Ok(()) => format!(
            "please report it, with your rules and the file {}",
            path.display()
        ),
        Err(error) => format!("please report it; the log could not be written: {error}"),
    };
    Error::new(format!(
        "the kernel refuses the program for {hook}: this is a bug in krsi; nothing has changed"
    ))
    .hint(hint)
    .exit(Exit::Bug)
}

/// Writes a file that is not there yet, nor a link to one.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let _ = fs::remove_file(path);
    let mut file = File::options().write(true).create_new(true).open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{lower::lower, system::Machine};

    #[test]
    fn counters_of_all_cpus() {
        let mut bytes = Vec::new();
        for number in [1u64, 2, 3, 10, 20, 30] {
            bytes.extend(number.to_ne_bytes());
        }
        let sum = Counters::sum(&bytes);
        assert_eq!((sum.hits, sum.denials, sum.errors), (11, 22, 33));
    }

    #[test]
    fn only_what_the_verifier_refuses_is_a_bug() {
        let rejected = |errno, log: &str| {
            let error = bpf::LoadError {
                error: io::Error::from_raw_os_error(errno),
                log: log.into(),
            };
            rejected("file_open", &error)
        };
        for (errno, log) in [
            (EPERM, ""),
            (22, ""),
            (ENOMEM, "text"),
            (EINTR, "x"),
            (EAGAIN, "x"),
        ] {
            let error = rejected(errno, log);
            assert_eq!(error.exit_status(), Exit::Error, "{errno}");
            assert!(error
                .message()
                .starts_with("cannot load the program for file_open: "));
        }
        let error = rejected(22, "R1 type=scalar expected=fp");
        assert_eq!(error.exit_status(), Exit::Bug);
        let hint = error.hint_text().unwrap();
        let (_, path) = hint.split_once("the file ").unwrap();
        let log = fs::read_to_string(path).unwrap();
        assert!(log.contains("R1 type=scalar"), "{log}");
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn generations_have_places_of_their_own() {
        assert_eq!((after(0), after(1), after(14)), (1, 2, 15));
        assert_eq!((after(15), after(provisional::FLAG - 1)), (17, 1));
        let mut generation = provisional::FLAG - 1000;
        for _ in 0..2000 {
            let next = after(generation);
            assert_ne!(next % PLACES, 0);
            assert_eq!(next & provisional::FLAG, 0);
            assert_ne!(next % PLACES, generation % PLACES);
            generation = next;
        }
    }

    fn described(line: usize, text: &str) -> Described {
        Described {
            file: "rules".into(),
            line,
            text: text.into(),
            action: "never".into(),
            keys: Vec::new(),
            hooks: Vec::new(),
            cgroups: Vec::new(),
        }
    }

    #[test]
    fn cgroups_that_have_ended() {
        let described = |cgroups: &[u64]| Described {
            cgroups: cgroups.to_vec(),
            ..described(1, "")
        };
        let rules = vec![described(&[]), described(&[7]), described(&[1, 8])];
        let description = Description { rules };
        let ended = |there| super::ended(&description, || there);
        assert_eq!(ended(Some(HashSet::from([1, 7, 8]))), [0; 0]);
        assert_eq!(ended(Some(HashSet::from([1, 7]))), [3]);
        assert_eq!(ended(Some(HashSet::from([1]))), [2, 3]);
        assert_eq!(ended(None), [0; 0]);
        let rules = vec![described(&[])];
        let unasked = || unreachable!("no rule tests a cgroup");
        assert_eq!(super::ended(&Description { rules }, unasked), [0; 0]);
    }

    /// Rules that were put to the front stay in the order that they decide in.
    #[test]
    fn sources_keep_the_order() {
        let rules = vec![
            described(3, "-A never,exit -S execve -F uid=1"),
            described(2, "-A never,exit -S execve -F uid=2"),
            described(1, "-w /etc/passwd -p w"),
        ];
        let mut all = sources(&Description { rules }).unwrap();
        all.extend(
            parse("new", "-A never,exit -S execve -F uid=3")
                .unwrap()
                .into_iter()
                .map(|line| Source {
                    file: "new".into(),
                    line,
                }),
        );
        let lowered = lower(all, &Machine::new()).unwrap();
        let lines: Vec<_> = lowered
            .policy
            .rules
            .iter()
            .map(|rule| &rule.text[..])
            .collect();
        assert_eq!(
            lines,
            [
                "-A never,exit -S execve -F uid=3",
                "-A never,exit -S execve -F uid=1",
                "-A never,exit -S execve -F uid=2",
                "-w /etc/passwd -p w",
            ]
        );
    }

    #[test]
    fn too_large_is_no_bug() {
        let rejected = |errno| {
            let error = io::Error::from_raw_os_error(errno);
            let log = String::from("processed 1000001 insns");
            let error = rejected("file_open", &bpf::LoadError { error, log });
            (error.exit_status(), error.message().to_string())
        };
        const E2BIG: i32 = 7;
        let (exit, message) = rejected(E2BIG);
        assert_eq!(exit, Exit::Error);
        assert!(message.contains("too large a program"), "{message}");
        const EINVAL: i32 = 22;
        assert_eq!(rejected(EINVAL).0, Exit::Bug);
    }

    #[test]
    fn keys_are_as_long_as_their_class() {
        let key = key(7, "/etc", 64);
        assert_eq!(key.len(), 68);
        assert_eq!(&key[..9], b"\x07\0\0\0/etc\0");
    }
}
