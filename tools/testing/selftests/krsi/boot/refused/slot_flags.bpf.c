// SPDX-License-Identifier: GPL-2.0
/* Refused: section .krsi.slots: slot label: unknown flags 3 */

#include "krsi_boot.bpf.h"

KRSI_BOOT_SLOT_FLAGS(cred, label, __u64, KRSI_BOOT_COPY | KRSI_BOOT_RESET);

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
}

char LICENSE[] SEC("license") = "GPL";
