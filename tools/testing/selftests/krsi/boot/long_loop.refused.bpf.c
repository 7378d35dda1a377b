// SPDX-License-Identifier: GPL-2.0
/*
 * Runs for longer than it may: the build cannot know, the kernel refuses it.
 * Loaded only if krsi.boot_refused asks for it.
 */

#include "krsi_boot.bpf.h"

KRSI_BOOT_SLOT(inode, long_loop, __u64);

SEC("krsi.blob/inode")
void BPF_PROG(long_loop, struct inode *inode, __u32 how)
{
	__u64 *label = KRSI_BOOT_BLOB(inode, inode, long_loop, __u64);
	int i;

	if (!label)
		return;
	for (i = 0; i < 10000; i++)
		__sync_fetch_and_add(label, 1);
}

char LICENSE[] SEC("license") = "GPL";
