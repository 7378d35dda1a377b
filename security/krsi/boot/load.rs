// SPDX-License-Identifier: GPL-2.0

//! From an object in the image to programs that the verifier has accepted.
//!
//! An object is taken as a whole: if anything of it is refused, none of its programs runs, and none
//! of its slots can be accessed.

use super::{
    btf,
    check::{self, Totals, SLOT_COPY, SLOT_KEEP, SLOT_RESET},
    object::{self, Object, Program, Reloc, Slot},
    run,
};
use crate::blob::{self, BootSlot, Class};
use kernel::{
    bindings,
    bpf::{
        load::{Btf, OwnedProg, StructOps},
        Prog,
    },
    fmt,
    prelude::*,
    str::{BStr, CString},
};

/// How many instructions the verifier may have to look at, each as often as it comes by: what
/// bounds the loops of a program, and the time for which it runs.
const MAX_VERIFIED: u32 = 16384;

impl fmt::Display for object::Error<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

/// Why an object is refused. [`None`]: there is no memory to say so.
pub(super) struct Refusal(Option<CString>);

impl Refusal {
    fn new(args: fmt::Arguments<'_>) -> Self {
        Self(CString::try_from_fmt(args).ok())
    }

    /// The reason.
    pub(super) fn reason(&self) -> &CStr {
        self.0.as_deref().unwrap_or(c"out of memory")
    }
}

/// A program that is in force.
pub(super) struct Loaded {
    pub(super) prog: &'static Prog,
    pub(super) point: usize,
    /// The file that its object was built from.
    pub(super) object: &'static str,
    /// See [`MAX_VERIFIED`].
    pub(super) verified: u32,
}

/// What came of the objects.
pub(super) struct Outcome {
    pub(super) programs: KVec<Loaded>,
    /// Numbers of the slots that are to be published.
    pub(super) slots: KVec<u32>,
}

/// What the slots of an object take, added to `total`. [`None`] if that is more than there can be.
pub(super) fn add_sizes(object: &Object<'_>, total: &Totals) -> Option<Totals> {
    let mut total = *total;

    for slot in object.slots() {
        total.add(slot.class, slot.size, slot.flags).ok()?;
    }
    Some(total)
}

// What checks objects knows how much slots take.
const _: () = assert!(check::MAX_SIZE == blob::MAX_RESERVED && check::ALIGN == blob::ALIGN);
const _: () = assert!(check::MAX_KEPT == blob::MAX_KEPT && check::KEPT_STATE == blob::KEPT_STATE);

/// What the table of slots is told of a slot.
fn boot_slot<'a>(slot: &Slot<'a>) -> Option<BootSlot<'a>> {
    Some(BootSlot {
        class: *Class::ALL.get(slot.class as usize)?,
        name: slot.name,
        size: slot.size,
        align: slot.align,
        copy: match slot.flags {
            SLOT_COPY => Some(true),
            SLOT_RESET => Some(false),
            _ => None,
        },
        kept: slot.flags == SLOT_KEEP,
    })
}

/// Loads all programs of an object, and puts them in force together. May sleep.
pub(super) fn load(
    name: &'static str,
    data: &'static [u8],
    outcome: &mut Outcome,
) -> Result<(), Refusal> {
    let refuse =
        |e: Error, what: &str| Refusal::new(fmt!("{name}: {what}: error {}", e.to_errno()));
    let object = Object::parse(data).map_err(|e| Refusal::new(fmt!("{name}: {e}")))?;
    let mut numbers = KVec::new();
    let mut progs = KVec::new();

    let result = claim(name, &object, &mut numbers)
        .and_then(|()| verify(name, &object, &numbers, &mut progs))
        .and_then(|()| {
            outcome
                .slots
                .reserve(numbers.len(), GFP_KERNEL)
                .and_then(|()| outcome.programs.reserve(progs.len(), GFP_KERNEL))
                .map_err(|e| refuse(e.into(), "memory"))
        })
        .and_then(|()| fits(name, &progs));
    if let Err(e) = result {
        for &number in &numbers {
            blob::fail_boot(number);
        }
        return Err(e);
    }

    for number in numbers {
        // There is room, as above.
        let _ = outcome.slots.push_within_capacity(number);
    }
    for (point, prog) in progs {
        let verified = prog.verified_insns();
        let prog = prog.leak();
        run::add(point, prog).map_err(|e| refuse(e, "too many programs"))?;
        let _ = outcome.programs.push_within_capacity(Loaded {
            prog,
            point,
            object: name,
            verified,
        });
    }
    Ok(())
}

/// Claims the slots of an object, and appends their numbers.
///
/// All that can be, even if there is one that cannot: nobody else is to have a slot of that name.
fn claim(name: &str, object: &Object<'_>, numbers: &mut KVec<u32>) -> Result<(), Refusal> {
    let mut result = Ok(());

    for slot in object.slots() {
        if let Err(e) = claim_one(&slot, numbers) {
            result = result.and(Err(Refusal::new(fmt!(
                "{name}: slot {}: error {}",
                BStr::from_bytes(slot.name),
                e.to_errno()
            ))));
        }
    }
    result
}

/// Claims a slot, and appends its number.
fn claim_one(slot: &Slot<'_>, numbers: &mut KVec<u32>) -> Result {
    let wanted = boot_slot(slot).ok_or(EINVAL)?;
    // Without a state word nobody could tell whether the slot is initialised.
    if !blob::has_boot_slots(wanted.class) {
        return Err(ENXIO);
    }
    numbers.reserve(1, GFP_KERNEL)?;
    let number = blob::claim_boot(&wanted)?;
    // There is room, as above.
    let _ = numbers.push_within_capacity(number);
    Ok(())
}

/// Whether the points have room for the programs.
fn fits(name: &str, progs: &[(usize, OwnedProg)]) -> Result<(), Refusal> {
    if super::made_to_fail(name) {
        return Err(Refusal::new(fmt!("{name}: a test makes it fail")));
    }
    for point in 0..run::POINTS {
        let new = progs.iter().filter(|(p, _)| *p == point).count();
        if new + run::programs(point).count() > run::MAX_PROGRAMS {
            let max = run::MAX_PROGRAMS;
            return Err(Refusal::new(fmt!(
                "{name}: more than {max} programs at one point"
            )));
        }
    }
    Ok(())
}

/// Has the verifier look at the programs of an object, and appends them with their points.
fn verify(
    name: &str,
    object: &Object<'_>,
    numbers: &[u32],
    progs: &mut KVec<(usize, OwnedProg)>,
) -> Result<(), Refusal> {
    let btf = types(object)
        .map_err(|e| Refusal::new(fmt!("{name}: section .BTF: error {}", e.to_errno())))?;

    for program in object.programs() {
        let refuse = |why: fmt::Arguments<'_>| {
            Refusal::new(fmt!(
                "{name}: section krsi.blob/{}: {}: {why}",
                program.point.name(),
                BStr::from_bytes(program.name)
            ))
        };
        let errno = |e: Error| match e {
            e if e == EACCES => refuse(fmt!(
                "the verifier refuses what it accesses, error {}",
                e.to_errno()
            )),
            e if e == E2BIG => refuse(fmt!(
                "loops too long for the verifier, error {}",
                e.to_errno()
            )),
            e if e == EINVAL => refuse(fmt!("refused by the verifier, error {}", e.to_errno())),
            e => refuse(fmt!("cannot be loaded, error {}", e.to_errno())),
        };
        let point = program.point as usize;

        if !run::CLASSES
            .get(point)
            .is_some_and(|&class| blob::has_boot_slots(class))
        {
            return Err(refuse(fmt!("no slot of this class to initialise")));
        }
        let insns = instructions(&program, numbers).map_err(errno)?;
        let prog = StructOps {
            name: program.name,
            // SAFETY: An FFI call.
            structure: unsafe { bindings::krsi_boot_struct_id() },
            member: point as u32,
            insns: &insns,
            btf: &btf,
            core_relos: program.core_relos(),
            core_relo_size: program.core_relo_size(),
        }
        .load()
        .map_err(errno)?;
        let verified = prog.verified_insns();
        if verified > MAX_VERIFIED {
            return Err(refuse(fmt!(
                "loops too long: the verifier looked at {verified} instructions of {MAX_VERIFIED}"
            )));
        }
        if !prog.prog().compiled() {
            return Err(refuse(fmt!("was not compiled; is the JIT off?")));
        }
        progs
            .push((point, prog), GFP_KERNEL)
            .map_err(|e| errno(e.into()))?;
    }
    Ok(())
}

/// Loads the types of an object.
fn types(object: &Object<'_>) -> Result<Btf> {
    let mut data = KVVec::new();
    data.extend_from_slice(object.btf(), GFP_KERNEL)?;
    btf::adapt(&mut data).ok_or(EINVAL)?;
    Btf::load(&data)
}

/// The instructions of a program, with numbers of slots and of kfuncs filled in.
fn instructions(program: &Program<'_>, numbers: &[u32]) -> Result<KVVec<bindings::bpf_insn>> {
    const SIZE: usize = size_of::<bindings::bpf_insn>();
    let mut insns = KVVec::with_capacity(program.insns.len() / SIZE, GFP_KERNEL)?;

    for bytes in program.insns.chunks_exact(SIZE) {
        // SAFETY: There are as many bytes, and an instruction is made of integers.
        let insn = unsafe { bytes.as_ptr().cast::<bindings::bpf_insn>().read_unaligned() };
        insns.push(insn, GFP_KERNEL)?;
    }
    for reloc in program.relocs() {
        match reloc {
            Reloc::Slot { insn, index } => {
                let [low, high] = insns.get_mut(insn..insn + 2).ok_or(EINVAL)? else {
                    return Err(EINVAL);
                };
                low.set_src_reg(0);
                low.imm = *numbers.get(index).ok_or(EINVAL)? as i32;
                high.imm = 0;
            }
            Reloc::Kfunc { insn, name } => {
                let insn = insns.get_mut(insn).ok_or(EINVAL)?;
                // SAFETY: An FFI call; the name has that length.
                let id = unsafe { bindings::krsi_blob_kfunc_id(name.as_ptr().cast(), name.len()) };
                if id == 0 {
                    return Err(ENOENT);
                }
                insn.set_src_reg(bindings::BPF_PSEUDO_KFUNC_CALL as u8);
                insn.off = 0;
                insn.imm = id as i32;
            }
        }
    }
    Ok(insns)
}
