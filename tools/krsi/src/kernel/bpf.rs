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

pub use sys::{bpf_link_info as LinkInfo, bpf_map_info as MapInfo, bpf_prog_info as ProgramInfo};

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
// SAFETY: As above.
unsafe impl Info for MapInfo {}

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

/// A map to be made.
pub struct NewMap<'a> {
    pub kind: u32,
    pub name: &'a str,
    pub key: usize,
    pub value: usize,
    pub entries: usize,
    pub flags: u32,
    /// Types of key and value, which maps of local storage have to have.
    pub types: Option<(&'a OwnedFd, u32, u32)>,
}

impl<'a> NewMap<'a> {
    /// An array of one value, of so many bytes.
    pub fn single(name: &'a str, value: usize) -> Self {
        Self {
            kind: sys::BPF_MAP_TYPE_ARRAY,
            name,
            key: 4,
            value,
            entries: 1,
            flags: 0,
            types: None,
        }
    }
}

/// Makes a map.
pub fn create(map: &NewMap<'_>) -> io::Result<OwnedFd> {
    let mut options = sys::bpf_map_create_opts {
        sz: size_of::<sys::bpf_map_create_opts>() as u64,
        map_flags: map.flags,
        ..Default::default()
    };
    if let Some((btf, key, value)) = map.types {
        options.btf_fd = btf.as_raw_fd() as u32;
        options.btf_key_type_id = key;
        options.btf_value_type_id = value;
    }
    let name = CString::new(map.name)?;
    let size = |size: usize| u32::try_from(size).map_err(io::Error::other);
    let (key, value, entries) = (size(map.key)?, size(map.value)?, size(map.entries)?);
    // SAFETY: `name` is a C string, `options` has its size.
    owned(unsafe { sys::bpf_map_create(map.kind, name.as_ptr(), key, value, entries, &options) })
}

/// Waits until all programs have ended that run now and do not sleep.
///
/// The kernel does so when a map of maps was changed, so that whoever changed it knows that what
/// was in it before is in nobody's hands.
pub fn wait_for_programs() -> io::Result<()> {
    let inner = create(&NewMap::single("krsi_inner", 4))?;
    let options = sys::bpf_map_create_opts {
        sz: size_of::<sys::bpf_map_create_opts>() as u64,
        inner_map_fd: inner.as_raw_fd() as u32,
        ..Default::default()
    };
    let (kind, name) = (sys::BPF_MAP_TYPE_ARRAY_OF_MAPS, c"krsi_outer");
    // SAFETY: `name` is a C string, `options` has its size.
    let outer = owned(unsafe { sys::bpf_map_create(kind, name.as_ptr(), 4, 4, 1, &options) })?;
    Map::new(outer)?.update(&0u32.to_ne_bytes(), &inner.as_raw_fd().to_ne_bytes())
}

/// Loads types.
pub fn load_btf(types: &[u8]) -> io::Result<OwnedFd> {
    // SAFETY: `types` are as many bytes; no options.
    owned(unsafe { sys::bpf_btf_load(types.as_ptr().cast(), types.len() as u64, ptr::null_mut()) })
}

/// A map, with what its keys and values have to be as large as.
///
/// # Invariants
///
/// Keys and values of the map are as large as it says; values of all CPUs together, for a map that
/// has one for each.
pub struct Map {
    fd: OwnedFd,
    key: usize,
    value: usize,
}

impl Map {
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        const PER_CPU: [u32; 3] = [
            sys::BPF_MAP_TYPE_PERCPU_HASH,
            sys::BPF_MAP_TYPE_PERCPU_ARRAY,
            sys::BPF_MAP_TYPE_LRU_PERCPU_HASH,
        ];
        let info: MapInfo = info(&fd)?;
        let value = info.value_size as usize;
        let value = if PER_CPU.contains(&info.type_) {
            // SAFETY: FFI call, no arguments.
            let cpus = result(unsafe { sys::libbpf_num_possible_cpus() })?;
            value.next_multiple_of(8) * cpus as usize
        } else {
            value
        };
        // INVARIANT: The kernel says so, and it never changes.
        Ok(Self {
            fd,
            key: info.key_size as usize,
            value,
        })
    }

    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    pub fn update(&self, key: &[u8], value: &[u8]) -> io::Result<()> {
        if (key.len(), value.len()) != (self.key, self.value) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: Both are as large as the map's, by the invariant.
        result(unsafe {
            sys::bpf_map_update_elem(
                self.fd.as_raw_fd(),
                key.as_ptr().cast(),
                value.as_ptr().cast(),
                0,
            )
        })
        .map(|_| ())
    }

    pub fn lookup(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        if key.len() != self.key {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut value = vec![0; self.value];
        // SAFETY: Both are as large as the map's, by the invariant.
        let ret = result(unsafe {
            sys::bpf_map_lookup_elem(
                self.fd.as_raw_fd(),
                key.as_ptr().cast(),
                value.as_mut_ptr().cast(),
            )
        });
        Ok(unless_gone(ret)?.map(|_| value))
    }

    /// Removes an entry that may not be there.
    pub fn delete(&self, key: &[u8]) -> io::Result<()> {
        if key.len() != self.key {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: The key is as large as the map's, by the invariant.
        let ret =
            result(unsafe { sys::bpf_map_delete_elem(self.fd.as_raw_fd(), key.as_ptr().cast()) });
        unless_gone(ret).map(|_| ())
    }

    /// Takes it from user space to change it.
    pub fn freeze(&self) -> io::Result<()> {
        // SAFETY: FFI call, no pointers.
        result(unsafe { sys::bpf_map_freeze(self.fd.as_raw_fd()) }).map(|_| ())
    }
}

/// Why a program does not load.
#[derive(Debug)]
pub struct LoadError {
    pub error: io::Error,
    /// What the verifier says.
    pub log: String,
}

/// A program to be loaded for an LSM hook.
pub struct NewProgram<'a> {
    pub name: &'a str,
    /// What it is attached to.
    pub function: u32,
    pub sleepable: bool,
    pub insns: &'a [Insn],
}

/// Loads a program for an LSM hook.
pub fn load_lsm(program: &NewProgram<'_>) -> Result<OwnedFd, LoadError> {
    let once = |log: &mut [u8]| {
        let mut options = sys::bpf_prog_load_opts {
            sz: size_of::<sys::bpf_prog_load_opts>() as u64,
            expected_attach_type: sys::BPF_LSM_MAC,
            attach_btf_id: program.function,
            prog_flags: if program.sleepable {
                sys::BPF_F_SLEEPABLE
            } else {
                0
            },
            log_buf: log.as_mut_ptr().cast(),
            log_size: log.len() as u32,
            log_level: u32::from(!log.is_empty()),
            ..Default::default()
        };
        if log.is_empty() {
            options.log_buf = ptr::null_mut();
        }
        let name = CString::new(program.name)?;
        // SAFETY: Name and licence are C strings; `insns` are as many instructions, laid out as
        // the kernel's; `options` has its size, and the log is writable for the size it says.
        owned(unsafe {
            sys::bpf_prog_load(
                sys::BPF_PROG_TYPE_LSM,
                name.as_ptr(),
                c"GPL".as_ptr(),
                program.insns.as_ptr().cast(),
                program.insns.len() as u64,
                &mut options,
            )
        })
    };
    // The log costs time, and nobody reads it if all is well.
    once(&mut []).or_else(|error| {
        let mut log = vec![0u8; 16 << 20];
        once(&mut log).map_err(|_| {
            let text: Vec<u8> = log.into_iter().take_while(|byte| *byte != 0).collect();
            LoadError {
                error,
                log: String::from_utf8_lossy(&text).into_owned(),
            }
        })
    })
}

/// Gives an object a name in bpffs, which keeps it.
pub fn pin(object: &OwnedFd, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: `path` is a C string.
    result(unsafe { sys::bpf_obj_pin(object.as_raw_fd(), path.as_ptr()) }).map(|_| ())
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
