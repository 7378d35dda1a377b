// SPDX-License-Identifier: GPL-2.0

//! What boot programs may do: where they run, what they call, and what slots they have.
//!
//! The build checks it, and the kernel again before it loads a program. What this looks at is the
//! text of a program; the verifier decides about all that depends on how it runs.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{
    elf::u32_at,
    object::{Error, Place, Program, Reloc, Why},
};

/// The kinds of objects that have a blob, in the order of `enum krsi_blob_class`.
pub(crate) const CLASSES: [&str; 17] = [
    "cred",
    "task",
    "file",
    "backing_file",
    "inode",
    "superblock",
    "sock",
    "ipc",
    "msg_msg",
    "key",
    "bdev",
    "perf_event",
    "tun_dev",
    "ib",
    "bpf_map",
    "bpf_prog",
    "bpf_token",
];

/// Name of a class.
pub(crate) fn class_name(class: u32) -> Option<&'static str> {
    CLASSES.get(usize::try_from(class).ok()?).copied()
}

/// Classes whose objects no program ever sees: there is nothing to initialise.
const UNSEEN: [&str; 2] = ["tun_dev", "ib"];

/// Defines [`Point`]: a name in sections, and the class of the objects.
macro_rules! points {
    ($($(#[$doc:meta])* $name:ident: $class:literal,)*) => {
        /// Where a boot program runs, in the order of the members of `struct krsi_blob_ops`.
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Point {
            $($(#[$doc])* $name,)*
        }

        impl Point {
            /// All points, in the order of their numbers.
            pub(crate) const ALL: [Self; [$($class),*].len()] = [$(Self::$name),*];

            /// The name, as it is in the names of sections.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// Number of the class whose objects are initialised.
            pub(crate) const fn class(self) -> u32 {
                match self {
                    $(Self::$name => $class,)*
                }
            }
        }
    };
}

points! {
    /// Credentials are made.
    cred: 0,
    /// A task is made.
    task: 1,
    /// A file is opened.
    file: 2,
    /// A backing file is opened.
    backing_file: 3,
    /// An inode comes into memory.
    inode: 4,
    /// A file system is mounted.
    superblock: 5,
    /// A socket is made.
    sock: 6,
    /// A System V IPC object is made.
    ipc: 7,
    /// A System V message is made.
    msg_msg: 8,
    /// A key is made.
    key: 9,
    /// A block device is made.
    bdev: 10,
    /// A perf event is opened.
    perf_event: 11,
    /// A BPF map is made.
    bpf_map: 14,
    /// A BPF program is loaded.
    bpf_prog: 15,
    /// A BPF token is made.
    bpf_token: 16,
    /// A new file is made in a directory; after [`Point::inode`].
    inode_create: 4,
    /// An inode gets its first name, and is complete; after the other two.
    inode_instantiate: 4,
}

impl Point {
    /// Finds a point by its name.
    pub(crate) fn by_name(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|point| point.name().as_bytes() == name)
    }
}

/// The helpers that boot programs may call: facts about the current task and the time.
///
/// Numbers of `enum bpf_func_id`, in ascending order.
pub(crate) const HELPERS: [u32; 13] = [
    5,   // ktime_get_ns
    7,   // get_prandom_u32
    8,   // get_smp_processor_id
    14,  // get_current_pid_tgid
    15,  // get_current_uid_gid
    16,  // get_current_comm
    42,  // get_numa_node_id
    80,  // get_current_cgroup_id
    118, // jiffies64
    123, // get_current_ancestor_cgroup_id
    125, // ktime_get_boot_ns
    158, // get_current_task_btf
    160, // ktime_get_coarse_ns
];

/// Whether boot programs may call the helper of this number.
pub(crate) fn helper_allowed(id: u32) -> bool {
    HELPERS.binary_search(&id).is_ok()
}

const MAPS: &str = "maps are not allowed";
const CALLBACKS: &str = "callbacks are not allowed";
const MEMORY: &str = "other memory than what the verifier knows is not allowed";
const OUTPUT: &str = "output is not allowed";
const SLEEP: &str = "boot programs do not sleep";
const ACTION: &str = "boot programs change nothing but blobs";

/// Helpers that are asked for most, with the reason why boot programs may not call them. For
/// messages only: what is neither here nor in [`HELPERS`] is refused too.
const REFUSED: [(u32, &str, &str); 45] = [
    (1, "map_lookup_elem", MAPS),
    (2, "map_update_elem", MAPS),
    (3, "map_delete_elem", MAPS),
    (4, "probe_read", MEMORY),
    (6, "trace_printk", OUTPUT),
    (12, "tail_call", "tail calls are not allowed"),
    (25, "perf_event_output", MAPS),
    (27, "get_stackid", MAPS),
    (35, "get_current_task", MEMORY),
    (36, "probe_write_user", MEMORY),
    (45, "probe_read_str", MEMORY),
    (87, "map_push_elem", MAPS),
    (88, "map_pop_elem", MAPS),
    (89, "map_peek_elem", MAPS),
    (93, "spin_lock", MAPS),
    (107, "sk_storage_get", MAPS),
    (109, "send_signal", ACTION),
    (112, "probe_read_user", MEMORY),
    (113, "probe_read_kernel", MEMORY),
    (114, "probe_read_user_str", MEMORY),
    (115, "probe_read_kernel_str", MEMORY),
    (117, "send_signal_thread", ACTION),
    (130, "ringbuf_output", MAPS),
    (131, "ringbuf_reserve", MAPS),
    (132, "ringbuf_submit", MAPS),
    (133, "ringbuf_discard", MAPS),
    (134, "ringbuf_query", MAPS),
    (145, "inode_storage_get", MAPS),
    (147, "d_path", SLEEP),
    (148, "copy_from_user", SLEEP),
    (156, "task_storage_get", MAPS),
    (161, "ima_inode_hash", SLEEP),
    (164, "for_each_map_elem", CALLBACKS),
    (169, "timer_init", MAPS),
    (170, "timer_set_callback", CALLBACKS),
    (177, "trace_vprintk", OUTPUT),
    (180, "find_vma", CALLBACKS),
    (181, "loop", CALLBACKS),
    (187, "set_retval", "boot programs decide nothing"),
    (191, "copy_from_user_task", SLEEP),
    (193, "ima_file_hash", SLEEP),
    (194, "kptr_xchg", MAPS),
    (198, "ringbuf_reserve_dynptr", MAPS),
    (209, "user_ringbuf_drain", CALLBACKS),
    (210, "cgrp_storage_get", MAPS),
];

/// Name of a helper, and why it is refused.
pub(crate) fn helper_refused(id: u32) -> (Option<&'static str>, &'static str) {
    REFUSED
        .iter()
        .find(|(refused, ..)| *refused == id)
        .map_or((None, "boot programs may not call it"), |(_, name, why)| {
            (Some(*name), *why)
        })
}

/// Whether boot programs may call the kfunc of this name: those that find a slot's bytes.
pub(crate) fn kfunc_allowed(name: &[u8]) -> bool {
    let class = name
        .strip_prefix(b"krsi_")
        .and_then(|name| name.strip_suffix(b"_blob"));

    class.is_some_and(|class| {
        class == b"current_cred"
            || CLASSES
                .into_iter()
                .any(|known| known.as_bytes() == class && !UNSEEN.contains(&known))
    })
}

/// The most instructions that a program can have.
pub(crate) const MAX_INSNS: usize = 4096;

/// The most slots that an object can have.
pub(crate) const MAX_SLOTS: usize = 32;

/// The most bytes of a slot, and of all slots of a class, as for blobs at all.
pub(crate) const MAX_SIZE: u32 = 1024;

/// The alignment of slots in a blob.
pub(crate) const ALIGN: u32 = 8;

/// The most slots of all objects that can be kept in extended attributes.
pub(crate) const MAX_KEPT: u32 = 16;

/// Flags of slots of class cred and task: what a new object has in it.
pub(crate) const SLOT_COPY: u32 = 1;
pub(crate) const SLOT_RESET: u32 = 2;

/// Flag of slots of class inode: kept in an extended attribute.
pub(crate) const SLOT_KEEP: u32 = 4;

/// What is in front of a slot that is kept, in bytes.
pub(crate) const KEPT_STATE: u32 = 8;

/// How many bytes of a class a slot takes.
pub(crate) fn slot_bytes(size: u32, flags: u32) -> Option<u32> {
    let state = match flags {
        SLOT_KEEP => KEPT_STATE,
        _ => 0,
    };

    size.checked_next_multiple_of(ALIGN)?.checked_add(state)
}

/// Finds out what a section is for by its name: the point of a program, or nothing that matters.
pub(crate) fn section(name: &[u8], empty: bool) -> Result<Option<Point>, Why<'_>> {
    const IGNORED: [&[u8]; 5] = [b".debug", b".comment", b".llvm", b".eh_frame", b".note"];
    const GLOBALS: [&[u8]; 6] = [
        b".data",
        b".rodata",
        b".bss",
        b".kconfig",
        b".addr_space",
        b".struct_ops",
    ];
    let starts = |with: &[&[u8]]| with.iter().any(|with| name.starts_with(with));

    if let Some(point) = name.strip_prefix(b"krsi.blob/") {
        if UNSEEN.into_iter().any(|class| class.as_bytes() == point) {
            return Err(Why::Text("programs never see objects of this class"));
        }
        return Point::by_name(point)
            .map(Some)
            .ok_or(Why::Name("there is no point", point));
    }
    if name.starts_with(b"krsi.blob.s/") {
        return Err(Why::Text("boot programs do not sleep: name it krsi.blob/"));
    }
    if starts(&IGNORED) || empty {
        return Ok(None);
    }
    Err(Why::Text(match name {
        b".text" => "calls to other functions are not allowed: make them __always_inline",
        b".maps" | b"maps" => MAPS,
        _ if starts(&GLOBALS) => "global variables are not allowed",
        _ => "unknown section: boot programs are in krsi.blob/POINT",
    }))
}

/// Whether a license is one that the kernel takes for compatible with the GPL.
pub(crate) fn license_allowed(license: &[u8]) -> bool {
    matches!(
        license,
        b"GPL"
            | b"GPL v2"
            | b"GPL and additional rights"
            | b"Dual BSD/GPL"
            | b"Dual MIT/GPL"
            | b"Dual MPL/GPL"
    )
}

/// Checks what a slot's record says.
pub(crate) fn slot(
    name: Option<&[u8]>,
    class: u32,
    size: u32,
    align: u32,
    flags: u32,
) -> Result<(), Why<'_>> {
    let fits = |c: &u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-');
    let name = name.ok_or(Why::Text("the name is longer than 31 bytes"))?;

    if name.is_empty() {
        return Err(Why::Text("there is no name"));
    }
    if !name.iter().all(fits) {
        return Err(Why::Name("a name has a-z, 0-9, _, . and - only, not", name));
    }
    match class_name(class) {
        None => return Err(Why::Number("there is no class of number", class)),
        Some(class) if UNSEEN.contains(&class) => {
            return Err(Why::Text("programs never see objects of this class"));
        }
        Some("cred" | "task") => {
            if flags == SLOT_KEEP {
                return Err(Why::Text("only slots of class inode are kept"));
            }
            if ![0, SLOT_COPY, SLOT_RESET].contains(&flags) {
                return Err(Why::Number("unknown flags", flags));
            }
        }
        Some("inode") if flags == SLOT_KEEP => {}
        Some(_) => {
            if flags != 0 {
                return Err(Why::Text(match flags {
                    SLOT_KEEP => "only slots of class inode are kept",
                    _ => "only slots of class cred and task are inherited",
                }));
            }
        }
    }
    if size == 0 || size > MAX_SIZE {
        return Err(Why::Number("a slot has 1 to 1024 bytes, not", size));
    }
    if !align.is_power_of_two() || align > ALIGN {
        return Err(Why::Number("an alignment is 1, 2, 4 or 8, not", align));
    }
    Ok(())
}

// What `slot` says.
const _: () = assert!(MAX_SIZE == 1024 && ALIGN == 8 && MAX_KEPT == 16);

/// What slots take together.
#[derive(Clone, Copy)]
pub(crate) struct Totals {
    /// How many bytes of each class are given to them.
    pub(crate) bytes: [u32; CLASSES.len()],
    /// How many of them are kept in extended attributes.
    pub(crate) kept: u32,
}

impl Totals {
    /// None.
    pub(crate) const NONE: Self = Self {
        bytes: [0; CLASSES.len()],
        kept: 0,
    };

    /// Adds a slot, or says what there is too much of then and leaves everything as it is.
    pub(crate) fn add(&mut self, class: u32, size: u32, flags: u32) -> Result<(), Why<'static>> {
        let total = usize::try_from(class)
            .ok()
            .and_then(|class| self.bytes.get_mut(class))
            .ok_or(Why::Number("there is no class of number", class))?;
        let kept = self
            .kept
            .checked_add(u32::from(flags == SLOT_KEEP))
            .filter(|kept| *kept <= MAX_KEPT)
            .ok_or(Why::Text("more than 16 slots are kept"))?;
        let sum = slot_bytes(size, flags)
            .and_then(|size| total.checked_add(size))
            .filter(|sum| *sum <= MAX_SIZE)
            .ok_or(Why::Text(
                "the slots of its class have more than 1024 bytes",
            ))?;

        *total = sum;
        self.kept = kept;
        Ok(())
    }
}

/// Size of an instruction in bytes.
pub(crate) const INSN: usize = 8;

/// An instruction.
#[derive(Clone, Copy)]
pub(crate) struct Insn {
    pub(crate) code: u8,
    /// Source register, or what kind of constant `imm` is.
    pub(crate) src: u8,
    pub(crate) dst: u8,
    pub(crate) off: [u8; 2],
    pub(crate) imm: u32,
}

/// Loads 64 bits, and has another instruction for the upper 32.
pub(crate) const LD_IMM64: u8 = 0x18;
/// Calls something: a helper, or what `src` says.
pub(crate) const CALL: u8 = 0x85;
const CALL_REGISTER: u8 = 0x8d;
const MAY_GOTO: u8 = 0xe5;
const JUMP_REGISTER: u8 = 0x0d;
/// `src` of a call of another function of the object, as compilers write all but helpers.
pub(crate) const PSEUDO_CALL: u8 = 1;

impl Insn {
    /// The instruction that the bytes at `at` are.
    pub(crate) fn at(insns: &[u8], at: usize) -> Option<Self> {
        let &[code, regs, off0, off1, ..] = insns.get(at..)? else {
            return None;
        };
        Some(Self {
            code,
            src: regs >> 4,
            dst: regs & 15,
            off: [off0, off1],
            imm: u32_at(insns, at.checked_add(4)?)?,
        })
    }
}

/// Checks the instructions of a program.
pub(crate) fn program<'a>(program: &Program<'a>) -> Result<(), Error<'a>> {
    let count = program.insns.len().checked_div(INSN).unwrap_or(0);
    let whole = program.insns.len().checked_rem(INSN) == Some(0);
    let refuse = |insn, why| {
        Err(Error {
            section: program.section,
            place: Place::Insn(insn),
            why,
        })
    };

    if count == 0 || !whole {
        return Err(program.error(Why::Text("no instructions, or a part of one")));
    }
    if count > MAX_INSNS {
        return Err(program.error(Why::Text("more than 4096 instructions")));
    }

    // In ascending order, as the relocations are: see `Program::new`.
    let mut relocs = program.relocs().peekable();
    let mut upper_half = false;

    for (i, bytes) in program.insns.chunks_exact(INSN).enumerate() {
        let Some(insn) = Insn::at(bytes, 0) else {
            return refuse(i, Why::Text("a part of an instruction"));
        };
        let reloc = relocs.next_if(|reloc| reloc.insn() == i);

        if upper_half {
            if (insn.code, insn.src, insn.dst, insn.off) != (0, 0, 0, [0, 0]) || reloc.is_some() {
                return refuse(i, Why::Text("not the second half of a load"));
            }
            upper_half = false;
            continue;
        }
        match insn.code {
            LD_IMM64 => {
                if insn.src != 0 {
                    return refuse(i, Why::Text(MAPS));
                }
                upper_half = true;
            }
            // The other loads of this class are from packets.
            code if code & 7 == 0 => {
                return refuse(
                    i,
                    Why::Text("an instruction that boot programs have no use for"),
                );
            }
            CALL => match (insn.src, reloc) {
                (0, None) if helper_allowed(insn.imm) => {}
                (0, None) => return refuse(i, Why::Helper(insn.imm)),
                (PSEUDO_CALL, Some(Reloc::Kfunc { name, .. })) => {
                    if !kfunc_allowed(name) {
                        return refuse(i, Why::Kfunc(name));
                    }
                }
                (PSEUDO_CALL, _) => {
                    return refuse(
                        i,
                        Why::Text("calls to other functions are not allowed: inline them"),
                    );
                }
                _ => return refuse(i, Why::Text("calls something unknown")),
            },
            CALL_REGISTER => return refuse(i, Why::Text(CALLBACKS)),
            MAY_GOTO => return refuse(i, Why::Text("may_goto is not allowed: bound the loop")),
            JUMP_REGISTER => return refuse(i, Why::Text("jumps to variables are not allowed")),
            _ => {}
        }
        match reloc {
            None => {}
            Some(Reloc::Slot { .. }) if insn.code == LD_IMM64 => {}
            Some(Reloc::Kfunc { .. }) if insn.code == CALL && insn.src == PSEUDO_CALL => {}
            Some(_) => return refuse(i, Why::Text("a relocation that does not fit")),
        }
    }
    if upper_half {
        return Err(program.error(Why::Text("ends in the middle of a load")));
    }
    if relocs.next().is_some() {
        return Err(program.error(Why::Text("a relocation beyond the end")));
    }
    Ok(())
}

// C has the same numbers; only the kernel can tell.
#[cfg(CONFIG_SECURITY_KRSI)]
const _: () = {
    use kernel::bindings::*;

    const NUMBERS: [u32; HELPERS.len()] = [
        bpf_func_id_BPF_FUNC_ktime_get_ns,
        bpf_func_id_BPF_FUNC_get_prandom_u32,
        bpf_func_id_BPF_FUNC_get_smp_processor_id,
        bpf_func_id_BPF_FUNC_get_current_pid_tgid,
        bpf_func_id_BPF_FUNC_get_current_uid_gid,
        bpf_func_id_BPF_FUNC_get_current_comm,
        bpf_func_id_BPF_FUNC_get_numa_node_id,
        bpf_func_id_BPF_FUNC_get_current_cgroup_id,
        bpf_func_id_BPF_FUNC_jiffies64,
        bpf_func_id_BPF_FUNC_get_current_ancestor_cgroup_id,
        bpf_func_id_BPF_FUNC_ktime_get_boot_ns,
        bpf_func_id_BPF_FUNC_get_current_task_btf,
        bpf_func_id_BPF_FUNC_ktime_get_coarse_ns,
    ];
    let mut i = 0;
    #[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]
    while i < NUMBERS.len() {
        assert!(HELPERS[i] == NUMBERS[i]);
        i += 1;
    }

    assert!(CLASSES.len() == krsi_blob_class_KRSI_BLOB_COUNT as usize);
    assert!(Point::cred.class() == krsi_blob_class_KRSI_BLOB_cred);
    assert!(Point::inode_create.class() == krsi_blob_class_KRSI_BLOB_inode);
    assert!(Point::perf_event.class() == krsi_blob_class_KRSI_BLOB_perf_event);
    assert!(Point::bpf_map.class() == krsi_blob_class_KRSI_BLOB_bpf_map);
    assert!(Point::bpf_token.class() == krsi_blob_class_KRSI_BLOB_bpf_token);
};
