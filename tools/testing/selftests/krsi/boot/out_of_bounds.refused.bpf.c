// SPDX-License-Identifier: GPL-2.0
/*
 * Writes behind the slot: the build cannot know, the kernel refuses it.
 * Loaded only if krsi.boot_refused asks for it.
 */

#include "krsi_boot.bpf.h"

KRSI_BOOT_SLOT(inode, out_of_bounds, __u64);

SEC("krsi.blob/inode")
void BPF_PROG(out_of_bounds, struct inode *inode, __u32 how)
{
	__u64 *label = KRSI_BOOT_BLOB(inode, inode, out_of_bounds, __u64);

	if (label)
		label[1] = how;
}

char LICENSE[] SEC("license") = "GPL";
