// SPDX-License-Identifier: GPL-2.0
/*
 * C parts of KRSI: BTF ids, per-CPU storage, and the stand-in program that runs
 * a hook's programs from a mainline trampoline image.
 */

#include <linux/bpf.h>
#include <linux/bpf_lsm.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/filter.h>
#include <linux/krsi.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/static_call.h>

#include "krsi_kfuncs.h"

DEFINE_PER_CPU(struct krsi_counters, krsi_counters);

#ifdef CONFIG_HAVE_STATIC_CALL
#define LSM_HOOK(RET, DEFAULT, NAME, ...)				\
	DEFINE_STATIC_CALL(krsi_##NAME, krsi_run_list);			\
	DEFINE_STATIC_CALL(krsi_sleepable_##NAME, krsi_run_sleepable_list);
#include <linux/lsm_hook_defs.h>
#undef LSM_HOOK
#endif

/*
 * Slow paths of the inline functions of trampolines. They preserve registers,
 * so the fast path does not have to save them.
 */

#ifdef CONFIG_SMP
/* With preemption disabled; see rust/helpers/sched.c. */
void __preserve_most krsi_migrate_enable_slow(void)
{
	___migrate_enable();
}
#endif

#ifdef CONFIG_PREEMPT_RCU
/*
 * RCU's slow path is private. An empty critical section takes it when it ends,
 * also for the section that has just ended; see rust/helpers/rcu_inline.c.
 */
void __preserve_most krsi_rcu_read_unlock_slow(void)
{
	__rcu_read_lock();
	__rcu_read_unlock();
}
#endif

/* The BTF id of each hook's bpf_lsm_*() stub, indexed by enum krsi_hook. */
BTF_ID_LIST(krsi_stub_ids)
#define LSM_HOOK(RET, DEFAULT, NAME, ...) BTF_ID(func, bpf_lsm_##NAME)
#include <linux/lsm_hook_defs.h>
#undef LSM_HOOK

/**
 * krsi_hook_sleepable - may sleepable programs attach to a hook?
 * @hook: an enum krsi_hook
 *
 * Context: any.
 * Return: true if every caller of the hook can sleep.
 */
bool krsi_hook_sleepable(unsigned int hook)
{
	return bpf_lsm_is_sleepable_hook(krsi_stub_ids[hook]);
}

/**
 * krsi_hook_by_id - find the hook of a stub
 * @btf_id: the BTF id of the stub
 *
 * Context: any.
 * Return: an enum krsi_hook, or -ENOENT.
 */
int krsi_hook_by_id(u32 btf_id)
{
	unsigned int hook;

	for (hook = 0; hook < KRSI_HOOK_COUNT; hook++)
		if (krsi_stub_ids[hook] == btf_id)
			return hook;
	return -ENOENT;
}

/**
 * krsi_kfunc_hook - find the hook of a program that calls a kfunc
 * @prog: the program, of any type that shares its kfuncs with LSM programs
 *
 * Programs that extend a hook's program have no hook: they have neither its
 * type nor its arguments.
 *
 * Context: any.
 * Return: an enum krsi_hook, or -EACCES if @prog is not an LSM program.
 */
int krsi_kfunc_hook(const struct bpf_prog *prog)
{
	int hook;

	if (prog->type != BPF_PROG_TYPE_LSM)
		return -EACCES;
	hook = krsi_hook_by_id(prog->aux->attach_btf_id);
	return hook < 0 ? -EACCES : hook;
}

/**
 * krsi_register_kfuncs - register kfuncs for programs
 * @type: the type of the programs
 * @set: the kfuncs, all with the flags of KRSI_KFUNC
 *
 * Context: may sleep.
 * Return: 0 or an errno.
 */
int __init krsi_register_kfuncs(enum bpf_prog_type type,
				const struct btf_kfunc_id_set *set)
{
	u32 i;

	for (i = 0; i < set->set->cnt; i++) {
		if (WARN_ON_ONCE(!(set->set->pairs[i].flags & KRSI_KFUNC)))
			return -EINVAL;
	}
	return register_btf_kfunc_id_set(type, set);
}

/**
 * krsi_hook_proto - get the function type of a hook's stub
 * @hook: an enum krsi_hook
 *
 * The BPF core allows tail calls between programs of hooks of the same type.
 *
 * Context: may sleep.
 * Return: the BTF id of the type, or 0 when memory or BTF is missing.
 */
u32 krsi_hook_proto(unsigned int hook)
{
	struct btf *btf = bpf_get_btf_vmlinux();
	const struct btf_type *func;

	if (IS_ERR_OR_NULL(btf))
		return 0;
	func = btf_type_by_id(btf, krsi_stub_ids[hook]);
	return func && btf_type_is_func(func) ? func->type : 0;
}

/*
 * Runs all of KRSI's programs of a hook from the image of the hook's stub,
 * while fentry, fexit or fmod_ret programs are attached to it. The cookie is
 * the hook's number.
 */
static unsigned int krsi_shim_run(const void *ctx, const struct bpf_insn *insn)
{
	struct bpf_tramp_run_ctx *run_ctx;

	run_ctx = container_of(current->bpf_ctx, struct bpf_tramp_run_ctx,
			       run_ctx);
	return krsi_run(ctx, run_ctx->bpf_cookie);
}

static const struct bpf_link_ops krsi_shim_lops = {
};

static struct krsi_shim *krsi_shim_alloc(unsigned int hook)
{
	struct btf *btf = bpf_get_btf_vmlinux();
	struct krsi_shim *shim;
	const struct btf_type *func;
	struct bpf_prog *prog;

	if (IS_ERR_OR_NULL(btf))
		return NULL;
	func = btf_type_by_id(btf, krsi_stub_ids[hook]);
	if (!func || !btf_type_is_func(func))
		return NULL;
	shim = kzalloc_obj(*shim);
	if (!shim)
		return NULL;
	prog = bpf_prog_alloc(1, 0);
	if (!prog) {
		kfree(shim);
		return NULL;
	}

	prog->jited = false;
	prog->bpf_func = krsi_shim_run;
	prog->sleepable = krsi_hook_sleepable(hook);
	prog->type = BPF_PROG_TYPE_LSM;
	prog->expected_attach_type = BPF_LSM_MAC;
	prog->aux->attach_func_proto = btf_type_by_id(btf, func->type);
	prog->aux->attach_btf_id = krsi_stub_ids[hook];
	prog->aux->attach_btf = btf;
	btf_get(btf);
	bpf_prog_inc(prog);
	bpf_tramp_link_init(&shim->link.link, BPF_LINK_TYPE_UNSPEC,
			    &krsi_shim_lops, prog, BPF_LSM_MAC, hook);
	return shim;
}

/*
 * One per hook, allocated when its stub is first traced. Never freed: a task
 * can stay in an image that calls it for any length of time.
 */
static struct krsi_shim *krsi_shims[KRSI_HOOK_COUNT];

/**
 * krsi_shim_find - get the stand-in program of a hook, if it exists
 * @hook: an enum krsi_hook
 *
 * Context: any. The caller holds the lock of the stub's trampoline.
 * Return: the shim, or NULL if krsi_shim_get() has not allocated it yet.
 */
struct krsi_shim *krsi_shim_find(unsigned int hook)
{
	return krsi_shims[hook];
}

/**
 * krsi_shim_get - get the stand-in program of a hook, allocate it if necessary
 * @hook: an enum krsi_hook
 *
 * Context: may sleep. The caller holds the lock of the stub's trampoline.
 * Return: the shim, or NULL if memory or BTF is missing.
 */
struct krsi_shim *krsi_shim_get(unsigned int hook)
{
	if (!krsi_shims[hook])
		krsi_shims[hook] = krsi_shim_alloc(hook);
	return krsi_shims[hook];
}
