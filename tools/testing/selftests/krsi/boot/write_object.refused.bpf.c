// SPDX-License-Identifier: GPL-2.0
/*
 * Writes to the object that it is to label: the build cannot know, the kernel refuses it.
 * Loaded only if krsi.boot_refused asks for it.
 */

#include "krsi_boot.bpf.h"

KRSI_BOOT_SLOT(inode, write_object, __u64);

SEC("krsi.blob/inode")
void BPF_PROG(write_object, struct inode *inode, __u32 how)
{
	inode->i_flags = 1;
}

char LICENSE[] SEC("license") = "GPL";
