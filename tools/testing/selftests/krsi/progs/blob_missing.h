/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The accesses of blob_missing_test, each of a program at the hook of its name.
 */

#ifndef _KRSI_BLOB_MISSING_H
#define _KRSI_BLOB_MISSING_H

#define ACCESS_LIST(X)							\
	X(cred_prepare) X(cred_free) X(task_alloc)			\
	X(inode_alloc_security) X(inode_free_security)			\
	X(sb_alloc_security) X(sb_delete) X(sb_free_security)		\
	X(msg_queue_alloc_security) X(msg_queue_free_security)		\
	X(shm_alloc_security) X(shm_free_security)			\
	X(sem_alloc_security) X(sem_free_security)			\
	X(msg_msg_alloc_security) X(msg_msg_free_security)		\
	X(key_alloc) X(perf_event_alloc) X(bpf_map_create)		\
	X(bpf_prog_load) X(bpf_token_create) X(bpf_token_free)		\
	X(bdev_setintegrity) X(file_open) X(file_release)		\
	X(backing_file_alloc) X(backing_file_alloc_file)		\
	X(backing_file_free) X(backing_file_free_file)

enum {
#define ACCESS(NAME) ACCESS_##NAME,
	ACCESS_LIST(ACCESS)
#undef ACCESS
	ACCESSES
};

#endif /* _KRSI_BLOB_MISSING_H */
