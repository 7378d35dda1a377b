// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/inode: instruction *: calls helper 109 (bpf_send_signal): boot programs change nothing but blobs */

#include "krsi_boot.bpf.h"

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
	bpf_send_signal(9);
}

char LICENSE[] SEC("license") = "GPL";
