// SPDX-License-Identifier: GPL-2.0
/*
 * Labels objects of every class that programs can get at, and reads the labels
 * back; and what cannot be loaded.
 */

#include "krsi.bpf.h"
#include "krsi_blob.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* One a class is enough: a test loads what it needs. */
KRSI_SLOT(cred_slot);
KRSI_SLOT(cred_reset_slot);
KRSI_SLOT(task_slot);
KRSI_SLOT(file_slot);
KRSI_SLOT(backing_file_slot);
KRSI_SLOT(inode_slot);
KRSI_SLOT(superblock_slot);
KRSI_SLOT(sock_slot);
KRSI_SLOT(ipc_slot);
KRSI_SLOT(msg_msg_slot);
KRSI_SLOT(key_slot);
KRSI_SLOT(bdev_slot);
KRSI_SLOT(perf_event_slot);
KRSI_SLOT(bpf_map_slot);
KRSI_SLOT(bpf_prog_slot);
KRSI_SLOT(bpf_token_slot);

/* What is written to labels, if not 0, and what was in the last one before. */
__u64 label;
__u64 seen;
/* Labels that were there to be read, that were not, and that were as @label. */
__u64 found, missing, matched;
/*
 * Labels that were elsewhere when asked for by a call. The verifier replaces
 * calls if it knows the slot, and does not know that @zero is none.
 */
__u64 differ;
__u32 zero;

static __always_inline int use(__u64 *blob, __u64 *called)
{
	differ += blob != called;
	if (!blob) {
		missing++;
		return 0;
	}
	found++;
	seen = *blob;
	if (label)
		*blob = label;
	return 0;
}

static __always_inline int check(__u64 *blob, __u64 *called)
{
	differ += blob != called;
	if (!blob) {
		missing++;
		return 0;
	}
	found++;
	seen = *blob;
	matched += *blob == label;
	return 0;
}

static __always_inline int absent(__u64 *blob)
{
	return check(blob, blob);
}

/* The label of an object, and once more. */
#define BOTH(CLASS, OBJECT)						\
	KRSI_BLOB(CLASS, OBJECT, CLASS##_slot, __u64),			\
	KRSI_BLOB(CLASS, OBJECT, CLASS##_slot + zero, __u64)
#define BOTH_CURRENT(SLOT)						\
	KRSI_CURRENT_CRED_BLOB(SLOT, __u64), KRSI_CURRENT_CRED_BLOB(SLOT + zero, __u64)
#define BOTH_BPRM(BPRM)							\
	(__u64 *)krsi_bprm_cred_blob(BPRM, cred_slot, sizeof(__u64)),	\
	(__u64 *)krsi_bprm_cred_blob(BPRM, cred_slot + zero, sizeof(__u64))

#define USE(CLASS, OBJECT) (on_target() ? use(BOTH(CLASS, OBJECT)) : 0)
#define CHECK(CLASS, OBJECT) (on_target() ? check(BOTH(CLASS, OBJECT)) : 0)

SEC("?lsm/task_getpgid")
int BPF_PROG(task_use, struct task_struct *p)
{
	return USE(task, p);
}

SEC("?lsm.s/task_alloc")
int BPF_PROG(task_alloc_check, struct task_struct *task, unsigned long flags)
{
	return CHECK(task, task);
}

SEC("?lsm/task_getsid")
int BPF_PROG(cred_use, struct task_struct *p)
{
	return on_target() ? use(BOTH_CURRENT(cred_slot)) : 0;
}

SEC("?lsm/task_getsid")
int BPF_PROG(cred_reset_use, struct task_struct *p)
{
	return on_target() ? use(BOTH_CURRENT(cred_reset_slot)) : 0;
}

/* Runs behind the inheritance of the same hook. */
SEC("?lsm.s/cred_prepare")
int BPF_PROG(cred_prepare_check, struct cred *new, const struct cred *old, int gfp)
{
	return CHECK(cred, new);
}

SEC("?lsm.s/bprm_creds_for_exec")
int BPF_PROG(bprm_use, struct linux_binprm *bprm)
{
	if (!on_target())
		return 0;
	return use(BOTH_BPRM(bprm));
}

SEC("?lsm.s/bprm_committed_creds")
int BPF_PROG(bprm_committed_check, struct linux_binprm *bprm)
{
	if (!on_target())
		return 0;
	check(BOTH_CURRENT(cred_slot));
	/* There are none any more. */
	return check(BOTH_BPRM(bprm));
}

SEC("?lsm/file_open")
int BPF_PROG(inode_use, struct file *file)
{
	return USE(inode, file->f_inode);
}

SEC("?lsm.s/file_open")
int BPF_PROG(inode_use_sleepable, struct file *file)
{
	return USE(inode, file->f_inode);
}

/* What a path leads to is what its file has. */
SEC("?lsm/file_open")
int BPF_PROG(path_inode_use, struct file *file)
{
	if (!on_target())
		return 0;
	return use(KRSI_BLOB(path_inode, &file->f_path, inode_slot, __u64),
		   KRSI_BLOB(inode, file->f_inode, inode_slot, __u64));
}

/* An argument, in a program that sleeps; a slot of another class is none. */
SEC("?lsm.s/path_truncate")
int BPF_PROG(path_inode_check, const struct path *path)
{
	if (!on_target())
		return 0;
	absent(KRSI_BLOB(path_inode, path, file_slot, __u64));
	return absent(KRSI_BLOB(path_inode, path, inode_slot, __u64));
}

SEC("?lsm/file_open")
int BPF_PROG(file_use, struct file *file)
{
	return USE(file, file);
}

SEC("?lsm/file_ioctl")
int BPF_PROG(file_check, struct file *file)
{
	return CHECK(file, file);
}

SEC("?lsm/backing_file_alloc")
int BPF_PROG(backing_file_use, struct file *backing, const struct file *user)
{
	/* One that is none has no such blob. */
	if (on_target() && KRSI_BLOB(backing_file, user, backing_file_slot, __u64))
		matched += 1000;
	return USE(backing_file, backing);
}

SEC("?lsm/mmap_backing_file")
int BPF_PROG(backing_file_check, struct vm_area_struct *vma, struct file *backing,
	     struct file *user)
{
	return CHECK(backing_file, backing);
}

SEC("?lsm/sb_alloc_security")
int BPF_PROG(superblock_use, struct super_block *sb)
{
	return USE(superblock, sb);
}

SEC("?lsm/sb_show_options")
int BPF_PROG(superblock_check, struct seq_file *m, struct super_block *sb)
{
	return CHECK(superblock, sb);
}

SEC("?lsm/socket_post_create")
int BPF_PROG(sock_use, struct socket *sock)
{
	struct sock *sk = sock->sk;

	return sk ? USE(sock, sk) : 0;
}

SEC("?lsm/socket_getsockname")
int BPF_PROG(sock_check, struct socket *sock)
{
	struct sock *sk = sock->sk;

	return sk ? CHECK(sock, sk) : 0;
}

SEC("?lsm/msg_queue_alloc_security")
int BPF_PROG(ipc_use, struct kern_ipc_perm *perm)
{
	return USE(ipc, perm);
}

/* @perm is NULL for some commands, though the verifier does not know. */
SEC("?lsm/msg_queue_msgctl")
int BPF_PROG(ipc_check, struct kern_ipc_perm *perm, int cmd)
{
	return CHECK(ipc, perm);
}

SEC("?lsm/msg_msg_alloc_security")
int BPF_PROG(msg_msg_use, struct msg_msg *msg)
{
	return USE(msg_msg, msg);
}

SEC("?lsm/msg_queue_msgrcv")
int BPF_PROG(msg_msg_check, struct kern_ipc_perm *perm, struct msg_msg *msg)
{
	return CHECK(msg_msg, msg);
}

SEC("?lsm/key_alloc")
int BPF_PROG(key_use, struct key *key)
{
	return USE(key, key);
}

SEC("?lsm/key_post_create_or_update")
int BPF_PROG(key_check, struct key *keyring, struct key *key)
{
	return CHECK(key, key);
}

/* Only dm-verity calls it, and no other hook has a device that is trusted. */
SEC("?lsm/bdev_setintegrity")
int BPF_PROG(bdev_use, struct block_device *bdev)
{
	return USE(bdev, bdev);
}

SEC("?lsm/perf_event_alloc")
int BPF_PROG(perf_event_use, struct perf_event *event)
{
	return USE(perf_event, event);
}

SEC("?lsm/perf_event_read")
int BPF_PROG(perf_event_check, struct perf_event *event)
{
	return CHECK(perf_event, event);
}

SEC("?lsm/bpf_map_create")
int BPF_PROG(bpf_map_use, struct bpf_map *map)
{
	return USE(bpf_map, map);
}

SEC("?lsm/bpf_map")
int BPF_PROG(bpf_map_check, struct bpf_map *map)
{
	return CHECK(bpf_map, map);
}

SEC("?lsm/bpf_prog_load")
int BPF_PROG(bpf_prog_use, struct bpf_prog *prog)
{
	return USE(bpf_prog, prog);
}

SEC("?lsm/bpf_prog")
int BPF_PROG(bpf_prog_check, struct bpf_prog *prog)
{
	return CHECK(bpf_prog, prog);
}

SEC("?lsm/bpf_token_create")
int BPF_PROG(bpf_token_use, struct bpf_token *token)
{
	return USE(bpf_token, token);
}

SEC("?lsm/bpf_token_cmd")
int BPF_PROG(bpf_token_check, const struct bpf_token *token, int cmd)
{
	return CHECK(bpf_token, token);
}

/*
 * The slot of another class, a size that is not the slot's, and a number that
 * nobody has: none of them is there.
 */
SEC("?lsm/file_open")
int BPF_PROG(misuse, struct file *file)
{
	if (!on_target())
		return 0;
	absent(KRSI_BLOB(inode, file->f_inode, file_slot, __u64));
	absent(KRSI_BLOB(file, file, inode_slot, __u64));
	absent((__u64 *)krsi_inode_blob(file->f_inode, inode_slot, 16));
	absent((__u64 *)krsi_inode_blob(file->f_inode, inode_slot, 0x80000008));
	absent(KRSI_BLOB(inode, file->f_inode, 0, __u64));
	absent(KRSI_BLOB(inode, file->f_inode, inode_slot + 256, __u64));
	absent(KRSI_BLOB(inode, file->f_inode, inode_slot + 1, __u64));
	return absent(KRSI_BLOB(inode, file->f_inode, inode_slot & 255, __u64));
}

/* Many CPUs count in one label. */
SEC("?lsm/file_open")
int BPF_PROG(inode_count, struct file *file)
{
	__u64 *count;

	if (!on_target())
		return 0;
	count = KRSI_BLOB(inode, file->f_inode, inode_slot, __u64);
	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}

/* Refused by the verifier, with the reasons that blob_test.c has. */

static __always_inline int reject(__u64 *blob)
{
	return use(blob, blob);
}

SEC("?lsm/file_open")
int BPF_PROG(reject_wrong_object, struct file *file)
{
	return reject(KRSI_BLOB(inode, file, inode_slot, __u64));
}

SEC("?lsm/file_open")
int BPF_PROG(reject_variable_size, struct file *file)
{
	char *blob = krsi_inode_blob(file->f_inode, inode_slot, label);

	return blob ? -(*blob & 1) : 0;
}

SEC("?lsm/file_open")
int BPF_PROG(reject_out_of_bounds, struct file *file)
{
	char *blob = krsi_inode_blob(file->f_inode, inode_slot, 8);

	return blob ? -(blob[8] & 1) : 0;
}

SEC("?lsm/file_open")
int BPF_PROG(reject_before, struct file *file)
{
	char *blob = krsi_inode_blob(file->f_inode, inode_slot, 8);

	return blob ? -(blob[-1] & 1) : 0;
}

SEC("?lsm/file_open")
int BPF_PROG(reject_variable_offset, struct file *file)
{
	char *blob = krsi_inode_blob(file->f_inode, inode_slot, 8);

	return blob ? -(blob[label] & 1) : 0;
}

SEC("?lsm/file_open")
int BPF_PROG(reject_unchecked, struct file *file)
{
	return -(*krsi_inode_blob(file->f_inode, inode_slot, 8) & 1);
}

SEC("?lsm/file_open")
int BPF_PROG(reject_number, struct file *file)
{
	return reject(KRSI_BLOB(inode, label, inode_slot, __u64));
}

/* Freed with no regard to readers under RCU. */
SEC("?lsm/file_open")
int BPF_PROG(reject_rcu_cred, struct file *file)
{
	const struct cred *cred = bpf_get_current_task_btf()->cred;

	return cred ? reject(KRSI_BLOB(cred, cred, cred_slot, __u64)) : 0;
}

SEC("?lsm/file_open")
int BPF_PROG(reject_walked, struct file *file)
{
	return reject(KRSI_BLOB(superblock, file->f_inode->i_sb, superblock_slot, __u64));
}

SEC("?lsm/task_free")
int BPF_PROG(reject_dying, struct task_struct *task)
{
	return reject(KRSI_BLOB(task, task, task_slot, __u64));
}

struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
void bpf_task_release(struct task_struct *p) __ksym;
struct file *bpf_get_task_exe_file(struct task_struct *task) __ksym;
void bpf_put_file(struct file *file) __ksym;

SEC("?lsm/task_getpgid")
int BPF_PROG(reject_released, struct task_struct *p)
{
	struct task_struct *parent;
	__u64 *blob;

	parent = bpf_task_acquire(p->real_parent);
	if (!parent)
		return 0;
	blob = KRSI_BLOB(task, parent, task_slot, __u64);
	bpf_task_release(parent);
	return reject(blob);
}

SEC("?lsm/task_getpgid")
int BPF_PROG(parent_use, struct task_struct *p)
{
	struct task_struct *parent;

	parent = bpf_task_acquire(p->real_parent);
	if (!parent)
		return 0;
	USE(task, parent);
	bpf_task_release(parent);
	return 0;
}

/* What a reference leads to is as good as the reference. */
SEC("?lsm.s/file_open")
int BPF_PROG(reject_released_inode, struct file *file)
{
	struct file *exe;
	__u64 *blob;

	exe = bpf_get_task_exe_file(bpf_get_current_task_btf());
	if (!exe)
		return 0;
	blob = KRSI_BLOB(inode, exe->f_inode, inode_slot, __u64);
	bpf_put_file(exe);
	return reject(blob);
}

SEC("?fentry/bpf_lsm_task_getpgid")
int BPF_PROG(reject_tracing, struct task_struct *p)
{
	return reject(KRSI_BLOB(task, p, task_slot, __u64));
}

/* The file has given up what it had opened; the verifier thinks that it has it. */
SEC("?lsm/backing_file_free")
int BPF_PROG(reject_unfinished, struct file *file)
{
	return reject(KRSI_BLOB(inode, file->f_inode, inode_slot, __u64));
}

SEC("?lsm/backing_file_free")
int BPF_PROG(reject_unfinished_path, struct file *file)
{
	return reject(KRSI_BLOB(path_inode, &file->f_path, inode_slot, __u64));
}

/* A program of file_free_security could tail-call this one. */
SEC("?lsm/file_release")
int BPF_PROG(reject_path_tail_called, struct file *file)
{
	return reject(KRSI_BLOB(path_inode, &file->f_path, inode_slot, __u64));
}
