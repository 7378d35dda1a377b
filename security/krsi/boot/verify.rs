// SPDX-License-Identifier: GPL-2.0

//! Loads the programs of an object in the image.
//!
//! An object is loaded as a whole: if one part is rejected, none of its programs runs, and none of
//! its slots can be accessed.

use super::{
    btf, error,
    object::Object,
    param,
    program::{Program, Reloc},
    slot::{Slot, Totals, SLOT_COPY, SLOT_KEEP, SLOT_RESET},
};
use crate::blob::{
    self,
    claim::{Claim, Inherit, Name},
    point::Point,
    points,
};
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

/// Limit on the instructions that the verifier processes, which bounds the loops of a program and
/// the time that it runs.
const MAX_VERIFIED: u32 = 16384;

impl fmt::Display for error::Error<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

/// The message about an object that is rejected. [`None`]: no memory for the message.
pub(super) struct Rejection(Option<CString>);

impl Rejection {
    fn new(args: fmt::Arguments<'_>) -> Self {
        Self(CString::try_from_fmt(args).ok())
    }

    /// The message.
    pub(super) fn text(&self) -> &CStr {
        self.0.as_deref().unwrap_or(c"out of memory")
    }
}

/// A program that was loaded.
pub(super) struct Loaded {
    pub(super) prog: &'static Prog,
    pub(super) point: Point,
    /// Name of the object.
    pub(super) object: &'static str,
    /// Number of instructions that the verifier processed.
    pub(super) verified: u32,
}

/// The result of loading objects.
pub(super) struct Outcome {
    pub(super) programs: KVec<Loaded>,
    /// Numbers of the slots to publish.
    pub(super) slots: KVec<u32>,
}

/// Adds the slots of an object to `total`. [`None`] if a limit is exceeded.
pub(super) fn add_slots(object: &Object<'_>, total: &Totals) -> Option<Totals> {
    let mut total = *total;

    for slot in object.slots() {
        total.add(slot.class, slot.size, slot.flags).ok()?;
    }
    Some(total)
}

/// Makes the claim for a slot.
fn claim(slot: &Slot<'_>) -> Result<Claim> {
    let name = Name::new(slot.name).ok_or(EINVAL)?;
    let rule = match slot.flags {
        SLOT_COPY => Some(Inherit::Copy),
        SLOT_RESET => Some(Inherit::Reset),
        _ => None,
    };
    let claim = Claim::new(slot.class, name, slot.size, Some(slot.align), rule)?;

    if slot.flags == SLOT_KEEP {
        claim.with_xattr()
    } else {
        Ok(claim)
    }
}

/// Loads all programs of an object, and adds them to their points. May sleep.
pub(super) fn load(
    name: &'static str,
    data: &'static [u8],
    outcome: &mut Outcome,
) -> Result<(), Rejection> {
    let refuse =
        |e: Error, what: &str| Rejection::new(fmt!("{name}: {what}: error {}", e.to_errno()));
    let object = Object::parse(data).map_err(|e| Rejection::new(fmt!("{name}: {e}")))?;
    let mut numbers = KVec::new();
    let mut progs = KVec::new();

    let result = claim_all(name, &object, &mut numbers)
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
        // The capacity was reserved above.
        let _ = outcome.slots.push_within_capacity(number);
    }
    for (point, prog) in progs {
        let verified = prog.verified_insns();
        let prog = prog.leak();
        points::add(point, prog).map_err(|e| refuse(e, "too many programs"))?;
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
/// Continues after an error, so that no other object or program gets a slot of these names.
fn claim_all(name: &str, object: &Object<'_>, numbers: &mut KVec<u32>) -> Result<(), Rejection> {
    let mut result = Ok(());

    for slot in object.slots() {
        if let Err(e) = claim_one(&slot, numbers) {
            result = result.and(Err(Rejection::new(fmt!(
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
    let claim = claim(slot)?;
    // Without a state word, the slot could not be initialised.
    if !blob::has_boot_slots(claim.class()) {
        return Err(ENXIO);
    }
    numbers.reserve(1, GFP_KERNEL)?;
    let number = blob::claim_boot(&claim)?;
    // The capacity was just reserved.
    let _ = numbers.push_within_capacity(number);
    Ok(())
}

/// Checks that the points have capacity for the programs.
fn fits(name: &str, progs: &[(Point, OwnedProg)]) -> Result<(), Rejection> {
    if param::fails(name) {
        return Err(Rejection::new(fmt!("{name}: failed by krsi.boot_fail=")));
    }
    for point in Point::ALL {
        let new = progs.iter().filter(|(p, _)| *p == point).count();
        if new + points::programs(point).count() > points::MAX_PROGRAMS {
            let max = points::MAX_PROGRAMS;
            return Err(Rejection::new(fmt!(
                "{name}: more than {max} programs at one point"
            )));
        }
    }
    Ok(())
}

/// Verifies the programs of an object, and appends them with their points.
fn verify(
    name: &str,
    object: &Object<'_>,
    numbers: &[u32],
    progs: &mut KVec<(Point, OwnedProg)>,
) -> Result<(), Rejection> {
    let btf = types(object)
        .map_err(|e| Rejection::new(fmt!("{name}: section .BTF: error {}", e.to_errno())))?;

    for program in object.programs() {
        let refuse = |reason: fmt::Arguments<'_>| {
            Rejection::new(fmt!(
                "{name}: section krsi.blob/{}: {}: {reason}",
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

        if !blob::has_boot_slots(program.point.class()) {
            return Err(refuse(fmt!("no slot of this class to initialise")));
        }
        let insns = instructions(&program, numbers).map_err(errno)?;
        let prog = StructOps {
            name: program.name,
            // SAFETY: An FFI call with no additional requirements.
            structure: unsafe { bindings::krsi_boot_struct_id() },
            member: program.point as u32,
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
            return Err(refuse(fmt!("not compiled: enable the BPF JIT")));
        }
        progs
            .push((program.point, prog), GFP_KERNEL)
            .map_err(|e| errno(e.into()))?;
    }
    Ok(())
}

/// Loads the type information of an object.
fn types(object: &Object<'_>) -> Result<Btf> {
    let mut data = KVVec::new();
    data.extend_from_slice(object.btf(), GFP_KERNEL)?;
    btf::adapt(&mut data).ok_or(EINVAL)?;
    Btf::load(&data)
}

/// Makes the instructions of a program, with the numbers of slots and kfuncs.
fn instructions(program: &Program<'_>, numbers: &[u32]) -> Result<KVVec<bindings::bpf_insn>> {
    const SIZE: usize = size_of::<bindings::bpf_insn>();
    let mut insns = KVVec::with_capacity(program.insns.len() / SIZE, GFP_KERNEL)?;

    for bytes in program.insns.chunks_exact(SIZE) {
        // SAFETY: The chunk has the size of an instruction, all of whose fields are integers.
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
                // SAFETY: The name has that length.
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
