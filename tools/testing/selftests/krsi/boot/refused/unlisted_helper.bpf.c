// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/inode: instruction *: calls helper 120: boot programs may not call it */

#include "krsi_boot.bpf.h"

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
	struct bpf_pidns_info {
		__u32 pid, tgid;
	} info;

	bpf_get_ns_current_pid_tgid(0, 0, (void *)&info, sizeof(info));
}

char LICENSE[] SEC("license") = "GPL";
