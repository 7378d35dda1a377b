// SPDX-License-Identifier: GPL-2.0
/*
 * exec_log: sends the arguments and the environment of every exec to its
 * loader, as the kernel has copied them, when nobody can change them any more.
 *
 * bprm_creds_for_exec is called once for each exec, with the arguments that the
 * caller gave; of a script it does not show what its interpreter gets.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "exec_log.h"

char _license[] SEC("license") = "GPL";

extern s64 krsi_bprm_dump(struct linux_binprm *bprm, void *map__map, u64 flags) __ksym;

/* Room for the largest exec there can be, and for some others. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 * 1024 * 1024);
} events SEC(".maps");

/* Execs of which the buffer had no room for all. */
unsigned long long lost;

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(log_exec, struct linux_binprm *bprm)
{
	struct exec_log_event *event;
	s64 id;

	id = krsi_bprm_dump(bprm, &events, 0);

	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		__sync_fetch_and_add(&lost, 1);
		return 0;
	}
	event->zero = 0;
	event->exec_id = id;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->uid = bpf_get_current_uid_gid();
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	event->name_len = bpf_probe_read_kernel_str(event->name, sizeof(event->name),
						    bprm->filename);
	bpf_ringbuf_submit(event, 0);
	if (id < 0)
		__sync_fetch_and_add(&lost, 1);
	return 0;
}
