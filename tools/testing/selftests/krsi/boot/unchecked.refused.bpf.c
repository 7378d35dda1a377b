// SPDX-License-Identifier: GPL-2.0
/*
 * Takes it for granted that it has the slot: the build cannot know, the kernel refuses it.
 * Loaded only if krsi.boot_refused asks for it.
 */

#include "krsi_boot.bpf.h"

KRSI_BOOT_SLOT(inode, unchecked, __u64);

SEC("krsi.blob/inode")
void BPF_PROG(unchecked, struct inode *inode, __u32 how)
{
	*KRSI_BOOT_BLOB(inode, inode, unchecked, __u64) = how;
}

char LICENSE[] SEC("license") = "GPL";
