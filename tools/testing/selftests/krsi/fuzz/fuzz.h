/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random sequences of bpf(2) and of writes to securityfs against KRSI, with a
 * model of what is attached as the oracle.
 *
 * A run is a series of rounds. A round has a seed and two workers, processes
 * that are pinned to a CPU each and carry out their own sequence of operations.
 * What a worker attaches has an effect on its own task only, so that its model
 * is exact whatever the other does.
 */

#ifndef _KRSI_FUZZ_H
#define _KRSI_FUZZ_H

#include <stdatomic.h>
#include <stddef.h>
#include <sys/types.h>

#include "insn.h"
#include "model.h"
#include "rng.h"

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif

#define WORKERS 2
#define ROUND_OPS 300
#define RECENT_OPS 24
#define BPFFS "/sys/fs/bpf/krsi-fuzz"
#define CGROUPS "/sys/fs/cgroup/krsi-fuzz"
#define KRSI_DIR "/sys/kernel/security/krsi"

enum result {
	RESULT_OK,
	/* The oracle disagrees. */
	RESULT_WRONG,
	/* The kernel complained, or a worker got stuck. */
	RESULT_COMPLAINT,
	/* The program itself could not go on. */
	RESULT_ERROR,
};

/* What programs and the worker share. */
struct log_map {
	/* Programs do nothing while this is 0. */
	uint32_t armed;
	uint32_t len;
	struct model_run runs[MODEL_LOG];
};

struct worker;

/* One hook of the model. */
struct hook {
	const char *name;
	/* The worker that it belongs to, or -1 if both attach to it. */
	int owner;
	/* Calls the hook once; returns what the system call does, or -errno. */
	int (*call)(struct worker *w);
	/* What call() returns if the call is allowed: this, or more if it is 0. */
	int allowed;
	/* Set by hooks_init(). */
	int btf_id;
	int proto;
	int args;
	bool sleepable;
	bool returns_void;
	int dflt;
};

extern struct hook hooks[MODEL_HOOKS];
extern const int hooks_count;

/* Hooks on which the workers relieve deniers of each other. */
#define RELAYS 2
extern struct hook relay_hooks[RELAYS];

enum counter {
	STAT_OPS,
	STAT_CALLS,
	STAT_LOADS,
	STAT_ATTACHES,
	STAT_RELAYS,
	STAT_KFUNC_PROGS,
	STAT_KFUNC_REFUSED,
	STAT_KFUNC_RUNS,
	STAT_COUNT,
};

#define KFUNCS_MAX 64

/* Shared by the parent and the workers. */
struct shared {
	struct per_worker {
		atomic_int pid;
		atomic_int at;
		/* The operations that were carried out last. */
		char recent[RECENT_OPS][160];
		char why[2048];
		atomic_ulong stats[STAT_COUNT];
	} worker[WORKERS];
	/* Set while a denier of the worker is attached. */
	atomic_int relay_on[WORKERS][RELAYS];
	atomic_int ready;
	/* Operations to leave out, for shrinking. */
	bool skip[WORKERS][ROUND_OPS];
	/* Accepted programs and those that ran, for each kfunc. */
	atomic_ulong kfunc_loaded[KFUNCS_MAX];
	atomic_ulong kfunc_ran[KFUNCS_MAX];
};

struct round {
	uint64_t seed;
	int ops;
	enum model_fault fault;
	struct shared *shared;
	bool verbose;
};

/* A link of the worker, or an attachment that has none. */
struct held {
	int att;
	int fd;
	bool pinned;
	int prog_fd;
};

/* A kind of operation. */
struct op {
	const char *name;
	void (*run)(struct worker *w);
	int weight;
};

struct kprog {
	int link;
	int prog;
	int runs;
};

#define HELD_MAX 96
#define KPROGS_MAX 4

struct worker {
	int nr;
	int pid;
	struct rng rng;
	struct round *round;
	struct model model;
	struct log_map *log;
	int log_fd;
	/* File descriptor and id of each program of the model; -1 if closed. */
	int prog_fd[MODEL_PROGS];
	uint32_t prog_id[MODEL_PROGS];
	struct held held[HELD_MAX];
	int nheld;
	int tails[MODEL_HOOKS][2];
	int cgroup_fd[MODEL_CGROUPS];
	int relay_prog[RELAYS][2];
	int relay_link[RELAYS];
	struct kprog kprogs[KPROGS_MAX];
	int nkprogs;
	int stats_fd;
	/* What the triggers use. */
	int file;
	int kernel_errno;
	char what[160];
};

/* hooks.c */
int hooks_init(void);
/* Calls @hook; returns the result as the hook's verdict where it is one. */
int hook_call(struct worker *w, const struct hook *hook);

/* prog.c */
int log_map_new(struct log_map **log);
int prog_load(struct worker *w, int nr, const struct model_prog *p, const char **log);
int relay_load(int hook, int pid, bool sleepable);
uint32_t prog_id(int fd);
int link_create(int prog, int target, int type, uint64_t cookie);
int raw_load(const struct code *c, int type, int attach, int btf_id, int flags, char *log,
	     size_t log_size);

/* attach.c */
extern const struct op attach_ops[];
extern const int attach_ops_count;
/* Detaches what was attached last. */
void detach_held(struct worker *w);
/* Forgets an attachment that is gone. */
void forget(struct worker *w, struct held *h);

/* cgroup.c */
void cgroups_make(struct worker *w);
void cgroups_remove(int nr);
void op_join(struct worker *w);
void op_rmdir(struct worker *w);

/* ops.c */
int worker_run(struct round *round, int nr);
void worker_clean(int nr);
/* Ends the worker, which cannot go on, unless @ok. */
void must(struct worker *w, bool ok, const char *what);
/* Calls a hook and compares what happens with the model. */
bool agrees(struct worker *w, int hook, char *why, size_t size);
/* Waits until what the kernel detaches in the background is gone. */
void settle(struct worker *w, int hook);
bool hook_is_mine(const struct worker *w, int hook);
/* Says what the current operation does, for the list of recent operations. */
void say(struct worker *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Ends the worker: the oracle disagrees. */
void wrong(struct worker *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/* securityfs.c */
void securityfs_op(struct worker *w);
bool securityfs_agrees(struct worker *w, int hook, char *why, size_t size);
int securityfs_programs(void);
void slots_claim(void);

#define SLOTS_MAX 128

struct slot {
	unsigned int number;
	unsigned int size;
	char class[32];
};

extern struct slot slots[SLOTS_MAX];
extern int slots_count;

/* kfunc.c */
int kfuncs_init(void);
int kfuncs_count(void);
const char *kfunc_name(int nr);
void kfunc_op(struct worker *w);
void kfunc_drop(struct worker *w);

/* trigger.c */
extern const char *const trigger_hooks[];
extern const int trigger_hooks_count;
void trigger(struct worker *w, struct rng *r, int count);

/* round.c */
enum result round_run(struct round *round);
enum result round_shrink(struct round *round, int seconds);
struct shared *shared_new(void);
int rounds_init(char *why, size_t size);
void round_show(const struct round *round);

#endif /* _KRSI_FUZZ_H */
