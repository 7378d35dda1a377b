// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/inode: instruction *: calls to other functions are not allowed: make it __always_inline: "helper" */

#include "krsi_boot.bpf.h"

SEC("krsi.blob/task")
__attribute__((noinline)) int helper(__u64 *ctx)
{
	__u64 x = ctx[0];

	asm volatile("" : "+r"(x));
	return x;
}

KRSI_BOOT_SLOT(inode, number, __u64);

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
	__u64 *number = KRSI_BOOT_BLOB(inode, inode, number, __u64);

	if (number)
		*number = helper(ctx);
}

char LICENSE[] SEC("license") = "GPL";
