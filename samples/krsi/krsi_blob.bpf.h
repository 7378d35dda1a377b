/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Blobs of KRSI, for policies: bytes in kernel objects, divided into slots.
 *
 * The number of a slot is what /sys/kernel/security/krsi/blobs says once the
 * slot has been claimed there. The loader writes it to read-only data before it
 * loads the programs:
 *
 *	KRSI_SLOT(label);
 *
 *	SEC("lsm/file_open")
 *	int BPF_PROG(file_open, struct file *file)
 *	{
 *		struct label *l = KRSI_BLOB(inode, file->f_inode, label, struct label);
 *
 *		if (!l)
 *			return -EPERM;
 *		...
 *	}
 *
 * and in the loader: skel->rodata->label = NUMBER.
 *
 * Several CPUs can be in the same bytes at once: see
 * Documentation/security/krsi-blobs.rst.
 */

#ifndef _KRSI_BLOB_BPF_H
#define _KRSI_BLOB_BPF_H

char *krsi_cred_blob(struct cred *cred, u32 slot, u32 rdwr_buf_size) __ksym;
char *krsi_task_blob(struct task_struct *task, u32 slot, u32 rdwr_buf_size) __ksym;
char *krsi_file_blob(struct file *file, u32 slot, u32 rdwr_buf_size) __ksym;
char *krsi_backing_file_blob(struct file *file, u32 slot, u32 rdwr_buf_size) __ksym;
char *krsi_inode_blob(struct inode *inode, u32 slot, u32 rdwr_buf_size) __ksym;
char *krsi_superblock_blob(struct super_block *sb, u32 slot, u32 rdwr_buf_size) __ksym;
char *krsi_sock_blob(struct sock *sk, u32 slot, u32 rdwr_buf_size) __ksym;
char *krsi_ipc_blob(struct kern_ipc_perm *perm, u32 slot, u32 rdwr_buf_size) __ksym;
char *krsi_msg_msg_blob(struct msg_msg *msg, u32 slot, u32 rdwr_buf_size) __ksym;
char *krsi_key_blob(struct key *key, u32 slot, u32 rdwr_buf_size) __ksym;
char *krsi_bdev_blob(struct block_device *bdev, u32 slot, u32 rdwr_buf_size) __ksym;
char *krsi_perf_event_blob(struct perf_event *event, u32 slot, u32 rdwr_buf_size) __ksym;
char *krsi_bpf_map_blob(struct bpf_map *map, u32 slot, u32 rdwr_buf_size) __ksym;
char *krsi_bpf_prog_blob(struct bpf_prog *prog, u32 slot, u32 rdwr_buf_size) __ksym;
char *krsi_bpf_token_blob(struct bpf_token *token, u32 slot, u32 rdwr_buf_size) __ksym;
/* The inode of a path that is trusted. */
char *krsi_path_inode_blob(const struct path *path, u32 slot, u32 rdwr_buf_size) __ksym;
/* The credentials by which a file was opened. */
char *krsi_file_cred_blob(struct file *file, u32 slot, u32 rdwr_buf_size) __ksym;
/* The file system of an inode, and the device that it is mounted from. */
char *krsi_inode_sb_blob(struct inode *inode, u32 slot, u32 rdwr_buf_size) __ksym;
char *krsi_inode_bdev_blob(struct inode *inode, u32 slot, u32 rdwr_buf_size) __ksym;
/* A copy of what an entry's inode has, such as a directory's; 0 or a negative errno. */
int krsi_dentry_blob_read(const struct dentry *dentry, u32 slot, void *dst, u32 dst__sz) __ksym;
/* The credentials of the current task, and those that an exec prepares. */
char *krsi_current_cred_blob(u32 slot, u32 rdwr_buf_size) __ksym;
char *krsi_bprm_cred_blob(struct linux_binprm *bprm, u32 slot, u32 rdwr_buf_size) __ksym;

/* For slots that were claimed with xattr=yes; programs that sleep. */
int krsi_inode_blob_save(struct dentry *dentry, u32 slot) __ksym;
int krsi_inode_blob_save_locked(struct dentry *dentry, u32 slot) __ksym;
int krsi_inode_blob_restore(struct dentry *dentry, u32 slot) __ksym;

/* Declares a slot, whose number the loader fills in. */
#define KRSI_SLOT(NAME) const volatile __u32 NAME

/* The TYPE that OBJECT, of class CLASS, has in a slot; NULL without. */
#define KRSI_BLOB(CLASS, OBJECT, SLOT, TYPE)				\
	((TYPE *)krsi_##CLASS##_blob((void *)(OBJECT), SLOT, sizeof(TYPE)))

/* The same for the credentials of the current task. */
#define KRSI_CURRENT_CRED_BLOB(SLOT, TYPE)				\
	((TYPE *)krsi_current_cred_blob(SLOT, sizeof(TYPE)))

#endif /* _KRSI_BLOB_BPF_H */
