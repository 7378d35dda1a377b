// SPDX-License-Identifier: GPL-2.0
/*
 * Reads what the boot programs in the image have written to objects.
 */

#include "krsi.bpf.h"
#include "krsi_blob.bpf.h"
#include "../boot/boot.h"

char LICENSE[] SEC("license") = "GPL";

KRSI_SLOT(cred_slot);
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
KRSI_SLOT(depth_slot);
KRSI_SLOT(taint_slot);
KRSI_SLOT(generation_slot);
KRSI_SLOT(create_slot);
KRSI_SLOT(named_slot);

/* The label that was read last. */
struct boot_label seen;
/* How many were read; not there; or not right: not run once for the object. */
__u64 found, missing, wrong;

struct boot_depth depth;
__u64 taint, new_taint, generation;
/* Whether these slots were there. */
bool has_depth, has_taint;
/* What else the file that was opened last has. */
struct boot_create create;
struct boot_named named;
/* The label of credentials that are nobody's yet. */
struct boot_label blank;

static __always_inline int look(struct boot_label *label, __u32 class)
{
	if (!label) {
		__sync_fetch_and_add(&missing, 1);
		return 0;
	}
	__sync_fetch_and_add(&found, 1);
	if (label->magic != BOOT_MAGIC + class || label->runs != 1)
		__sync_fetch_and_add(&wrong, 1);
	seen = *label;
	return 0;
}

#define LOOK(CLASS, OBJECT) (!on_target() ? 0 :					\
	look(KRSI_BLOB(CLASS, OBJECT, CLASS##_slot, struct boot_label),		\
	     KRSI_BOOT_CLASS_##CLASS))

/* In the order of enum krsi_blob_class. */
enum {
	KRSI_BOOT_CLASS_cred, KRSI_BOOT_CLASS_task, KRSI_BOOT_CLASS_file,
	KRSI_BOOT_CLASS_backing_file, KRSI_BOOT_CLASS_inode, KRSI_BOOT_CLASS_superblock,
	KRSI_BOOT_CLASS_sock, KRSI_BOOT_CLASS_ipc, KRSI_BOOT_CLASS_msg_msg,
	KRSI_BOOT_CLASS_key, KRSI_BOOT_CLASS_bdev, KRSI_BOOT_CLASS_perf_event,
	KRSI_BOOT_CLASS_bpf_map = 14, KRSI_BOOT_CLASS_bpf_prog, KRSI_BOOT_CLASS_bpf_token,
};

SEC("?lsm/task_getpgid")
int BPF_PROG(task, struct task_struct *p)
{
	__u64 *g;

	LOOK(task, p);
	g = KRSI_BLOB(task, p, generation_slot, __u64);
	if (g && on_target())
		generation = *g;
	return 0;
}

/* Called in an interrupt: what was interrupted is the current task. */
static __always_inline bool on_idle(struct task_struct *told)
{
	return told->tgid == target && !bpf_get_current_task_btf()->pid &&
	       !bpf_get_smp_processor_id();
}

SEC("?lsm/file_send_sigiotask")
int BPF_PROG(idle, struct task_struct *tsk, struct fown_struct *fown, int sig)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return !on_idle(tsk) ? 0 :
	       look(KRSI_BLOB(task, task, task_slot, struct boot_label),
		    KRSI_BOOT_CLASS_task);
}

SEC("?lsm/file_send_sigiotask")
int BPF_PROG(idle_cred, struct task_struct *tsk, struct fown_struct *fown, int sig)
{
	return !on_idle(tsk) ? 0 :
	       look(KRSI_CURRENT_CRED_BLOB(cred_slot, struct boot_label),
		    KRSI_BOOT_CLASS_cred);
}

SEC("?lsm/task_getsid")
int BPF_PROG(current_cred, struct task_struct *p)
{
	struct boot_depth *d;
	__u64 *t;

	if (!on_target())
		return 0;
	look(KRSI_CURRENT_CRED_BLOB(cred_slot, struct boot_label), KRSI_BOOT_CLASS_cred);
	d = KRSI_CURRENT_CRED_BLOB(depth_slot, struct boot_depth);
	has_depth = d;
	if (d)
		depth = *d;
	t = KRSI_CURRENT_CRED_BLOB(taint_slot, __u64);
	has_taint = t;
	if (t) {
		taint = *t;
		if (new_taint)
			*t = new_taint;
	}
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(inode, struct file *file)
{
	return LOOK(inode, file->f_inode);
}

SEC("?lsm/cred_alloc_blank")
int BPF_PROG(blank_cred, struct cred *cred)
{
	struct boot_label *label;

	if (!on_target())
		return 0;
	label = KRSI_BLOB(cred, cred, cred_slot, struct boot_label);
	if (label)
		blank = *label;
	return 0;
}

/* Asked for a mount, whether or not there is a path that leads to it. */
SEC("?lsm/sb_statfs")
int BPF_PROG(mount_root, struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;

	return inode ? LOOK(inode, inode) : 0;
}

SEC("?lsm/file_open")
int BPF_PROG(named_inode, struct file *file)
{
	struct boot_create *c;
	struct boot_named *n;

	if (!on_target())
		return 0;
	LOOK(inode, file->f_inode);
	c = KRSI_BLOB(inode, file->f_inode, create_slot, struct boot_create);
	if (c)
		create = *c;
	n = KRSI_BLOB(inode, file->f_inode, named_slot, struct boot_named);
	if (n)
		named = *n;
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(file, struct file *file)
{
	return LOOK(file, file);
}

SEC("?lsm/backing_file_alloc")
int BPF_PROG(backing_file, struct file *backing, const struct file *user)
{
	return LOOK(backing_file, backing);
}

SEC("?lsm/sb_show_options")
int BPF_PROG(superblock, struct seq_file *m, struct super_block *sb)
{
	return LOOK(superblock, sb);
}

SEC("?lsm/socket_getsockname")
int BPF_PROG(sock, struct socket *sock)
{
	struct sock *sk = sock->sk;

	return sk ? LOOK(sock, sk) : 0;
}

SEC("?lsm/msg_queue_msgctl")
int BPF_PROG(ipc, struct kern_ipc_perm *perm, int cmd)
{
	return LOOK(ipc, perm);
}

SEC("?lsm/shm_shmctl")
int BPF_PROG(shm, struct kern_ipc_perm *perm, int cmd)
{
	return LOOK(ipc, perm);
}

SEC("?lsm/sem_semctl")
int BPF_PROG(sem, struct kern_ipc_perm *perm, int cmd)
{
	return LOOK(ipc, perm);
}

SEC("?lsm/msg_queue_msgrcv")
int BPF_PROG(msg_msg, struct kern_ipc_perm *perm, struct msg_msg *msg)
{
	return LOOK(msg_msg, msg);
}

SEC("?lsm/key_post_create_or_update")
int BPF_PROG(key, struct key *keyring, struct key *key)
{
	return LOOK(key, key);
}

/* Only dm-verity calls it, and no other hook has a device that is trusted. */
SEC("?lsm/bdev_setintegrity")
int BPF_PROG(bdev, struct block_device *bdev)
{
	return LOOK(bdev, bdev);
}

SEC("?lsm/perf_event_read")
int BPF_PROG(perf_event, struct perf_event *event)
{
	return LOOK(perf_event, event);
}

SEC("?lsm/bpf_map")
int BPF_PROG(bpf_map, struct bpf_map *map)
{
	return LOOK(bpf_map, map);
}

SEC("?lsm/bpf_prog")
int BPF_PROG(bpf_prog, struct bpf_prog *prog)
{
	return LOOK(bpf_prog, prog);
}

SEC("?lsm/bpf_token_cmd")
int BPF_PROG(bpf_token, const struct bpf_token *token, int cmd)
{
	return LOOK(bpf_token, token);
}
