// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/inode: instruction *: calls helper 12 (bpf_tail_call): tail calls are not allowed */

#include "krsi_boot.bpf.h"

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
	bpf_tail_call(ctx, inode, how);
}

char LICENSE[] SEC("license") = "GPL";
