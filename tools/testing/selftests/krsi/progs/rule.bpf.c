// SPDX-License-Identifier: GPL-2.0
/*
 * Labels what rule_test.py has rules about: the credentials and the task of who
 * calls getpgid(2), the inode and the file that is opened, the socket that is
 * asked for its name. They decide nothing.
 */

#include "krsi.bpf.h"
#include "krsi_blob.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Whose calls label, and with what; slots that are 0 are none. */
struct config {
	__u64 tgid;
	__u64 value;
	__u64 cred, task, inode, file, sock;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct config);
} config SEC(".maps");

static __always_inline struct config *wanted(void)
{
	struct config *found;
	__u32 zero = 0;

	found = bpf_map_lookup_elem(&config, &zero);
	return found && found->tgid == bpf_get_current_pid_tgid() >> 32 ? found : NULL;
}

static __always_inline void set(__u64 *label, struct config *found)
{
	if (label)
		*label = found->value;
}

SEC("lsm/task_getpgid")
int BPF_PROG(label_task, struct task_struct *task)
{
	struct config *found = wanted();

	if (!found)
		return 0;
	set(KRSI_CURRENT_CRED_BLOB(found->cred, __u64), found);
	set(KRSI_BLOB(task, task, found->task, __u64), found);
	return 0;
}

SEC("lsm/file_open")
int BPF_PROG(label_file, struct file *file)
{
	struct config *found = wanted();

	if (!found)
		return 0;
	set(KRSI_BLOB(inode, file->f_inode, found->inode, __u64), found);
	set(KRSI_BLOB(file, file, found->file, __u64), found);
	return 0;
}

SEC("lsm/socket_getsockname")
int BPF_PROG(label_sock, struct socket *sock)
{
	struct config *found = wanted();
	struct sock *sk = sock->sk;

	if (found && sk)
		set(KRSI_BLOB(sock, sk, found->sock, __u64), found);
	return 0;
}
