// SPDX-License-Identifier: GPL-2.0
/*
 * The boot program of taint.bpf.c: whether a task is tainted is in its
 * credentials, and those that it forks or execs with have a copy.
 *
 * Every task has the slot, also those that are older than the policy. A task
 * that comes from no other, or is older than this program, is clean.
 */

#include "krsi_boot.bpf.h"
#include "taint.h"

KRSI_BOOT_SLOT_FLAGS(cred, tainted, __u64, KRSI_BOOT_COPY);

SEC("krsi.blob/cred")
void BPF_PROG(taint_cred, struct cred *cred, const struct cred *old, __u32 how)
{
	__u64 *state = KRSI_BOOT_BLOB(cred, cred, tainted, __u64);

	if (state && !*state)
		*state = TAINT_CLEAN;
}

char LICENSE[] SEC("license") = "GPL";
