// SPDX-License-Identifier: GPL-2.0
/*
 * taint: whoever reads a file that is named as a source is tainted, with all
 * its descendants, whatever they execute; and nobody who is tainted can open,
 * read, write or map a file that is named as protected, whoever opened it.
 *
 * The taint is in the credentials, in a slot that taint_boot.bpf.c initialises.
 * It does not follow data: another process that gets them through a pipe, a
 * file or memory is not tainted, nor is a thread with credentials of its own.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "krsi_blob.bpf.h"
#include "taint.h"

#define EACCES 13

char _license[] SEC("license") = "GPL";

KRSI_SLOT(tainted);

/* What files are, as enum taint_mark has it. */
struct {
	__uint(type, BPF_MAP_TYPE_INODE_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, int);
} marks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} events SEC(".maps");

/* Tells userspace; a full buffer loses the event, never the verdict. */
static void tell(enum taint_action action, struct file *file)
{
	struct taint_event *event;

	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->action = action;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	bpf_probe_read_kernel_str(event->name, sizeof(event->name),
				  file->f_path.dentry->d_name.name);
	bpf_ringbuf_submit(event, 0);
}

static int access(struct file *file)
{
	struct inode *inode = file->f_inode;
	__u64 *state;
	int *mark;

	mark = inode ? bpf_inode_storage_get(&marks, inode, NULL, 0) : NULL;
	if (!mark)
		return 0;
	state = KRSI_CURRENT_CRED_BLOB(tainted, __u64);
	if (*mark == TAINT_SOURCE) {
		/* Who cannot be tainted gets nothing to be tainted by. */
		if (!state)
			return -EACCES;
		if (*state != TAINT_TAINTED) {
			*state = TAINT_TAINTED;
			tell(TAINT_TAKES, file);
		}
		return 0;
	}
	/* Clean is what is known to be. */
	if (state && *state == TAINT_CLEAN)
		return 0;
	tell(TAINT_DENIED, file);
	return -EACCES;
}

SEC("lsm/file_open")
int BPF_PROG(taint_open, struct file *file)
{
	return access(file);
}

/* Reads and writes, also with descriptors that come from others. */
SEC("lsm/file_permission")
int BPF_PROG(taint_permission, struct file *file, int mask)
{
	return access(file);
}

SEC("lsm/mmap_file")
int BPF_PROG(taint_mmap, struct file *file, unsigned long reqprot, unsigned long prot,
	     unsigned long flags)
{
	/* Anonymous memory has none. */
	return file ? access(file) : 0;
}
