/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interface between C and KRSI (Rust) for boot programs: BPF programs that
 * label kernel objects from boot on. See Documentation/security/krsi-boot.rst.
 *
 * Functions marked "Rust" are defined in security/krsi/boot/ with #[export];
 * those marked "C" are defined in kernel/bpf/.
 */

#ifndef _LINUX_KRSI_BOOT_H
#define _LINUX_KRSI_BOOT_H

#include <linux/fdtable.h>
#include <linux/percpu.h>
#include <linux/sched/cputime.h>
#include <linux/types.h>

struct block_device;
struct bpf_map;
struct bpf_prog;
struct bpf_token;
struct cred;
struct inode;
struct kern_ipc_perm;
struct key;
struct krsi_new_file;
struct msg_msg;
struct perf_event;
struct sock;
struct super_block;
struct task_struct;
union bpf_attr;

/**
 * enum krsi_blob_how - why a boot program runs
 * @KRSI_BLOB_NEW: the current task is creating the object
 * @KRSI_BLOB_OLD: the object is older than the programs, or was created in an
 * interrupt or without a hook call. The current task may not be its creator
 */
enum krsi_blob_how {
	KRSI_BLOB_NEW = 1,
	KRSI_BLOB_OLD = 2,
};

/**
 * struct krsi_blob_ops - types of boot programs, for the verifier
 *
 * Has a member for each point at which boot programs run. It is never
 * registered: KRSI calls the programs directly. The programs return nothing,
 * because they label objects and make no decisions.
 */
struct krsi_blob_ops {
	void (*cred)(struct cred *cred, const struct cred *old__nullable,
		     u32 how);
	void (*task)(struct task_struct *task, u64 clone_flags, u32 how);
	void (*file)(struct krsi_new_file *file, u32 how);
	void (*backing_file)(struct krsi_new_file *file, u32 how);
	void (*inode)(struct inode *inode, u32 how);
	void (*superblock)(struct super_block *sb, u32 how);
	void (*sock)(struct sock *sk, u32 how);
	void (*ipc)(struct kern_ipc_perm *perm, u32 how);
	void (*msg_msg)(struct msg_msg *msg, u32 how);
	void (*key)(struct key *key, u32 how);
	void (*bdev)(struct block_device *bdev, u32 how);
	void (*perf_event)(struct perf_event *event, u32 how);
	void (*bpf_map)(struct bpf_map *map, u32 how);
	void (*bpf_prog)(struct bpf_prog *prog, u32 how);
	void (*bpf_token)(struct bpf_token *token, u32 how);
	void (*inode_create)(struct inode *inode, struct inode *dir, u32 how);
	void (*inode_instantiate)(struct inode *inode, u32 how);
};

#define KRSI_BOOT_POINTS (sizeof(struct krsi_blob_ops) / sizeof(void *))

/* Limit on the nesting of initialisations. */
#define KRSI_BOOT_DEPTH 3

/**
 * struct krsi_boot_cpu - objects that a CPU is initialising
 * @depth: number of objects
 * @states: their state words, the innermost last
 *
 * Accessed with interrupts disabled, and never in NMIs.
 */
struct krsi_boot_cpu {
	u32 depth;
	const u32 *states[KRSI_BOOT_DEPTH];
};

DECLARE_PER_CPU(struct krsi_boot_cpu, krsi_boot_cpu);

#ifdef CONFIG_SECURITY_KRSI

/* Rust: security/krsi/boot/param.rs, load.rs */
void krsi_boot_setup(const char *mode);
void krsi_boot_fail_setup(const char *object);
void krsi_boot_reserve(void);
bool krsi_boot_loading(void);
bool krsi_boot_helper_allowed(u32 id);

/* C: kernel/bpf/krsi_boot.c */
u32 krsi_boot_struct_id(void);
void krsi_boot_make_objects(void);
extern bool krsi_boot_refused;

/* C: kernel/bpf/krsi_blob.c */
u32 krsi_blob_kfunc_id(const char *name, size_t len);
void *krsi_blob_of(unsigned int class, void *object);

/* C: kernel/bpf/syscall.c, which does not declare it in a header */
int kern_sys_bpf(int cmd, union bpf_attr *attr, unsigned int size);

#else /* !CONFIG_SECURITY_KRSI */

static inline void krsi_boot_reserve(void) { }

#endif /* CONFIG_SECURITY_KRSI */

#endif /* _LINUX_KRSI_BOOT_H */
