// SPDX-License-Identifier: GPL-2.0
/*
 * Who may not ask about a program that is about to run, and how not to. Each is
 * loaded alone.
 */

#include "exec.bpf.h"

char LICENSE[] SEC("license") = "GPL";

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} callees SEC(".maps");

const char name[] = "HOME";
const char constant[16] = "constant";
char variable[16];
__u64 number;
__u32 asked;

/* Those who may, asking all there is to ask. */
static __always_inline int ask_all(struct linux_binprm *bprm)
{
	char buf[16] = {};

	krsi_bprm_read(bprm, 0, buf, sizeof(buf));
	krsi_bprm_arg(bprm, 1, buf, sizeof(buf));
	krsi_bprm_env(bprm, name, buf, sizeof(buf));
	krsi_bprm_dump(bprm, &ring, 0);
	krsi_bprm_dump(bprm, &events, BPF_F_CURRENT_CPU);
	return 0;
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(check_security, struct linux_binprm *bprm)
{
	return ask_all(bprm);
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(creds_for_exec, struct linux_binprm *bprm)
{
	return ask_all(bprm);
}

SEC("lsm.s/bprm_creds_from_file")
int BPF_PROG(creds_from_file, struct linux_binprm *bprm, const struct file *file)
{
	return ask_all(bprm);
}

/* Another hook, for each of the kfuncs. */
#define OTHER_HOOK(what, call)						\
SEC("lsm.s/bprm_committing_creds")					\
int BPF_PROG(what##_committing_creds, struct linux_binprm *bprm)	\
{									\
	char buf[16] = {};						\
									\
	number = call;							\
	variable[0] = buf[0];						\
	return 0;							\
}									\
SEC("lsm.s/bprm_committed_creds")					\
int BPF_PROG(what##_committed_creds, struct linux_binprm *bprm)		\
{									\
	char buf[16] = {};						\
									\
	number = call;							\
	variable[0] = buf[0];						\
	return 0;							\
}									\
SEC("lsm.s/file_open")							\
int BPF_PROG(what##_file_open, struct linux_binprm *bprm)		\
{									\
	char buf[16] = {};						\
									\
	number = call;							\
	variable[0] = buf[0];						\
	return 0;							\
}

OTHER_HOOK(read, krsi_bprm_read(bprm, 0, buf, sizeof(buf)))
OTHER_HOOK(arg, krsi_bprm_arg(bprm, 1, buf, sizeof(buf)))
OTHER_HOOK(env, krsi_bprm_env(bprm, name, buf, sizeof(buf)))
OTHER_HOOK(dump, krsi_bprm_dump(bprm, &ring, 0))

/* Other types of programs, where the same structure is at hand or not. */
#define OTHER_TYPE(prog, section)			\
SEC(section)						\
int BPF_PROG(prog, struct linux_binprm *bprm)		\
{							\
	return krsi_bprm_dump(bprm, &ring, 0) < 0;	\
}

OTHER_TYPE(cgroup, "lsm_cgroup/bprm_check_security")
OTHER_TYPE(fentry, "fentry/bpf_lsm_bprm_check_security")
OTHER_TYPE(fentry_sleepable, "fentry.s/bpf_fentry_test1")
OTHER_TYPE(fexit_sleepable, "fexit.s/bpf_fentry_test1")
OTHER_TYPE(iterator, "iter.s/task")
OTHER_TYPE(kprobe, "kprobe/security_bprm_check")
OTHER_TYPE(system_call, "syscall")

SEC("tp_btf/sched_process_exec")
int BPF_PROG(raw_tracepoint, struct task_struct *p, int old_pid, struct linux_binprm *bprm)
{
	return krsi_bprm_dump(bprm, &ring, 0) < 0;
}

SEC("socket")
int socket_filter(void *ctx)
{
	return krsi_bprm_dump(NULL, &ring, 0) < 0;
}

/* The hook is right, but there nothing may sleep. */
SEC("lsm/bprm_check_security")
int BPF_PROG(atomic, struct linux_binprm *bprm)
{
	char buf[16] = {};

	return krsi_bprm_arg(bprm, 1, buf, sizeof(buf)) == 1 ? -EPERM : 0;
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(under_rcu, struct linux_binprm *bprm)
{
	char buf[16] = {};
	__s64 len;

	bpf_rcu_read_lock();
	len = krsi_bprm_arg(bprm, 1, buf, sizeof(buf));
	bpf_rcu_read_unlock();
	return len == 1 ? -EPERM : 0;
}

/* Something else in the place of the structure. */
SEC("lsm.s/bprm_check_security")
int BPF_PROG(untrusted, struct linux_binprm *bprm)
{
	char buf[16] = {};

	bprm = bpf_rdonly_cast(bprm, bpf_core_type_id_kernel(struct linux_binprm));
	return krsi_bprm_arg(bprm, 1, buf, sizeof(buf)) == 1 ? -EPERM : 0;
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(other_struct, struct linux_binprm *bprm)
{
	char buf[16] = {};

	bprm = (void *)bprm->file;
	return krsi_bprm_arg(bprm, 1, buf, sizeof(buf)) == 1 ? -EPERM : 0;
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(null_bprm, struct linux_binprm *bprm)
{
	char buf[16] = {};

	return krsi_bprm_arg(NULL, 1, buf, sizeof(buf)) == 1 ? -EPERM : 0;
}

/* Memory that is not the program's to write, or not as large. */
SEC("lsm.s/bprm_check_security")
int BPF_PROG(read_only, struct linux_binprm *bprm)
{
	return krsi_bprm_arg(bprm, 1, (char *)constant, sizeof(constant)) == 1 ? -EPERM : 0;
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(too_large, struct linux_binprm *bprm)
{
	char buf[16] = {};

	return krsi_bprm_read(bprm, 0, buf, 17) == 1 ? -EPERM : 0;
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(any_size, struct linux_binprm *bprm)
{
	return krsi_bprm_read(bprm, 0, variable, number) == 1 ? -EPERM : 0;
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(null_dst, struct linux_binprm *bprm)
{
	return krsi_bprm_read(bprm, 0, NULL, 16) == 1 ? -EPERM : 0;
}

/* A name that can change while it is read. */
SEC("lsm.s/bprm_check_security")
int BPF_PROG(variable_name, struct linux_binprm *bprm)
{
	char buf[16] = {};

	return krsi_bprm_env(bprm, variable, buf, sizeof(buf)) == 1 ? -EPERM : 0;
}

/* Not maps. */
SEC("lsm.s/bprm_check_security")
int BPF_PROG(map_is_number, struct linux_binprm *bprm)
{
	return krsi_bprm_dump(bprm, (void *)number, 0) == 1 ? -EPERM : 0;
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(map_is_memory, struct linux_binprm *bprm)
{
	return krsi_bprm_dump(bprm, variable, 0) == 1 ? -EPERM : 0;
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(map_is_bprm, struct linux_binprm *bprm)
{
	return krsi_bprm_dump(bprm, bprm, 0) == 1 ? -EPERM : 0;
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(map_is_null, struct linux_binprm *bprm)
{
	return krsi_bprm_dump(bprm, NULL, 0) == 1 ? -EPERM : 0;
}

/* Perf events may be written, but not read, where the program can sleep. */
SEC("lsm.s/bprm_check_security")
int BPF_PROG(read_events, struct linux_binprm *bprm)
{
	return bpf_perf_event_read(&events, 0) == 1 ? -EPERM : 0;
}

/* Tail calls: who calls, and whom. */
SEC("lsm.s/bprm_check_security")
int BPF_PROG(call_sleepable, struct linux_binprm *bprm)
{
	bpf_tail_call(ctx, &callees, 0);
	return 0;
}

SEC("lsm/bprm_check_security")
int BPF_PROG(call_atomic, struct linux_binprm *bprm)
{
	bpf_tail_call(ctx, &callees, 0);
	return 0;
}

SEC("lsm.s/bprm_committing_creds")
int BPF_PROG(call_committing, struct linux_binprm *bprm)
{
	bpf_tail_call(ctx, &callees, 0);
	return 0;
}

SEC("lsm.s/file_open")
int BPF_PROG(call_file_open, struct file *file)
{
	bpf_tail_call(ctx, &callees, 0);
	return 0;
}

SEC("lsm.s/bprm_creds_from_file")
int BPF_PROG(call_creds_from_file, struct linux_binprm *bprm, const struct file *file)
{
	bpf_tail_call(ctx, &callees, 0);
	return 0;
}

SEC("fentry.s/bpf_fentry_test1")
int BPF_PROG(call_fentry, int a)
{
	bpf_tail_call(ctx, &callees, 0);
	return 0;
}

/* Of a hook that allows the kfunc as well, but another one. */
SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(call_creds_for_exec, struct linux_binprm *bprm)
{
	bpf_tail_call(ctx, &callees, 0);
	return 0;
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(callee, struct linux_binprm *bprm)
{
	char buf[16] = {};

	if (on_target()) {
		asked++;
		number = krsi_bprm_arg(bprm, 1, buf, sizeof(buf));
	}
	return 0;
}

/* A function that another program may replace. */
__noinline int replaceable(int value)
{
	barrier_var(value);
	return value;
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(calls_replaceable, struct linux_binprm *bprm)
{
	return replaceable(0) ? -EPERM : 0;
}

SEC("freplace/replaceable")
int replacement(int value)
{
	char buf[16] = {};

	return krsi_bprm_arg(NULL, value, buf, sizeof(buf));
}
