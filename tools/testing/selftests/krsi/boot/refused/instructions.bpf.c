// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/inode: more than 4096 instructions */

#include "krsi_boot.bpf.h"

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
	asm volatile(".rept 4096; r0 = 0; .endr" : : : "r0");
}

char LICENSE[] SEC("license") = "GPL";
