// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob.s/inode: boot programs do not sleep: name it krsi.blob/ */

#include "krsi_boot.bpf.h"

SEC("krsi.blob.s/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
}

char LICENSE[] SEC("license") = "GPL";
