// SPDX-License-Identifier: GPL-2.0
/*
 * Tracing programs on the functions that stand for hooks, next to LSM programs
 * on the hooks; and programs on programs.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

enum kind {
	LSM,
	LSM2,
	FENTRY,
	FENTRY2,
	FEXIT,
	FMOD_RET,
	KINDS,
};

int verdict[KINDS];
/* The position in which each ran, from 1, and how often. */
__u32 ran[KINDS];
__u32 calls[KINDS];
__u32 next;
/* What the exit saw. */
int ret;
__u64 func_ret;
long func_ret_err;
__u64 func_ip;
__u64 arg_cnt;
int arg_tgid;

static __always_inline int note(enum kind kind)
{
	if (!on_target())
		return 0;
	ran[kind] = ++next;
	calls[kind]++;
	return bounded(verdict[kind]);
}

SEC("lsm/task_getpgid")
int lsm(void *ctx)
{
	return note(LSM) < 0 ? -EPERM : 0;
}

SEC("lsm/task_getpgid")
int lsm2(void *ctx)
{
	return note(LSM2) < 0 ? -EPERM : 0;
}

SEC("fentry/bpf_lsm_task_getpgid")
int BPF_PROG(fentry, struct task_struct *p)
{
	note(FENTRY);
	if (on_target()) {
		func_ip = bpf_get_func_ip(ctx);
		arg_cnt = bpf_get_func_arg_cnt(ctx);
		arg_tgid = p->tgid;
	}
	return 0;
}

SEC("fentry/bpf_lsm_task_getpgid")
int fentry2(void *ctx)
{
	note(FENTRY2);
	return 0;
}

SEC("fexit/bpf_lsm_task_getpgid")
int BPF_PROG(fexit, struct task_struct *p, int retval)
{
	note(FEXIT);
	if (on_target()) {
		ret = retval;
		func_ret_err = bpf_get_func_ret(ctx, &func_ret);
		func_ip = bpf_get_func_ip(ctx);
		arg_cnt = bpf_get_func_arg_cnt(ctx);
	}
	return 0;
}

/* A hook that is walked with lsm_for_each_hook() and has a default. */
SEC("fentry/bpf_lsm_task_prctl")
int fentry_prctl(void *ctx)
{
	note(FENTRY);
	return 0;
}

SEC("fexit/bpf_lsm_task_prctl")
int BPF_PROG(fexit_prctl, int option, unsigned long arg2, unsigned long arg3, unsigned long arg4,
	     unsigned long arg5, int retval)
{
	note(FEXIT);
	if (on_target())
		ret = retval;
	return 0;
}

SEC("lsm/task_prctl")
int lsm_prctl(void *ctx)
{
	return note(LSM) < 0 ? -EPERM : 0;
}

/* A hook that returns nothing: there LSM programs are exits themselves. */
SEC("fentry/bpf_lsm_file_set_fowner")
int fentry_fowner(void *ctx)
{
	note(FENTRY);
	return 0;
}

SEC("fexit/bpf_lsm_file_set_fowner")
int fexit_fowner(void *ctx)
{
	note(FEXIT);
	return 0;
}

SEC("lsm/file_set_fowner")
int lsm_fowner(void *ctx)
{
	return note(LSM);
}

/* A sleepable LSM program with tracing programs around it. */
SEC("lsm.s/userns_create")
int lsm_userns(void *ctx)
{
	return note(LSM) < 0 ? -EPERM : 0;
}

SEC("fentry/bpf_lsm_userns_create")
int fentry_userns(void *ctx)
{
	note(FENTRY);
	return 0;
}

SEC("fexit/bpf_lsm_userns_create")
int BPF_PROG(fexit_userns, const struct cred *cred, int retval)
{
	note(FEXIT);
	if (on_target())
		ret = retval;
	return 0;
}

/* Loaded as a session, which runs on entry and on exit. */
SEC("?fentry/bpf_lsm_task_getpgid")
int session(void *ctx)
{
	note(FENTRY2);
	return 0;
}

/* What the framework calls may be modified, unlike what the LSM registers. */
SEC("fmod_ret/security_task_getpgid")
int BPF_PROG(fmod_ret, struct task_struct *p, int retval)
{
	return note(FMOD_RET) < 0 ? -EACCES : 0;
}

/* A program with a part that can be replaced. */
__noinline int replaceable(int v)
{
	/* Kept as a call of its own. */
	barrier_var(v);
	return v ? -EPERM : 0;
}

SEC("lsm/task_getpgid")
int lsm_with_part(void *ctx)
{
	int v = replaceable(note(LSM));

	/* The compiler knows what it returned, the verifier does not. */
	barrier_var(v);
	return bounded(v);
}
