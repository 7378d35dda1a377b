// SPDX-License-Identifier: GPL-2.0
/*
 * Programs for many functions of hooks at once, next to LSM programs on some of
 * the hooks. The cookie says which function it is.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define EUCLEAN 117

bool bpf_session_is_return(void *ctx) __ksym;

enum function {
	GETPGID,
	PRCTL,
	USERNS,
	FOWNER,
	OTHER,
	FUNCTIONS = 8,
};

bool deny[FUNCTIONS];
/* How often each ran, and the position in which it ran last, from 1. */
__u32 entries[FUNCTIONS];
__u32 exits[FUNCTIONS];
__u32 decisions[FUNCTIONS];
__u32 entered_at[FUNCTIONS];
__u32 left_at[FUNCTIONS];
__u32 decided_at[FUNCTIONS];
__u32 next;
/* What the hook returned. */
int returned[FUNCTIONS];

static __always_inline int decide(enum function function)
{
	if (!on_target())
		return 0;
	decisions[function]++;
	decided_at[function] = ++next;
	return deny[function] ? -EUCLEAN : 0;
}

SEC("lsm/task_getpgid")
int lsm_getpgid(void *ctx)
{
	return decide(GETPGID);
}

SEC("lsm/task_prctl")
int lsm_prctl(void *ctx)
{
	return decide(PRCTL);
}

SEC("lsm.s/userns_create")
int lsm_userns(void *ctx)
{
	return decide(USERNS);
}

SEC("lsm/file_set_fowner")
int lsm_fowner(void *ctx)
{
	decide(FOWNER);
	return 0;
}

static __always_inline void enter(void *ctx)
{
	__u32 i = bpf_get_attach_cookie(ctx) % FUNCTIONS;

	entries[i]++;
	entered_at[i] = ++next;
}

static __always_inline void leave(void *ctx)
{
	__u32 i = bpf_get_attach_cookie(ctx) % FUNCTIONS;
	__u64 ret = 0;

	bpf_get_func_ret(ctx, &ret);
	exits[i]++;
	left_at[i] = ++next;
	returned[i] = ret;
}

/* The test loads these again, for no function in particular. */
SEC("fentry/bpf_lsm_task_getpgid")
int on_entry(void *ctx)
{
	if (on_target())
		enter(ctx);
	return 0;
}

SEC("fexit/bpf_lsm_task_getpgid")
int on_exit(void *ctx)
{
	if (on_target())
		leave(ctx);
	return 0;
}

SEC("?fentry/bpf_lsm_task_getpgid")
int session(void *ctx)
{
	if (!on_target())
		return 0;
	if (bpf_session_is_return(ctx))
		leave(ctx);
	else
		enter(ctx);
	return 0;
}
