// SPDX-License-Identifier: GPL-2.0
/*
 * The boot programs of provenance.bpf.c: credentials say which exec the running
 * program comes from and whether it has to do with the network, and each new
 * file has that from the credentials of who makes it.
 */

#include "krsi_boot.bpf.h"
#include "provenance.h"

KRSI_BOOT_SLOT_FLAGS(cred, running, struct provenance, KRSI_BOOT_COPY);
KRSI_BOOT_SLOT(inode, origin, struct provenance);

SEC("krsi.blob/cred")
void BPF_PROG(provenance_cred, struct cred *cred, const struct cred *old, __u32 how)
{
	struct provenance *running = KRSI_BOOT_BLOB(cred, cred, running, struct provenance);

	/* Whatever is copied has it. */
	if (running)
		running->flags |= PROVENANCE_KNOWN;
}

/* In memory, because it is made or because it is looked up: see below. */
SEC("krsi.blob/inode")
void BPF_PROG(provenance_inode, struct inode *inode, __u32 how)
{
	struct provenance *origin = KRSI_BOOT_BLOB(inode, inode, origin, struct provenance);

	if (origin)
		origin->flags = PROVENANCE_KNOWN;
}

SEC("krsi.blob/inode_create")
void BPF_PROG(provenance_create, struct inode *inode, struct inode *dir, __u32 how)
{
	struct provenance *origin = KRSI_BOOT_BLOB(inode, inode, origin, struct provenance);
	struct provenance *running = KRSI_BOOT_CURRENT_CRED_BLOB(running, struct provenance);

	if (!origin)
		return;
	if (running) {
		origin->exec_id = running->exec_id;
		origin->flags = running->flags;
	} else {
		/* Nobody can say who makes it: not to be executed. */
		origin->flags = 0;
	}
}

char LICENSE[] SEC("license") = "GPL";
