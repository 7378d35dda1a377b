/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every program of the tests starts from.
 */

#ifndef _KRSI_BPF_H
#define _KRSI_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* Not in BTF: they are macros. */
#define EPERM 1
#define EACCES 13

/*
 * The process under test. Programs leave the rest of the system alone: its
 * calls are neither counted nor denied.
 */
int target;

/* The process under test, or a child of it. */
static __always_inline bool on_target(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return target && (task->tgid == target || task->real_parent->tgid == target);
}

/* @verdict, 0 or an errno, such that the verifier knows it to be one. */
static __always_inline int bounded(int verdict)
{
	return -(-verdict & 4095);
}

#endif /* _KRSI_BPF_H */
