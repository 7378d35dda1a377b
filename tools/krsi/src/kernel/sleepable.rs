// SPDX-License-Identifier: GPL-2.0

//! Which programs may sleep. No field of `bpf_prog_info` tells; a BPF iterator can.

use super::{
    bpf,
    btf::Kernel,
    insn::{Insn, Program, Reg, Size},
};
use libbpf_rs::libbpf_sys::{BPF_FUNC_seq_write, BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER};
use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read},
};

/// Whether each loaded program is sleepable, by id.
pub fn programs(kernel: &Kernel) -> io::Result<HashMap<u32, bool>> {
    let missing = || io::Error::from(io::ErrorKind::Unsupported);
    let function = kernel.function("bpf_iter_bpf_prog").ok_or_else(missing)?;
    let insns = iterator(kernel).ok_or_else(missing)?;

    let program = bpf::load(BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, function, &insns)?;
    let link = bpf::attach(&program, BPF_TRACE_ITER)?;
    let mut records = Vec::new();
    File::from(bpf::iterate(&link)?).read_to_end(&mut records)?;
    Ok(parse(&records))
}

/// For each program it writes the id and whether it is sleepable, two numbers of 32 bits.
fn iterator(kernel: &Kernel) -> Option<Vec<Insn>> {
    let byte = |bit: u32| i16::try_from(bit / 8).ok();
    let sleepable = kernel.field_bit("bpf_prog", "sleepable")?;
    let aux = byte(kernel.field_bit("bpf_prog", "aux")?)?;
    let id = byte(kernel.field_bit("bpf_prog_aux", "id")?)?;

    // The context is a struct bpf_iter__bpf_prog: meta, prog. The first of meta is seq.
    let program = Program::default()
        .load(Size::Double, Reg::R6, Reg::R1, 0)
        .load(Size::Double, Reg::R7, Reg::R1, 8)
        // The call after the last program has none.
        .jump_if(Reg::R7, 0)
        .load(Size::Byte, Reg::R2, Reg::R7, byte(sleepable)?)
        .and(Reg::R2, 1 << (sleepable % 8))
        .store(Size::Word, Reg::R10, -4, Reg::R2)
        .load(Size::Double, Reg::R2, Reg::R7, aux)
        .load(Size::Word, Reg::R2, Reg::R2, id)
        .store(Size::Word, Reg::R10, -8, Reg::R2)
        .load(Size::Double, Reg::R1, Reg::R6, 0)
        .copy(Reg::R2, Reg::R10)
        .add(Reg::R2, -8)
        .set(Reg::R3, 8)
        .call(BPF_FUNC_seq_write)
        .label()
        .set(Reg::R0, 0)
        .exit();
    Some(program.finish())
}

fn parse(records: &[u8]) -> HashMap<u32, bool> {
    let number = |bytes: &[u8]| u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let pairs = records.chunks_exact(8);
    pairs
        .map(|pair| (number(pair), number(&pair[4..]) != 0))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        let mut bytes = Vec::new();
        for number in [7u32, 0, 9, 4] {
            bytes.extend(number.to_ne_bytes());
        }
        // Half a record is none.
        bytes.extend([1, 0]);
        assert_eq!(parse(&bytes), HashMap::from([(7, false), (9, true)]));
    }
}
