// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/dentry: there is no point "dentry" */

#include "krsi_boot.bpf.h"

SEC("krsi.blob/dentry")
void BPF_PROG(label, void *dentry, __u32 how)
{
}

char LICENSE[] SEC("license") = "GPL";
