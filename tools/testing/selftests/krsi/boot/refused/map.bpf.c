// SPDX-License-Identifier: GPL-2.0
/* Refused: section .maps: maps are not allowed */

#include "krsi_boot.bpf.h"

struct {
	__uint(type, 2 /* BPF_MAP_TYPE_ARRAY */);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} map SEC(".maps");

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
	__u32 key = 0;
	__u64 *value = bpf_map_lookup_elem(&map, &key);

	if (value)
		*value = how;
}

char LICENSE[] SEC("license") = "GPL";
