// SPDX-License-Identifier: GPL-2.0

//! Access to slots without a call.
//!
//! Number and size of a slot are constants to the verifier in most programs. Then all that a call
//! has to find out is known when the program is loaded, but for the object. The verifier replaces
//! such a call by the instructions that are made here: from the object to its blob, and on to the
//! slot's bytes. Programs have to look whether they got any, which is known there: their test goes
//! with the call, and whoever finds nothing jumps to where it would have gone.
//!
//! Pure, but for the two pointers that the verifier passes.

use super::{
    access::{self, Place},
    missing, Class,
};
use kernel::{bindings, prelude::*};

/// The most that takes the place of a call, as the verifier has it.
const MAX: usize = bindings::INSN_BUF_SIZE as usize;

/// Registers. Calls leave a value in R0, and nothing in R1 to R5.
const R0: u8 = 0;
const R4: u8 = 4;

/// Makes an instruction.
fn insn(code: u32, dst: u8, src: u8, off: i16, imm: i32) -> bindings::bpf_insn {
    bindings::bpf_insn {
        code: code as u8,
        _bitfield_align_1: [],
        _bitfield_1: bindings::bpf_insn::new_bitfield_1(dst, src),
        off,
        imm,
    }
}

fn class(insn: &bindings::bpf_insn) -> u32 {
    u32::from(insn.code) & 0x07
}

fn mode(insn: &bindings::bpf_insn) -> u32 {
    u32::from(insn.code) & 0xe0
}

/// `dst = *(size *)(src + off)`
fn load(size: u32, dst: u8, src: u8, off: i16) -> bindings::bpf_insn {
    insn(
        bindings::BPF_LDX | bindings::BPF_MEM | size,
        dst,
        src,
        off,
        0,
    )
}

/// `dst = imm`, of 32 bits without a sign.
fn set(dst: u8, imm: u32) -> bindings::bpf_insn {
    let code = bindings::BPF_ALU | bindings::BPF_MOV | bindings::BPF_K;
    insn(code, dst, 0, 0, imm as i32)
}

/// Jumps by `off` instructions; is none if that is 0.
fn jump(off: i16) -> bindings::bpf_insn {
    insn(bindings::BPF_JMP | bindings::BPF_JA, 0, 0, off, 0)
}

/// Jumps if `dst` compares with `imm` as `op` says, with 32 or, as [`bindings::BPF_JMP`], 64 bits.
fn jump_if(width: u32, op: u32, dst: u8, imm: u32, off: i16) -> bindings::bpf_insn {
    insn(width | op | bindings::BPF_K, dst, 0, off, imm as i32)
}

/// Instructions in the making.
struct Code<'a> {
    insns: &'a mut [bindings::bpf_insn],
    len: usize,
}

impl Code<'_> {
    /// Adds one, if there is space; counts it in any case.
    fn push(&mut self, insn: bindings::bpf_insn) {
        if let Some(slot) = self.insns.get_mut(self.len) {
            *slot = insn;
        }
        self.len += 1;
    }

    /// The distance of a jump from what comes next to what is at `place`.
    fn to(&self, place: isize) -> i16 {
        (place - self.len as isize - 1) as i16
    }
}

/// From the object to the slot's bytes there in R0, or NULL; R1 and R2 stay.
///
/// Follows what of `path` can be NULL no further. A slot that is guarded is left to `call`, to
/// which `slot` and `size` are passed in `reg` and the next register, unless the object's guard
/// says that it is ready. With `test`, the distance by which the program's own test for NULL jumps
/// that follows, NULL goes where that would go, and anything else passes the test.
fn access(
    code: &mut Code<'_>,
    path: &bindings::krsi_blob_path,
    place: &Place,
    call: &bindings::krsi_blob_call,
    insn: bindings::bpf_insn,
    test: Option<i16>,
) {
    let offsets = &path.offset[..(path.len as usize).min(path.offset.len())];
    let null = |i: usize| path.null & (1 << i) != 0;
    let object = call.object as u8;
    let tests = (1..=offsets.len()).filter(|&i| null(i)).count();
    let object_test = match null(0) {
        false => 0,
        true if object == R0 => 1,
        true => 3,
    };
    let guard = match place.ready {
        None => 0,
        Some(_) => 6 + usize::from(test.is_some()),
    };
    let add = place.offset != 0;
    let end = code.len + object_test + offsets.len() + tests + guard + usize::from(add);
    let end = end as isize;
    // The test is at the end.
    let none = test.map_or(end, |off| end + 1 + isize::from(off));

    if object_test == 3 {
        code.push(jump_if(bindings::BPF_JMP, bindings::BPF_JNE, object, 0, 2));
        code.push(set(R0, 0));
        code.push(jump(code.to(none)));
    } else if object_test == 1 {
        let off = code.to(none);
        code.push(jump_if(bindings::BPF_JMP, bindings::BPF_JEQ, R0, 0, off));
    }
    for (i, &offset) in offsets.iter().enumerate() {
        code.push(load(
            bindings::BPF_DW,
            R0,
            if i == 0 { object } else { R0 },
            offset,
        ));
        if null(i + 1) {
            let off = code.to(none);
            code.push(jump_if(bindings::BPF_JMP, bindings::BPF_JEQ, R0, 0, off));
        }
    }
    if let Some(ready) = &place.ready {
        let called = 4 + i16::from(test.is_some());
        code.push(load(bindings::BPF_W, R4, R0, ready.offset as i16));
        code.push(jump_if(
            bindings::BPF_JMP32,
            bindings::BPF_JEQ,
            R4,
            ready.value,
            called,
        ));
        code.push(set(call.reg as u8, call.slot));
        code.push(set(call.reg as u8 + 1, call.size));
        code.push(insn);
        if test.is_some() {
            let off = code.to(none);
            code.push(jump_if(bindings::BPF_JMP, bindings::BPF_JEQ, R0, 0, off));
        }
        code.push(jump(code.to(end)));
    }
    if add {
        let op = bindings::BPF_ALU64 | bindings::BPF_ADD | bindings::BPF_K;
        code.push(self::insn(op, R0, 0, 0, place.offset as i32));
    }
}

/// How far the program's own test for NULL jumps that follows a call.
///
/// [`None`] if another instruction follows, if the program can get there without the call, or if it
/// jumps back, as `continue` does in a loop.
fn test_behind(insns: &[bindings::bpf_insn], call: usize) -> Option<i16> {
    let at = call + 1;
    let test = insns.get(at)?;
    let is = jump_if(bindings::BPF_JMP, bindings::BPF_JEQ, R0, 0, test.off);

    if (test.code, test.dst_reg(), test.src_reg(), test.imm)
        != (is.code, is.dst_reg(), is.src_reg(), is.imm)
    {
        return None;
    }
    for (i, insn) in insns.iter().enumerate() {
        let far = match u32::from(insn.code) {
            FAR => insn.imm as isize,
            // It may go anywhere.
            INDIRECT => return None,
            code if code & 0xf0 == bindings::BPF_CALL || code & 0xf0 == bindings::BPF_EXIT => {
                continue;
            }
            _ => isize::from(insn.off),
        };
        let jumps = matches!(class(insn), bindings::BPF_JMP | bindings::BPF_JMP32);
        if jumps && i as isize + 1 + far == at as isize {
            return None;
        }
    }
    // What is in front does not move, and what comes in between must not make the distance too
    // large.
    (0..i16::MAX / 2).contains(&test.off).then_some(test.off)
}

/// A jump of 32 bits, and one to an address in a register.
const FAR: u32 = bindings::BPF_JMP32 | bindings::BPF_JA;
const INDIRECT: u32 = bindings::BPF_JMP | bindings::BPF_JA | bindings::BPF_X;

/// Which registers an instruction reads, a bit for each; [`None`] if it does more than compute,
/// load and store.
fn reads(insn: &bindings::bpf_insn) -> Option<u16> {
    let dst = 1 << insn.dst_reg();
    let src = 1 << insn.src_reg();

    match class(insn) {
        bindings::BPF_ALU | bindings::BPF_ALU64 => {
            let second = if u32::from(insn.code) & 0x08 == bindings::BPF_X {
                src
            } else {
                0
            };
            Some(match u32::from(insn.code) & 0xf0 {
                bindings::BPF_MOV => second,
                _ => dst | second,
            })
        }
        // The verifier has counted those that can fault.
        bindings::BPF_LDX if mode(insn) == bindings::BPF_MEM => Some(src),
        bindings::BPF_ST if mode(insn) == bindings::BPF_MEM => Some(dst),
        bindings::BPF_STX if mode(insn) == bindings::BPF_MEM => Some(dst | src),
        _ => None,
    }
}

/// Removes, from the end of `insns`, what puts values in registers that nobody reads.
///
/// `dead`: the registers that are not read behind `insns`, a bit for each. Goes back to where a
/// jump or call is. That others may jump in between does not matter: who reads a register is found
/// behind an instruction, not in front of it.
///
/// Returns how many instructions it left alone, at the beginning.
fn drop_unread(insns: &mut [bindings::bpf_insn], mut dead: u16) -> usize {
    const WIDE: u32 = bindings::BPF_LD | bindings::BPF_IMM | bindings::BPF_DW;
    let mut at = insns.len();

    while at > 0 {
        // A load of 64 bits has two parts, of which the second is 0 but for a value.
        if at > 1 && insns[at - 1].code == 0 && u32::from(insns[at - 2].code) == WIDE {
            at -= 2;
            if dead & (1 << insns[at].dst_reg()) != 0 {
                insns[at..at + 2].fill(jump(0));
            }
            continue;
        }
        let insn = &mut insns[at - 1];
        let Some(read) = reads(insn) else {
            break;
        };
        let stores = matches!(class(insn), bindings::BPF_ST | bindings::BPF_STX);
        if !stores && dead & (1 << insn.dst_reg()) != 0 {
            *insn = jump(0);
        } else {
            dead &= !read;
        }
        at -= 1;
    }
    at
}

/// Makes what takes the place of a call, and removes what was for the call alone.
///
/// `buf` has `len` instructions, behind which the object is in the register that `call` says.
/// Returns how many there are in the end, or 0: the call stays. May sleep.
///
/// # Safety
///
/// `call` must be valid and nobody else's, with a path that is right for the objects of its class,
/// of which every pointer that can be NULL is marked, but for the blob; `insns` must be the `len` instructions of the
/// program, nobody else's meanwhile, of which the one at `index` is the call; `buf` must have space
/// for `INSN_BUF_SIZE`.
#[export]
pub(crate) unsafe extern "C" fn krsi_blob_replace(
    call: *mut bindings::krsi_blob_call,
    buf: *mut bindings::bpf_insn,
    len: c_uint,
) -> c_int {
    // SAFETY: The caller passes a valid `call` that only it has, with a valid path.
    let (call, mut path) = unsafe { (&mut *call, *(*call).path) };
    let Some(place) = access::place(path.class, call.slot, call.size) else {
        return 0;
    };
    let hook = usize::try_from(call.hook).ok();
    if missing::possible(Class::ALL[path.class as usize], hook) {
        path.null |= 1 << path.len;
    }
    // Elsewhere the load of the word would have to be an acquiring one.
    if place.ready.is_some() && !cfg!(CONFIG_X86) {
        return 0;
    }
    // SAFETY: By the safety requirements.
    let (insns, buf) = unsafe {
        (
            core::slice::from_raw_parts_mut(call.insns, call.len as usize),
            core::slice::from_raw_parts_mut(buf, MAX),
        )
    };
    let mut code = Code {
        insns: buf,
        len: len as usize,
    };
    let index = call.index as usize;
    let test = test_behind(insns, index);
    let Some((before, [insn, behind @ ..])) = insns.split_at_mut_checked(index) else {
        return 0;
    };

    access(&mut code, &path, &place, call, *insn, test);
    if code.len > MAX {
        return 0;
    }
    call.first = drop_unread(before, 0b11 << call.reg) as u32;
    if test.is_some() {
        behind[0] = jump(0);
    }
    code.len as c_int
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_blob_inline)]
mod tests {
    use super::{access::Ready, *};

    const CALL: u32 = bindings::BPF_JMP | bindings::BPF_CALL;
    const MOV: u32 = bindings::BPF_ALU64 | bindings::BPF_MOV | bindings::BPF_X;
    const SLOT: u32 = 0x8765_4300;
    /// What the call of the test returns.
    const CALLED: u64 = 0xca11;

    fn same(a: &bindings::bpf_insn, b: &bindings::bpf_insn) -> bool {
        (a.code, a.dst_reg(), a.src_reg(), a.off, a.imm)
            == (b.code, b.dst_reg(), b.src_reg(), b.off, b.imm)
    }

    /// Runs instructions with an object in a register; the value of R0 in the end, and how far
    /// behind the last of them that is.
    fn run(insns: &[bindings::bpf_insn], reg: usize, object: u64) -> (u64, usize) {
        const LOAD: u32 = bindings::BPF_LDX | bindings::BPF_MEM;
        const DOUBLE: u32 = LOAD | bindings::BPF_DW;
        const WORD: u32 = LOAD | bindings::BPF_W;
        const TEST: u32 = bindings::BPF_JMP | bindings::BPF_JEQ;
        const OTHER: u32 = bindings::BPF_JMP | bindings::BPF_JNE;
        const TEST32: u32 = bindings::BPF_JMP32 | bindings::BPF_JEQ;
        const JUMP: u32 = bindings::BPF_JMP | bindings::BPF_JA;
        const SET: u32 = bindings::BPF_ALU | bindings::BPF_MOV;
        const ADD: u32 = bindings::BPF_ALU64 | bindings::BPF_ADD;
        let mut regs = [0u64; 11];
        let mut at = 0;

        regs[0] = 0xdead;
        regs[reg] = object;
        while let Some(insn) = insns.get(at) {
            let (dst, src) = (insn.dst_reg() as usize, insn.src_reg() as usize);
            let from = regs[src].wrapping_add(insn.off as u64) as usize;
            let mut jump = false;
            match u32::from(insn.code) {
                // SAFETY: The tests have arrays there.
                DOUBLE => regs[dst] = unsafe { *(from as *const u64) },
                // SAFETY: As above.
                WORD => regs[dst] = unsafe { *(from as *const u32) }.into(),
                TEST => jump = regs[dst] == insn.imm as u64,
                OTHER => jump = regs[dst] != insn.imm as u64,
                TEST32 => jump = regs[dst] as u32 == insn.imm as u32,
                JUMP => jump = true,
                SET => regs[dst] = (insn.imm as u32).into(),
                ADD => regs[dst] = regs[dst].wrapping_add(insn.imm as u64),
                CALL => {
                    assert_eq!((regs[2], regs[3]), (SLOT.into(), 8));
                    regs[0] = CALLED;
                }
                code => panic!("instruction {code:#x}"),
            }
            at += 1;
            if jump {
                at = at.wrapping_add_signed(insn.off.into());
            }
        }
        (regs[0], at - insns.len())
    }

    /// What [`access`] makes of this, run with `object`, and how long it is.
    fn made(path: &bindings::krsi_blob_path, place: &Place, object: u64) -> (u64, usize) {
        let mut lens = [0; 2];
        let mut result = 0;

        for (reg, len) in [0, 1].into_iter().zip(&mut lens) {
            let (alone, end, n) = made_with(path, place, reg, object, None);
            // Jumps go to the end, not beyond.
            assert_eq!(end, 0);
            let (tested, end, m) = made_with(path, place, reg, object, Some(5));
            assert_eq!(tested, alone);
            // Past the test with its jump, or as if there were none.
            assert_eq!(end, if alone == 0 { 6 } else { 0 });
            assert_eq!(m, n + usize::from(place.ready.is_some()));
            *len = n;
            result = alone;
        }
        // There are two more to say NULL for an object that is not in R0.
        assert_eq!(lens[1] - lens[0], if path.null & 1 != 0 { 2 } else { 0 });
        (result, lens[0])
    }

    /// The same for an object in the register `reg`, with a test behind or without; where that ends
    /// is in the middle.
    fn made_with(
        path: &bindings::krsi_blob_path,
        place: &Place,
        reg: u32,
        object: u64,
        test: Option<i16>,
    ) -> (u64, usize, usize) {
        let mut buf = [jump(0); MAX];
        let call = bindings::krsi_blob_call {
            path,
            insns: core::ptr::null_mut(),
            len: 0,
            first: 0,
            index: 0,
            object: reg,
            reg: 2,
            slot: SLOT,
            size: 8,
            hook: -1,
        };
        let mut code = Code {
            insns: &mut buf,
            len: 0,
        };

        access(&mut code, path, place, &call, insn(CALL, 0, 2, 0, 77), test);
        let len = code.len;
        assert!(len <= MAX);
        let (result, end) = run(&buf[..len], reg as usize, object);
        (result, end, len)
    }

    fn path(len: u32, null: u32, offset: [i16; 2]) -> bindings::krsi_blob_path {
        bindings::krsi_blob_path {
            class: 0,
            len,
            null,
            offset,
        }
    }

    const fn place(offset: u32, ready: Option<Ready>) -> Place {
        Place { offset, ready }
    }

    #[test]
    fn objects_lead_to_slots() {
        let blob = [0u64; 4];
        let blob = blob.as_ptr() as u64;
        let object = [0, blob];
        let object = object.as_ptr() as u64;

        assert_eq!(
            made(&path(1, 0, [8, 0]), &place(16, None), object),
            (blob + 16, 2)
        );
        assert_eq!(
            made(&path(1, 0, [8, 0]), &place(0, None), object),
            (blob, 1)
        );
        assert_eq!(
            made(&path(1, 1, [8, 0]), &place(16, None), object),
            (blob + 16, 3)
        );
        assert_eq!(
            made(&path(1, 3, [8, 0]), &place(16, None), object),
            (blob + 16, 4)
        );
        // Further on: an object that leads to the one that has the blob.
        let outer = [object];
        let outer = outer.as_ptr() as u64;
        assert_eq!(
            made(&path(2, 7, [0, 8]), &place(24, None), outer),
            (blob + 24, 6)
        );
    }

    #[test]
    fn null_leads_nowhere() {
        let object = [0u64, 0];
        let object = object.as_ptr() as u64;
        let outer = [object, 0];
        let outer = outer.as_ptr() as u64;

        for offset in [0, 16] {
            let place = place(offset, None);
            assert_eq!(made(&path(1, 1, [8, 0]), &place, 0).0, 0);
            assert_eq!(made(&path(1, 3, [8, 0]), &place, 0).0, 0);
            assert_eq!(made(&path(1, 3, [8, 0]), &place, object).0, 0);
            assert_eq!(made(&path(2, 3, [8, 8]), &place, outer).0, 0);
            assert_eq!(made(&path(2, 7, [0, 8]), &place, outer).0, 0);
        }
    }

    #[test]
    fn what_is_not_ready_is_left_to_the_call() {
        let mut blob = [0u32; 8];
        let object = [blob.as_ptr() as u64];
        let object = object.as_ptr() as u64;
        let at = blob.as_ptr() as u64;
        let place = |value| place(16, Some(Ready { offset: 4, value }));

        for ready in [2, 0xffff_fffe] {
            for (state, result) in [(0, CALLED), (1, CALLED), (!ready, CALLED), (ready, at + 16)] {
                blob[1] = state;
                core::hint::black_box(&blob);
                for null in [0, 1, 3] {
                    let (is, _) = made(&path(1, null, [0, 0]), &place(ready), object);
                    assert_eq!(is, result);
                }
            }
        }
        assert_eq!(made(&path(1, 1, [0, 0]), &place(2), 0).0, 0);
    }

    /// Removes what nobody reads if R2 and R3 are dead; which ones those are, a bit for each, and
    /// how many were left alone.
    fn dropped(insns: &[bindings::bpf_insn]) -> (u32, usize) {
        let mut after = [jump(0); 8];
        let after = &mut after[..insns.len()];
        after.copy_from_slice(insns);
        let first = drop_unread(after, 0b1100);
        let mut bits = 0;

        for (i, insn) in after.iter().enumerate() {
            if !same(insn, &insns[i]) {
                assert!(same(insn, &jump(0)) && i >= first);
                bits |= 1 << i;
            }
        }
        (bits, first)
    }

    #[test]
    fn arguments_go_with_the_call() {
        let wide = insn(
            bindings::BPF_LD | bindings::BPF_IMM | bindings::BPF_DW,
            2,
            1,
            0,
            -1,
        );
        let value = insn(0, 0, 0, 0, 3);
        let word = bindings::BPF_W;

        // As compilers have it: the object, the slot's number from read-only data, the size.
        let usual = [
            load(word, 1, 1, 0),
            wide,
            value,
            load(word, 2, 2, 4),
            set(3, 8),
        ];
        assert_eq!(dropped(&usual), (0b11110, 0));
        // A copy goes, what it is a copy of stays.
        assert_eq!(dropped(&[set(6, 5), insn(MOV, 2, 6, 0, 0)]), (0b10, 0));
        // Somebody else reads the same.
        let stored = insn(bindings::BPF_STX | bindings::BPF_MEM | word, 10, 2, -8, 0);
        assert_eq!(dropped(&[set(2, 5), stored, set(3, 8)]), (0b100, 0));
        let copied = insn(MOV, 1, 2, 0, 0);
        assert_eq!(dropped(&[set(2, 5), copied, set(3, 8)]), (0b100, 0));
        let added = insn(bindings::BPF_ALU64 | bindings::BPF_X, 1, 2, 0, 0);
        assert_eq!(dropped(&[set(2, 5), added]), (0, 0));
        assert_eq!(dropped(&[set(2, 5), load(word, 1, 2, 0)]), (0, 0));
        // An earlier value of the register is the other's.
        assert_eq!(dropped(&[set(2, 5), copied, set(2, 6)]), (0b100, 0));
        // Beyond a jump, a call or an atomic others may read.
        for barrier in [
            jump(0),
            jump_if(bindings::BPF_JMP32, bindings::BPF_JEQ, 1, 0, 1),
            insn(CALL, 0, 0, 0, 5),
            // It can fault, and is counted.
            insn(bindings::BPF_LDX | bindings::BPF_PROBE_MEM, 2, 1, 0, 0),
            insn(bindings::BPF_STX | bindings::BPF_ATOMIC | word, 1, 0, 0, 0),
        ] {
            assert_eq!(dropped(&[set(2, 5), barrier, set(3, 8)]), (0b100, 2));
        }
        assert_eq!(dropped(&[]), (0, 0));
    }

    #[test]
    fn tests_go_with_the_call() {
        let call = insn(CALL, 0, 2, 0, 77);
        let test = |off| jump_if(bindings::BPF_JMP, bindings::BPF_JEQ, 0, 0, off);
        let other = |off| jump_if(bindings::BPF_JMP, bindings::BPF_JNE, 0, 0, off);
        let exit = insn(bindings::BPF_JMP | bindings::BPF_EXIT, 0, 0, 0, 0);

        assert_eq!(test_behind(&[call, test(3), exit], 0), Some(3));
        assert_eq!(test_behind(&[set(2, 1), call, test(-3), exit], 1), None);
        assert_eq!(test_behind(&[set(2, 1), call, test(-1), exit], 1), None);
        // Something else.
        assert_eq!(test_behind(&[call], 0), None);
        for behind in [
            other(3),
            jump(3),
            set(0, 0),
            jump_if(bindings::BPF_JMP, bindings::BPF_JEQ, 1, 0, 3),
            jump_if(bindings::BPF_JMP, bindings::BPF_JEQ, 0, 1, 3),
            jump_if(bindings::BPF_JMP32, bindings::BPF_JEQ, 0, 0, 3),
            test(i16::MAX - 3),
            test(i16::MIN),
        ] {
            assert_eq!(test_behind(&[call, behind, exit], 0), None);
        }
        // Others may come along.
        for (jump, only) in [
            (jump(1), false),
            (other(1), false),
            (test(1), false),
            (insn(FAR, 0, 0, 0, 1), false),
            (insn(INDIRECT, 3, 0, 0, 0), false),
            (
                insn(bindings::BPF_JMP | bindings::BPF_JCOND, 0, 0, 1, 0),
                false,
            ),
            (jump(0), true),
            (jump(2), true),
            (insn(FAR, 0, 0, 1, 2), true),
            (insn(CALL, 0, 0, 1, 1), true),
            (load(bindings::BPF_W, 1, 1, 1), true),
        ] {
            let found = test_behind(&[jump, call, test(3), exit], 1);
            assert_eq!(found, only.then_some(3));
        }
        assert_eq!(test_behind(&[call, test(1), exit, jump(-3)], 0), None);
    }
}
