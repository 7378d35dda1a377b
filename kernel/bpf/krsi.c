// SPDX-License-Identifier: GPL-2.0
/*
 * What of KRSI has to be C: BTF ids, per-CPU storage, and the stand-in program
 * that runs a hook's programs from within a mainline trampoline image.
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
 * Slow paths of what trampolines do inline. They keep registers, so that
 * trampolines need not save any for them on the fast path.
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
 * RCU's own slow path is private to it. A reader that enters now takes it when
 * it leaves, for itself and for the one that has left; see
 * rust/helpers/rcu_inline.c.
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
 * krsi_hook_by_id - the hook whose stub has a BTF id
 * @btf_id: the id
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
 * krsi_kfunc_hook - the hook of a program that asks for a kfunc
 * @prog: the program, of any type that looks for kfuncs where LSM programs do
 *
 * Programs that extend a program of a hook are of no hook: they have neither its
 * type nor its arguments.
 *
 * Context: any.
 * Return: an enum krsi_hook, or -EACCES if it is no LSM program.
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
 * krsi_register_kfuncs - offer kfuncs to programs
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
 * krsi_hook_proto - the function type of a hook's stub
 * @hook: an enum krsi_hook
 *
 * The BPF core lets a program tail-call those of hooks of the same type.
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
 * Stands for all of KRSI's programs of a hook in the image of the hook's stub
 * while fentry, fexit or fmod_ret programs are attached to it. The hook's
 * number comes as the cookie.
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
 * One per hook, allocated when its stub is first traced and never freed: tasks
 * can stay in an image that calls it for any length of time.
 */
static struct krsi_shim *krsi_shims[KRSI_HOOK_COUNT];

/**
 * krsi_shim_find - the stand-in program of a hook, if there is one
 * @hook: an enum krsi_hook
 *
 * Context: any. The caller holds the lock of the stub's trampoline.
 * Return: as krsi_shim_get(), or NULL if that was not called yet.
 */
struct krsi_shim *krsi_shim_find(unsigned int hook)
{
	return krsi_shims[hook];
}

/**
 * krsi_shim_get - the stand-in program of a hook
 * @hook: an enum krsi_hook
 *
 * Context: may sleep. The caller holds the lock of the stub's trampoline.
 * Return: the shim that stands for KRSI's programs on the stub's trampoline,
 * or NULL when memory or BTF is missing.
 */
struct krsi_shim *krsi_shim_get(unsigned int hook)
{
	if (!krsi_shims[hook])
		krsi_shims[hook] = krsi_shim_alloc(hook);
	return krsi_shims[hook];
}
