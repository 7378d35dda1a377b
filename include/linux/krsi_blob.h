/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The crossing between KRSI's kfuncs for blobs (C) and its blobs (Rust).
 *
 * Functions marked "Rust" are defined in security/krsi/blob/ with #[export].
 */

#ifndef _LINUX_KRSI_BLOB_H
#define _LINUX_KRSI_BLOB_H

#include <linux/types.h>

/**
 * enum krsi_blob_class - the kinds of objects that have an LSM blob
 *
 * One for each size in struct lsm_blob_sizes. The list is also in
 * security/krsi/blob/mod.rs, which checks that the two agree.
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

/* Rust: security/krsi/blob/mod.rs */
void krsi_blob_setup(const char *sizes);

/* Rust: security/krsi/blob/access.rs */
char *krsi_blob_at(unsigned int class, void *blob, u32 slot, u32 size);

#endif /* _LINUX_KRSI_BLOB_H */
