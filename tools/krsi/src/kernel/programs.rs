// SPDX-License-Identifier: GPL-2.0

//! The loaded programs that are made for hooks: LSM programs, and those that trace
//! what calls hooks or what stands for one.

use super::{
    bpf::{self, ProgramInfo},
    btf::Kernel,
};
use libbpf_rs::libbpf_sys::{BPF_PROG_TYPE_LSM, BPF_PROG_TYPE_TRACING};
use std::{collections::BTreeMap, io};

/// What the kernel tells of each of them, by id.
pub fn of_hooks(kernel: &Kernel) -> io::Result<BTreeMap<u32, ProgramInfo>> {
    let types = bpf::vmlinux_btf()?;
    let traces_hook = |info: &ProgramInfo| {
        info.type_ == BPF_PROG_TYPE_TRACING
            // Other programs can be traced too, and their ids mean other things.
            && types == Some(info.attach_btf_obj_id)
            && kernel.is_of_lsms(info.attach_btf_id)
    };
    let mut infos = BTreeMap::new();
    for id in bpf::program_ids()? {
        if let Some(info) = bpf::program_info(id)? {
            if info.type_ == BPF_PROG_TYPE_LSM || traces_hook(&info) {
                infos.insert(id, info);
            }
        }
    }
    Ok(infos)
}
