/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All kfuncs of KRSI, and those of others that the tests of where they may be
 * called need.
 */

#ifndef _KRSI_KFUNCS_BPF_H
#define _KRSI_KFUNCS_BPF_H

#include "refs.bpf.h"
#include "exec.bpf.h"
#include "krsi_blob.bpf.h"

extern int krsi_audit_log(const struct krsi_audit_event *event, __u32 event__sz,
			  const char *object, __u32 object__sz) __ksym;
struct inode *bpf_real_data_inode(struct file *file) __ksym;
int bpf_set_dentry_xattr(struct dentry *dentry, const char *name__str,
			 const struct bpf_dynptr *value_p, int flags) __ksym;
int bpf_remove_dentry_xattr(struct dentry *dentry, const char *name__str) __ksym;

#define bpf_loop_once(callback) bpf_loop(1, callback, NULL, 0)

#endif /* _KRSI_KFUNCS_BPF_H */
