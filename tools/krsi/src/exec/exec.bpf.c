// SPDX-License-Identifier: GPL-2.0
/*
 * `krsi exec`: tells what is executed, by whom, and what came of it.
 *
 * - bprm_creds_for_exec comes once for each exec, when the arguments are copied
 *   and nobody can change them: sends them, who asks, and where that comes from.
 * - bprm_check_security comes for the file and again for each interpreter.
 * - What the hooks said is seen behind security_*(), and behind bpf_lsm_*() what
 *   KRSI's programs said, of which this one must not be the first.
 * - What came of it is what the system call returns.
 *
 * The types are those of the running kernel, relocated when this is loaded.
 */
#include "exec.h"

#include <linux/bpf.h>
#include <linux/errno.h>
#include <stdbool.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel.h"

char LICENSE[] SEC("license") = "GPL";

#define PATH_DELETED 2
#define MAX_PARENTS 32

/* What the user wants to see, from the command: see Filter in watch.rs. */
struct settings {
	/* Those in it, too; 0: all. How far it is below the root. */
	u64 cgroup;
	u32 cgroup_level;
	/* (u32)-1: all. */
	u32 uid;
	/* 0: all. */
	u32 pid;
	u32 parents;
	/* The command itself need not be seen. */
	u32 self;
	u32 has_comm;
	char comm[16];
};

const volatile struct settings only;

/*
 * What did not fit the buffer: execs whose arguments did not, other records. Execs
 * that there was no memory for. The newest token.
 */
struct {
	u64 lost_arguments, lost_records, lost_execs;
	u64 newest;
} counters;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 * 1024 * 1024);
} events SEC(".maps");

/* An exec on its way. */
struct state {
	u64 token;
	u32 rounds;
	u32 lost;
	u32 hook;
	s32 verdict;
	u32 by_krsi;
	/* begin() was there, or the like of it. */
	u32 begun;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct state);
} states SEC(".maps");

static __always_inline struct state *state_of_current(u64 flags)
{
	return bpf_task_storage_get(&states, bpf_get_current_task_btf(), NULL, flags);
}

static __always_inline bool wanted(void)
{
	char name[16];
	u64 pid = bpf_get_current_pid_tgid() >> 32;
	int i;

	if (pid == only.self)
		return false;
	if (only.pid && pid != only.pid)
		return false;
	if (only.uid != (u32)-1 && (u32)bpf_get_current_uid_gid() != only.uid)
		return false;
	if (only.cgroup && bpf_get_current_ancestor_cgroup_id(only.cgroup_level) != only.cgroup)
		return false;
	if (only.has_comm) {
		bpf_get_current_comm(name, sizeof(name));
		for (i = 0; i < sizeof(name); i++) {
			if (name[i] != only.comm[i])
				return false;
			if (!name[i])
				break;
		}
	}
	return true;
}

static __always_inline void count_lost(struct state *state, u64 *counter)
{
	state->lost++;
	__sync_fetch_and_add(counter, 1);
}

/* Room for an event; the rest of it has to be filled. */
static __always_inline void *reserve(struct state *state, u64 size, u32 kind)
{
	struct head *head = bpf_ringbuf_reserve(&events, size, 0);

	if (!head) {
		count_lost(state, &counters.lost_records);
		return NULL;
	}
	head->zero = 0;
	head->token = state->token;
	head->kind = kind;
	head->reserved = 0;
	return head;
}

static __always_inline void send_parents(struct state *state)
{
	struct task_struct *task, *next;
	struct parent *event;
	struct file *file;
	u32 depth;

	task = krsi_task_real_parent(bpf_get_current_task_btf());
	for (depth = 1; task && depth <= only.parents && depth <= MAX_PARENTS; depth++) {
		event = reserve(state, sizeof(*event), EVENT_PARENT);
		if (event) {
			event->depth = depth;
			event->pid = task->tgid;
			event->uid = BPF_CORE_READ(task, cred, uid.val);
			bpf_probe_read_kernel(event->comm, sizeof(event->comm), task->comm);
			event->path_len = -ENOENT;
			event->path[0] = 0;
			file = bpf_get_task_exe_file(task);
			if (file) {
				event->path_len = krsi_file_path(file, event->path, PATH_SIZE,
								 PATH_DELETED);
				bpf_put_file(file);
			}
			bpf_ringbuf_submit(event, 0);
		}
		next = krsi_task_real_parent(task);
		bpf_task_release(task);
		task = next;
		/* The first process, and the kernel's threads, come from 0. */
		if (task && !task->pid) {
			bpf_task_release(task);
			task = NULL;
		}
	}
	if (task)
		bpf_task_release(task);
}

static __always_inline void fill_begin(struct begin *event, s64 exec_id)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 id = bpf_get_current_pid_tgid(), user = bpf_get_current_uid_gid();

	event->exec_id = exec_id;
	event->time = bpf_ktime_get_boot_ns();
	event->cgroup = bpf_get_current_cgroup_id();
	event->pid = id >> 32;
	event->tid = id;
	event->ppid = BPF_CORE_READ(task, real_parent, tgid);
	event->uid = user;
	event->gid = user >> 32;
	event->euid = BPF_CORE_READ(task, cred, euid.val);
	event->auid = bpf_core_field_exists(task->loginuid) ?
		BPF_CORE_READ(task, loginuid.val) : (u32)-1;
	event->session = bpf_core_field_exists(task->sessionid) ?
		BPF_CORE_READ(task, sessionid) : (u32)-1;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	event->reserved = 0;
}

static __always_inline struct state *start(void)
{
	struct state *state = state_of_current(BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!state) {
		__sync_fetch_and_add(&counters.lost_execs, 1);
		return NULL;
	}
	__builtin_memset(state, 0, sizeof(*state));
	state->token = __sync_fetch_and_add(&counters.newest, 1) + 1;
	return state;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(begin, struct linux_binprm *bprm)
{
	struct begin *event;
	struct state *state;
	s64 id;

	if (!wanted())
		return 0;
	state = start();
	if (!state)
		return 0;
	state->begun = true;
	id = krsi_bprm_dump(bprm, &events, 0);
	if (id < 0)
		count_lost(state, &counters.lost_arguments);
	event = reserve(state, sizeof(*event), EVENT_BEGIN);
	if (event) {
		fill_begin(event, id);
		event->path_len = bpf_probe_read_kernel_str(event->path, PATH_SIZE, bprm->filename);
		bpf_ringbuf_submit(event, 0);
	}
	send_parents(state);
	return 0;
}

SEC("lsm/bprm_check_security")
int BPF_PROG(next_round, struct linux_binprm *bprm)
{
	struct state *state = state_of_current(0);
	struct round *event;

	if (!state || !state->token)
		return 0;
	event = reserve(state, sizeof(*event), EVENT_ROUND);
	if (event) {
		event->number = state->rounds;
		event->path_len = bpf_probe_read_kernel_str(event->path, PATH_SIZE, bprm->interp);
		bpf_ringbuf_submit(event, 0);
	}
	state->rounds++;
	return 0;
}

/* What a hook said. What is said first counts: KRSI before the LSMs in all. */
static __always_inline int hook_said(u32 hook, int verdict, bool by_krsi)
{
	struct state *state;

	if (!verdict)
		return 0;
	state = state_of_current(0);
	if (!state || !state->token) {
		/* A program that came first has denied before begin(). */
		if (hook != HOOK_CREDS_FOR_EXEC || !wanted())
			return 0;
		state = start();
		if (!state)
			return 0;
	}
	if (state->hook)
		return 0;
	state->hook = hook;
	state->verdict = verdict;
	state->by_krsi = by_krsi;
	return 0;
}

SEC("fexit/bpf_lsm_bprm_creds_for_exec")
int BPF_PROG(krsi_creds_for_exec, struct linux_binprm *bprm, int verdict)
{
	return hook_said(HOOK_CREDS_FOR_EXEC, verdict, true);
}

SEC("fexit/bpf_lsm_bprm_check_security")
int BPF_PROG(krsi_check_security, struct linux_binprm *bprm, int verdict)
{
	return hook_said(HOOK_CHECK_SECURITY, verdict, true);
}

SEC("fexit/bpf_lsm_bprm_creds_from_file")
int BPF_PROG(krsi_creds_from_file, struct linux_binprm *bprm, const struct file *file, int verdict)
{
	return hook_said(HOOK_CREDS_FROM_FILE, verdict, true);
}

SEC("fexit/security_bprm_creds_for_exec")
int BPF_PROG(all_creds_for_exec, struct linux_binprm *bprm, int verdict)
{
	return hook_said(HOOK_CREDS_FOR_EXEC, verdict, false);
}

SEC("fexit/security_bprm_check")
int BPF_PROG(all_check_security, struct linux_binprm *bprm, int verdict)
{
	return hook_said(HOOK_CHECK_SECURITY, verdict, false);
}

SEC("fexit/security_bprm_creds_from_file")
int BPF_PROG(all_creds_from_file, struct linux_binprm *bprm, const struct file *file, int verdict)
{
	return hook_said(HOOK_CREDS_FROM_FILE, verdict, false);
}

/*
 * What came of an exec. One that begin() has not seen failed before it was asked:
 * @user is then the name as the program had it, which may have changed
 * meanwhile.
 */
static __always_inline int finish(const char *user, const char *kernel, long result)
{
	struct state *state = state_of_current(0);
	struct begin *begin;
	struct end *event;

	if (!state || !state->token) {
		if (!result || !wanted())
			return 0;
		state = start();
		if (!state)
			return 0;
	}
	if (!state->begun) {
		begin = reserve(state, sizeof(*begin), EVENT_BEGIN);
		if (begin) {
			fill_begin(begin, 0);
			begin->path_len = user ?
				bpf_probe_read_user_str(begin->path, PATH_SIZE, user) :
				bpf_probe_read_kernel_str(begin->path, PATH_SIZE, kernel);
			bpf_ringbuf_submit(begin, 0);
		}
	}
	event = reserve(state, sizeof(*event), EVENT_END);
	if (event) {
		event->time = bpf_ktime_get_boot_ns();
		event->result = result;
		event->hook = state->hook;
		event->verdict = state->verdict;
		event->by_krsi = state->by_krsi;
		event->lost = state->lost;
		event->rounds = state->rounds;
		bpf_ringbuf_submit(event, 0);
	}
	state->token = 0;
	return 0;
}

SEC("fexit/__x64_sys_execve")
int BPF_PROG(end_execve, struct pt_regs *regs, long result)
{
	return finish((const char *)regs->di, NULL, result);
}

SEC("fexit/__x64_sys_execveat")
int BPF_PROG(end_execveat, struct pt_regs *regs, long result)
{
	return finish((const char *)regs->si, NULL, result);
}

/* Optional: where there is a 32-bit mode. */
SEC("?fexit/__ia32_compat_sys_execve")
int BPF_PROG(end_compat_execve, struct pt_regs *regs, long result)
{
	return finish(NULL, NULL, result);
}

SEC("?fexit/__ia32_compat_sys_execveat")
int BPF_PROG(end_compat_execveat, struct pt_regs *regs, long result)
{
	return finish(NULL, NULL, result);
}

/* Of the kernel: helpers such as modprobe. */
SEC("fexit/kernel_execve")
int BPF_PROG(end_kernel_execve, const char *name, const char *const *argv,
	     const char *const *envp, int result)
{
	return finish(NULL, name, result);
}
