/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs share that try to label objects by pointers of all sources.
 */

#ifndef _KFUNC_TRUST_BPF_H
#define _KFUNC_TRUST_BPF_H

#include "kfuncs.bpf.h"

KRSI_SLOT(slot) = 1;

#define NOT_TRUSTED __reject("R1 must be referenced or trusted")
#define NOT_MEMORY __reject("invalid mem access 'scalar'")

static __always_inline void write_to(__u64 *blob)
{
	if (blob)
		*blob = 1;
}

static __always_inline void label_inode(struct inode *inode)
{
	write_to(KRSI_BLOB(inode, inode, slot, __u64));
}

static __always_inline void label_file(struct file *file)
{
	write_to(KRSI_BLOB(file, file, slot, __u64));
}

static __always_inline void label_task(struct task_struct *task)
{
	write_to(KRSI_BLOB(task, task, slot, __u64));
}

static __always_inline void label_sock(struct sock *sk)
{
	write_to(KRSI_BLOB(sock, sk, slot, __u64));
}

#endif /* _KFUNC_TRUST_BPF_H */
