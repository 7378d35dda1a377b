// SPDX-License-Identifier: GPL-2.0
/* Refused: section .krsi.slots: slot xattr_trust: the slot xattr_trust has 8 bytes, not 4 */

#include "krsi_boot.bpf.h"

KRSI_BOOT_SLOT(superblock, xattr_trust, __u32);

SEC("krsi.blob/superblock")
void BPF_PROG(label, struct super_block *sb, __u32 how)
{
}

char LICENSE[] SEC("license") = "GPL";
