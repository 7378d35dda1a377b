// SPDX-License-Identifier: GPL-2.0
/* Refused: section .krsi.slots: a part of a slot */

#include "krsi_boot.bpf.h"

const __u32 part SEC(".krsi.slots") = 1;

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
}

char LICENSE[] SEC("license") = "GPL";
