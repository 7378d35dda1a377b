// SPDX-License-Identifier: GPL-2.0
/* Refused: section .krsi.slots: slot none: a slot has 1 to 1024 bytes, not 0 */

#include "krsi_boot.bpf.h"

struct none {
};

KRSI_BOOT_SLOT(inode, none, struct none);

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
}

char LICENSE[] SEC("license") = "GPL";
