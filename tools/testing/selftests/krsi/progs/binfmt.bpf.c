// SPDX-License-Identifier: GPL-2.0
/*
 * What the hooks of an exec see, whichever LSM runs programs there, and a policy
 * that denies a file at one of them.
 */

#include "krsi.bpf.h"
#include "binfmt.h"

char LICENSE[] SEC("license") = "GPL";

#define EUCLEAN 117
/* Of file->f_flags: the file is opened for an exec. */
#define FLAG_EXEC 0x20

struct binfmt_seen seen[BINFMT_HOOKS];
/* /proc/pid/exe, when the exec is done. */
__u64 exe_ino;

/* The file that is denied, and where. */
__u64 deny_ino;
__u32 deny_at;

static __always_inline int note(enum binfmt_hook hook, const struct file *file, int argc)
{
	__u32 round;

	if (!on_target())
		return 0;
	round = seen[hook].calls++ % BINFMT_ROUNDS;
	seen[hook].ino[round] = file->f_inode->i_ino;
	seen[hook].argc[round] = argc;
	return deny_at == hook && deny_ino == file->f_inode->i_ino ? -EUCLEAN : 0;
}

SEC("lsm.s/file_open")
int BPF_PROG(on_open, struct file *file)
{
	return file->f_flags & FLAG_EXEC ? note(BINFMT_OPEN, file, 0) : 0;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(on_creds_for_exec, struct linux_binprm *bprm)
{
	return note(BINFMT_FOR_EXEC, bprm->file, bprm->argc);
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(on_check_security, struct linux_binprm *bprm)
{
	return note(BINFMT_CHECK, bprm->file, bprm->argc);
}

SEC("lsm.s/bprm_creds_from_file")
int BPF_PROG(on_creds_from_file, struct linux_binprm *bprm, const struct file *file)
{
	return note(BINFMT_FROM_FILE, file, bprm->argc);
}

SEC("lsm.s/bprm_committed_creds")
int BPF_PROG(on_committed_creds, const struct linux_binprm *bprm)
{
	struct task_struct *task = bpf_get_current_task_btf();

	note(BINFMT_COMMITTED, bprm->file, bprm->argc);
	if (on_target())
		exe_ino = BPF_CORE_READ(task, mm, exe_file, f_inode, i_ino);
	return 0;
}
