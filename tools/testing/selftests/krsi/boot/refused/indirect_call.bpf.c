// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/inode: instruction *: callbacks are not allowed */

#include "krsi_boot.bpf.h"

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
	void (*function)(void) = (void *)inode;

	function();
}

char LICENSE[] SEC("license") = "GPL";
