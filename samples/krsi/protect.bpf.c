// SPDX-License-Identifier: GPL-2.0
/*
 * protect: marked files can be read, but not opened for writing, removed,
 * renamed or replaced.
 *
 * The mark is a BPF inode storage: it belongs to the inode, so neither another
 * name nor another mount of the file gets around it, and it goes with it.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "protect.h"

#define EPERM		1
#define FMODE_WRITE	0x2

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_INODE_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, int);
} protected SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} events SEC(".maps");

static bool is_protected(struct inode *inode)
{
	return inode && bpf_inode_storage_get(&protected, inode, NULL, 0);
}

/* Tells userspace; a full buffer loses the event, never the verdict. */
static int decide(enum protect_hook hook, int verdict)
{
	struct protect_event *event;

	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (event) {
		event->pid = bpf_get_current_pid_tgid() >> 32;
		event->verdict = verdict;
		event->hook = hook;
		bpf_get_current_comm(event->comm, sizeof(event->comm));
		bpf_ringbuf_submit(event, 0);
	}
	return verdict;
}

SEC("lsm/file_open")
int BPF_PROG(protect_open, struct file *file)
{
	if (!is_protected(file->f_inode))
		return 0;
	return decide(PROTECT_OPEN, file->f_mode & FMODE_WRITE ? -EPERM : 0);
}

SEC("lsm/inode_unlink")
int BPF_PROG(protect_unlink, struct inode *dir, struct dentry *dentry)
{
	return is_protected(dentry->d_inode) ? decide(PROTECT_UNLINK, -EPERM) : 0;
}

SEC("lsm/inode_rename")
int BPF_PROG(protect_rename, struct inode *old_dir, struct dentry *old_dentry,
	     struct inode *new_dir, struct dentry *new_dentry)
{
	if (is_protected(old_dentry->d_inode) || is_protected(new_dentry->d_inode))
		return decide(PROTECT_RENAME, -EPERM);
	return 0;
}
