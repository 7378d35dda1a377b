// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/inode: instruction *: calls helper 1 (bpf_map_lookup_elem): maps are not allowed */

#include "krsi_boot.bpf.h"

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
	__u64 *value = bpf_map_lookup_elem(inode, &how);

	if (value)
		*value = how;
}

char LICENSE[] SEC("license") = "GPL";
