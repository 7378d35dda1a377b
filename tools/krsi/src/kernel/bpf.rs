// SPDX-License-Identifier: GPL-2.0

//! bpf(2), as far as this command needs it. Objects can go at any time: what is gone is `None`,
//! every other failure is an error, so that no list is short without anybody knowing.

use super::insn::Insn;
use libbpf_rs::libbpf_sys as sys;
use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    ptr,
};

pub use sys::{bpf_link_info as LinkInfo, bpf_prog_info as ProgramInfo};

/// What libbpf returns: a number from 0, or a negative errno.
fn result(ret: i32) -> io::Result<i32> {
    if ret < 0 {
        return Err(io::Error::from_raw_os_error(-ret));
    }
    Ok(ret)
}

/// What libbpf returns when it makes a file descriptor.
fn owned(ret: i32) -> io::Result<OwnedFd> {
    // SAFETY: The call has just made the descriptor, and nobody else knows of it.
    result(ret).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `None` instead of the error that an object is gone.
fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// The ids that `next(id)` leads to, from 0.
fn ids(next: impl Fn(u32) -> io::Result<u32>) -> io::Result<Vec<u32>> {
    let mut ids = Vec::new();
    let mut id = 0;
    while let Some(next) = unless_gone(next(id))? {
        ids.push(next);
        id = next;
    }
    Ok(ids)
}

/// The ids of all loaded programs.
pub fn program_ids() -> io::Result<Vec<u32>> {
    ids(|id| {
        let mut next = 0;
        // SAFETY: FFI call; `next` is writable.
        result(unsafe { sys::bpf_prog_get_next_id(id, &mut next) }).map(|_| next)
    })
}

/// The ids of all links.
pub fn link_ids() -> io::Result<Vec<u32>> {
    ids(|id| {
        let mut next = 0;
        // SAFETY: FFI call; `next` is writable.
        result(unsafe { sys::bpf_link_get_next_id(id, &mut next) }).map(|_| next)
    })
}

/// What the kernel tells of the program with this id.
pub fn program_info(id: u32) -> io::Result<Option<ProgramInfo>> {
    // SAFETY: FFI call, no pointers.
    let Some(fd) = unless_gone(owned(unsafe { sys::bpf_prog_get_fd_by_id(id) }))? else {
        return Ok(None);
    };
    info(&fd).map(Some)
}

/// What the kernel tells of the link with this id.
pub fn link_info(id: u32) -> io::Result<Option<LinkInfo>> {
    // SAFETY: FFI call, no pointers.
    let Some(fd) = unless_gone(owned(unsafe { sys::bpf_link_get_fd_by_id(id) }))? else {
        return Ok(None);
    };
    info(&fd).map(Some)
}

/// The structures that the kernel fills in for an object.
///
/// # Safety
///
/// They are made of integers only, so that any bytes are a value.
pub unsafe trait Info: Default {}
// SAFETY: Integers, and unions of them.
unsafe impl Info for ProgramInfo {}
// SAFETY: As above.
unsafe impl Info for LinkInfo {}

/// What the kernel tells of `object`, whose kind has to be the one of `T`.
pub fn info<T: Info>(object: &OwnedFd) -> io::Result<T> {
    let mut info = T::default();
    let mut size = size_of::<T>() as u32;
    // SAFETY: `info` is writable for `size` bytes, and holds whatever they are. Its pointers are
    // null and their lengths 0, so that the kernel writes nowhere else.
    let ret = unsafe {
        sys::bpf_obj_get_info_by_fd(
            object.as_raw_fd(),
            ptr::from_mut(&mut info).cast(),
            &mut size,
        )
    };
    result(ret).map(|_| info)
}

/// The id of the kernel's own types, which functions to attach to are named by.
pub fn vmlinux_btf() -> io::Result<Option<u32>> {
    let ids = ids(|id| {
        let mut next = 0;
        // SAFETY: FFI call; `next` is writable.
        result(unsafe { sys::bpf_btf_get_next_id(id, &mut next) }).map(|_| next)
    })?;
    for id in ids {
        // SAFETY: FFI call, no pointers.
        let Some(fd) = unless_gone(owned(unsafe { sys::bpf_btf_get_fd_by_id(id) }))? else {
            continue;
        };
        let mut name = [0u8; 16];
        let mut info = sys::bpf_btf_info {
            name: name.as_mut_ptr() as u64,
            name_len: name.len() as u32,
            ..Default::default()
        };
        let mut size = size_of_val(&info) as u32;
        // SAFETY: `info` is writable for `size` bytes, `name` for as many as `info` says; the
        // types themselves are not asked for.
        let ret = unsafe { sys::bpf_btf_get_info_by_fd(fd.as_raw_fd(), &mut info, &mut size) };
        // A longer name is an error, and another's.
        if ret == 0 && info.kernel_btf != 0 && name.starts_with(b"vmlinux\0") {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Loads a program; on failure the verifier's log is part of the error.
///
/// `kind` and `attach` are a `BPF_PROG_TYPE_` and the type of its attachment, `function` the BTF
/// id of what it is attached to.
pub fn load(kind: u32, attach: u32, function: u32, insns: &[Insn]) -> io::Result<OwnedFd> {
    let mut log = vec![0u8; 64 << 10];
    let mut options = sys::bpf_prog_load_opts {
        sz: size_of::<sys::bpf_prog_load_opts>() as u64,
        expected_attach_type: attach,
        attach_btf_id: function,
        log_buf: log.as_mut_ptr().cast(),
        log_size: log.len() as u32,
        ..Default::default()
    };
    // SAFETY: Name and licence are C strings; `insns` are as many instructions, laid out as the
    // kernel's; `options` has its size, and the log is writable for the size it says.
    let ret = unsafe {
        sys::bpf_prog_load(
            kind,
            c"krsi_tool".as_ptr(),
            c"GPL".as_ptr(),
            insns.as_ptr().cast(),
            insns.len() as u64,
            &mut options,
        )
    };
    owned(ret).map_err(|error| {
        let text: Vec<u8> = log.into_iter().take_while(|byte| *byte != 0).collect();
        match String::from_utf8_lossy(&text).trim_end() {
            "" => error,
            log => io::Error::new(error.kind(), format!("{error}\n{log}")),
        }
    })
}

/// Attaches a program where it was loaded for, for as long as the link lives.
pub fn attach(program: &OwnedFd, attach: u32) -> io::Result<OwnedFd> {
    // SAFETY: FFI call; no options.
    owned(unsafe { sys::bpf_link_create(program.as_raw_fd(), 0, attach, ptr::null()) })
}

/// A file that gives what the iterator `link` writes.
pub fn iterate(link: &OwnedFd) -> io::Result<OwnedFd> {
    // SAFETY: FFI call, no pointers.
    owned(unsafe { sys::bpf_iter_create(link.as_raw_fd()) })
}

/// Counts runs and run time of every program for as long as the descriptor lives.
pub fn enable_stats() -> io::Result<OwnedFd> {
    // SAFETY: FFI call, no pointers.
    owned(unsafe { sys::bpf_enable_stats(sys::BPF_STATS_RUN_TIME) })
}

/// The object that is pinned at `path`.
pub fn pinned(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: `path` is a C string.
    owned(unsafe { sys::bpf_obj_get(path.as_ptr()) })
}

/// The ids of the LSM programs that are attached to `cgroup` itself, in no order.
pub fn cgroup_programs(cgroup: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    // More than a cgroup of any hook can hold would be an error, not a short list.
    let mut ids = vec![0u32; 4096];
    let mut flags = vec![0u32; ids.len()];
    let mut options = sys::bpf_prog_query_opts {
        sz: size_of::<sys::bpf_prog_query_opts>() as u64,
        prog_ids: ids.as_mut_ptr(),
        prog_attach_flags: flags.as_mut_ptr(),
        ..Default::default()
    };
    options.__bindgen_anon_1.prog_cnt = ids.len() as u32;
    // SAFETY: `options` has its size, and both arrays the length that it says.
    result(unsafe {
        sys::bpf_prog_query_opts(cgroup.as_raw_fd(), sys::BPF_LSM_CGROUP, &mut options)
    })?;
    // SAFETY: Both members of the union are this number.
    let count = unsafe { options.__bindgen_anon_1.prog_cnt };
    ids.truncate(count as usize);
    Ok(ids)
}

/// The name in a fixed array of C characters.
pub fn name(name: &[std::ffi::c_char]) -> String {
    let bytes = name.iter().map(|c| *c as u8).take_while(|byte| *byte != 0);
    String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
}
