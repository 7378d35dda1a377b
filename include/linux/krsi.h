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
#include <linux/dcache.h>
#include <linux/errno.h>
#include <linux/krsi_blob.h>
#include <linux/krsi_boot.h>
#include <linux/krsi_chain.h>
#include <linux/static_call_types.h>
#include <linux/types.h>
#include <uapi/linux/krsi.h>

struct bpf_verifier_env;
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

/**
 * enum krsi_path_flags - what path a program asks for
 * @KRSI_PATH_TASK_ROOT: from the root of the current task, as the task would name
 * it, instead of from the root of the mount namespace
 * @KRSI_PATH_DELETED: if it was deleted, the path that it had, instead of an error
 * @KRSI_PATH_TRUSTED_MOUNT: an error if an unprivileged user can have made the
 * mount, and so have chosen the path. For policies that allow by path. Not together
 * with %KRSI_PATH_TASK_ROOT: users choose that root
 */
enum krsi_path_flags {
	KRSI_PATH_TASK_ROOT = 1,
	KRSI_PATH_DELETED = 2,
	KRSI_PATH_TRUSTED_MOUNT = 4,
};

/**
 * enum krsi_arg_flags - what argument a program looks for
 * @KRSI_ARG_PREFIX: one that begins with the text, instead of one that equals it
 */
enum krsi_arg_flags {
	KRSI_ARG_PREFIX = 1,
};

/**
 * struct krsi_arg_cursor - how far a program has read the arguments
 * @off: offset of the next argument
 * @index: number of the next argument
 * @start: which area the two are about
 *
 * Programs begin with zeroes and leave the rest to krsi_bprm_next_arg().
 */
struct krsi_arg_cursor {
	u64 off;
	u32 index;
	u32 start;
};

/**
 * struct krsi_dentry - a directory entry that RCU alone keeps
 * @dentry: the entry
 *
 * A type of its own, because the verifier takes the inode of any other struct
 * dentry for one that has a reference, even after the RCU section.
 */
struct krsi_dentry {
	struct dentry dentry;
};

#ifdef CONFIG_SECURITY_KRSI

struct linux_binprm;
struct cred;

/* Rust: security/krsi/active.rs */
bool krsi_active(void);

/* Rust: security/krsi/refs.rs */
struct task_struct *krsi_get_real_parent(struct task_struct *p);
struct task_struct *krsi_get_group_leader(struct task_struct *p);
const struct cred *krsi_get_task_cred(struct task_struct *p);
void krsi_put_cred(const struct cred *cred);
bool krsi_find_allowed(unsigned int hook);
bool krsi_file_unfinished(unsigned int hook);
bool krsi_file_mode_known(unsigned int hook);
const struct krsi_dentry *krsi_find_parent(const struct dentry *dentry);
const struct krsi_dentry *krsi_find_dentry(const struct path *path);
const struct super_block *krsi_find_sb(const struct inode *inode);

/* Rust: security/krsi/path.rs */
bool krsi_path_allowed(unsigned int hook);
s64 krsi_write_path(const struct path *path, char *dst, u32 len, u64 flags);
s64 krsi_write_path_at(const struct path *dir, const struct dentry *dentry,
		       char *dst, u32 len, u64 flags);
s64 krsi_write_file_path(const struct file *file, char *dst, u32 len, u64 flags);
s64 krsi_write_bprm_path(const struct linux_binprm *bprm, char *dst, u32 len,
			 u64 flags);

/* Rust: security/krsi/attach.rs */
int krsi_link_prog(struct bpf_tramp_node *node, const void *func);
int krsi_unlink_prog(struct bpf_tramp_node *node, const void *func);
struct bpf_tramp_node *krsi_find_prog(bpf_func_t bpf_func, const void *func);

/* Rust: security/krsi/trace.rs */
int krsi_hook_of(const void *func);
bool krsi_has_progs(unsigned int hook);
void krsi_trace_begin(unsigned int hook);
bool krsi_trace_end(unsigned int hook);
int krsi_run(const u64 *ctx, unsigned int hook);

/* Rust: security/krsi/trampoline.rs */
unsigned int krsi_run_list(const void *ctx, const struct bpf_insn *unset);
unsigned int krsi_run_sleepable_list(const void *ctx,
				     const struct bpf_insn *unset);

/* Rust: security/krsi/exec/mod.rs; see the kfuncs in kernel/bpf/krsi_exec.c */
s64 krsi_exec_read(const struct linux_binprm *bprm, u64 off, void *dst,
		   u32 size);
s64 krsi_exec_arg(const struct linux_binprm *bprm, u32 index, void *dst,
		  u32 size);
s64 krsi_exec_next_arg(const struct linux_binprm *bprm,
		       struct krsi_arg_cursor *cursor, void *dst, u32 size);
s64 krsi_exec_find_arg(const struct linux_binprm *bprm, u32 from,
		       const char *text, u32 size, u64 flags);
s64 krsi_exec_env(const struct linux_binprm *bprm, const char *name, void *dst,
		  u32 size);
s64 krsi_exec_dump(const struct linux_binprm *bprm, struct bpf_map *map,
		   u64 flags);

#ifdef CONFIG_AUDIT
/* Rust: security/krsi/audit.rs; see the kfunc in kernel/bpf/krsi_audit.c */
bool krsi_audit_allowed(unsigned int hook);
int krsi_audit_write(const struct krsi_audit_event *event, u32 event_size,
		     const char *object, u32 object_size,
		     const struct bpf_prog_aux *aux);
#endif

#ifdef CONFIG_HAVE_STATIC_CALL
/*
 * What each hook's two trampolines call, C: kernel/bpf/krsi.c. A BPF program, or
 * a chain of them, where that is all there is to do, else krsi_run_list() or
 * krsi_run_sleepable_list(), which find the number of the hook in front of the
 * context. The second argument, which programs have for the interpreter, is not
 * set: those that are called so are compiled.
 */
#define LSM_HOOK(RET, DEFAULT, NAME, ...)				\
	DECLARE_STATIC_CALL(krsi_##NAME, krsi_run_list);		\
	DECLARE_STATIC_CALL(krsi_sleepable_##NAME, krsi_run_sleepable_list);
#include <linux/lsm_hook_defs.h>
#undef LSM_HOOK

/* C: kernel/bpf/krsi_chain.c */
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

/**
 * struct krsi_shim - the program that runs a hook's programs from the image of
 * the hook's stub
 * @link: what attaches it; link.trampoline is set while the image is to be removed
 * @rcu: for the grace period before that
 * @work: what removes it then
 * @left_again: the stub was traced and left again since @rcu was queued
 *
 * Protected by the lock of the stub's trampoline.
 */
struct krsi_shim {
	struct bpf_shim_tramp_link link;
	struct rcu_head rcu;
	struct work_struct work;
	bool left_again;
};

/* C: kernel/bpf/krsi.c */
struct krsi_shim *krsi_shim_find(unsigned int hook);
struct krsi_shim *krsi_shim_get(unsigned int hook);
bool krsi_hook_sleepable(unsigned int hook);
int krsi_hook_by_id(u32 btf_id);
u32 krsi_hook_proto(unsigned int hook);

#ifndef __BINDGEN__ /* It does not know how these are called. */
void __preserve_most krsi_migrate_enable_slow(void);
void __preserve_most krsi_rcu_read_unlock_slow(void);
#endif

/* C: kernel/bpf/krsi_blob.c */
int krsi_inline_kfunc(struct bpf_verifier_env *env, unsigned long kfunc,
		      int insn_idx, struct bpf_insn *insn_buf);

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

static inline int krsi_inline_kfunc(struct bpf_verifier_env *env,
				    unsigned long kfunc, int insn_idx,
				    struct bpf_insn *insn_buf)
{
	return 0;
}

#endif /* CONFIG_SECURITY_KRSI */

#endif /* _LINUX_KRSI_H */
