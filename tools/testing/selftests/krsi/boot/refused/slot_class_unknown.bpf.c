// SPDX-License-Identifier: GPL-2.0
/* Refused: section .krsi.slots: slot future: there is no class of number 17 */

#include "krsi_boot.bpf.h"

enum {
	KRSI_BOOT_CLASS_future = 17,
};

KRSI_BOOT_SLOT(future, future, __u64);

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
}

char LICENSE[] SEC("license") = "GPL";
