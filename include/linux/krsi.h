/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interface between the BPF core (C) and KRSI (Rust).
 *
 * Functions marked "Rust" are defined in security/krsi/ with #[export], which
 * checks their signatures against the declarations here. Functions marked "C"
 * are called from Rust through bindgen.
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
 * enum krsi_hook - LSM hooks of this configuration, as in lsm_hook_defs.h
 */
enum krsi_hook {
	#define LSM_HOOK(RET, DEFAULT, NAME, ...) KRSI_HOOK_##NAME,
	#include <linux/lsm_hook_defs.h>
	#undef LSM_HOOK
	KRSI_HOOK_COUNT,
};

/**
 * KRSI_NOT_MINE - returned by krsi_link_prog() and krsi_unlink_prog() if the
 * mainline trampoline has to attach or detach the program
 */
#define KRSI_NOT_MINE 1

/**
 * enum krsi_path_flags - flags of the kfuncs that write paths
 * @KRSI_PATH_TASK_ROOT: start at the root directory of the current task instead
 * of the root of the mount namespace
 * @KRSI_PATH_DELETED: if the file was deleted, return its former path instead
 * of an error
 * @KRSI_PATH_TRUSTED_MOUNT: fail if an unprivileged user can have created the
 * mount, and so have chosen the path. For policies that allow by path. Excludes
 * %KRSI_PATH_TASK_ROOT, because users choose that root
 */
enum krsi_path_flags {
	KRSI_PATH_TASK_ROOT = 1,
	KRSI_PATH_DELETED = 2,
	KRSI_PATH_TRUSTED_MOUNT = 4,
};

/**
 * enum krsi_arg_flags - flags of krsi_bprm_find_arg()
 * @KRSI_ARG_PREFIX: find an argument that begins with the text, instead of one
 * that equals it
 */
enum krsi_arg_flags {
	KRSI_ARG_PREFIX = 1,
};

/**
 * struct krsi_arg_cursor - position in the arguments
 * @off: offset of the next argument
 * @index: number of the next argument
 * @start: identifies the area of arguments that the position is in
 *
 * Programs zero it before the first call of krsi_bprm_next_arg(), which updates
 * it.
 */
struct krsi_arg_cursor {
	u64 off;
	u32 index;
	u32 start;
};

/**
 * struct krsi_dentry - a dentry that is only protected by RCU
 * @dentry: the dentry
 *
 * This is a separate type because the verifier assumes that the inode of a
 * struct dentry is referenced, even after the RCU section.
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
 * The targets of each hook's two trampolines, C: kernel/bpf/krsi.c. A target is
 * a BPF program or a chain if the trampoline can call it directly. Otherwise it
 * is krsi_run_list() or krsi_run_sleepable_list(), which find the hook's number
 * in the frame before the context. The second argument, which the interpreter
 * needs, is not set: only compiled programs are called directly.
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
 * struct krsi_chain - a function that calls a sequence of programs
 * @run: the function; returns the first value that is not 0, or 0
 * @len: number of programs that it calls, 2 to KRSI_CHAIN_MAX
 * @slots: the static calls, in the order in which they are called
 */
struct krsi_chain {
	bpf_func_t run;
	unsigned int len;
	const struct krsi_chain_slot *slots;
};

/* Sorted by length, shortest first. */
extern const struct krsi_chain krsi_chains[KRSI_CHAINS];
#endif

/**
 * struct krsi_shim - stand-in program that runs a hook's programs from the
 * trampoline image of the hook's stub
 * @link: attaches the program; link.trampoline is set while the removal of the
 * image is pending
 * @rcu: for the grace period before the image is removed
 * @work: removes the image
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

#ifndef __BINDGEN__ /* bindgen does not know this calling convention. */
void __preserve_most krsi_migrate_enable_slow(void);
void __preserve_most krsi_rcu_read_unlock_slow(void);
#endif

/* C: kernel/bpf/krsi_blob.c */
int krsi_inline_kfunc(struct bpf_verifier_env *env, unsigned long kfunc,
		      int insn_idx, struct bpf_insn *insn_buf);

/**
 * struct krsi_counters - per-CPU counters of each hook, summed when read
 * @calls: times that a hook ran with at least one program attached
 * @denials: times that a program's verdict ended the call
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
