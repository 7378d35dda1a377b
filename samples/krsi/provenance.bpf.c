// SPDX-License-Identifier: GPL-2.0
/*
 * provenance: no file can be executed, or mapped as code, that a program wrote
 * which has to do with the network.
 *
 * A program has to do with it from its first internet or packet socket on, or
 * from when it reads a file that such a program wrote; what it forks and
 * executes has, too. So a copy is as good as the file. Each exec has a number,
 * by which events name the writer.
 *
 * A file in an overlay and the one in a layer below it are two, which are opened
 * and mapped one after the other, and both are labelled and looked at. What a
 * program is, its own credentials say: an overlay works with those of whoever
 * has mounted it.
 *
 * Labels are in slots that provenance_boot.bpf.c initialises, so that each file
 * has one from its first moment. They go when an inode leaves memory, and do not
 * follow data through pipes and memory.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "krsi_blob.bpf.h"
#include "provenance.h"

#define EACCES		13
#define AF_INET		2
#define AF_INET6	10
#define AF_PACKET	17
#define FMODE_READ	0x1
#define FMODE_WRITE	0x2
#define FMODE_EXEC	0x20
#define MAY_WRITE	0x2
#define PROT_EXEC	0x4
#define VM_EXEC		0x4
#define S_IFMT		0170000
#define S_IFREG		0100000

char _license[] SEC("license") = "GPL";

const struct cred *krsi_task_cred(struct task_struct *task) __ksym;
void krsi_cred_put(const struct cred *cred) __ksym;

KRSI_SLOT(running);
KRSI_SLOT(origin);

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} events SEC(".maps");

/* The number of the last exec. */
unsigned long long execs;

SEC("lsm/bprm_creds_for_exec")
int BPF_PROG(provenance_exec, struct linux_binprm *bprm)
{
	struct provenance *new;

	new = (struct provenance *)krsi_bprm_cred_blob(bprm, running, sizeof(*new));
	if (!new)
		return -EACCES;
	/* The flags are a copy of the caller's. */
	new->exec_id = __sync_add_and_fetch(&execs, 1);
	return 0;
}

/* Tells what runs, and adds flags to that. */
static int runs(struct provenance *label, unsigned long long flags)
{
	const struct cred *cred = krsi_task_cred(bpf_get_current_task_btf());
	struct provenance *program;
	int err = -EACCES;

	if (!cred)
		return err;
	program = KRSI_BLOB(cred, cred, running, struct provenance);
	if (program) {
		if (flags & ~program->flags)
			__sync_fetch_and_or(&program->flags, flags);
		*label = *program;
		err = 0;
	}
	krsi_cred_put(cred);
	return err;
}

static int use_network(void)
{
	struct provenance program;

	return runs(&program, PROVENANCE_NETWORK);
}

static bool is_network(int family)
{
	return family == AF_INET || family == AF_INET6 || family == AF_PACKET;
}

/* Sockets also come from others: what is done with them counts as well. */
static int use_socket(struct socket *sock)
{
	struct sock *sk = sock->sk;

	return sk && is_network(sk->__sk_common.skc_family) ? use_network() : 0;
}

SEC("lsm/socket_create")
int BPF_PROG(provenance_create, int family, int type, int protocol, int kern)
{
	return !kern && is_network(family) ? use_network() : 0;
}

SEC("lsm/socket_connect")
int BPF_PROG(provenance_connect, struct socket *sock, struct sockaddr *address, int addrlen)
{
	return use_socket(sock);
}

SEC("lsm/socket_accept")
int BPF_PROG(provenance_accept, struct socket *sock, struct socket *newsock)
{
	return use_socket(sock);
}

SEC("lsm/socket_recvmsg")
int BPF_PROG(provenance_recvmsg, struct socket *sock, struct msghdr *msg, int size, int flags)
{
	return use_socket(sock);
}

/* Only what can be executed: not terminals, pipes and devices. */
static bool is_regular(struct inode *inode)
{
	return (inode->i_mode & S_IFMT) == S_IFREG;
}

/* The current task may change the file from here on. */
static int write_to(struct file *file)
{
	struct inode *inode = file->f_inode;
	struct provenance program, *label;

	if (!is_regular(inode))
		return 0;
	if (runs(&program, 0))
		return -EACCES;
	if (!(program.flags & PROVENANCE_NETWORK))
		return 0;
	label = KRSI_BLOB(inode, inode, origin, struct provenance);
	if (!label)
		return -EACCES;
	if (!(label->flags & PROVENANCE_NETWORK) || label->exec_id != program.exec_id) {
		/* The last one, if there are several. */
		label->exec_id = program.exec_id;
		__sync_fetch_and_or(&label->flags, PROVENANCE_NETWORK);
	}
	return 0;
}

/* Whether the file may run, as a program or as a part of one. */
static int execute(struct file *file)
{
	struct provenance *label = KRSI_BLOB(inode, file->f_inode, origin, struct provenance);
	struct provenance_event *event;

	if (label && label->flags == PROVENANCE_KNOWN)
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (event) {
		event->known = label && label->flags & PROVENANCE_KNOWN;
		event->exec_id = label ? label->exec_id : 0;
		event->pid = bpf_get_current_pid_tgid() >> 32;
		bpf_get_current_comm(event->comm, sizeof(event->comm));
		bpf_probe_read_kernel_str(event->name, sizeof(event->name),
					  file->f_path.dentry->d_name.name);
		bpf_ringbuf_submit(event, 0);
	}
	return -EACCES;
}

SEC("lsm/file_open")
int BPF_PROG(provenance_open, struct file *file)
{
	struct inode *inode = file->f_inode;
	struct provenance *label;

	if (file->f_mode & FMODE_WRITE && write_to(file))
		return -EACCES;
	/* Here the file below an overlay's is seen, which no later hook of an exec has. */
	if (file->f_flags & FMODE_EXEC)
		return execute(file);
	if (!(file->f_mode & FMODE_READ) || !is_regular(inode))
		return 0;
	label = KRSI_BLOB(inode, inode, origin, struct provenance);
	if (!label)
		return -EACCES;
	return label->flags & PROVENANCE_NETWORK ? use_network() : 0;
}

/* With a descriptor from before, or from another program. */
SEC("lsm/file_permission")
int BPF_PROG(provenance_permission, struct file *file, int mask)
{
	return mask & MAY_WRITE ? write_to(file) : 0;
}

/* It may have been written to since it was opened. */
SEC("lsm/bprm_check_security")
int BPF_PROG(provenance_check, struct linux_binprm *bprm)
{
	return execute(bprm->file);
}

SEC("lsm/mmap_file")
int BPF_PROG(provenance_mmap, struct file *file, unsigned long reqprot, unsigned long prot,
	     unsigned long flags)
{
	if (!file)
		return 0;
	/* What is mapped now can be written to later, without a hook. */
	if (file->f_mode & FMODE_WRITE && write_to(file))
		return -EACCES;
	return prot & PROT_EXEC ? execute(file) : 0;
}

/* The file below an overlay's, in its place. */
SEC("lsm/mmap_backing_file")
int BPF_PROG(provenance_mmap_backing, struct vm_area_struct *vma, struct file *file)
{
	if (file->f_mode & FMODE_WRITE && write_to(file))
		return -EACCES;
	return vma->vm_flags & VM_EXEC ? execute(file) : 0;
}

SEC("lsm/file_mprotect")
int BPF_PROG(provenance_mprotect, struct vm_area_struct *vma, unsigned long reqprot,
	     unsigned long prot)
{
	struct file *file = vma->vm_file;

	return file && prot & PROT_EXEC ? execute(file) : 0;
}
