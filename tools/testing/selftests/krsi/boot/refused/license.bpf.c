// SPDX-License-Identifier: GPL-2.0
/* Refused: section license: not compatible with the GPL */

#include "krsi_boot.bpf.h"

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
}

char LICENSE[] SEC("license") = "Proprietary";
