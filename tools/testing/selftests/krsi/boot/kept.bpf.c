// SPDX-License-Identifier: GPL-2.0
/*
 * A slot that lasts: who made a file, if anybody knows.
 */

#include "krsi_boot.bpf.h"
#include "boot.h"

KRSI_BOOT_SLOT_FLAGS(inode, maker, struct boot_maker, KRSI_BOOT_KEEP);

/* What it has if there is no attribute. */
SEC("krsi.blob/inode")
void BPF_PROG(kept_inode, struct inode *inode, __u32 how)
{
	struct boot_maker *maker = KRSI_BOOT_BLOB(inode, inode, maker, struct boot_maker);

	if (maker)
		maker->magic = BOOT_MAKER;
}

SEC("krsi.blob/inode_create")
void BPF_PROG(kept_create, struct inode *inode, struct inode *dir, __u32 how)
{
	struct boot_maker *maker = KRSI_BOOT_BLOB(inode, inode, maker, struct boot_maker);

	if (maker)
		maker->pid = bpf_get_current_pid_tgid() >> 32;
}

char LICENSE[] SEC("license") = "GPL";
