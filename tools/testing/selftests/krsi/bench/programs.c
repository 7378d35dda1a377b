// SPDX-License-Identifier: GPL-2.0
/*
 * Loads and attaches BPF programs, each of a few instructions, to hooks that
 * are named; the kernel's BTF tells what hooks there are.
 */

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define STUB "bpf_lsm_"

struct hook {
	char *name;
	int btf_id;
};

static struct hook hooks[MAX_HOOKS];
static int hook_count;

bool krsi_active;
bool bpf_active;
bool programs_run;

static void find_lsms(void)
{
	char list[256] = "";
	FILE *file;
	char *name;

	file = fopen("/sys/kernel/security/lsm", "r");
	if (!file || !fgets(list, sizeof(list), file))
		die("/sys/kernel/security/lsm");
	fclose(file);
	for (name = strtok(list, ",\n"); name; name = strtok(NULL, ",\n")) {
		krsi_active |= !strcmp(name, "krsi");
		bpf_active |= !strcmp(name, "bpf");
	}
	programs_run = krsi_active || bpf_active;
}

static void find_hooks(void)
{
	const struct btf_type *type;
	const char *name;
	struct btf *btf;
	__u32 id;

	btf = btf__load_vmlinux_btf();
	if (!btf)
		die("the kernel's BTF");
	for (id = 1; id < btf__type_cnt(btf); id++) {
		type = btf__type_by_id(btf, id);
		if (!btf_is_func(type))
			continue;
		name = btf__name_by_offset(btf, type->name_off);
		if (strncmp(name, STUB, strlen(STUB)) || hook_count == MAX_HOOKS)
			continue;
		hooks[hook_count].name = strdup(name + strlen(STUB));
		hooks[hook_count].btf_id = id;
		hook_count++;
	}
	btf__free(btf);
}

void programs_init(void)
{
	find_lsms();
	find_hooks();
}

static int hook_btf_id(const char *hook)
{
	int i;

	for (i = 0; i < hook_count; i++)
		if (!strcmp(hooks[i].name, hook))
			return hooks[i].btf_id;
	errno = ENOENT;
	die("hook %s", hook);
}

static int load(enum bpf_prog_type type, enum bpf_attach_type attach, int btf_id, int verdict,
		uint32_t flags)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = verdict },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts);

	opts.expected_attach_type = attach;
	opts.attach_btf_id = btf_id;
	opts.prog_flags = flags;
	return bpf_prog_load(type, "bench", "GPL", insns, ARRAY_SIZE(insns), &opts);
}

int prog_load(const char *hook, int verdict, uint32_t flags)
{
	return load(BPF_PROG_TYPE_LSM, BPF_LSM_MAC, hook_btf_id(hook), verdict, flags);
}

int prog_load_fentry(const char *hook)
{
	return load(BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, hook_btf_id(hook), 0, 0);
}

int prog_attach(int prog)
{
	return bpf_link_create(prog, 0, BPF_LSM_MAC, NULL);
}

int prog_attach_fentry(int prog)
{
	return bpf_link_create(prog, 0, BPF_TRACE_FENTRY, NULL);
}

int progs_load_all(int *progs)
{
	int i, prog, count = 0;

	for (i = 0; i < hook_count; i++) {
		/* Not every function of that name is a hook that may have programs. */
		prog = load(BPF_PROG_TYPE_LSM, BPF_LSM_MAC, hooks[i].btf_id, 0, 0);
		if (prog >= 0)
			progs[count++] = prog;
	}
	return count;
}

void links_add(struct links *links, int link)
{
	links->fd[links->count++] = CHECK(link);
}

void links_close(struct links *links)
{
	while (links->count)
		close(links->fd[--links->count]);
}

void links_attach_all(struct links *links)
{
	int progs[MAX_HOOKS];
	int i, count;

	count = progs_load_all(progs);
	for (i = 0; i < count; i++) {
		links_add(links, prog_attach(progs[i]));
		close(progs[i]);
	}
}
