/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Boot programs of KRSI: what their authors include, and nothing else.
 *
 * They are compiled before the kernel that they become a part of, so there is
 * no vmlinux.h. What is declared here of kernel types is what programs mostly
 * read; a program that reads more declares a type of the same name, with
 * __attribute__((preserve_access_index)) and the members that it needs, after
 * it has defined KRSI_BOOT_OWN_TYPES. The kernel finds out at boot where the
 * members really are.
 *
 *	struct label { __u64 exec_id; };
 *	KRSI_BOOT_SLOT(inode, label, struct label);
 *
 *	SEC("krsi.blob/inode")
 *	void BPF_PROG(label_inode, struct inode *inode, __u32 how)
 *	{
 *		struct label *l = KRSI_BOOT_BLOB(inode, inode, label, struct label);
 *
 *		if (l && how == KRSI_BLOB_NEW)
 *			l->exec_id = bpf_get_current_task_btf()->self_exec_id;
 *	}
 *
 *	char LICENSE[] SEC("license") = "GPL";
 *
 * See Documentation/security/krsi-boot.rst.
 */

#ifndef _KRSI_BOOT_BPF_H
#define _KRSI_BOOT_BPF_H

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u16 __sum16;
typedef __u32 __wsum;

#define NULL ((void *)0)

#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* How an object came to be. The kernel's enum krsi_blob_how. */
#define KRSI_BLOB_NEW	1	/* just made, by the current task */
#define KRSI_BLOB_OLD	2	/* made before, by whom is not known */

/* Numbers of classes. The kernel's enum krsi_blob_class. */
enum krsi_boot_class {
	KRSI_BOOT_CLASS_cred,
	KRSI_BOOT_CLASS_task,
	KRSI_BOOT_CLASS_file,
	KRSI_BOOT_CLASS_backing_file,
	KRSI_BOOT_CLASS_inode,
	KRSI_BOOT_CLASS_superblock,
	KRSI_BOOT_CLASS_sock,
	KRSI_BOOT_CLASS_ipc,
	KRSI_BOOT_CLASS_msg_msg,
	KRSI_BOOT_CLASS_key,
	KRSI_BOOT_CLASS_bdev,
	KRSI_BOOT_CLASS_perf_event,
	KRSI_BOOT_CLASS_tun_dev,
	KRSI_BOOT_CLASS_ib,
	KRSI_BOOT_CLASS_bpf_map,
	KRSI_BOOT_CLASS_bpf_prog,
	KRSI_BOOT_CLASS_bpf_token,
};

/* What a new object has in a slot of class cred or task. */
#define KRSI_BOOT_COPY	1	/* what the one has that it comes from; usual for cred */
#define KRSI_BOOT_RESET	2	/* zeroes, before the program runs; usual for task */
/* A slot of class inode lasts, in an extended attribute: security.krsi.NAME. */
#define KRSI_BOOT_KEEP	4

/* A slot, as the object has it. The layout is also in security/krsi/boot/slot.rs. */
struct krsi_boot_slot {
	char name[32];
	__u32 class;
	__u32 size;
	__u32 align;
	__u32 flags;
};

/*
 * KRSI_BOOT_SLOT_FLAGS - a slot of class CLASS for a TYPE, whose name is NAME
 *
 * Each class has a slot of a name once, whichever object it is from. TYPE has 1
 * to 1024 bytes.
 */
#define KRSI_BOOT_SLOT_FLAGS(CLASS, NAME, TYPE, FLAGS)			\
	const struct krsi_boot_slot krsi_boot_slot_##CLASS##_##NAME	\
	SEC(".krsi.slots") = {						\
		.name = #NAME,						\
		.class = KRSI_BOOT_CLASS_##CLASS,			\
		.size = sizeof(TYPE),					\
		.align = __alignof__(TYPE),				\
		.flags = FLAGS,						\
	}

#define KRSI_BOOT_SLOT(CLASS, NAME, TYPE) \
	KRSI_BOOT_SLOT_FLAGS(CLASS, NAME, TYPE, 0)

/*
 * The number of a slot, which the kernel puts in the place of the slot's
 * address. The compiler cannot know that it is not one.
 */
#define KRSI_BOOT_NUMBER(CLASS, NAME) \
	((__u32)(unsigned long)&krsi_boot_slot_##CLASS##_##NAME)

/* The TYPE that OBJECT, of class CLASS, has in the slot NAME; NULL without. */
#define KRSI_BOOT_BLOB(CLASS, OBJECT, NAME, TYPE)			\
	((TYPE *)krsi_##CLASS##_blob((void *)(OBJECT),			\
				     KRSI_BOOT_NUMBER(CLASS, NAME), sizeof(TYPE)))

/* The same for the credentials of the current task. */
#define KRSI_BOOT_CURRENT_CRED_BLOB(NAME, TYPE)				\
	((TYPE *)krsi_current_cred_blob(KRSI_BOOT_NUMBER(cred, NAME), sizeof(TYPE)))

/*
 * Not all of this is set in an object that is just made: see the table in
 * Documentation/security/krsi-boot.rst.
 */
#ifndef KRSI_BOOT_OWN_TYPES
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	__u32 val;
} kuid_t;

typedef struct {
	__u32 val;
} kgid_t;

struct cred {
	kuid_t uid, euid, fsuid;
	kgid_t gid, egid, fsgid;
};

struct task_struct {
	int pid, tgid;
	__u32 flags;
	__u32 self_exec_id;
	__u64 start_time, start_boottime;
	char comm[16];
};

struct super_block {
	unsigned long s_magic;
	unsigned long s_flags;
	__u32 s_dev;
};

struct inode {
	unsigned short i_mode;
	kuid_t i_uid;
	kgid_t i_gid;
	unsigned int i_flags;
	__u64 i_ino;
	__u32 i_rdev;
	__u32 i_generation;
	struct super_block *i_sb;
};

struct file {
	const struct cred *f_cred;
	unsigned int f_flags;
	struct inode *f_inode;
};

struct sock_common {
	unsigned short skc_family;
	volatile unsigned char skc_state;
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_type;
	__u16 sk_protocol;
};

struct kern_ipc_perm {
	int id;
	int key;
	kuid_t uid, cuid;
	kgid_t gid, cgid;
	unsigned short mode;
};

struct msg_msg {
	long m_type;
	unsigned long m_ts;
};

struct key {
	__s32 serial;
	kuid_t uid;
	kgid_t gid;
	__u32 perm;
};

struct block_device {
	__u32 bd_dev;
};

struct perf_event {
	int cpu;
};

/* Their names are what CO-RE looks at, and that they are no numbers. */
enum bpf_map_type {
	BPF_MAP_TYPE_UNSPEC,
};

enum bpf_prog_type {
	BPF_PROG_TYPE_UNSPEC,
};

struct bpf_map {
	enum bpf_map_type map_type;
	__u32 key_size;
	__u32 value_size;
	__u32 max_entries;
	__u32 id;
};

struct bpf_prog {
	enum bpf_prog_type type;
	__u32 len;
};

struct bpf_token {
	__u64 allowed_cmds;
};

#pragma clang attribute pop
#endif /* KRSI_BOOT_OWN_TYPES */

char *krsi_cred_blob(struct cred *cred, __u32 slot, __u32 rdwr_buf_size) __ksym;
char *krsi_task_blob(struct task_struct *task, __u32 slot, __u32 rdwr_buf_size) __ksym;
char *krsi_file_blob(struct file *file, __u32 slot, __u32 rdwr_buf_size) __ksym;
char *krsi_backing_file_blob(struct file *file, __u32 slot, __u32 rdwr_buf_size) __ksym;
char *krsi_inode_blob(struct inode *inode, __u32 slot, __u32 rdwr_buf_size) __ksym;
char *krsi_superblock_blob(struct super_block *sb, __u32 slot, __u32 rdwr_buf_size) __ksym;
char *krsi_sock_blob(struct sock *sk, __u32 slot, __u32 rdwr_buf_size) __ksym;
char *krsi_ipc_blob(struct kern_ipc_perm *perm, __u32 slot, __u32 rdwr_buf_size) __ksym;
char *krsi_msg_msg_blob(struct msg_msg *msg, __u32 slot, __u32 rdwr_buf_size) __ksym;
char *krsi_key_blob(struct key *key, __u32 slot, __u32 rdwr_buf_size) __ksym;
char *krsi_bdev_blob(struct block_device *bdev, __u32 slot, __u32 rdwr_buf_size) __ksym;
char *krsi_perf_event_blob(struct perf_event *event, __u32 slot, __u32 rdwr_buf_size) __ksym;
char *krsi_bpf_map_blob(struct bpf_map *map, __u32 slot, __u32 rdwr_buf_size) __ksym;
char *krsi_bpf_prog_blob(struct bpf_prog *prog, __u32 slot, __u32 rdwr_buf_size) __ksym;
char *krsi_bpf_token_blob(struct bpf_token *token, __u32 slot, __u32 rdwr_buf_size) __ksym;
char *krsi_current_cred_blob(__u32 slot, __u32 rdwr_buf_size) __ksym;

#endif /* _KRSI_BOOT_BPF_H */
