// SPDX-License-Identifier: GPL-2.0

//! Decisions of programs in the audit stream, for `ausearch`, `aureport` and `auditd`.
//!
//! Implements the kfunc in `kernel/bpf/krsi_audit.c`. A program states its verdict, the rule and
//! the object. The kernel adds the subject, its cgroup, the hook and the program, so a program
//! cannot report them wrongly.
//!
//! A record must not cause another one. No record is written for the tasks that deliver records,
//! and no function here calls a hook, except for audit's filter: see [`krsi_audit_allowed`]. Nor
//! may a record take a lock that the caller of a hook holds: see [`PATHS`].

use crate::{hook, hook_table, path, text::Text};
use kernel::{
    audit::{self, NoRecord, Record},
    bindings,
    bpf::Prog,
    dcache, preempt,
    prelude::*,
    seq_file::{seq_print, SeqFile},
    sync::atomic::{Atomic, Relaxed},
};

/// Limit on the texts of a record, as they are written. `auditd` accepts records of up to 8970
/// bytes. The rest of a record is shorter than 800 bytes.
const TEXTS_MAX: usize = 8100;

/// Limit on the length of a text in a record.
const TEXT_MAX: usize = 4096;

/// Limit on the search for the end of a text, which bounds the time in an atomic hook. Longer texts
/// are recorded with this length.
const LOOK_MAX: usize = 1 << 16;

const EVENT_SIZE: usize = size_of::<bindings::krsi_audit_event>();

/// Counters of the results of calls.
struct Counters {
    written: Atomic<u64>,
    disabled: Atomic<u64>,
    excluded: Atomic<u64>,
    own: Atomic<u64>,
    lost_backlog: Atomic<u64>,
    lost_memory: Atomic<u64>,
    lost_nmi: Atomic<u64>,
    invalid: Atomic<u64>,
    cut: Atomic<u64>,
    no_syscall: Atomic<u64>,
    lost_keys: Atomic<u64>,
}

static COUNTERS: Counters = Counters {
    written: Atomic::new(0),
    disabled: Atomic::new(0),
    excluded: Atomic::new(0),
    own: Atomic::new(0),
    lost_backlog: Atomic::new(0),
    lost_memory: Atomic::new(0),
    lost_nmi: Atomic::new(0),
    invalid: Atomic::new(0),
    cut: Atomic::new(0),
    no_syscall: Atomic::new(0),
    lost_keys: Atomic::new(0),
};

fn count(counter: &Atomic<u64>) {
    counter.fetch_add(1, Relaxed);
}

/// Writes the file `audit`: one counter per line.
pub(crate) fn show(m: &SeqFile) {
    let c = &COUNTERS;
    for (name, counter) in [
        ("written", &c.written),
        ("disabled", &c.disabled),
        ("excluded", &c.excluded),
        ("own", &c.own),
        ("lost_backlog", &c.lost_backlog),
        ("lost_memory", &c.lost_memory),
        ("lost_nmi", &c.lost_nmi),
        ("invalid", &c.invalid),
        ("cut", &c.cut),
        ("no_syscall", &c.no_syscall),
        ("lost_keys", &c.lost_keys),
    ] {
        seq_print!(m, "{name} {}\n", counter.load(Relaxed));
    }
}

/// Whether callers of each hook are known not to hold the locks that paths take, so that a record
/// can have `exe`. Set when a program of the hook is loaded.
static PATHS: [Atomic<bool>; hook::COUNT] = [const { Atomic::new(false) }; hook::COUNT];

/// Whether programs of a hook may write records.
///
/// Programs of `audit_rule_match` may not: audit's filter calls that hook for each record. At
/// present no programs can attach to it.
///
/// May sleep.
///
/// # Safety
///
/// `hook` must be a hook's number.
#[export]
pub(crate) unsafe extern "C" fn krsi_audit_allowed(hook: c_uint) -> bool {
    let Some(mut callers) = hook_table::tail_callers(hook as usize) else {
        return false;
    };
    if callers.any(|hook| hook_table::FACTS[hook].name == "audit_rule_match") {
        return false;
    }
    // SAFETY: The caller passes a hook's number.
    let paths = unsafe { path::krsi_path_allowed(hook) };
    PATHS[hook as usize].store(paths, Relaxed);
    true
}

/// See `krsi_audit_log()`.
///
/// # Safety
///
/// `event` and `object` must be readable for `event_size` and `object_size` bytes, which other CPUs
/// may write concurrently. `aux` must be that of the calling program.
#[export]
pub(crate) unsafe extern "C" fn krsi_audit_write(
    event: *const bindings::krsi_audit_event,
    event_size: u32,
    object: *const c_char,
    object_size: u32,
    aux: *const bindings::bpf_prog_aux,
) -> c_int {
    // SAFETY: FFI calls with no additional requirements.
    let (nmi, task) = unsafe { (bindings::in_nmi(), bindings::in_task()) };
    // Audit and the allocator take locks.
    if nmi || !preempt::may_take_spinlock() {
        count(&COUNTERS.lost_nmi);
        return EOPNOTSUPP.to_errno();
    }
    let size = event_size as usize;
    // SAFETY: The caller passes that many readable bytes.
    let object = unsafe { Text::from_raw(object, object_size) };
    let (Some(object), false) = (
        object,
        event.is_null() || size != EVENT_SIZE || object_size == 0,
    ) else {
        count(&COUNTERS.invalid);
        return EINVAL.to_errno();
    };
    // SAFETY: The caller passes a readable event. The copy may contain part of a concurrent write.
    let event = unsafe { event.read_volatile() };
    let Some(decision) = Decision::parse(&event) else {
        count(&COUNTERS.invalid);
        return EINVAL.to_errno();
    };
    if !audit::enabled() {
        count(&COUNTERS.disabled);
        return 0;
    }
    if task && audit::is_own_task() {
        count(&COUNTERS.own);
        return 0;
    }
    // SAFETY: The caller passes the `aux` of the running program, which points to the program.
    let (prog, hook) = unsafe {
        (
            Prog::from_raw((*aux).prog),
            bindings::krsi_hook_by_id((*aux).attach_btf_id),
        )
    };
    match decision.write(prog, hook, task, object) {
        Ok(()) => 0,
        Err(NoRecord::Excluded) => {
            count(&COUNTERS.excluded);
            0
        }
        Err(NoRecord::Backlog) => {
            count(&COUNTERS.lost_backlog);
            EAGAIN.to_errno()
        }
        Err(NoRecord::Memory) => {
            count(&COUNTERS.lost_memory);
            ENOMEM.to_errno()
        }
    }
}

/// A validated decision of a program.
#[derive(PartialEq, Eq, Debug)]
struct Decision<'a> {
    rule: u32,
    /// The errno of a denial, or 0.
    errno: u32,
    kill: bool,
    keys: &'a CStr,
}

impl<'a> Decision<'a> {
    fn parse(event: &'a bindings::krsi_audit_event) -> Option<Self> {
        const KILL: u32 = bindings::krsi_audit_flags_KRSI_AUDIT_KILL;
        const MAX_ERRNO: i32 = bindings::MAX_ERRNO as i32;

        if event.flags & !KILL != 0
            || event.reserved != 0
            || !(-MAX_ERRNO..=0).contains(&event.verdict)
        {
            return None;
        }
        Some(Self {
            rule: event.rule,
            errno: event.verdict.unsigned_abs(),
            kill: event.flags & KILL != 0,
            keys: CStr::from_bytes_until_nul(&event.key).ok()?,
        })
    }

    fn verdict(&self) -> &'static str {
        match (self.kill, self.errno) {
            (true, _) => "kill",
            (false, 0) => "allow",
            (false, _) => "deny",
        }
    }

    /// Writes the record.
    ///
    /// If memory runs out while the record grows, audit silently drops the last fields. The keys
    /// are then still in the record of the system call.
    fn write(
        &self,
        prog: &Prog,
        hook: c_int,
        task: bool,
        object: Text<'_>,
    ) -> Result<(), NoRecord> {
        let mut scratch = KVec::<u8>::new();
        scratch
            .resize(TEXT_MAX, 0, GFP_ATOMIC | __GFP_NOWARN)
            .map_err(|_| NoRecord::Memory)?;
        let record = Record::start(audit::KERNEL_OTHER, task)?;

        let facts = usize::try_from(hook)
            .ok()
            .and_then(|hook| hook_table::FACTS.get(hook));
        record.format(fmt!(
            "lsm=krsi hook={} prog-id={} prog=",
            facts.map_or("?", |facts| facts.name),
            prog.id()
        ));
        record.untrusted(prog.name().to_bytes());
        record.format(fmt!(" prog-tag="));
        for byte in prog.tag() {
            record.format(fmt!("{byte:02x}"));
        }
        record.format(fmt!(" rule={} verdict={}", self.rule, self.verdict()));
        if self.errno != 0 {
            record.format(fmt!(" errno={}", self.errno));
        }

        let mut texts = Texts {
            record: &record,
            room: TEXTS_MAX - Record::untrusted_len(self.keys.to_bytes()),
            cut: false,
        };
        let (object, len) = copy(&mut scratch, object);
        match object.first() {
            None => (),
            Some(b'/') => texts.add("path", object, len),
            Some(_) => texts.add("object", object, len),
        }
        // In interrupts, current is unrelated.
        if task {
            // SAFETY: The buffer has that size.
            let len = unsafe {
                bindings::current_cgroup_path(scratch.as_mut_ptr().cast(), scratch.len())
            };
            match usize::try_from(len) {
                Ok(len) => texts.add("cgroup", &scratch[..len.min(TEXT_MAX)], len),
                Err(_) => record.format(fmt!(" cgroup=?")),
            }
            record.subject();
            let paths = usize::try_from(hook).is_ok_and(|hook| PATHS[hook].load(Relaxed));
            match (paths || prog.sleepable())
                .then(|| dcache::current_exe(&mut scratch))
                .flatten()
            {
                Some(exe) => texts.add("exe", exe, exe.len()),
                None => record.format(fmt!(" exe=?")),
            }
        }
        if texts.cut {
            count(&COUNTERS.cut);
        }
        record.format(fmt!(" key="));
        if self.keys.is_empty() {
            record.format(fmt!("(null)"));
        } else {
            record.untrusted(self.keys.to_bytes());
        }
        drop(record);
        count(&COUNTERS.written);

        // After the record, which causes audit to write that of the system call.
        if task {
            match audit::add_key(self.keys) {
                Ok(()) => (),
                Err(e) if e == ENOENT => count(&COUNTERS.no_syscall),
                Err(_) => count(&COUNTERS.lost_keys),
            }
        }
        Ok(())
    }
}

/// The texts of a record, which share a limit on their length.
struct Texts<'a> {
    record: &'a Record,
    room: usize,
    cut: bool,
}

impl Texts<'_> {
    /// Adds a text of `len` bytes that begins with `text`. Adds the length if it is truncated.
    fn add(&mut self, name: &str, text: &[u8], len: usize) {
        let mut kept = text;
        if Record::untrusted_len(text) > self.room {
            kept = &text[..text.len().min(self.room.saturating_sub(2) / 2)];
        }
        self.room -= Record::untrusted_len(kept).min(self.room);
        self.record.format(fmt!(" {name}="));
        self.record.untrusted(kept);
        if kept.len() < len {
            self.cut = true;
            self.record.format(fmt!(" {name}-len={len}"));
        }
    }
}

/// Copies a text, truncated to the size of `to`. Also returns its length, at most [`LOOK_MAX`].
fn copy<'a>(to: &'a mut [u8], from: Text<'_>) -> (&'a [u8], usize) {
    let (len, room) = (from.len(LOOK_MAX), to.len());
    let text = from.copy(to);
    // If another CPU shortened the text during the copy, the copy is the whole text.
    let len = if text.len() < room { text.len() } else { len };

    (text, len)
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_audit)]
mod tests {
    use super::*;

    fn event(verdict: i32, flags: u32) -> bindings::krsi_audit_event {
        let mut event = bindings::krsi_audit_event {
            rule: 7,
            verdict,
            flags,
            ..Default::default()
        };
        event.key[..3].copy_from_slice(b"key");
        event
    }

    #[test]
    fn decisions_are_checked() {
        let verdict = |verdict, flags| {
            Decision::parse(&event(verdict, flags)).map(|decision| decision.verdict())
        };
        assert_eq!(verdict(0, 0), Some("allow"));
        assert_eq!(verdict(-1, 0), Some("deny"));
        assert_eq!(verdict(-4095, 0), Some("deny"));
        assert_eq!(verdict(-1, 1), Some("kill"));
        assert_eq!(verdict(0, 1), Some("kill"));
        assert_eq!(verdict(1, 0), None);
        assert_eq!(verdict(-4096, 0), None);
        assert_eq!(verdict(i32::MIN, 0), None);
        for bit in 1..32 {
            assert_eq!(verdict(0, 1 << bit), None);
        }
        let mut reserved = event(0, 0);
        reserved.reserved = 1;
        assert!(Decision::parse(&reserved).is_none());
        let mut endless = event(0, 0);
        endless.key.fill(b'k');
        assert!(Decision::parse(&endless).is_none());
        endless.key[255] = 0;
        let decision = Decision::parse(&endless);
        assert!(decision.is_some_and(|decision| decision.keys.to_bytes().len() == 255));
    }

    #[test]
    fn texts_are_copied_to_their_end() {
        let mut to = [0xaa; 4];
        let mut check = |from: &[u8], kept: &[u8], len| {
            assert!(copy(&mut to, from.into()) == (kept, len));
        };
        check(b"", b"", 0);
        check(b"\0", b"", 0);
        check(b"ab\0c", b"ab", 2);
        check(b"abcd", b"abcd", 4);
        check(b"abcde\0", b"abcd", 5);
    }

    #[test]
    fn the_end_of_a_text_is_not_looked_for_far_away() -> Result {
        let mut bytes = KVec::from_elem(b'x', LOOK_MAX + 100, GFP_KERNEL)?;
        let mut to = [0; 4];
        let len = |bytes: &[u8], to: &mut [u8]| copy(to, bytes.into()).1;
        assert_eq!(len(&bytes, &mut to), LOOK_MAX);
        bytes[LOOK_MAX - 1] = 0;
        assert_eq!(len(&bytes, &mut to), LOOK_MAX - 1);
        Ok(())
    }
}
