// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/inode: instruction *: calls helper 6 (bpf_trace_printk): output is not allowed */

#include "krsi_boot.bpf.h"

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
	char text[] = { '!', 0 };

	bpf_trace_printk(text, sizeof(text));
}

char LICENSE[] SEC("license") = "GPL";
