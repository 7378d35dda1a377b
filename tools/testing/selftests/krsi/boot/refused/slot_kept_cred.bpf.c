// SPDX-License-Identifier: GPL-2.0
/* Refused: section .krsi.slots: slot label: only slots of class inode are kept */

#include "krsi_boot.bpf.h"

KRSI_BOOT_SLOT_FLAGS(cred, label, __u64, KRSI_BOOT_KEEP);

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
}

char LICENSE[] SEC("license") = "GPL";
