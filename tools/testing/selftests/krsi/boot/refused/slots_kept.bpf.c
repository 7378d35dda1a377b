// SPDX-License-Identifier: GPL-2.0
/* Refused: section .krsi.slots: slot f1: more than 16 slots are kept */

#include "krsi_boot.bpf.h"

#define SLOTS(A)			\
	KRSI_BOOT_SLOT_FLAGS(inode, A##0, __u64, KRSI_BOOT_KEEP);	\
	KRSI_BOOT_SLOT_FLAGS(inode, A##1, __u64, KRSI_BOOT_KEEP);	\
	KRSI_BOOT_SLOT_FLAGS(inode, A##2, __u64, KRSI_BOOT_KEEP)

SLOTS(a); SLOTS(b); SLOTS(c); SLOTS(d); SLOTS(e); SLOTS(f);

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
}

char LICENSE[] SEC("license") = "GPL";
