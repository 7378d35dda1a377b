// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that the kernel refuses, one reason each, and a few at the border
 * that it takes. Each is loaded alone.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Verdicts are 0 or an errno. */
SEC("lsm/task_getpgid")
int return_1(void *ctx)
{
	return 1;
}

SEC("lsm/task_getpgid")
int return_minus_4096(void *ctx)
{
	return -4096;
}

SEC("lsm/task_getpgid")
int return_minus_4095(void *ctx)
{
	return -4095;
}

SEC("lsm/task_getpgid")
int return_any(void *ctx)
{
	return bpf_get_prandom_u32();
}

SEC("lsm/task_prctl")
int prctl_return_1(void *ctx)
{
	return 1;
}

/* ... or a bool. */
#define BOOL_HOOK(hook)			\
SEC("lsm/" #hook)			\
int hook##_0(void *ctx)			\
{					\
	return 0;			\
}					\
SEC("lsm/" #hook)			\
int hook##_1(void *ctx)			\
{					\
	return 1;			\
}					\
SEC("lsm/" #hook)			\
int hook##_2(void *ctx)			\
{					\
	return 2;			\
}					\
SEC("lsm/" #hook)			\
int hook##_minus_1(void *ctx)		\
{					\
	return -1;			\
}

BOOL_HOOK(audit_rule_known)
BOOL_HOOK(inode_xattr_skipcap)
BOOL_HOOK(xfrm_state_pol_flow_match)

/* Sleeping where the caller cannot, and what only sleepers may do. */
SEC("lsm.s/task_getpgid")
int sleepable_getpgid(void *ctx)
{
	return 0;
}

#define SLEEPLESS_HOOK(hook)		\
SEC("lsm.s/" #hook)			\
int sleepable_##hook(void *ctx)		\
{					\
	return 0;			\
}

SLEEPLESS_HOOK(file_permission)
SLEEPLESS_HOOK(inode_copy_up)
SLEEPLESS_HOOK(inode_file_getattr)
SLEEPLESS_HOOK(inode_free_security)
SLEEPLESS_HOOK(inode_permission)
SLEEPLESS_HOOK(perf_event_read)
SLEEPLESS_HOOK(ptrace_access_check)
SLEEPLESS_HOOK(release_secctx)
SLEEPLESS_HOOK(task_kill)

void *user;

SEC("lsm/file_open")
int copy_from_user(void *ctx)
{
	char byte;

	return bpf_copy_from_user(&byte, 1, user) ? -EPERM : 0;
}

/* Hooks that programs may not have. */
#define DISABLED(hook)			\
SEC("lsm/" #hook)			\
int disabled_##hook(void *ctx)		\
{					\
	return 0;			\
}

DISABLED(audit_rule_match)
DISABLED(file_alloc_security)
DISABLED(getprocattr)
DISABLED(getselfattr)
DISABLED(inode_copy_up_xattr)
DISABLED(inode_getsecurity)
DISABLED(inode_listsecurity)
DISABLED(inode_need_killpriv)
DISABLED(ismaclabel)
DISABLED(key_getsecurity)
DISABLED(setprocattr)
DISABLED(vm_enough_memory)
DISABLED(xfrm_decode_session)

/* There is no such hook. */
SEC("lsm/no_such_hook")
int no_such_hook(void *ctx)
{
	return 0;
}

/* There is no such argument: after the last comes the return value. */
SEC("lsm/task_getpgid")
int third_argument(__u64 *ctx)
{
	return ctx[2] ? -EPERM : 0;
}

SEC("lsm/uring_allowed")
int second_of_none(__u64 *ctx)
{
	return ctx[1] ? -EPERM : 0;
}

SEC("lsm/file_set_fowner")
int return_of_void(__u64 *ctx)
{
	return ctx[1] ? -EPERM : 0;
}

/* Arguments are read-only. */
SEC("lsm/task_getpgid")
int BPF_PROG(write_argument, struct task_struct *p)
{
	p->tgid = 1;
	return 0;
}

/* Only tracing programs ask where they are. */
SEC("lsm/task_getpgid")
int func_ip(void *ctx)
{
	return bpf_get_func_ip(ctx) ? 0 : -EPERM;
}

/* The stub's value is the programs' to change, nobody else's. */
SEC("fmod_ret/bpf_lsm_task_getpgid")
int fmod_ret(void *ctx)
{
	return -EPERM;
}

SEC("fmod_ret.s/bpf_lsm_file_open")
int fmod_ret_sleepable(void *ctx)
{
	return -EPERM;
}

SEC("fentry.s/bpf_lsm_task_getpgid")
int fentry_sleepable(void *ctx)
{
	return 0;
}
