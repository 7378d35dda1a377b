/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interface between KRSI's kfuncs for blobs (C) and its blobs (Rust).
 *
 * Functions marked "Rust" are defined in security/krsi/blob/ with #[export].
 */

#ifndef _LINUX_KRSI_BLOB_H
#define _LINUX_KRSI_BLOB_H

#include <linux/types.h>

struct bpf_insn;
struct dentry;
struct inode;

/**
 * enum krsi_blob_class - classes of objects that have an LSM blob
 *
 * There is one for each size in struct lsm_blob_sizes. The build fails if the
 * list in security/krsi/blob/class.rs differs.
 */
enum krsi_blob_class {
	KRSI_BLOB_cred,
	KRSI_BLOB_task,
	KRSI_BLOB_file,
	KRSI_BLOB_backing_file,
	KRSI_BLOB_inode,
	KRSI_BLOB_superblock,
	KRSI_BLOB_sock,
	KRSI_BLOB_ipc,
	KRSI_BLOB_msg_msg,
	KRSI_BLOB_key,
	KRSI_BLOB_bdev,
	KRSI_BLOB_perf_event,
	KRSI_BLOB_tun_dev,
	KRSI_BLOB_ib,
	KRSI_BLOB_bpf_map,
	KRSI_BLOB_bpf_prog,
	KRSI_BLOB_bpf_token,
	KRSI_BLOB_COUNT,
};

/**
 * enum krsi_xattr_trust - values of the slot xattr_trust of superblocks
 * @KRSI_XATTR_TRUST: read labels from the attributes of the file system
 * @KRSI_XATTR_DISTRUST: never read them, even if the admin trusts the file
 * system
 *
 * With any other value, the admin decides.
 */
enum krsi_xattr_trust {
	KRSI_XATTR_TRUST = 1,
	KRSI_XATTR_DISTRUST = 2,
};

/* Rust: security/krsi/blob/space.rs */
void krsi_blob_setup(const char *sizes);
void krsi_xattr_setup(const char *count);

/* Rust: security/krsi/blob/lookup.rs */
char *krsi_blob_at(unsigned int class, void *object, void *blob, u32 slot,
		   u32 size);

/**
 * struct krsi_blob_path - pointers that lead from an object to its blob
 * @class: class of the blob, an enum krsi_blob_class
 * @len: number of pointers to follow; the last one points to the blob
 * @null: mask of pointers that can be NULL: bit 0 for the object, bit N for the
 * Nth pointer. The bit of the blob depends on the hook and is set later
 * @offset: offset of each pointer in the object that contains it
 */
struct krsi_blob_path {
	u32 class;
	u32 len;
	u32 null;
	s16 offset[2];
};

/**
 * struct krsi_blob_call - a kfunc call whose slot and size are constants
 * @path: from the object to its blob
 * @insns: the instructions of the program
 * @len: number of instructions
 * @first: set to the index of the first instruction that may have been removed;
 * the last one is the instruction after the call
 * @index: index of the call
 * @object: register that contains the object
 * @reg: register that contains the slot's number; the next one contains the
 * size
 * @slot: the slot's number
 * @size: the slot's size
 * @hook: the hook of the program, an enum krsi_hook; negative if unknown
 */
struct krsi_blob_call {
	const struct krsi_blob_path *path;
	struct bpf_insn *insns;
	u32 len;
	u32 first;
	u32 index;
	u32 object;
	u32 reg;
	u32 slot;
	u32 size;
	s32 hook;
};

/* Rust: security/krsi/blob/inline/mod.rs */
int krsi_blob_replace(struct krsi_blob_call *call, struct bpf_insn *buf,
		      unsigned int len);

/* Rust: security/krsi/blob/xattr/ */
void krsi_xattr_trust_setup(const char *names);
int krsi_xattr_save(struct dentry *dentry, struct inode *inode, u32 slot);
int krsi_xattr_restore(struct dentry *dentry, struct inode *inode, u32 slot);

#endif /* _LINUX_KRSI_BLOB_H */
