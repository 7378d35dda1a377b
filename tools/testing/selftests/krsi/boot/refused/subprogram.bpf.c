// SPDX-License-Identifier: GPL-2.0
/* Refused: section .text: calls to other functions are not allowed: make them __always_inline */

#include "krsi_boot.bpf.h"

static __attribute__((noinline)) __u64 twice(__u64 x)
{
	asm volatile("" : "+r"(x));
	return x + x;
}

KRSI_BOOT_SLOT(inode, number, __u64);

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
	__u64 *number = KRSI_BOOT_BLOB(inode, inode, number, __u64);

	if (number)
		*number = twice(how);
}

char LICENSE[] SEC("license") = "GPL";
