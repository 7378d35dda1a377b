// SPDX-License-Identifier: GPL-2.0
/* Refused: section .krsi.slots: slot c: the slots of its class have more than 1024 bytes */

#include "krsi_boot.bpf.h"

struct half {
	__u64 words[60];
};

KRSI_BOOT_SLOT(inode, a, struct half);
KRSI_BOOT_SLOT(inode, b, struct half);
KRSI_BOOT_SLOT(inode, c, struct half);

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
}

char LICENSE[] SEC("license") = "GPL";
