// SPDX-License-Identifier: GPL-2.0
/* Refused: section .krsi.slots: slot label: the class has a slot of this name */

#include "krsi_boot.bpf.h"

KRSI_BOOT_SLOT(inode, label, __u64);
const struct krsi_boot_slot again SEC(".krsi.slots") = {
	.name = "label",
	.class = KRSI_BOOT_CLASS_inode,
	.size = 8,
	.align = 8,
};

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
}

char LICENSE[] SEC("license") = "GPL";
