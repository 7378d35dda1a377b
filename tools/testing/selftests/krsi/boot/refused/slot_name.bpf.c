// SPDX-License-Identifier: GPL-2.0
/* Refused: section .krsi.slots: slot Label: a name has a-z, 0-9, _, . and - only, not "Label" */

#include "krsi_boot.bpf.h"

KRSI_BOOT_SLOT(inode, Label, __u64);

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
}

char LICENSE[] SEC("license") = "GPL";
