// SPDX-License-Identifier: GPL-2.0

//! The instructions that replace a call.

use super::{
    super::index::Place,
    insn::{insn, jump, jump_if, load, set, R0},
};
use kernel::bindings;

/// A register that calls overwrite.
const R4: u8 = 4;

/// A buffer of instructions.
pub(super) struct Code<'a> {
    insns: &'a mut [bindings::bpf_insn],
    len: usize,
}

impl<'a> Code<'a> {
    /// Appends to the first `len` instructions of a buffer.
    pub(super) fn new(insns: &'a mut [bindings::bpf_insn], len: usize) -> Self {
        Self { insns, len }
    }

    /// The number of instructions, including those for which there was no space.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Appends an instruction if there is space. Counts it in any case.
    fn push(&mut self, insn: bindings::bpf_insn) {
        if let Some(slot) = self.insns.get_mut(self.len) {
            *slot = insn;
        }
        self.len += 1;
    }

    /// The offset of a jump that is appended next and goes to `place`.
    fn to(&self, place: isize) -> i16 {
        (place - self.len as isize - 1) as i16
    }
}

/// Appends instructions that leave the address of the slot's bytes in R0, or NULL.
///
/// The result is NULL if a pointer of `path` is. If the slot has a state word whose value is not
/// ready, the instructions make the call `insn`, with the number and the size in `call.reg` and the
/// next register. `test` is the offset of the program's own test for NULL, which follows: NULL
/// jumps to its target, other values skip the test. Preserves R1 and R2.
pub(super) fn access(
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
    // The program's test is the instruction after the last one.
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

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_blob_emit)]
mod tests {
    use super::{
        super::{super::index::Ready, insn::MAX},
        *,
    };

    const CALL: u32 = bindings::BPF_JMP | bindings::BPF_CALL;
    const SLOT: u32 = 0x8765_4300;
    /// The return value of the call in the test.
    const CALLED: u64 = 0xca11;

    /// Runs instructions with an object in a register. Returns the final value of R0, and the
    /// distance from the end of the instructions to the next one.
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
                // SAFETY: The tests have arrays there.
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

    /// Runs the instructions of [`access`] with `object`. Returns the result and their number.
    fn made(path: &bindings::krsi_blob_path, place: &Place, object: u64) -> (u64, usize) {
        let mut lens = [0; 2];
        let mut result = 0;

        for (reg, len) in [0, 1].into_iter().zip(&mut lens) {
            let (alone, end, n) = made_with(path, place, reg, object, None);
            // All jumps go to the end.
            assert_eq!(end, 0);
            let (tested, end, m) = made_with(path, place, reg, object, Some(5));
            assert_eq!(tested, alone);
            // NULL jumps to the target of the test; other values skip the test.
            assert_eq!(end, if alone == 0 { 6 } else { 0 });
            assert_eq!(m, n + usize::from(place.ready.is_some()));
            *len = n;
            result = alone;
        }
        // An object that is not in R0 needs two more instructions for NULL.
        assert_eq!(lens[1] - lens[0], if path.null & 1 != 0 { 2 } else { 0 });
        (result, lens[0])
    }

    /// Like [`made`], for an object in the register `reg`, with a following test or without. The
    /// second value is the distance from the end of the instructions to the next one.
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
        let mut code = Code::new(&mut buf, 0);

        access(&mut code, path, place, &call, insn(CALL, 0, 2, 0, 77), test);
        let len = code.len();
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
        // An object with a pointer to the one that has the blob.
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
}
