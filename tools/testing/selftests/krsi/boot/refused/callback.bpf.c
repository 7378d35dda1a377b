// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/inode: instruction *: addresses are of slots only, neither of variables nor of functions: "helper" */

#include "krsi_boot.bpf.h"

SEC("krsi.blob/task")
int helper(__u64 *ctx)
{
	return 0;
}

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
	bpf_loop(10, helper, ctx, 0);
}

char LICENSE[] SEC("license") = "GPL";
