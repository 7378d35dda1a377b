// SPDX-License-Identifier: GPL-2.0
/*
 * Paths of what hooks get, in programs that sleep and in ones that do not.
 */

#include "refs.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define SIZE 16384
#define ROUNDS 4
#define NAME 256

/* FIOCLEX: an ioctl that every file has. */
#define ASK 0x5451

/* What to ask for. */
__u32 size = SIZE;
__u64 flags;

int calls;
/* What was answered; the memory had garbage in it. */
__s64 ret;
char dst[SIZE];

/* One for each call. */
__s64 round_ret[ROUNDS];
char round_dst[ROUNDS][NAME];

static __always_inline bool asked(void)
{
	if (bpf_get_current_task_btf()->tgid != target)
		return false;
	calls++;
	return true;
}

static __always_inline __u32 bounded_size(void)
{
	__u32 n = size;

	barrier_var(n);
	return n < SIZE ? n : SIZE;
}

SEC("lsm/file_ioctl")
int BPF_PROG(fd_atomic, struct file *file, unsigned int cmd, unsigned long arg)
{
	if (cmd == ASK && asked())
		ret = krsi_file_path(file, dst, bounded_size(), flags);
	return 0;
}

SEC("lsm.s/file_ioctl")
int BPF_PROG(fd_sleepable, struct file *file, unsigned int cmd, unsigned long arg)
{
	if (cmd == ASK && asked())
		ret = krsi_file_path(file, dst, bounded_size(), flags);
	return 0;
}

/* Under a lock of the program's own. */
SEC("lsm.s/file_ioctl")
int BPF_PROG(fd_in_section, struct file *file, unsigned int cmd, unsigned long arg)
{
	if (cmd != ASK || !asked())
		return 0;
	bpf_rcu_read_lock();
	ret = krsi_path(&file->f_path, dst, bounded_size(), flags);
	bpf_rcu_read_unlock();
	return 0;
}

/* Each file that is opened: a layer's too. */
SEC("lsm/file_open")
int BPF_PROG(opened, struct file *file)
{
	__u32 round = calls;

	if (asked() && round < ROUNDS)
		round_ret[round] = krsi_file_path(file, round_dst[round], NAME, flags);
	return 0;
}

SEC("lsm/path_truncate")
int BPF_PROG(truncated, const struct path *path)
{
	if (asked())
		ret = krsi_path(path, dst, SIZE, flags);
	return 0;
}

static __always_inline int note_entry(const struct path *dir, struct dentry *dentry)
{
	if (asked())
		ret = krsi_path_at(dir, dentry, dst, SIZE, flags);
	return 0;
}

SEC("lsm.s/path_unlink")
int BPF_PROG(unlinked, const struct path *dir, struct dentry *dentry)
{
	return note_entry(dir, dentry);
}

SEC("lsm/path_mkdir")
int BPF_PROG(made, const struct path *dir, struct dentry *dentry, umode_t mode)
{
	return note_entry(dir, dentry);
}

SEC("lsm/path_mknod")
int BPF_PROG(created, const struct path *dir, struct dentry *dentry)
{
	return note_entry(dir, dentry);
}

SEC("lsm.s/path_rename")
int BPF_PROG(renamed, const struct path *old_dir, struct dentry *old_dentry,
	     const struct path *new_dir, struct dentry *new_dentry)
{
	if (!asked())
		return 0;
	round_ret[0] = krsi_path_at(old_dir, old_dentry, round_dst[0], NAME, flags);
	round_ret[1] = krsi_path_at(new_dir, new_dentry, round_dst[1], NAME, flags);
	return 0;
}

/* An entry of another filesystem than the path's. */
SEC("lsm.s/inode_unlink")
int BPF_PROG(elsewhere, struct inode *inode, struct dentry *dentry)
{
	struct file *exe;

	if (!asked())
		return 0;
	exe = bpf_get_task_exe_file(bpf_get_current_task_btf());
	if (!exe)
		return 0;
	ret = krsi_path_at(&exe->f_path, dentry, dst, SIZE, flags);
	bpf_put_file(exe);
	return 0;
}

static __always_inline void note_round(struct linux_binprm *bprm)
{
	__u32 i = calls - 1;

	if (i < ROUNDS)
		round_ret[i] = krsi_bprm_path(bprm, round_dst[i], NAME, flags);
}

SEC("lsm/bprm_creds_for_exec")
int BPF_PROG(exec_begin, struct linux_binprm *bprm)
{
	if (asked())
		note_round(bprm);
	return 0;
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(exec_round, struct linux_binprm *bprm)
{
	if (asked())
		note_round(bprm);
	return 0;
}

SEC("lsm/bprm_committed_creds")
int BPF_PROG(exec_end, const struct linux_binprm *bprm)
{
	if (asked())
		note_round((struct linux_binprm *)bprm);
	return 0;
}

/* Where hooks cannot sleep. */

SEC("lsm/file_permission")
int BPF_PROG(permitted, struct file *file, int mask)
{
	if (asked())
		ret = krsi_file_path(file, dst, SIZE, flags);
	return 0;
}

SEC("lsm/file_mprotect")
int BPF_PROG(protected, struct vm_area_struct *vma)
{
	struct file *file = vma->vm_file;

	if (file && asked())
		ret = krsi_file_path(file, dst, SIZE, flags);
	return 0;
}

SEC("lsm/inode_permission")
int BPF_PROG(walked, struct inode *inode, int mask)
{
	struct file *exe;

	if (!asked())
		return 0;
	exe = bpf_get_task_exe_file(bpf_get_current_task_btf());
	if (!exe)
		return 0;
	ret = krsi_file_path(exe, dst, SIZE, flags);
	bpf_put_file(exe);
	return 0;
}
