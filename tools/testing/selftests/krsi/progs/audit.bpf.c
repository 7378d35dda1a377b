// SPDX-License-Identifier: GPL-2.0
/*
 * Writes the audit record that it is told to: from programs that sleep and ones
 * that do not, and in a softirq.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

extern int krsi_audit_log(const struct krsi_audit_event *event, __u32 event__sz,
			  const char *object, __u32 object__sz) __ksym;

/* What to write, and how often; the first key follows the number. */
struct krsi_audit_event event, second;
__u32 event_size, object_size, times;
char object[8192], no_object[1];
bool write_second;

/* What came of it. */
int result, second_result;
__u32 good, bad;

static __always_inline void write_it(void)
{
	__u32 e = event_size, o = object_size;
	int i;

	if (e > sizeof(event) || o > sizeof(object))
		return;
	bpf_for(i, 0, times) {
		result = krsi_audit_log(&event, e, object, o);
		if (result)
			bad++;
		else
			good++;
	}
	if (write_second)
		second_result = krsi_audit_log(&second, sizeof(second), no_object, 1);
}

SEC("lsm/task_getpgid")
int BPF_PROG(atomic, struct task_struct *p)
{
	if (bpf_get_current_task_btf()->tgid != target)
		return 0;
	write_it();
	return bounded(event.verdict);
}

SEC("lsm.s/socket_create")
int BPF_PROG(sleepable, int family, int type, int protocol, int kern)
{
	if (bpf_get_current_task_btf()->tgid != target)
		return 0;
	write_it();
	return bounded(event.verdict);
}

__u16 port;

SEC("lsm/socket_sock_rcv_skb")
int BPF_PROG(softirq, struct sock *sk, struct sk_buff *skb)
{
	if (port && sk->__sk_common.skc_num == port)
		write_it();
	return 0;
}
