// SPDX-License-Identifier: GPL-2.0
/*
 * What credentials and tasks take over from those that they come from, beside
 * the programs of label.bpf.c at the same points.
 */

#include "krsi_boot.bpf.h"
#include "boot.h"

/* Nobody but the program says what is in it. */
KRSI_BOOT_SLOT_FLAGS(cred, depth, struct boot_depth, KRSI_BOOT_RESET);
/* Copied, and no program has a say. */
KRSI_BOOT_SLOT_FLAGS(cred, taint, __u64, KRSI_BOOT_COPY);
/* Copied, and the program adds to the copy. */
KRSI_BOOT_SLOT_FLAGS(task, generation, __u64, KRSI_BOOT_COPY);

SEC("krsi.blob/cred")
void BPF_PROG(inherit_cred, struct cred *cred, const struct cred *old, __u32 how)
{
	struct boot_depth *depth, *before;

	depth = KRSI_BOOT_BLOB(cred, cred, depth, struct boot_depth);
	if (!depth)
		return;
	__sync_fetch_and_add(&depth->runs, 1);
	if (!old)
		return;
	before = KRSI_BOOT_BLOB(cred, old, depth, struct boot_depth);
	if (before)
		depth->depth = before->depth + 1;
}

SEC("krsi.blob/task")
void BPF_PROG(inherit_task, struct task_struct *task, __u64 clone_flags, __u32 how)
{
	__u64 *generation = KRSI_BOOT_BLOB(task, task, generation, __u64);

	if (generation)
		*generation += 1;
}

char LICENSE[] SEC("license") = "GPL";
