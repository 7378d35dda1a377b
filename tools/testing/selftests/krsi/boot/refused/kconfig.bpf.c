// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/inode: instruction *: unknown symbol "LINUX_KERNEL_VERSION" */

#include "krsi_boot.bpf.h"

extern int LINUX_KERNEL_VERSION __kconfig;
KRSI_BOOT_SLOT(inode, version, __u64);

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
	__u64 *version = KRSI_BOOT_BLOB(inode, inode, version, __u64);

	if (version)
		*version = LINUX_KERNEL_VERSION;
}

char LICENSE[] SEC("license") = "GPL";
