// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/inode: instruction *: calls helper 181 (bpf_loop): callbacks are not allowed */

#include "krsi_boot.bpf.h"

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
	bpf_loop(10, NULL, ctx, 0);
}

char LICENSE[] SEC("license") = "GPL";
