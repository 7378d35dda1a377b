// SPDX-License-Identifier: GPL-2.0
/*
 * Accesses objects of each class when they are made and when they are freed,
 * without a call, and refuses to have one made.
 */

#include "krsi.bpf.h"
#include "krsi_blob.bpf.h"
#include "blob_missing.h"

char LICENSE[] SEC("license") = "GPL";

KRSI_SLOT(cred_slot);
KRSI_SLOT(task_slot);
KRSI_SLOT(file_slot);
KRSI_SLOT(backing_file_slot);
KRSI_SLOT(inode_slot);
KRSI_SLOT(superblock_slot);
KRSI_SLOT(ipc_slot);
KRSI_SLOT(msg_msg_slot);
KRSI_SLOT(key_slot);
KRSI_SLOT(bdev_slot);
KRSI_SLOT(perf_event_slot);
KRSI_SLOT(bpf_map_slot);
KRSI_SLOT(bpf_prog_slot);
KRSI_SLOT(bpf_token_slot);

/* How often each access got the bytes, and how often there were none. */
__u64 found[ACCESSES], missing[ACCESSES];

/* The access whose hook refuses what the test does; ACCESSES: none. */
__u32 refuse = ACCESSES;
int verdict;

/* Writes to the bytes, so that an access of what is not there is noticed. */
#define SEE(NAME, CLASS, OBJECT) do {					\
	__u64 *blob = KRSI_BLOB(CLASS, OBJECT, CLASS##_slot, __u64);	\
									\
	if (blob) {							\
		*blob = -1;						\
		__sync_fetch_and_add(&found[ACCESS_##NAME], 1);		\
	} else {							\
		__sync_fetch_and_add(&missing[ACCESS_##NAME], 1);	\
	}								\
} while (0)

static __always_inline int decide(__u32 access)
{
	return refuse == access && on_target() ? bounded(verdict) : 0;
}

#define ALLOC(HOOK, CLASS, OBJECT, ...)					\
SEC("lsm/" #HOOK)							\
int BPF_PROG(HOOK, __VA_ARGS__)						\
{									\
	SEE(HOOK, CLASS, OBJECT);					\
	return decide(ACCESS_##HOOK);					\
}

#define FREE(HOOK, CLASS, OBJECT, ...)					\
SEC("lsm/" #HOOK)							\
int BPF_PROG(HOOK, __VA_ARGS__)						\
{									\
	SEE(HOOK, CLASS, OBJECT);					\
	return 0;							\
}

ALLOC(cred_prepare, cred, new, struct cred *new)
FREE(cred_free, cred, cred, struct cred *cred)
ALLOC(task_alloc, task, task, struct task_struct *task)
ALLOC(inode_alloc_security, inode, inode, struct inode *inode)
FREE(inode_free_security, inode, inode, struct inode *inode)
ALLOC(sb_alloc_security, superblock, sb, struct super_block *sb)
FREE(sb_delete, superblock, sb, struct super_block *sb)
FREE(sb_free_security, superblock, sb, struct super_block *sb)
ALLOC(msg_queue_alloc_security, ipc, perm, struct kern_ipc_perm *perm)
FREE(msg_queue_free_security, ipc, perm, struct kern_ipc_perm *perm)
ALLOC(shm_alloc_security, ipc, perm, struct kern_ipc_perm *perm)
FREE(shm_free_security, ipc, perm, struct kern_ipc_perm *perm)
ALLOC(sem_alloc_security, ipc, perm, struct kern_ipc_perm *perm)
FREE(sem_free_security, ipc, perm, struct kern_ipc_perm *perm)
ALLOC(msg_msg_alloc_security, msg_msg, msg, struct msg_msg *msg)
FREE(msg_msg_free_security, msg_msg, msg, struct msg_msg *msg)
ALLOC(key_alloc, key, key, struct key *key)
ALLOC(perf_event_alloc, perf_event, event, struct perf_event *event)
ALLOC(bpf_map_create, bpf_map, map, struct bpf_map *map)
ALLOC(bpf_prog_load, bpf_prog, prog, struct bpf_prog *prog)
ALLOC(bpf_token_create, bpf_token, token, struct bpf_token *token)
FREE(bpf_token_free, bpf_token, token, struct bpf_token *token)
ALLOC(bdev_setintegrity, bdev, bdev, struct block_device *bdev)
ALLOC(file_open, file, file, struct file *file)
FREE(file_release, file, file, struct file *file)

/* Two blobs: the one that every file has, and that of a backing file. */
SEC("lsm/backing_file_alloc")
int BPF_PROG(backing_file_alloc, struct file *file)
{
	SEE(backing_file_alloc, backing_file, file);
	SEE(backing_file_alloc_file, file, file);
	return decide(ACCESS_backing_file_alloc);
}

SEC("lsm/backing_file_free")
int BPF_PROG(backing_file_free, struct file *file)
{
	SEE(backing_file_free, backing_file, file);
	SEE(backing_file_free_file, file, file);
	return 0;
}
