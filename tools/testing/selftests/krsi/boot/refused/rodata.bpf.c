// SPDX-License-Identifier: GPL-2.0
/* Refused: section .rodata: global variables are not allowed */

#include "krsi_boot.bpf.h"

const volatile __u32 slot;

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
	char *blob = krsi_inode_blob(inode, slot, 8);

	if (blob)
		*blob = 1;
}

char LICENSE[] SEC("license") = "GPL";
