// SPDX-License-Identifier: GPL-2.0
/*
 * The kfuncs that return an object's blob. For the lifetime of the memory that
 * they return, see Documentation/security/krsi-blobs.rst.
 */

#include <linux/binfmts.h>
#include <linux/blk_types.h>
#include <linux/bpf.h>
#include <linux/bpf_lsm.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/cred.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/ipc.h>
#include <linux/key.h>
#include <linux/krsi.h>
#include <linux/krsi_blob.h>
#include <linux/krsi_boot.h>
#include <linux/msg.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <net/sock.h>

#include "krsi_kfuncs.h"

static int __init krsi_blob_param(char *sizes)
{
	krsi_blob_setup(sizes);
	return 1;
}
__setup("krsi.blob=", krsi_blob_param);

static void *backing_file_blob(const struct file *file)
{
	return file->f_mode & FMODE_BACKING ? backing_file_security(file) : NULL;
}

/* Request and time-wait sockets are smaller than a struct sock. */
static void *sock_blob(const struct sock *sk)
{
	return sk_fullsock(sk) ? sk->sk_security : NULL;
}

/*
 * The caller of the hook holds a reference that keeps the inode alive; see
 * krsi_blob_kfunc_filter().
 */
static struct inode *path_inode(const struct path *path)
{
	return path && path->dentry ? d_inode(path->dentry) : NULL;
}

/*
 * The device that the inode's file system is mounted from. s_bdev_file keeps it
 * alive while the superblock has inodes. File systems that open their devices
 * themselves, such as btrfs, have no s_bdev_file and may change s_bdev at any
 * time.
 */
static struct block_device *inode_bdev(const struct inode *inode)
{
	const struct super_block *sb = inode->i_sb;

	return sb->s_bdev_file ? sb->s_bdev : NULL;
}

/* Copies a slot while programs may be writing to its words. */
static void copy_slot(void *to, const void *from, u32 size)
{
	u64 word;

	for (; size; to += sizeof(word), from += sizeof(word)) {
		/* Slots are aligned, and padded to whole words. */
		word = READ_ONCE(*(const u64 *)from);
		memcpy(to, &word, min(size, sizeof(word)));
		size -= min(size, sizeof(word));
	}
}

__bpf_kfunc_start_defs();

/*
 * krsi_CLASS_blob - get the bytes of a slot in an object
 * @object: the object, which the verifier knows to be alive
 * @slot: number of the slot, as in /sys/kernel/security/krsi/blobs
 * @rdwr_buf_size: size of the slot in bytes
 *
 * The bytes are zero until a program writes to them or the object inherits
 * them. If boot programs own the slot and have not initialised the object, they
 * run first.
 *
 * The kfuncs test for NULL because a few hooks pass it although the verifier
 * assumes that they do not, for example msg_queue_msgctl() for IPC_INFO.
 *
 * Context: any.
 * Return: the bytes, or NULL if no slot of this class and size exists, if the
 * object has no blob, or if it cannot be initialised in this context.
 */
#define KRSI_BLOB_KFUNC(NAME, CLASS, TYPE, OBJECT, LABELLED, BLOB)	\
__bpf_kfunc char *krsi_##NAME##_blob(TYPE OBJECT, u32 slot,		\
				     u32 rdwr_buf_size)			\
{									\
	return krsi_blob_at(KRSI_BLOB_##CLASS, LABELLED,		\
			    (OBJECT) ? BLOB : NULL, slot, rdwr_buf_size); \
}

#define KRSI_CLASS_BLOB_KFUNC(CLASS, TYPE, OBJECT, BLOB)		\
	KRSI_BLOB_KFUNC(CLASS, CLASS, TYPE, OBJECT, OBJECT, BLOB)

KRSI_CLASS_BLOB_KFUNC(cred, struct cred *, cred, cred->security)
KRSI_CLASS_BLOB_KFUNC(task, struct task_struct *, task, task->security)
KRSI_CLASS_BLOB_KFUNC(file, struct file *, file, file->f_security)
KRSI_CLASS_BLOB_KFUNC(backing_file, struct file *, file, backing_file_blob(file))
KRSI_CLASS_BLOB_KFUNC(inode, struct inode *, inode, inode->i_security)
KRSI_CLASS_BLOB_KFUNC(superblock, struct super_block *, sb, sb->s_security)
KRSI_CLASS_BLOB_KFUNC(sock, struct sock *, sk, sock_blob(sk))
KRSI_CLASS_BLOB_KFUNC(ipc, struct kern_ipc_perm *, perm, perm->security)
KRSI_CLASS_BLOB_KFUNC(msg_msg, struct msg_msg *, msg, msg->security)
#ifdef CONFIG_KEYS
KRSI_CLASS_BLOB_KFUNC(key, struct key *, key, key->security)
#endif
KRSI_CLASS_BLOB_KFUNC(bdev, struct block_device *, bdev, bdev->bd_security)
KRSI_CLASS_BLOB_KFUNC(perf_event, struct perf_event *, event, event->security)
KRSI_CLASS_BLOB_KFUNC(bpf_map, struct bpf_map *, map, map->security)
KRSI_CLASS_BLOB_KFUNC(bpf_prog, struct bpf_prog *, prog, prog->aux->security)
KRSI_CLASS_BLOB_KFUNC(bpf_token, struct bpf_token *, token, token->security)

/* The credentials that an exec prepares. NULL once they are committed. */
KRSI_BLOB_KFUNC(bprm_cred, cred, struct linux_binprm *, bprm,
		(bprm ? bprm->cred : NULL),
		(bprm->cred ? bprm->cred->security : NULL))

/* The credentials of the task that opened a file. */
KRSI_BLOB_KFUNC(file_cred, cred, struct file *, file,
		(file ? (void *)file->f_cred : NULL), file->f_cred->security)

/* The superblock of an inode. */
KRSI_BLOB_KFUNC(inode_sb, superblock, struct inode *, inode,
		(inode ? inode->i_sb : NULL), inode->i_sb->s_security)

/* The device that an inode's file system is mounted from. */
__bpf_kfunc char *krsi_inode_bdev_blob(struct inode *inode, u32 slot,
				       u32 rdwr_buf_size)
{
	struct block_device *bdev = inode ? inode_bdev(inode) : NULL;

	return krsi_blob_at(KRSI_BLOB_bdev, bdev,
			    bdev ? bdev->bd_security : NULL, slot,
			    rdwr_buf_size);
}

/* The inode of a path. The verifier does not trust this pointer. */
__bpf_kfunc char *krsi_path_inode_blob(const struct path *path, u32 slot,
				       u32 rdwr_buf_size)
{
	struct inode *inode = path_inode(path);

	return krsi_blob_at(KRSI_BLOB_inode, inode,
			    inode ? inode->i_security : NULL, slot,
			    rdwr_buf_size);
}

/**
 * krsi_current_cred_blob - get the bytes of a slot in the current credentials
 * @slot: number of the slot, as in /sys/kernel/security/krsi/blobs
 * @rdwr_buf_size: size of the slot in bytes
 *
 * Uses the subjective credentials of the current task. Only the task itself
 * changes them, and not while it runs a program.
 *
 * Context: any. In an interrupt, current is the interrupted task.
 * Return: the bytes, or NULL for the same reasons as the other kfuncs.
 */
__bpf_kfunc char *krsi_current_cred_blob(u32 slot, u32 rdwr_buf_size)
{
	const struct cred *cred = current_cred();

	return krsi_blob_at(KRSI_BLOB_cred, (void *)cred, cred->security, slot,
			    rdwr_buf_size);
}

#define KRSI_READ_TRIES 4

/**
 * krsi_dentry_blob_read - copy the slot of a dentry's inode
 * @dentry: the dentry: a hook's argument, or returned by krsi_path_dentry() or
 * krsi_dentry_parent() in the same RCU section
 * @slot: number of the slot
 * @dst: destination, as large as the slot
 * @dst__sz: size of @dst in bytes
 *
 * For directories to which the program has no reference. Their slots can be
 * read but not written. On error, @dst is zeroed.
 *
 * Context: any.
 * Return:
 * * 0
 * * -EINVAL: no slot of that size exists, or it cannot be accessed
 * * -ENOENT: the dentry has no inode
 * * -EAGAIN: the dentry changed during each try
 */
__bpf_kfunc int krsi_dentry_blob_read(const struct dentry *dentry, u32 slot,
				      void *dst, u32 dst__sz)
{
	int i, ret = -EAGAIN;

	/* Keeps the inode and its blob, even if the dentry becomes negative. */
	guard(rcu)();
	for (i = 0; i < KRSI_READ_TRIES; i++) {
		unsigned int seq = raw_seqcount_begin(&dentry->d_seq);
		struct inode *inode = d_inode_rcu(dentry);
		const char *from = NULL;

		if (inode)
			from = krsi_blob_at(KRSI_BLOB_inode, inode,
					    READ_ONCE(inode->i_security), slot,
					    dst__sz);
		if (from)
			copy_slot(dst, from, dst__sz);
		/* File systems reuse inodes without a grace period. */
		if (!read_seqcount_retry(&dentry->d_seq, seq)) {
			ret = from ? 0 : inode ? -EINVAL : -ENOENT;
			break;
		}
	}
	if (ret)
		memset(dst, 0, dst__sz);
	return ret;
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(krsi_blob_kfuncs)
BTF_ID_FLAGS(func, krsi_cred_blob, KF_RET_NULL | KRSI_KFUNC)
BTF_ID_FLAGS(func, krsi_current_cred_blob, KF_RET_NULL | KRSI_HOOK_KFUNC)
BTF_ID_FLAGS(func, krsi_bprm_cred_blob, KF_RET_NULL | KRSI_HOOK_KFUNC)
BTF_ID_FLAGS(func, krsi_task_blob, KF_RET_NULL | KRSI_KFUNC)
BTF_ID_FLAGS(func, krsi_file_blob, KF_RET_NULL | KRSI_KFUNC)
BTF_ID_FLAGS(func, krsi_backing_file_blob, KF_RET_NULL | KRSI_KFUNC)
BTF_ID_FLAGS(func, krsi_inode_blob, KF_RET_NULL | KRSI_HOOK_KFUNC)
BTF_ID_FLAGS(func, krsi_path_inode_blob, KF_RET_NULL | KRSI_HOOK_KFUNC)
BTF_ID_FLAGS(func, krsi_file_cred_blob, KF_RET_NULL | KRSI_HOOK_KFUNC)
BTF_ID_FLAGS(func, krsi_inode_sb_blob, KF_RET_NULL | KRSI_HOOK_KFUNC)
BTF_ID_FLAGS(func, krsi_inode_bdev_blob, KF_RET_NULL | KRSI_HOOK_KFUNC)
BTF_ID_FLAGS(func, krsi_dentry_blob_read, KF_RCU | KRSI_HOOK_KFUNC)
BTF_ID_FLAGS(func, krsi_superblock_blob, KF_RET_NULL | KRSI_KFUNC)
BTF_ID_FLAGS(func, krsi_sock_blob, KF_RET_NULL | KRSI_KFUNC)
BTF_ID_FLAGS(func, krsi_ipc_blob, KF_RET_NULL | KRSI_KFUNC)
BTF_ID_FLAGS(func, krsi_msg_msg_blob, KF_RET_NULL | KRSI_KFUNC)
#ifdef CONFIG_KEYS
BTF_ID_FLAGS(func, krsi_key_blob, KF_RET_NULL | KRSI_KFUNC)
#endif
BTF_ID_FLAGS(func, krsi_bdev_blob, KF_RET_NULL | KRSI_KFUNC)
BTF_ID_FLAGS(func, krsi_perf_event_blob, KF_RET_NULL | KRSI_KFUNC)
BTF_ID_FLAGS(func, krsi_bpf_map_blob, KF_RET_NULL | KRSI_KFUNC)
BTF_ID_FLAGS(func, krsi_bpf_prog_blob, KF_RET_NULL | KRSI_KFUNC)
BTF_ID_FLAGS(func, krsi_bpf_token_blob, KF_RET_NULL | KRSI_KFUNC)
BTF_ID_FLAGS(func, krsi_inode_blob_save, KF_SLEEPABLE | KRSI_HOOK_KFUNC)
BTF_ID_FLAGS(func, krsi_inode_blob_save_locked, KF_SLEEPABLE | KRSI_HOOK_KFUNC)
BTF_ID_FLAGS(func, krsi_inode_blob_restore, KF_SLEEPABLE | KRSI_HOOK_KFUNC)
BTF_KFUNCS_END(krsi_blob_kfuncs)

/*
 * The location of each kfunc's blob. Whether an object can have no blob depends
 * on the hook: see security/krsi/blob/missing.rs. Calls for backing files,
 * sockets, inodes of paths and devices of inodes are not replaced, because
 * their tests cannot be expressed here.
 */
static const struct {
	unsigned long kfunc;
	struct krsi_blob_path path;
} krsi_blob_paths[] = {
#define PATH(NAME, TYPE, FIELD)						\
	{ (unsigned long)krsi_##NAME##_blob,				\
	  { KRSI_BLOB_##NAME, 1, BIT(0), { offsetof(TYPE, FIELD) } } }
	PATH(cred, struct cred, security),
	PATH(task, struct task_struct, security),
	PATH(file, struct file, f_security),
	PATH(inode, struct inode, i_security),
	PATH(superblock, struct super_block, s_security),
	PATH(ipc, struct kern_ipc_perm, security),
	PATH(msg_msg, struct msg_msg, security),
#ifdef CONFIG_KEYS
	PATH(key, struct key, security),
#endif
	PATH(bdev, struct block_device, bd_security),
	PATH(perf_event, struct perf_event, security),
	PATH(bpf_map, struct bpf_map, security),
	PATH(bpf_token, struct bpf_token, security),
#undef PATH
	{ (unsigned long)krsi_bpf_prog_blob,
	  { KRSI_BLOB_bpf_prog, 2, BIT(0),
	    { offsetof(struct bpf_prog, aux),
	      offsetof(struct bpf_prog_aux, security) } } },
	{ (unsigned long)krsi_file_cred_blob,
	  { KRSI_BLOB_cred, 2, BIT(0),
	    { offsetof(struct file, f_cred),
	      offsetof(struct cred, security) } } },
	{ (unsigned long)krsi_inode_sb_blob,
	  { KRSI_BLOB_superblock, 2, BIT(0),
	    { offsetof(struct inode, i_sb),
	      offsetof(struct super_block, s_security) } } },
	{ (unsigned long)krsi_bprm_cred_blob,
	  { KRSI_BLOB_cred, 2, BIT(0) | BIT(1),
	    { offsetof(struct linux_binprm, cred),
	      offsetof(struct cred, security) } } },
};

#if defined(CONFIG_X86_64) && defined(CONFIG_SMP)
static const struct krsi_blob_path krsi_current_cred_path = {
	KRSI_BLOB_cred, 2, 0,
	{ offsetof(struct task_struct, cred), offsetof(struct cred, security) }
};
#endif

/**
 * krsi_inline_kfunc - replace a kfunc call by inline instructions
 * @env: the verifier's state after it has checked the program
 * @kfunc: address of the kfunc
 * @insn_idx: index of the call
 * @insn_buf: buffer of INSN_BUF_SIZE instructions
 *
 * Replaces calls for existing slots whose number and size are constants for the
 * verifier. Removes the instructions that load these constants, and the test of
 * the return value for NULL.
 *
 * Context: may sleep.
 * Return: the number of instructions that replace the call, or 0 to keep it.
 */
int krsi_inline_kfunc(struct bpf_verifier_env *env, unsigned long kfunc,
		      int insn_idx, struct bpf_insn *insn_buf)
{
	struct bpf_insn_aux_data *aux = &env->insn_aux_data[insn_idx];
	struct krsi_blob_call call = {
		.insns = env->prog->insnsi,
		.len = env->prog->len,
		.index = insn_idx,
		.object = BPF_REG_1,
		.reg = BPF_REG_2,
		.hook = krsi_hook_by_id(env->prog->aux->attach_btf_id),
	};
	unsigned int i, len = 0;
	int cnt;

	if (env->prog->type != BPF_PROG_TYPE_LSM)
		return 0;
	for (i = 0; i < ARRAY_SIZE(krsi_blob_paths) && !call.path; i++) {
		if (krsi_blob_paths[i].kfunc == kfunc)
			call.path = &krsi_blob_paths[i].path;
	}
#if defined(CONFIG_X86_64) && defined(CONFIG_SMP)
	if (kfunc == (unsigned long)krsi_current_cred_blob &&
	    bpf_jit_supports_percpu_insn()) {
		call.path = &krsi_current_cred_path;
		call.object = BPF_REG_0;
		call.reg = BPF_REG_1;
		insn_buf[0] = BPF_MOV64_IMM(BPF_REG_0,
					    (u32)(unsigned long)&current_task);
		insn_buf[1] = BPF_MOV64_PERCPU_REG(BPF_REG_0, BPF_REG_0);
		insn_buf[2] = BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_0, 0);
		len = 3;
	}
#endif
	if (!call.path || (aux->const_reg_mask >> call.reg & 3) != 3)
		return 0;
	call.slot = aux->const_reg_vals[call.reg];
	call.size = aux->const_reg_vals[call.reg + 1];
	cnt = krsi_blob_replace(&call, insn_buf, len);
	if (!cnt)
		return 0;
	/* Removed instructions define no register to extend. */
	for (i = call.first; i < call.len && i <= insn_idx + 1; i++) {
		if (call.insns[i].code == (BPF_JMP | BPF_JA))
			env->insn_aux_data[i].zext_dst = false;
	}
	return cnt;
}

/**
 * krsi_blob_of - get the blob of an object
 * @class: enum krsi_blob_class of the object, one that boot programs can label
 * @object: the object, whose blob pointer is initialised
 *
 * Context: any.
 * Return: the blob, or NULL if the object has none.
 */
void *krsi_blob_of(unsigned int class, void *object)
{
	switch (class) {
	case KRSI_BLOB_cred:
		return ((struct cred *)object)->security;
	case KRSI_BLOB_task:
		return ((struct task_struct *)object)->security;
	case KRSI_BLOB_file:
		return ((struct file *)object)->f_security;
	case KRSI_BLOB_inode:
		return ((struct inode *)object)->i_security;
	case KRSI_BLOB_superblock:
		return ((struct super_block *)object)->s_security;
	case KRSI_BLOB_ipc:
		return ((struct kern_ipc_perm *)object)->security;
	case KRSI_BLOB_msg_msg:
		return ((struct msg_msg *)object)->security;
#ifdef CONFIG_KEYS
	case KRSI_BLOB_key:
		return ((struct key *)object)->security;
#endif
	case KRSI_BLOB_bdev:
		return ((struct block_device *)object)->bd_security;
	case KRSI_BLOB_perf_event:
		return ((struct perf_event *)object)->security;
	case KRSI_BLOB_bpf_map:
		return ((struct bpf_map *)object)->security;
	case KRSI_BLOB_bpf_prog:
		return ((struct bpf_prog *)object)->aux->security;
	case KRSI_BLOB_bpf_token:
		return ((struct bpf_token *)object)->security;
	case KRSI_BLOB_backing_file:
		return backing_file_blob(object);
	case KRSI_BLOB_sock:
		return sock_blob(object);
	}
	return NULL;
}

BTF_SET_START(krsi_inode_ids)
BTF_ID(func, krsi_inode_blob)
BTF_ID(func, krsi_inode_sb_blob)
BTF_ID(func, krsi_inode_bdev_blob)
BTF_SET_END(krsi_inode_ids)

BTF_SET_START(krsi_file_ids)
BTF_ID(func, krsi_path_inode_blob)
BTF_ID(func, krsi_file_cred_blob)
BTF_ID(func, krsi_dentry_blob_read)
BTF_SET_END(krsi_file_ids)

BTF_ID_LIST_SINGLE(krsi_backing_file_id, func, krsi_backing_file_blob)

BTF_ID_LIST(krsi_save_ids)
BTF_ID(func, krsi_inode_blob_save)
BTF_ID(func, krsi_inode_blob_save_locked)

/* The number of a member of struct krsi_blob_ops. */
#define KRSI_BOOT_MEMBER(NAME)						\
	(offsetof(struct krsi_blob_ops, NAME) / sizeof(void *))

static bool krsi_boot_program_may(const struct bpf_prog *prog, u32 kfunc_id)
{
	if (prog->aux->attach_btf_id != krsi_boot_struct_id() ||
	    !krsi_boot_kfunc(kfunc_id))
		return false;
	/* f_mode of a new file is not initialised yet. */
	return kfunc_id != krsi_backing_file_id[0] ||
	       prog->expected_attach_type != KRSI_BOOT_MEMBER(file);
}

/* Tracing programs share the kfuncs of LSM programs. */
static int krsi_blob_kfunc_filter(const struct bpf_prog *prog, u32 kfunc_id)
{
	int hook;

	if (!btf_id_set8_contains(&krsi_blob_kfuncs, kfunc_id))
		return 0;
	if (prog->type == BPF_PROG_TYPE_STRUCT_OPS)
		return krsi_boot_program_may(prog, kfunc_id) ? 0 : -EACCES;
	hook = krsi_kfunc_hook(prog);
	if (hook < 0)
		return hook;
	/* A file that is being allocated or freed may have no inode. */
	if (btf_id_set_contains(&krsi_inode_ids, kfunc_id) &&
	    krsi_file_unfinished(hook))
		return -EACCES;
	if (btf_id_set_contains(&krsi_file_ids, kfunc_id) &&
	    !krsi_find_allowed(hook))
		return -EACCES;
	if (kfunc_id == krsi_backing_file_id[0] && !krsi_file_mode_known(hook))
		return -EACCES;
	if (kfunc_id == krsi_save_ids[bpf_lsm_has_d_inode_locked(prog) ? 0 : 1])
		return -EACCES;
	return 0;
}

static const struct btf_kfunc_id_set krsi_blob_kfunc_set = {
	.owner = THIS_MODULE,
	.set = &krsi_blob_kfuncs,
	.filter = krsi_blob_kfunc_filter,
};

static int __init krsi_blob_init(void)
{
	int err;

	if (!krsi_active())
		return 0;
	err = krsi_register_kfuncs(BPF_PROG_TYPE_LSM, &krsi_blob_kfunc_set);
	return err ?: krsi_register_kfuncs(BPF_PROG_TYPE_STRUCT_OPS,
					   &krsi_blob_kfunc_set);
}
late_initcall(krsi_blob_init);
