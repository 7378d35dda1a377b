// SPDX-License-Identifier: GPL-2.0
/*
 * Where programs cannot ask for paths, and with what, each beside what the
 * verifier says to it.
 */

#include "refs.bpf.h"

char LICENSE[] SEC("license") = "GPL";

char dst[64];
__u32 size;

/* Hooks, by what is known of their callers. */
#define HOOK(hook, verdict, args...)						\
SEC("lsm/" #hook) verdict							\
int BPF_PROG(hook, args)							\
{										\
	struct file *exe = bpf_get_task_exe_file(bpf_get_current_task_btf());	\
										\
	if (!exe)								\
		return 0;							\
	krsi_file_path(exe, dst, sizeof(dst), 0);				\
	bpf_put_file(exe);							\
	return 0;								\
}

#define UNSAFE __reject("calling kernel function krsi_file_path is not allowed")

/* They can sleep. */
HOOK(bprm_check_security, __accept, struct linux_binprm *bprm)
HOOK(bprm_creds_for_exec, __accept, struct linux_binprm *bprm)
HOOK(file_open, __accept, struct file *file)
HOOK(inode_rename, __accept, struct inode *old_dir)
HOOK(mmap_file, __accept, struct file *file)
HOOK(path_unlink, __accept, const struct path *dir)
HOOK(socket_connect, __accept, struct socket *sock)
/* They cannot, and have no spinlock. */
HOOK(file_fcntl, __accept, struct file *file)
HOOK(file_mprotect, __accept, struct vm_area_struct *vma)
HOOK(file_permission, __accept, struct file *file, int mask)
HOOK(file_truncate, __accept, struct file *file)
HOOK(inode_follow_link, __accept, struct dentry *dentry)
HOOK(inode_permission, __accept, struct inode *inode, int mask)
HOOK(move_mount, __accept, const struct path *from)
HOOK(inode_readlink, __accept, struct dentry *dentry)
HOOK(socket_getsockopt, __accept, struct socket *sock)
HOOK(path_chroot, __accept, const struct path *path)
HOOK(path_mknod, __accept, const struct path *dir)
HOOK(sb_pivotroot, __accept, const struct path *old)
/* They have a spinlock, or run in interrupts, or nobody has looked. */
HOOK(capable, UNSAFE, const struct cred *cred)
HOOK(d_instantiate, UNSAFE, struct dentry *dentry)
HOOK(file_send_sigiotask, UNSAFE, struct task_struct *task)
HOOK(file_set_fowner, UNSAFE, struct file *file)
HOOK(inet_csk_clone, UNSAFE, struct sock *sk)
HOOK(ptrace_access_check, UNSAFE, struct task_struct *task)
HOOK(socket_sock_rcv_skb, UNSAFE, struct sock *sk)
HOOK(task_free, UNSAFE, struct task_struct *task)
HOOK(task_kill, UNSAFE, struct task_struct *task)
/*
 * These would be safe, but their programs could be tail-called by those of
 * file_set_fowner, socket_sock_rcv_skb and sb_mnt_opts_compat (under sb_lock),
 * which have the same types.
 */
HOOK(file_release, UNSAFE, struct file *file)
HOOK(netlink_send, UNSAFE, struct sock *sk)
HOOK(sb_remount, UNSAFE, struct super_block *sb)
/* These too, as long as nobody has looked at others of their types. */
HOOK(inode_free_security, UNSAFE, struct inode *inode)
HOOK(syslog, UNSAFE, int type)
HOOK(task_setscheduler, UNSAFE, struct task_struct *p)

/* Not for tracing programs. */
SEC("fentry/bpf_lsm_file_open") __reject("calling kernel function krsi_path is not allowed")
int BPF_PROG(tracing_path, struct file *file)
{
	krsi_path(&file->f_path, dst, sizeof(dst), 0);
	return 0;
}

SEC("fentry/bpf_lsm_file_open") __reject("calling kernel function krsi_file_path is not allowed")
int BPF_PROG(tracing_file_path, struct file *file)
{
	krsi_file_path(file, dst, sizeof(dst), 0);
	return 0;
}

SEC("fentry/bpf_lsm_path_unlink") __reject("calling kernel function krsi_path_at is not allowed")
int BPF_PROG(tracing_path_at, const struct path *dir, struct dentry *dentry)
{
	krsi_path_at(dir, dentry, dst, sizeof(dst), 0);
	return 0;
}

SEC("fentry/bpf_lsm_bprm_check_security")
__reject("calling kernel function krsi_bprm_path is not allowed")
int BPF_PROG(tracing_bprm_path, struct linux_binprm *bprm)
{
	krsi_bprm_path(bprm, dst, sizeof(dst), 0);
	return 0;
}

/* The file has to be there, and so has the memory. */

SEC("lsm/bprm_check_security") __reject("R1 must be referenced or trusted")
int BPF_PROG(untrusted_file, struct linux_binprm *bprm)
{
	krsi_file_path(bprm->executable, dst, sizeof(dst), 0);
	return 0;
}

SEC("lsm/file_mprotect") __reject("Possibly NULL pointer passed to trusted R1")
int BPF_PROG(no_file, struct vm_area_struct *vma)
{
	krsi_file_path(vma->vm_file, dst, sizeof(dst), 0);
	return 0;
}

SEC("lsm/mmap_file") __reject("Possibly NULL pointer passed to trusted R1")
int BPF_PROG(mmap_without_file, struct file *file)
{
	krsi_file_path(file, dst, sizeof(dst), 0);
	return 0;
}

SEC("lsm/file_open") __reject("R1 is scalar expected STRUCT file")
int BPF_PROG(file_after_put, struct file *file)
{
	struct file *exe = bpf_get_task_exe_file(bpf_get_current_task_btf());

	if (!exe)
		return 0;
	bpf_put_file(exe);
	krsi_file_path(exe, dst, sizeof(dst), 0);
	return 0;
}

SEC("lsm/path_unlink") __reject("R2 must be referenced or trusted")
int BPF_PROG(untrusted_dentry, const struct path *dir, struct dentry *dentry)
{
	krsi_path_at(dir, dentry->d_parent, dst, sizeof(dst), 0);
	return 0;
}

SEC("lsm/file_open") __reject("R1 is fp expected STRUCT path")
int BPF_PROG(path_made_up, struct file *file)
{
	struct path path = {};

	krsi_path(&path, dst, sizeof(dst), 0);
	return 0;
}

SEC("lsm/file_open") __reject("R2 min value is outside of the allowed memory range")
int BPF_PROG(too_large, struct file *file)
{
	krsi_file_path(file, dst, sizeof(dst) + 65536, 0);
	return 0;
}

SEC("lsm/file_open") __reject("memory, len pair leads to invalid memory access")
int BPF_PROG(size_unknown, struct file *file)
{
	krsi_file_path(file, dst, size, 0);
	return 0;
}

SEC("lsm/file_open") __reject("memory, len pair leads to invalid memory access")
int BPF_PROG(no_memory, struct file *file)
{
	krsi_file_path(file, (char *)file, 8, 0);
	return 0;
}
