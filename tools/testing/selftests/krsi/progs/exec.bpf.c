// SPDX-License-Identifier: GPL-2.0
/*
 * Asks all there is to ask about a program that is about to run.
 */

#include "exec.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define BUFFER 4096
#define ROUNDS 8

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} ring SEC(".maps");

/* One that a record fits into, and no two. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} small_ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} events SEC(".maps");

/* Neither a ring buffer nor perf events. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} array SEC(".maps");

/* What to ask; nothing if it is negative or 0. */
__s64 arg_index = -1;
bool ask_env;
bool ask_read;
bool ask_dump;
bool ask_small_dump;
bool ask_array_dump;
bool ask_event_dump;
__u64 dump_flags;
__u64 read_off;
/* How much room there is for each answer, BUFFER at most. */
__u32 size = BUFFER;
bool deny;

/* Sleeps on this address first, until its page is there or the task is killed. */
const void *sleep_on;
bool asleep;
__u32 sleeper;
/* Pages that had to be read from swap for the answers. */
__u64 major_faults;

/* The answers to the newest question. */
__s64 arg_ret;
__s64 env_ret;
__s64 bad_name_ret;
__s64 empty_name_ret;
__s64 read_ret;
__s64 dump_ret;
__u8 arg[BUFFER];
__u8 env[BUFFER];
__u8 read[BUFFER];
/* How often they were asked for, in each hook. */
__u32 asked;
/* What each round saw. */
__s64 round_argc[ROUNDS];
__s64 round_dump[ROUNDS];

const char env_name[] = "KRSI_TEST";
const char bad_name[] = "KRSI=TEST";
const char empty_name[] = "";

/* Bytes that the kernel allocates for the task while it dumps. */
__u32 dumping;
__u64 allocated;

static __always_inline int ask(struct linux_binprm *bprm)
{
	__u32 round, room = size;

	if (!on_target())
		return 0;
	if (room > BUFFER)
		room = BUFFER;
	if (sleep_on) {
		sleeper = bpf_get_current_pid_tgid();
		asleep = true;
		bpf_copy_from_user(read, 1, sleep_on);
		asleep = false;
	}
	round = asked++ % ROUNDS;
	round_argc[round] = bprm->argc;
	major_faults = bpf_get_current_task_btf()->maj_flt;

	if (arg_index >= 0)
		arg_ret = krsi_bprm_arg(bprm, arg_index, (char *)arg, room);
	if (ask_env) {
		env_ret = krsi_bprm_env(bprm, env_name, (char *)env, room);
		bad_name_ret = krsi_bprm_env(bprm, bad_name, (char *)read, BUFFER);
		empty_name_ret = krsi_bprm_env(bprm, empty_name, (char *)read, BUFFER);
	}
	if (ask_read)
		read_ret = krsi_bprm_read(bprm, read_off, read, room);
	dumping = bpf_get_current_pid_tgid();
	if (ask_dump)
		dump_ret = krsi_bprm_dump(bprm, &ring, dump_flags);
	if (ask_small_dump)
		dump_ret = krsi_bprm_dump(bprm, &small_ring, dump_flags);
	if (ask_array_dump)
		dump_ret = krsi_bprm_dump(bprm, &array, dump_flags);
	if (ask_event_dump)
		dump_ret = krsi_bprm_dump(bprm, &events, dump_flags);
	dumping = 0;
	major_faults = bpf_get_current_task_btf()->maj_flt - major_faults;
	round_dump[round] = dump_ret;
	return deny ? -EPERM : 0;
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(check_security, struct linux_binprm *bprm)
{
	return ask(bprm);
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(creds_for_exec, struct linux_binprm *bprm)
{
	return ask(bprm);
}

SEC("lsm.s/bprm_creds_from_file")
int BPF_PROG(creds_from_file, struct linux_binprm *bprm, const struct file *file)
{
	return ask(bprm);
}

static __always_inline void allocation(__u64 bytes)
{
	if (dumping && dumping == (__u32)bpf_get_current_pid_tgid())
		__sync_fetch_and_add(&allocated, bytes);
}

SEC("tp_btf/kmalloc")
int BPF_PROG(on_kmalloc, unsigned long call_site, const void *ptr, size_t bytes_req,
	     size_t bytes_alloc)
{
	allocation(bytes_alloc);
	return 0;
}

SEC("tp_btf/kmem_cache_alloc")
int BPF_PROG(on_kmem_cache_alloc, unsigned long call_site, const void *ptr, struct kmem_cache *s)
{
	allocation(s->size);
	return 0;
}

SEC("tp_btf/mm_page_alloc")
int BPF_PROG(on_page_alloc, struct page *page, unsigned int order)
{
	allocation(4096ULL << order);
	return 0;
}
