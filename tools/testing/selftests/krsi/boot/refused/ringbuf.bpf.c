// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/inode: instruction *: calls helper 130 (bpf_ringbuf_output): maps are not allowed */

#include "krsi_boot.bpf.h"

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
	bpf_ringbuf_output(inode, &how, sizeof(how), 0);
}

char LICENSE[] SEC("license") = "GPL";
