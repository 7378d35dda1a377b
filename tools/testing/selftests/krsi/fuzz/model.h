/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is attached, and what a call of a hook does because of it.
 *
 * The model makes no system call. It is the oracle: after each call of a hook,
 * the programs that ran, their order, their cookies and the verdict must be what
 * model_predict() says.
 */

#ifndef _KRSI_FUZZ_MODEL_H
#define _KRSI_FUZZ_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define MODEL_HOOKS 8
#define MODEL_PROGS 1024
#define MODEL_ATTS 1024
#define MODEL_LIST 64
#define MODEL_CGROUPS 4
#define MODEL_TAILS 4
#define MODEL_LOG 512

/* MAX_TAIL_CALL_CNT of the kernel. */
#define MODEL_TAIL_CALLS 33

enum prog_kind {
	KIND_LSM,
	KIND_CGROUP,
	KIND_FENTRY,
	KIND_FEXIT,
	KIND_COUNT,
};

/* Mistakes that tests plant, to see that the oracle notices each. */
enum model_fault {
	FAULT_NONE,
	FAULT_ORDER,		/* oldest first */
	FAULT_STOP,		/* a verdict does not end the walk */
	FAULT_DEFAULT,		/* 0 instead of the hook's default */
	FAULT_SCOPE,		/* programs of a cgroup decide for every task */
	FAULT_DETACH,		/* a detached program goes on */
	FAULT_COOKIE,		/* cookies are lost */
	FAULT_TAIL,		/* a tail call returns to its caller */
	FAULT_COUNT,
};

struct model_prog {
	enum prog_kind kind;
	int hook;
	/* LSM: 0 or a negative errno; cgroup: 1 allows, 0 denies. */
	int verdict;
	/* Cgroup: what the program passes to bpf_set_retval(), or 0. */
	int retval;
	/* LSM: the entry of the hook's program array that it tail-calls, or -1. */
	int tail;
	bool sleepable;
	/* It reads its cookie. */
	bool cookie;
};

struct model_att {
	int prog;
	uint64_t cookie;
	/* Cgroup: which, and whether it was attached without a link. */
	int cgroup;
	bool direct;
	bool on;
};

struct model_hook {
	bool used;
	bool returns_void;
	int dflt;
	/* Newest first; MODEL_SHIM stands for the programs of cgroups. */
	int list[MODEL_LIST];
	int len;
	/* Oldest first. */
	int cgroup[MODEL_CGROUPS][MODEL_LIST];
	int cgroup_len[MODEL_CGROUPS];
	/* Newest first. */
	int traced[2][MODEL_LIST];
	int traced_len[2];
	/* The program arrays, of programs that do not sleep and of those that do. */
	int tails[2][MODEL_TAILS];
};

#define MODEL_SHIM (-1)

struct model {
	struct model_hook hooks[MODEL_HOOKS];
	struct model_prog progs[MODEL_PROGS];
	int nprogs;
	struct model_att atts[MODEL_ATTS];
	int natts;
	/* The cgroup that the task is in. */
	int at;
	enum model_fault fault;
};

/* One run of a program: its number, and its cookie or the value that fexit saw. */
struct model_run {
	uint32_t prog;
	int32_t value;
};

struct model_call {
	/* In the order in which they run; fexit programs apart. */
	struct model_run runs[MODEL_LOG];
	unsigned int len;
	struct model_run exits[MODEL_LIST];
	unsigned int exits_len;
	/* The hook's return value. */
	int verdict;
};

/* The parent of each cgroup; the first has none. */
extern const int model_parent[MODEL_CGROUPS];

void model_init(struct model *m, enum model_fault fault);
void model_hook(struct model *m, int hook, bool returns_void, int dflt);
int model_load(struct model *m, const struct model_prog *prog);
int model_attach(struct model *m, int prog, uint64_t cookie, int cgroup, bool direct);
void model_detach(struct model *m, int att);
int model_update(struct model *m, int att, int prog);
void model_tail(struct model *m, int hook, bool sleepable, int index, int prog);
bool model_cgroups_on(const struct model *m, int hook);
int model_attached(const struct model *m, int prog);
void model_predict(const struct model *m, int hook, struct model_call *call);

#endif /* _KRSI_FUZZ_MODEL_H */
