// SPDX-License-Identifier: GPL-2.0
/*
 * Who may write audit records: LSM programs of every hook but the one that asks
 * whether there shall be a record; and how not to.
 */

#include "krsi.bpf.h"
#include "verdict.bpf.h"

char LICENSE[] SEC("license") = "GPL";

extern int krsi_audit_log(const struct krsi_audit_event *event, __u32 event__sz,
			  const char *object, __u32 object__sz) __ksym;

struct krsi_audit_event event;
char object[16];

#define NOT_ALLOWED "krsi_audit_log is not allowed"

static __always_inline int write_it(void)
{
	krsi_audit_log(&event, sizeof(event), object, sizeof(object));
	return 0;
}

SEC("lsm/file_open") __accept
int BPF_PROG(file_open)
{
	return write_it();
}

SEC("lsm.s/file_open") __accept
int BPF_PROG(file_open_sleepable)
{
	return write_it();
}

SEC("lsm/task_free") __accept
int BPF_PROG(task_free)
{
	return write_it();
}

SEC("lsm_cgroup/socket_create") __accept
int BPF_PROG(cgroup)
{
	write_it();
	return 1;
}

/* A hook for no programs, now; the kfunc would refuse it too. */
SEC("lsm/audit_rule_match") __reject("disabled hook")
int BPF_PROG(audit_rule_match)
{
	return write_it();
}

SEC("fentry/bpf_lsm_file_open") __reject(NOT_ALLOWED)
int BPF_PROG(fentry)
{
	return write_it();
}

SEC("tp_btf/sys_enter") __reject(NOT_ALLOWED)
int BPF_PROG(raw_tracepoint)
{
	return write_it();
}

SEC("kprobe/bpf_lsm_file_open") __reject(NOT_ALLOWED)
int BPF_PROG(kprobe)
{
	return write_it();
}

SEC("syscall") __reject(NOT_ALLOWED)
int system_call(void *ctx)
{
	return write_it();
}

SEC("lsm/file_open") __reject("R1")
int BPF_PROG(null_event)
{
	return krsi_audit_log(NULL, sizeof(event), object, sizeof(object)) & 0;
}

SEC("lsm/file_open") __reject("R3")
int BPF_PROG(null_object)
{
	return krsi_audit_log(&event, sizeof(event), NULL, 1) & 0;
}

SEC("lsm/file_open") __reject("invalid access to map value")
int BPF_PROG(too_large)
{
	return krsi_audit_log(&event, sizeof(event) + 4096, object, sizeof(object)) & 0;
}

SEC("lsm/file_open") __reject("R3")
int BPF_PROG(kernel_memory, struct file *file)
{
	return krsi_audit_log(&event, sizeof(event), (const char *)file, 8) & 0;
}
