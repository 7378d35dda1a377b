// SPDX-License-Identifier: GPL-2.0
/*
 * Asks about the program that a child of the bench executes, and takes the
 * time; or copies as much from the bench's own memory, to compare with.
 */

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "exec.h"

char LICENSE[] SEC("license") = "GPL";

extern s64 krsi_bprm_read(struct linux_binprm *bprm, u64 off, void *dst, u32 dst__sz) __ksym;
extern s64 krsi_bprm_arg(struct linux_binprm *bprm, u32 index, char *dst, u32 dst__sz) __ksym;
extern s64 krsi_bprm_env(struct linux_binprm *bprm, const char *name__str, char *dst,
			 u32 dst__sz) __ksym;
extern s64 krsi_bprm_dump(struct linux_binprm *bprm, void *map__map, u64 flags) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * EXEC_MAX);
} ring SEC(".maps");

struct scratch {
	char bytes[EXEC_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

const char name[] = EXEC_NAME;
char buf[64];

int target;
enum exec_question question;
const void *user;
__u32 size;

__u64 ns;
__s64 ret;

SEC("lsm.s/bprm_check_security")
int BPF_PROG(ask, struct linux_binprm *bprm)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch;
	__u32 i, key = 0, len = size;
	__u64 start;

	if (!target || task->real_parent->tgid != target)
		return 0;
	scratch = bpf_map_lookup_elem(&scratches, &key);
	if (!scratch || len > EXEC_MAX)
		return 0;

	start = bpf_ktime_get_ns();
	switch (question) {
	case EXEC_NOTHING:
		break;
	case EXEC_ARG:
		for (i = 0; i < EXEC_REPEAT; i++)
			ret = krsi_bprm_arg(bprm, 1, buf, sizeof(buf));
		break;
	case EXEC_ENV:
		for (i = 0; i < EXEC_REPEAT; i++)
			ret = krsi_bprm_env(bprm, name, buf, sizeof(buf));
		break;
	case EXEC_READ:
		ret = krsi_bprm_read(bprm, 0, scratch, len);
		break;
	case EXEC_DUMP:
		ret = krsi_bprm_dump(bprm, &ring, BPF_RB_NO_WAKEUP);
		break;
	case EXEC_COPY:
		ret = bpf_copy_from_user(scratch, len, user);
		break;
	}
	ns = bpf_ktime_get_ns() - start;
	return 0;
}
