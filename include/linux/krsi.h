/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The crossing between the BPF trampoline code (C) and KRSI (Rust).
 *
 * Functions marked "Rust" are defined in security/krsi/ with #[export], which
 * checks their signatures against the declarations here; those marked "C" are
 * defined in kernel/bpf/krsi.c and called from Rust through bindgen.
 */

#ifndef _LINUX_KRSI_H
#define _LINUX_KRSI_H

#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/static_call_types.h>
#include <linux/types.h>
#include <uapi/linux/krsi.h>

struct linux_binprm;

/**
 * enum krsi_hook - the LSM hooks that this configuration has, in their order
 */
enum krsi_hook {
	#define LSM_HOOK(RET, DEFAULT, NAME, ...) KRSI_HOOK_##NAME,
	#include <linux/lsm_hook_defs.h>
	#undef LSM_HOOK
	KRSI_HOOK_COUNT,
};

/**
 * KRSI_NOT_MINE - what krsi_link_prog() and krsi_unlink_prog() return for a
 * program that the mainline trampoline has to take
 */
#define KRSI_NOT_MINE 1

#ifdef CONFIG_SECURITY_KRSI

/* Rust: security/krsi/attach.rs */
int krsi_link_prog(struct bpf_tramp_node *node, const void *func);
int krsi_unlink_prog(struct bpf_tramp_node *node, const void *func);
struct bpf_tramp_node *krsi_find_prog(bpf_func_t bpf_func, const void *func);

/* Rust: security/krsi/trace.rs */
int krsi_hook_of(const void *func);
bool krsi_has_progs(unsigned int hook);
void krsi_trace_begin(unsigned int hook);
bool krsi_trace_end(unsigned int hook);

/* Rust: security/krsi/trampoline.rs */
int krsi_run(const u64 *ctx, unsigned int hook);
unsigned int krsi_run_list(const void *ctx, const struct bpf_insn *hook);
unsigned int krsi_run_sleepable_list(const void *ctx,
				     const struct bpf_insn *hook);

/* Rust: security/krsi/lsm.rs */
bool krsi_is_active(void);

/* Rust: security/krsi/exec.rs; see the kfuncs in kernel/bpf/krsi_exec.c */
s64 krsi_exec_read(const struct linux_binprm *bprm, u64 off, void *dst,
		   u32 size);
s64 krsi_exec_arg(const struct linux_binprm *bprm, u32 index, void *dst,
		  u32 size);
s64 krsi_exec_env(const struct linux_binprm *bprm, const char *name, void *dst,
		  u32 size);
s64 krsi_exec_dump(const struct linux_binprm *bprm, struct bpf_map *map,
		   u64 flags);

#ifdef CONFIG_HAVE_STATIC_CALL
/*
 * What each hook's two trampolines call, C: kernel/bpf/krsi.c. A BPF program, or
 * a chain of them, where that is all there is to do, else krsi_run_list() or
 * krsi_run_sleepable_list(), which find the number of the hook in the second
 * argument; programs that are compiled ignore it.
 */
#define LSM_HOOK(RET, DEFAULT, NAME, ...)				\
	DECLARE_STATIC_CALL(krsi_##NAME, krsi_run_list);		\
	DECLARE_STATIC_CALL(krsi_sleepable_##NAME, krsi_run_sleepable_list);
#include <linux/lsm_hook_defs.h>
#undef LSM_HOOK

/* C: kernel/bpf/krsi_chain.c */
#define KRSI_CHAINS 128
#define KRSI_CHAIN_MAX 16

/**
 * struct krsi_chain_slot - one static call of a chain
 * @key: its key
 * @tramp: its trampoline
 */
struct krsi_chain_slot {
	struct static_call_key *key;
	void *tramp;
};

/**
 * struct krsi_chain - a function that calls programs one after the other
 * @run: the function; returns the first value that is not 0, or 0
 * @len: how many it calls, 2 to KRSI_CHAIN_MAX
 * @slots: the static calls, in the order in which they are called
 */
struct krsi_chain {
	bpf_func_t run;
	unsigned int len;
	const struct krsi_chain_slot *slots;
};

/* The short ones first. */
extern const struct krsi_chain krsi_chains[KRSI_CHAINS];
#endif

/* C: kernel/bpf/krsi.c */
struct bpf_tramp_node *krsi_shim_get(unsigned int hook);
bool krsi_hook_sleepable(unsigned int hook);

/**
 * struct krsi_counters - per-CPU counters of each hook, summed when read
 * @calls: times that a hook ran with at least one program attached
 * @denials: times that a program ended the walk with its verdict
 */
struct krsi_counters {
	u64 calls[KRSI_HOOK_COUNT];
	u64 denials[KRSI_HOOK_COUNT];
};

DECLARE_PER_CPU(struct krsi_counters, krsi_counters);

#else /* !CONFIG_SECURITY_KRSI */

static inline int krsi_link_prog(struct bpf_tramp_node *node, const void *func)
{
	return KRSI_NOT_MINE;
}

static inline int krsi_unlink_prog(struct bpf_tramp_node *node,
				   const void *func)
{
	return KRSI_NOT_MINE;
}

static inline struct bpf_tramp_node *krsi_find_prog(bpf_func_t bpf_func,
						    const void *func)
{
	return NULL;
}

#endif /* CONFIG_SECURITY_KRSI */

#endif /* _LINUX_KRSI_H */
