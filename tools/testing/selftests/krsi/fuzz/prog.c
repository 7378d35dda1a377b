// SPDX-License-Identifier: GPL-2.0
/*
 * The programs of the model: they log that they ran, and decide, for one task
 * and only while it asks for it.
 */

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuzz.h"

#define OFFSET(FIELD) ((int)offsetof(struct log_map, FIELD))

int log_map_new(struct log_map **log)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "fuzz_log", 4, sizeof(**log), 1, &opts);

	if (fd < 0)
		return fd;
	*log = mmap(NULL, sizeof(**log), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*log == MAP_FAILED) {
		close(fd);
		return -errno;
	}
	return fd;
}

int raw_load(const struct code *c, int type, int attach, int btf_id, int flags, char *log,
	     size_t log_size)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		.expected_attach_type = attach,
		.attach_btf_id = btf_id,
		.prog_flags = flags,
		.log_buf = log,
		.log_size = log_size,
		.log_level = log ? 1 : 0,
	);

	if (c->overflow || c->njumps)
		return -E2BIG;
	return bpf_prog_load(type, "fuzz", "GPL", c->insns, c->len, &opts);
}

/* Unlike bpf_link_create(), never falls back to BPF_RAW_TRACEPOINT_OPEN. */
int link_create(int prog, int target, int type, uint64_t cookie)
{
	union bpf_attr attr = {};
	int fd;

	attr.link_create.prog_fd = prog;
	attr.link_create.target_fd = target;
	attr.link_create.attach_type = type;
	if (cookie)
		attr.link_create.tracing.cookie = cookie;
	fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	return fd < 0 ? -errno : fd;
}

/* Leaves the program, through the jumps, for every task but @pid. */
static void emit_only(struct code *c, int pid)
{
	emit(c, MOV_REG(BPF_REG_6, BPF_REG_1));
	emit(c, CALL_HELPER(BPF_FUNC_get_current_pid_tgid));
	emit_jump(c, JUMP32_IMM(BPF_JNE, BPF_REG_0, pid, 0));
}

/* Appends a struct model_run; R8 has its value. */
static void emit_log(struct code *c, int log_fd, int nr)
{
	int first;

	emit_ld64(c, BPF_REG_7, BPF_PSEUDO_MAP_VALUE, log_fd);
	emit(c, LOAD(BPF_W, BPF_REG_1, BPF_REG_7, OFFSET(armed)));
	emit_jump(c, JUMP_IMM(BPF_JEQ, BPF_REG_1, 0, 0));
	emit(c, LOAD(BPF_W, BPF_REG_1, BPF_REG_7, OFFSET(len)));
	emit(c, MOV_REG(BPF_REG_2, BPF_REG_1));
	emit(c, ALU_IMM(BPF_ADD, BPF_REG_2, 1));
	emit(c, STORE(BPF_W, BPF_REG_7, BPF_REG_2, OFFSET(len)));
	first = c->njumps;
	emit_jump(c, JUMP_IMM(BPF_JGE, BPF_REG_1, MODEL_LOG, 0));
	emit(c, ALU_IMM(BPF_MUL, BPF_REG_1, sizeof(struct model_run)));
	emit(c, ALU_REG(BPF_ADD, BPF_REG_1, BPF_REG_7));
	emit(c, STORE_IMM(BPF_W, BPF_REG_1, OFFSET(runs[0].prog), nr));
	emit(c, STORE(BPF_W, BPF_REG_1, BPF_REG_8, OFFSET(runs[0].value)));
	here(c, first);
}

/* Sleeps, maybe: reads memory of the task that is not there yet. */
static void emit_sleep(struct code *c, uint64_t addr)
{
	emit(c, MOV_REG(BPF_REG_1, BPF_REG_10));
	emit(c, ALU_IMM(BPF_ADD, BPF_REG_1, -8));
	emit(c, MOV_IMM(BPF_REG_2, 8));
	emit_ld64(c, BPF_REG_3, 0, addr);
	emit(c, CALL_HELPER(BPF_FUNC_copy_from_user));
}

static void generate(struct worker *w, struct code *c, int nr, const struct model_prog *p)
{
	const struct hook *hook = &hooks[p->hook];
	int neutral = p->kind == KIND_CGROUP;

	memset(c, 0, sizeof(*c));
	emit_only(c, w->pid);
	emit(c, MOV_IMM(BPF_REG_8, 0));
	if (p->kind == KIND_FEXIT && !hook->returns_void) {
		emit(c, LOAD(BPF_DW, BPF_REG_8, BPF_REG_6, 8 * hook->args));
	} else if (p->cookie) {
		emit(c, MOV_REG(BPF_REG_1, BPF_REG_6));
		emit(c, CALL_HELPER(BPF_FUNC_get_attach_cookie));
		emit(c, MOV_REG(BPF_REG_8, BPF_REG_0));
	}
	emit_log(c, w->log_fd, nr);
	if (p->sleepable)
		emit_sleep(c, (uintptr_t)w->round);
	if (p->tail >= 0) {
		emit(c, MOV_REG(BPF_REG_1, BPF_REG_6));
		emit_ld64(c, BPF_REG_2, BPF_PSEUDO_MAP_FD, w->tails[p->hook][p->sleepable]);
		emit(c, MOV_IMM(BPF_REG_3, p->tail));
		emit(c, CALL_HELPER(BPF_FUNC_tail_call));
	}
	if (p->retval) {
		emit(c, MOV_IMM(BPF_REG_1, p->retval));
		emit(c, CALL_HELPER(BPF_FUNC_set_retval));
	}
	if (hook->returns_void || p->kind == KIND_FENTRY || p->kind == KIND_FEXIT)
		emit(c, MOV_IMM(BPF_REG_0, neutral));
	else
		emit(c, MOV_IMM(BPF_REG_0, p->verdict));
	emit(c, EXIT());
	here(c, 0);
	emit(c, MOV_IMM(BPF_REG_0, neutral));
	emit(c, EXIT());
}

/*
 * Loads program @nr of the model. Returns its file descriptor or -errno; then
 * @log has what the verifier says.
 */
int prog_load(struct worker *w, int nr, const struct model_prog *p, const char **log)
{
	static const struct { int type, attach; } kinds[KIND_COUNT] = {
		[KIND_LSM] = { BPF_PROG_TYPE_LSM, BPF_LSM_MAC },
		[KIND_CGROUP] = { BPF_PROG_TYPE_LSM, BPF_LSM_CGROUP },
		[KIND_FENTRY] = { BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY },
		[KIND_FEXIT] = { BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT },
	};
	static char text[8192];
	struct code c;
	int fd;

	generate(w, &c, nr, p);
	text[0] = '\0';
	*log = text;
	fd = raw_load(&c, kinds[p->kind].type, kinds[p->kind].attach, hooks[p->hook].btf_id,
		      p->sleepable ? BPF_F_SLEEPABLE : 0, NULL, 0);
	if (fd < 0)
		raw_load(&c, kinds[p->kind].type, kinds[p->kind].attach, hooks[p->hook].btf_id,
			 p->sleepable ? BPF_F_SLEEPABLE : 0, text, sizeof(text));
	return fd;
}

/* Loads a program that denies the task @pid each call of a relay's hook. */
int relay_load(int hook, int pid, bool sleepable)
{
	struct code c = {};

	emit_only(&c, pid);
	emit(&c, MOV_IMM(BPF_REG_0, -EUCLEAN));
	emit(&c, EXIT());
	here(&c, 0);
	emit(&c, MOV_IMM(BPF_REG_0, 0));
	emit(&c, EXIT());
	return raw_load(&c, BPF_PROG_TYPE_LSM, BPF_LSM_MAC, relay_hooks[hook].btf_id,
			sleepable ? BPF_F_SLEEPABLE : 0, NULL, 0);
}

uint32_t prog_id(int fd)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	return bpf_prog_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}
