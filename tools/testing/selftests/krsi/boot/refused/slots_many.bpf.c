// SPDX-License-Identifier: GPL-2.0
/* Refused: section .krsi.slots: more than 32 slots */

#include "krsi_boot.bpf.h"

#define SLOTS(A)			\
	KRSI_BOOT_SLOT(inode, A##0, __u64);	\
	KRSI_BOOT_SLOT(inode, A##1, __u64);	\
	KRSI_BOOT_SLOT(inode, A##2, __u64)

SLOTS(a); SLOTS(b); SLOTS(c); SLOTS(d); SLOTS(e); SLOTS(f);
SLOTS(g); SLOTS(h); SLOTS(i); SLOTS(j); SLOTS(k);

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
}

char LICENSE[] SEC("license") = "GPL";
