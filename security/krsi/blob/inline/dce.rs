// SPDX-License-Identifier: GPL-2.0

//! Dead code elimination: removes instructions that only a replaced call needed.

use super::insn::{jump, jump_if, R0};
use kernel::bindings;

fn class(insn: &bindings::bpf_insn) -> u32 {
    u32::from(insn.code) & 0x07
}

fn mode(insn: &bindings::bpf_insn) -> u32 {
    u32::from(insn.code) & 0xe0
}

/// The offset of the program's own test for NULL after a call.
///
/// [`None`] if another instruction follows, if the program can reach the test without the call, or
/// if the test jumps back, as `continue` does in a loop.
pub(super) fn test_after(insns: &[bindings::bpf_insn], call: usize) -> Option<i16> {
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
            // The target is not known.
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
    // Instructions that are inserted later must not make the offset too large.
    (0..i16::MAX / 2).contains(&test.off).then_some(test.off)
}

/// A jump with an offset of 32 bits, and one to an address in a register.
const FAR: u32 = bindings::BPF_JMP32 | bindings::BPF_JA;
const INDIRECT: u32 = bindings::BPF_JMP | bindings::BPF_JA | bindings::BPF_X;

/// The registers that an instruction reads, a bit for each. [`None`] if it does anything other than
/// compute, load or store.
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
        // Loads that can fault have another mode. The verifier has counted them.
        bindings::BPF_LDX if mode(insn) == bindings::BPF_MEM => Some(src),
        bindings::BPF_ST if mode(insn) == bindings::BPF_MEM => Some(dst),
        bindings::BPF_STX if mode(insn) == bindings::BPF_MEM => Some(dst | src),
        _ => None,
    }
}

/// Removes instructions at the end of `insns` whose result is not read.
///
/// `dead`: the registers that are not read after `insns`, a bit for each. Stops at a jump or a
/// call. Jumps to the instructions do not matter, because all reads of a register are found after
/// the instruction that writes it.
///
/// Returns the number of instructions at the beginning that were not looked at.
pub(super) fn drop_unread(insns: &mut [bindings::bpf_insn], mut dead: u16) -> usize {
    const WIDE: u32 = bindings::BPF_LD | bindings::BPF_IMM | bindings::BPF_DW;
    let mut at = insns.len();

    while at > 0 {
        // A load of 64 bits is two instructions. The second has the code 0.
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

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_blob_dce)]
mod tests {
    use super::{
        super::insn::{insn, load, set},
        *,
    };

    const CALL: u32 = bindings::BPF_JMP | bindings::BPF_CALL;
    const MOV: u32 = bindings::BPF_ALU64 | bindings::BPF_MOV | bindings::BPF_X;

    fn same(a: &bindings::bpf_insn, b: &bindings::bpf_insn) -> bool {
        (a.code, a.dst_reg(), a.src_reg(), a.off, a.imm)
            == (b.code, b.dst_reg(), b.src_reg(), b.off, b.imm)
    }

    /// Removes instructions that are dead if R2 and R3 are. Returns a bit for each of them, and the
    /// number of instructions that were not looked at.
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

        // Typical code: loads the object, the slot's number from read-only data, and the size.
        let usual = [
            load(word, 1, 1, 0),
            wide,
            value,
            load(word, 2, 2, 4),
            set(3, 8),
        ];
        assert_eq!(dropped(&usual), (0b11110, 0));
        // The copy is removed, its source is not.
        assert_eq!(dropped(&[set(6, 5), insn(MOV, 2, 6, 0, 0)]), (0b10, 0));
        // Another instruction reads the register.
        let stored = insn(bindings::BPF_STX | bindings::BPF_MEM | word, 10, 2, -8, 0);
        assert_eq!(dropped(&[set(2, 5), stored, set(3, 8)]), (0b100, 0));
        let copied = insn(MOV, 1, 2, 0, 0);
        assert_eq!(dropped(&[set(2, 5), copied, set(3, 8)]), (0b100, 0));
        let added = insn(bindings::BPF_ALU64 | bindings::BPF_X, 1, 2, 0, 0);
        assert_eq!(dropped(&[set(2, 5), added]), (0, 0));
        assert_eq!(dropped(&[set(2, 5), load(word, 1, 2, 0)]), (0, 0));
        // Another instruction reads an earlier value of the register.
        assert_eq!(dropped(&[set(2, 5), copied, set(2, 6)]), (0b100, 0));
        // Code before a jump, a call or an atomic access may be needed elsewhere.
        for barrier in [
            jump(0),
            jump_if(bindings::BPF_JMP32, bindings::BPF_JEQ, 1, 0, 1),
            insn(CALL, 0, 0, 0, 5),
            // A load that can fault, which the verifier has counted.
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

        assert_eq!(test_after(&[call, test(3), exit], 0), Some(3));
        assert_eq!(test_after(&[set(2, 1), call, test(-3), exit], 1), None);
        assert_eq!(test_after(&[set(2, 1), call, test(-1), exit], 1), None);
        // Other instructions follow.
        assert_eq!(test_after(&[call], 0), None);
        for next in [
            other(3),
            jump(3),
            set(0, 0),
            jump_if(bindings::BPF_JMP, bindings::BPF_JEQ, 1, 0, 3),
            jump_if(bindings::BPF_JMP, bindings::BPF_JEQ, 0, 1, 3),
            jump_if(bindings::BPF_JMP32, bindings::BPF_JEQ, 0, 0, 3),
            test(i16::MAX - 3),
            test(i16::MIN),
        ] {
            assert_eq!(test_after(&[call, next, exit], 0), None);
        }
        // The test can be reached without the call.
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
            let found = test_after(&[jump, call, test(3), exit], 1);
            assert_eq!(found, only.then_some(3));
        }
        assert_eq!(test_after(&[call, test(1), exit, jump(-3)], 0), None);
    }
}
