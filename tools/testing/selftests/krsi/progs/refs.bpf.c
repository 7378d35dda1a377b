// SPDX-License-Identifier: GPL-2.0
/*
 * What the kfuncs that give pointers find, in programs that sleep and in ones
 * that do not.
 */

#include "refs.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* The task to look at: another than the one that asks. */
int subject;

int calls;
int parent, grandparent, leader;
/* The reference outlives what it was found through. */
int parent_of_parent_found;
int uid, euid, cap;
bool no_parent, no_leader;
__u64 magic;
char name[64], parent_name[64], top_name[64];
int depth;
bool no_dentry;
bool no_sb;

static __always_inline bool asked(void)
{
	if (bpf_get_current_task_btf()->tgid != target)
		return false;
	calls++;
	return true;
}

static __always_inline void look_at(struct task_struct *task)
{
	struct task_struct *up, *above;
	const struct cred *cred;

	up = krsi_task_real_parent(task);
	no_parent = !up;
	if (up) {
		parent = up->pid;
		above = krsi_task_real_parent(up);
		bpf_task_release(up);
		if (above) {
			grandparent = above->tgid;
			bpf_task_release(above);
		}
	}
	up = krsi_task_group_leader(task);
	no_leader = !up;
	if (up) {
		leader = up->pid;
		bpf_task_release(up);
	}
	cred = krsi_task_cred(task);
	if (cred) {
		uid = cred->uid.val;
		euid = cred->euid.val;
		cap = cred->cap_effective.val & 1;
		krsi_cred_put(cred);
	}
}

static __always_inline void look(void)
{
	struct task_struct *task;

	if (!asked())
		return;
	task = bpf_task_from_pid(subject);
	if (!task)
		return;
	look_at(task);
	bpf_task_release(task);
}

SEC("lsm/userns_create")
int BPF_PROG(task_atomic, const struct cred *cred)
{
	look();
	return 0;
}

SEC("lsm.s/userns_create")
int BPF_PROG(task_sleepable, const struct cred *cred)
{
	look();
	return 0;
}

/* Through a pointer that RCU alone keeps. */
SEC("lsm.s/userns_create")
int BPF_PROG(task_rcu, const struct cred *cred)
{
	struct task_struct *ref;

	if (!asked())
		return 0;
	bpf_rcu_read_lock();
	ref = krsi_task_real_parent(bpf_get_current_task_btf()->real_parent);
	bpf_rcu_read_unlock();
	if (ref) {
		grandparent = ref->tgid;
		bpf_task_release(ref);
	}
	return 0;
}

/* A task that is being made has its parent's relatives, by copy. */
SEC("lsm/task_alloc")
int BPF_PROG(task_new, struct task_struct *task)
{
	if (asked())
		look_at(task);
	return 0;
}

/* Tasks and credentials that are kept in a map. */
struct kept {
	struct task_struct __attribute__((btf_type_tag("kptr"))) *task;
	struct cred __attribute__((btf_type_tag("kptr"))) *cred;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kept);
} kept SEC(".maps");

SEC("lsm/userns_create")
int BPF_PROG(keep, const struct cred *unused)
{
	struct task_struct *task;
	const struct cred *cred;
	struct kept *value;
	__u32 key = 0;

	if (!asked())
		return 0;
	value = bpf_map_lookup_elem(&kept, &key);
	if (!value)
		return 0;
	task = bpf_task_from_pid(subject);
	if (!task)
		return 0;
	cred = krsi_task_cred(task);
	task = bpf_kptr_xchg(&value->task, task);
	if (task)
		bpf_task_release(task);
	if (cred) {
		cred = bpf_kptr_xchg(&value->cred, (struct cred *)cred);
		if (cred)
			krsi_cred_put(cred);
	}
	return 0;
}

SEC("lsm/userns_create")
int BPF_PROG(look_at_kept, const struct cred *unused)
{
	struct task_struct *task;
	const struct cred *cred;
	struct kept *value;
	__u32 key = 0;

	if (!asked())
		return 0;
	value = bpf_map_lookup_elem(&kept, &key);
	if (!value)
		return 0;
	cred = bpf_kptr_xchg(&value->cred, NULL);
	if (cred) {
		uid = cred->uid.val;
		krsi_cred_put(cred);
	}
	task = bpf_kptr_xchg(&value->task, NULL);
	if (task) {
		look_at(task);
		bpf_task_release(task);
	}
	return 0;
}

/* Directory entries and superblocks. */

static __always_inline void copy_name(char *to, const struct dentry *dentry)
{
	bpf_probe_read_kernel_str(to, sizeof(name), dentry->d_name.name);
}

static __always_inline void look_at_path(const struct path *path, struct inode *inode)
{
	const struct krsi_dentry *dentry, *up;
	const struct super_block *sb;
	int i;

	sb = krsi_inode_sb(inode);
	if (sb)
		magic = sb->s_magic;
	dentry = krsi_path_dentry(path);
	no_dentry = !dentry;
	if (!dentry)
		return;
	copy_name(name, &dentry->dentry);
	up = krsi_dentry_parent(&dentry->dentry);
	if (up)
		copy_name(parent_name, &up->dentry);
	bpf_for(i, 0, 32) {
		up = krsi_dentry_parent(&dentry->dentry);
		if (!up)
			break;
		dentry = up;
		depth = i + 1;
	}
	copy_name(top_name, &dentry->dentry);
}

SEC("lsm/file_open")
int BPF_PROG(file_atomic, struct file *file)
{
	if (asked())
		look_at_path(&file->f_path, file->f_inode);
	return 0;
}

SEC("lsm.s/file_open")
int BPF_PROG(file_sleepable, struct file *file)
{
	if (!asked())
		return 0;
	bpf_rcu_read_lock();
	look_at_path(&file->f_path, file->f_inode);
	bpf_rcu_read_unlock();
	return 0;
}

/* For files that are not opened: pipes, sockets. */
SEC("lsm/file_fcntl")
int BPF_PROG(file_any, struct file *file, unsigned int cmd, unsigned long arg)
{
	if (asked())
		look_at_path(&file->f_path, file->f_inode);
	return 0;
}

/* There may be no context inode, which the verifier does not know. */
SEC("lsm/inode_init_security_anon")
int BPF_PROG(anon_inode, struct inode *inode, const struct qstr *qstr, struct inode *context)
{
	if (asked())
		no_sb = !krsi_inode_sb(context);
	return 0;
}

SEC("lsm/inode_unlink")
int BPF_PROG(unlinked, struct inode *dir, struct dentry *dentry)
{
	const struct krsi_dentry *up;

	if (!asked())
		return 0;
	copy_name(name, dentry);
	up = krsi_dentry_parent(dentry);
	if (up)
		copy_name(parent_name, &up->dentry);
	return 0;
}
