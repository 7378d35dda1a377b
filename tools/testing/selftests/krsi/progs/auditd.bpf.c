// SPDX-License-Identifier: GPL-2.0
/*
 * Denies getpgid(2) to processes of one name, and asks for a record; and asks for
 * one of all that auditd writes, which there must not be.
 */

#include "krsi.bpf.h"

#define EUCLEAN 117

char LICENSE[] SEC("license") = "GPL";

extern int krsi_audit_log(const struct krsi_audit_event *event, __u32 event__sz,
			  const char *object, __u32 object__sz) __ksym;

struct krsi_audit_event event = {
	.rule = 1,
	.verdict = -EUCLEAN,
	.key = "krsi-key\001second",
};
char object[] = "/a/path";

struct krsi_audit_event of_auditd = { .rule = 2, .key = "of-auditd" };
char log_file[] = "/a/log";

static __always_inline bool is(const char *wanted)
{
	char comm[16];

	bpf_get_current_comm(comm, sizeof(comm));
	return !bpf_strncmp(comm, sizeof(comm), wanted);
}

SEC("lsm/task_getpgid")
int BPF_PROG(getpgid, struct task_struct *p)
{
	if (!is("krsi_auditd"))
		return 0;
	krsi_audit_log(&event, sizeof(event), object, sizeof(object));
	return -EUCLEAN;
}

SEC("lsm/file_permission")
int BPF_PROG(permission, struct file *file, int mask)
{
	if (is("auditd"))
		krsi_audit_log(&of_auditd, sizeof(of_auditd), log_file, sizeof(log_file));
	return 0;
}
