// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/inode: instruction *: calls helper 113 (bpf_probe_read_kernel): other memory than what the verifier knows is not allowed */

#include "krsi_boot.bpf.h"

KRSI_BOOT_SLOT(inode, stolen, __u64);

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
	__u64 *stolen = KRSI_BOOT_BLOB(inode, inode, stolen, __u64);

	if (stolen)
		bpf_probe_read_kernel(stolen, 8, (void *)(unsigned long)how);
}

char LICENSE[] SEC("license") = "GPL";
