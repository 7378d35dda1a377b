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
#include <linux/types.h>

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
void krsi_trace_begin(unsigned int hook);
bool krsi_trace_end(unsigned int hook);

/* Rust: security/krsi/trampoline.rs */
int krsi_run(const u64 *ctx, unsigned int hook);

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
