// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/inode: a boot program is one function, alone in its section */

#include "krsi_boot.bpf.h"

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
}

SEC("krsi.blob/inode")
void BPF_PROG(another, struct inode *inode, __u32 how)
{
}

char LICENSE[] SEC("license") = "GPL";
