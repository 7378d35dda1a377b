// SPDX-License-Identifier: GPL-2.0
/*
 * A program for each way of attaching, which counts its calls; one that saves a
 * label and one that writes an audit record.
 */

#include "krsi.bpf.h"
#include "krsi_blob.bpf.h"

char LICENSE[] SEC("license") = "GPL";

extern int krsi_audit_log(const struct krsi_audit_event *event, __u32 event__sz,
			  const char *object, __u32 object__sz) __ksym;

enum who {
	OLD,
	NEW,
	SLEEPABLE,
	TRACE,
	CGROUP,
	WHO_COUNT,
};

__u32 ran[WHO_COUNT];

static __always_inline int count(enum who who)
{
	if (on_target())
		ran[who]++;
	return 0;
}

SEC("?lsm/file_open")
int old(void *ctx)
{
	return count(OLD);
}

SEC("?lsm/file_open")
int new(void *ctx)
{
	return count(NEW);
}

SEC("?lsm.s/file_open")
int sleepable(void *ctx)
{
	return count(SLEEPABLE);
}

SEC("?fentry/bpf_lsm_file_open")
int trace(void *ctx)
{
	return count(TRACE);
}

SEC("?lsm_cgroup/file_open")
int cgroup(void *ctx)
{
	count(CGROUP);
	return 1;
}

KRSI_SLOT(kept);
/* What is written to the label, if not 0, and what was in it before. */
__u64 label;
__u64 seen;
/* Save it once, or write one record; what came of that. */
bool wanted;
int result;

SEC("?lsm/file_open")
int BPF_PROG(use, struct file *file)
{
	__u64 *blob;

	if (!on_target())
		return 0;
	blob = KRSI_BLOB(inode, file->f_inode, kept, __u64);
	if (!blob)
		return 0;
	seen = *blob;
	if (label)
		*blob = label;
	return 0;
}

SEC("?lsm.s/inode_getxattr")
int BPF_PROG(save, struct dentry *dentry)
{
	if (on_target() && wanted) {
		wanted = false;
		result = krsi_inode_blob_save(dentry, kept);
	}
	return 0;
}

struct krsi_audit_event event;
char object[64];

/* Denies, and writes a record about it. */
SEC("?lsm/task_getpgid")
int BPF_PROG(audit, struct task_struct *p)
{
	if (bpf_get_current_task_btf()->tgid != target || !wanted)
		return 0;
	wanted = false;
	result = krsi_audit_log(&event, sizeof(event), object, sizeof(object));
	return -EPERM;
}
