// SPDX-License-Identifier: GPL-2.0

//! File systems whose extended attributes are believed.

use kernel::{bindings, fs::SuperBlock};

/// In-memory file systems that unprivileged users can mount.
const IN_MEMORY: [u32; 5] = [
    bindings::TMPFS_MAGIC,
    bindings::SYSFS_MAGIC,
    bindings::CGROUP_SUPER_MAGIC,
    bindings::CGROUP2_SUPER_MAGIC,
    bindings::BPF_FS_MAGIC,
];

/// Whether only the system writes the attributes of a file system.
///
/// A FUSE server, or a mount in a user namespace such as an overlay, makes its own. File systems in
/// memory do not: writing there takes the system's capabilities.
pub(super) fn believes(sb: &SuperBlock) -> bool {
    if sb.internal_flags() as u32 & bindings::SB_I_IMA_UNVERIFIABLE_SIGNATURE != 0 {
        return false;
    }
    sb.in_init_user_ns() || u32::try_from(sb.magic()).is_ok_and(|magic| IN_MEMORY.contains(&magic))
}
