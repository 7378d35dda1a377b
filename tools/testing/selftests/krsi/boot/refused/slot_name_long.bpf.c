// SPDX-License-Identifier: GPL-2.0
/* Refused: section .krsi.slots: slot 0: the name is longer than 31 bytes */

#include "krsi_boot.bpf.h"

KRSI_BOOT_SLOT(inode, abcdefghijklmnopqrstuvwxyz012345, __u64);

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
}

char LICENSE[] SEC("license") = "GPL";
