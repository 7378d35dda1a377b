// SPDX-License-Identifier: GPL-2.0
/* Refused: section .bss: global variables are not allowed */

#include "krsi_boot.bpf.h"

__u64 runs;

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
	runs++;
}

char LICENSE[] SEC("license") = "GPL";
