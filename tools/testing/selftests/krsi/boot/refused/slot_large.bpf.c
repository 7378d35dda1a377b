// SPDX-License-Identifier: GPL-2.0
/* Refused: section .krsi.slots: slot big: a slot has 1 to 1024 bytes, not 1032 */

#include "krsi_boot.bpf.h"

struct big {
	__u64 words[129];
};

KRSI_BOOT_SLOT(inode, big, struct big);

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
}

char LICENSE[] SEC("license") = "GPL";
