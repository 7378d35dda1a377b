// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/inode: instruction *: may_goto is not allowed: bound the loop */

#include "krsi_boot.bpf.h"

KRSI_BOOT_SLOT(inode, number, __u64);

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
	__u64 *number = KRSI_BOOT_BLOB(inode, inode, number, __u64);

	if (!number)
		return;
	for (;;) {
		/* What cond_break of the kernel's selftests is. */
		asm volatile goto("may_goto %l[end]" : : : : end);
		*number += 1;
	}
end:
	return;
}

char LICENSE[] SEC("license") = "GPL";
