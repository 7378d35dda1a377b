// SPDX-License-Identifier: GPL-2.0

//! The helpers and kfuncs that boot programs may call.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::blob::class::Class;

/// The helpers that boot programs may call: they return the time and facts of the current task.
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

pub(crate) const MAPS: &str = "maps are not allowed";
pub(crate) const CALLBACKS: &str = "callbacks are not allowed";
const MEMORY: &str = "other memory than what the verifier knows is not allowed";
const OUTPUT: &str = "output is not allowed";
const SLEEP: &str = "boot programs do not sleep";
const ACTION: &str = "boot programs change nothing but blobs";

/// Common helpers that boot programs may not call, with reasons. For messages only: every helper
/// that is not in [`HELPERS`] is rejected.
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

/// Returns the name of a helper, if it is known, and the reason why it is rejected.
pub(crate) fn helper_refused(id: u32) -> (Option<&'static str>, &'static str) {
    REFUSED
        .iter()
        .find(|(refused, ..)| *refused == id)
        .map_or((None, "boot programs may not call it"), |(_, name, why)| {
            (Some(*name), *why)
        })
}

/// Whether boot programs may call a kfunc: only those that return the bytes of a slot.
pub(crate) fn kfunc_allowed(name: &[u8]) -> bool {
    let class = name
        .strip_prefix(b"krsi_")
        .and_then(|name| name.strip_suffix(b"_blob"));

    class.is_some_and(|name| {
        name == b"current_cred"
            || Class::ALL
                .into_iter()
                .any(|class| class.name().as_bytes() == name && class.is_visible())
    })
}

// The numbers are those of `enum bpf_func_id`.
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
};
