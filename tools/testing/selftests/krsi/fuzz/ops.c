// SPDX-License-Identifier: GPL-2.0
/*
 * A worker: carries out its sequence of operations and compares what happens
 * with its model.
 */

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

void say(struct worker *w, const char *fmt, ...)
{
	struct per_worker *mine = &w->round->shared->worker[w->nr];
	va_list args;

	va_start(args, fmt);
	vsnprintf(w->what, sizeof(w->what), fmt, args);
	va_end(args);
	snprintf(mine->recent[mine->at % RECENT_OPS], sizeof(mine->recent[0]), "%4d %s",
		 mine->at, w->what);
	if (w->round->verbose)
		fprintf(stderr, "# worker %d op %d: %s\n", w->nr, mine->at, w->what);
}

void wrong(struct worker *w, const char *fmt, ...)
{
	struct per_worker *mine = &w->round->shared->worker[w->nr];
	va_list args;

	va_start(args, fmt);
	vsnprintf(mine->why, sizeof(mine->why), fmt, args);
	va_end(args);
	_exit(RESULT_WRONG);
}

bool hook_is_mine(const struct worker *w, int hook)
{
	return hooks[hook].owner < 0 || hooks[hook].owner == w->nr;
}

static void show_runs(char *to, size_t size, const struct model_run *runs, unsigned int len)
{
	size_t at = strlen(to);

	for (unsigned int i = 0; i < len && i < 40 && at < size; i++)
		at += snprintf(to + at, size - at, " %u:%d", runs[i].prog, runs[i].value);
}

static bool same_runs(const struct model_run *a, const struct model_run *b, unsigned int len)
{
	return !memcmp(a, b, len * sizeof(*a));
}

/* Splits what ran into programs that decide or come first, and fexit programs. */
static void split(struct worker *w, struct model_call *got)
{
	unsigned int len = w->log->len < MODEL_LOG ? w->log->len : MODEL_LOG;

	memset(got, 0, sizeof(*got));
	for (unsigned int i = 0; i < len; i++) {
		struct model_run *run = &w->log->runs[i];

		if (run->prog < (unsigned int)w->model.nprogs &&
		    w->model.progs[run->prog].kind == KIND_FEXIT && got->exits_len < MODEL_LIST)
			got->exits[got->exits_len++] = *run;
		else
			got->runs[got->len++] = *run;
	}
}

bool agrees(struct worker *w, int hook, char *why, size_t size)
{
	static struct model_call want, got;
	int verdict;

	model_predict(&w->model, hook, &want);
	w->log->len = 0;
	w->log->armed = 1;
	verdict = hook_call(w, &hooks[hook]);
	w->log->armed = 0;
	atomic_fetch_add(&w->round->shared->worker[w->nr].stats[STAT_CALLS], 1);
	split(w, &got);
	got.verdict = verdict;
	if (got.verdict == want.verdict && got.len == want.len &&
	    got.exits_len == want.exits_len && same_runs(got.runs, want.runs, want.len) &&
	    same_runs(got.exits, want.exits, want.exits_len))
		return true;
	snprintf(why, size, "%s: verdict %d (the system call: %d), expected %d\n ran:",
		 hooks[hook].name, verdict, w->kernel_errno, want.verdict);
	show_runs(why, size, got.runs, got.len);
	strncat(why, " exit:", size - strlen(why) - 1);
	show_runs(why, size, got.exits, got.exits_len);
	strncat(why, "\n expected:", size - strlen(why) - 1);
	show_runs(why, size, want.runs, want.len);
	strncat(why, " exit:", size - strlen(why) - 1);
	show_runs(why, size, want.exits, want.exits_len);
	return false;
}

void settle(struct worker *w, int hook)
{
	char why[1024] = "";

	for (int i = 0; i < 1000; i++) {
		if (agrees(w, hook, why, sizeof(why)) &&
		    securityfs_agrees(w, hook, why, sizeof(why)))
			return;
		usleep(10000);
	}
	wrong(w, "not within 10 s: %s", why);
}

static void op_call(struct worker *w)
{
	char why[1024];
	int hook;

	do
		hook = rng_below(&w->rng, hooks_count);
	while (!hook_is_mine(w, hook));
	say(w, "call %s", hooks[hook].name);
	if (!agrees(w, hook, why, sizeof(why)))
		wrong(w, "%s", why);
}

static void op_listed(struct worker *w)
{
	char why[1024];
	int hook;

	do
		hook = rng_below(&w->rng, hooks_count);
	while (!hook_is_mine(w, hook));
	say(w, "look for %s in securityfs", hooks[hook].name);
	if (!securityfs_agrees(w, hook, why, sizeof(why)))
		wrong(w, "%s", why);
}

static void op_stats(struct worker *w)
{
	say(w, "switch statistics %s", w->stats_fd < 0 ? "on" : "off");
	if (w->stats_fd < 0) {
		w->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
		return;
	}
	close(w->stats_fd);
	w->stats_fd = -1;
}

/*
 * Relieves the denier of the other worker: the new one is attached before the
 * old one is detached, so that no call may pass.
 */
static void op_relay(struct worker *w)
{
	int hook = rng_below(&w->rng, RELAYS), next, link;
	bool sleepable = rng_chance(&w->rng, 50), stop = rng_chance(&w->rng, 10);
	struct shared *shared = w->round->shared;
	atomic_int *on = &shared->relay_on[!w->nr][hook];
	int times = 1 + rng_below(&w->rng, 8);

	say(w, "relieve the denier of %s %d times%s", relay_hooks[hook].name, times,
	    stop ? ", then detach it" : "");
	for (int i = 0; i < times; i++) {
		next = w->relay_prog[hook][i & 1];
		if (next < 0 || i % 4 == 3) {
			if (next >= 0)
				close(next);
			next = relay_load(hook, shared->worker[!w->nr].pid,
					  sleepable && relay_hooks[hook].sleepable);
			if (next < 0)
				wrong(w, "a denier does not load: %d", next);
			w->relay_prog[hook][i & 1] = next;
		}
		link = link_create(next, 0, BPF_LSM_MAC, 0);
		/* The last one of an earlier operation. */
		if (link == -EBUSY)
			continue;
		if (link < 0)
			wrong(w, "a denier is not attached: %d", link);
		if (w->relay_link[hook] >= 0)
			close(w->relay_link[hook]);
		else
			atomic_fetch_add(on, 1);
		w->relay_link[hook] = link;
		atomic_fetch_add(&shared->worker[w->nr].stats[STAT_RELAYS], 1);
	}
	if (stop && w->relay_link[hook] >= 0) {
		atomic_fetch_add(on, 1);
		close(w->relay_link[hook]);
		w->relay_link[hook] = -1;
	}
}

/* An odd number says that a denier is attached. */
static void op_relayed(struct worker *w)
{
	int hook = rng_below(&w->rng, RELAYS), before, after, ret;
	atomic_int *on = &w->round->shared->relay_on[w->nr][hook];
	int times = 1 + rng_below(&w->rng, 200);

	say(w, "call %s %d times", relay_hooks[hook].name, times);
	for (int i = 0; i < times; i++) {
		before = *on;
		ret = relay_hooks[hook].call(w);
		after = *on;
		if (before == after && before % 2 && ret != -EUCLEAN)
			wrong(w, "%s: %d although a program denied at every moment",
			      relay_hooks[hook].name, ret);
	}
}

static void op_trigger(struct worker *w)
{
	say(w, "do other things");
	trigger(w, &w->rng, 1 + rng_below(&w->rng, 3));
}

static void op_securityfs(struct worker *w)
{
	securityfs_op(w);
}

static const struct op worker_ops[] = {
	{ "call", op_call, 30 },
	{ "listed", op_listed, 3 },
	{ "stats", op_stats, 1 },
	{ "relay", op_relay, 4 },
	{ "relayed", op_relayed, 6 },
	{ "trigger", op_trigger, 3 },
	{ "securityfs", op_securityfs, 3 },
	{ "kfunc", kfunc_op, 14 },
};

/* Picks an operation; the seed decides how much is attached in a round. */
static const struct op *pick_op(struct worker *w, unsigned int more)
{
	const struct op *op;
	int sum = 0, n;

	for (int i = 0; i < attach_ops_count; i++)
		sum += attach_ops[i].weight;
	for (unsigned int i = 0; i < ARRAY_SIZE(worker_ops); i++)
		sum += worker_ops[i].weight;
	n = rng_below(&w->rng, sum + more);
	for (int i = 0; i < attach_ops_count; i++) {
		op = &attach_ops[i];
		n -= op->weight;
		if (n < 0)
			return op;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(worker_ops); i++) {
		op = &worker_ops[i];
		n -= op->weight;
		if (n < 0)
			return op;
	}
	/* One more attachment. */
	return &attach_ops[2];
}

void must(struct worker *w, bool ok, const char *what)
{
	if (ok)
		return;
	snprintf(w->round->shared->worker[w->nr].why, sizeof(w->round->shared->worker[0].why),
		 "%s: %s", what, strerror(errno));
	_exit(RESULT_ERROR);
}

/* Removes what a worker that was killed has left. */
void worker_clean(int nr)
{
	char path[64];

	cgroups_remove(nr);
	for (int i = 0; i < MODEL_ATTS; i++) {
		snprintf(path, sizeof(path), BPFFS "/%d-%d", nr, i);
		unlink(path);
	}
}

static void worker_setup(struct worker *w)
{
	cpu_set_t set;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&set);
	CPU_SET(w->nr % sysconf(_SC_NPROCESSORS_ONLN), &set);
	must(w, !sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
	must(w, !unshare(CLONE_NEWNS), "unshare");
	must(w, !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
	must(w, !mount("fuzz", "/tmp", "tmpfs", 0, "mode=1777"), "a tmpfs");
	w->file = open("/tmp/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	must(w, w->file >= 0, "a file");
	w->log_fd = log_map_new(&w->log);
	must(w, w->log_fd >= 0, "a map");
	model_init(&w->model, w->round->fault);
	for (int i = 0; i < hooks_count; i++)
		model_hook(&w->model, i, hooks[i].returns_void, hooks[i].dflt);
	memset(w->prog_fd, -1, sizeof(w->prog_fd));
	memset(w->tails, -1, sizeof(w->tails));
	memset(w->relay_prog, -1, sizeof(w->relay_prog));
	memset(w->relay_link, -1, sizeof(w->relay_link));
	w->stats_fd = -1;
	cgroups_make(w);
}

/* Detaches everything; after that the hooks must return their defaults. */
static void worker_teardown(struct worker *w)
{
	for (int i = 0; i < RELAYS; i++) {
		if (w->relay_link[i] < 0)
			continue;
		atomic_fetch_add(&w->round->shared->relay_on[!w->nr][i], 1);
		close(w->relay_link[i]);
	}
	say(w, "detach the programs with kfuncs");
	kfunc_drop(w);
	say(w, "detach everything");
	while (w->nheld)
		detach_held(w);
	for (int i = 0; i < hooks_count; i++)
		if (hook_is_mine(w, i))
			settle(w, i);
}

int worker_run(struct round *round, int nr)
{
	static struct worker worker;
	struct worker *w = &worker;
	struct per_worker *mine = &round->shared->worker[nr];
	struct rng r = rng_of(round->seed, nr, ~0u);
	unsigned int more = rng_below(&r, 40);

	*w = (struct worker){ .nr = nr, .pid = getpid(), .round = round, .rng = r };
	mine->pid = w->pid;
	worker_setup(w);
	atomic_fetch_add(&round->shared->ready, 1);
	while (round->shared->ready < WORKERS)
		usleep(1000);
	for (int i = 0; i < round->ops; i++) {
		if (round->shared->skip[nr][i])
			continue;
		mine->at = i;
		w->rng = rng_of(round->seed, nr, i);
		pick_op(w, more)->run(w);
		atomic_fetch_add(&mine->stats[STAT_OPS], 1);
	}
	mine->at = round->ops;
	worker_teardown(w);
	return RESULT_OK;
}
