/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What exec.bpf.c needs of the kernel: fields, wherever the running kernel has
 * them, and functions.
 */
#ifndef KRSI_KERNEL_H
#define KRSI_KERNEL_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct cred {
	struct {
		u32 val;
	} uid, euid;
};

struct task_struct {
	int pid, tgid;
	struct task_struct *real_parent;
	const struct cred *cred;
	struct {
		u32 val;
	} loginuid;
	unsigned int sessionid;
	char comm[16];
};

struct file {
	unsigned int f_flags;
};

struct linux_binprm {
	const char *filename, *interp;
};

struct pt_regs {
	unsigned long di, si;
};

#pragma clang attribute pop

s64 krsi_bprm_dump(struct linux_binprm *bprm, void *map__map, u64 flags) __ksym;
struct task_struct *krsi_task_real_parent(struct task_struct *task) __ksym;
void bpf_task_release(struct task_struct *p) __ksym;
struct file *bpf_get_task_exe_file(struct task_struct *task) __ksym;
void bpf_put_file(struct file *file) __ksym;
s64 krsi_file_path(const struct file *file, char *dst, u32 dst__sz, u64 flags) __ksym;

#endif /* KRSI_KERNEL_H */
