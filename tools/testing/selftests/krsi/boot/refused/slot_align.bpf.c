// SPDX-License-Identifier: GPL-2.0
/* Refused: section .krsi.slots: slot wide: an alignment is 1, 2, 4 or 8, not 16 */

#include "krsi_boot.bpf.h"

struct wide {
	__u64 words[2];
} __attribute__((aligned(16)));

KRSI_BOOT_SLOT(inode, wide, struct wide);

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
}

char LICENSE[] SEC("license") = "GPL";
