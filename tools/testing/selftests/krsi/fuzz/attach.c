// SPDX-License-Identifier: GPL-2.0
/*
 * Operations that load, attach and detach programs, each with what the kernel
 * has to answer.
 */

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

static const char *const kind_names[KIND_COUNT] = { "lsm", "lsm_cgroup", "fentry", "fexit" };

/* Errnos that programs return; that of task_prctl's default among them. */
static const int verdicts[] = { EPERM, EACCES, ENOENT, ENOKEY, EUCLEAN, ENOSYS, EOPNOTSUPP, 4095 };

static int pick_verdict(struct worker *w)
{
	return rng_chance(&w->rng, 60) ? 0 : -rng_pick(&w->rng, verdicts);
}

/* Returns a program that is open, of any kind or of @kind, or -1. */
static int pick_prog(struct worker *w, int kind)
{
	int count = 0, n;

	for (int i = 0; i < w->model.nprogs; i++)
		count += w->prog_fd[i] >= 0 && (kind < 0 || w->model.progs[i].kind == kind);
	if (!count)
		return -1;
	n = rng_below(&w->rng, count);
	for (int i = 0; i < w->model.nprogs; i++)
		if (w->prog_fd[i] >= 0 && (kind < 0 || w->model.progs[i].kind == kind) && !n--)
			return i;
	return -1;
}

/* Returns a hook that the worker attaches to. */
static int pick_hook(struct worker *w, bool own)
{
	int hook;

	do
		hook = rng_below(&w->rng, hooks_count);
	while (hooks[hook].owner != w->nr && (own || hooks[hook].owner >= 0));
	return hook;
}

static const char *prog_text(struct worker *w, int nr)
{
	const struct model_prog *p = &w->model.progs[nr];
	static char text[2][96];
	static int turn;
	char *t = text[turn ^= 1];

	snprintf(t, sizeof(text[0]), "%d=%s%s/%s verdict=%d%s", nr, kind_names[p->kind],
		 p->sleepable ? ".s" : "", hooks[p->hook].name, p->verdict,
		 p->tail >= 0 ? " tail" : "");
	return t;
}

/* The program array has to belong to programs of its kind before it is used. */
static void tails_new(struct worker *w, int hook, bool sleepable)
{
	struct model_prog owner = { KIND_LSM, hook, .sleepable = sleepable };
	const char *log;
	int fd;

	fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "fuzz_tails", 4, 4, MODEL_TAILS, NULL);
	if (fd < 0)
		wrong(w, "no program array: %d", fd);
	w->tails[hook][sleepable] = fd;
	fd = prog_load(w, 0, &owner, &log);
	if (fd < 0)
		wrong(w, "the owner of a program array does not load: %d\n%s", fd, log);
	close(fd);
}

static void op_load(struct worker *w)
{
	struct model_prog p = { .tail = -1 };
	const char *log;
	int fd, kind = rng_below(&w->rng, 100), nr;
	bool allowed;

	p.kind = kind < 60 ? KIND_LSM : kind < 76 ? KIND_CGROUP :
		 kind < 87 ? KIND_FENTRY : KIND_FEXIT;
	p.hook = pick_hook(w, p.kind == KIND_CGROUP);
	p.cookie = p.kind != KIND_CGROUP && p.kind != KIND_FEXIT && rng_chance(&w->rng, 50);
	p.verdict = p.kind == KIND_CGROUP;
	if (p.kind == KIND_LSM) {
		p.sleepable = rng_chance(&w->rng, 35);
		p.verdict = hooks[p.hook].returns_void ? 0 : pick_verdict(w);
	} else if (p.kind == KIND_CGROUP && !hooks[p.hook].returns_void) {
		p.verdict = rng_chance(&w->rng, 70);
		p.retval = rng_chance(&w->rng, 25) ? -rng_pick(&w->rng, verdicts) : 0;
	}
	allowed = !p.sleepable || hooks[p.hook].sleepable;
	if (p.kind == KIND_LSM && allowed && rng_chance(&w->rng, 25)) {
		p.tail = rng_below(&w->rng, MODEL_TAILS);
		if (w->tails[p.hook][p.sleepable] < 0)
			tails_new(w, p.hook, p.sleepable);
	}
	nr = w->model.nprogs;
	if (allowed && model_load(&w->model, &p) < 0)
		return;
	if (!allowed)
		say(w, "load %s.s/%s, which does not sleep", kind_names[p.kind],
		    hooks[p.hook].name);
	else
		say(w, "load %s", prog_text(w, nr));
	fd = prog_load(w, nr, &p, &log);
	atomic_fetch_add(&w->round->shared->worker[w->nr].stats[STAT_LOADS], 1);
	if (!allowed) {
		if (fd != -EINVAL)
			wrong(w, "a sleepable program loads for a hook that does not: %d", fd);
		return;
	}
	if (fd < 0)
		wrong(w, "the program does not load: %d\n%s", fd, log);
	w->prog_fd[nr] = fd;
	w->prog_id[nr] = prog_id(fd);
}

static void op_unload(struct worker *w)
{
	int prog = pick_prog(w, -1);

	if (prog < 0)
		return;
	say(w, "close program %s", prog_text(w, prog));
	close(w->prog_fd[prog]);
	w->prog_fd[prog] = -1;
}

static int attach(struct worker *w, int prog, uint64_t cookie, int cgroup, bool direct)
{
	LIBBPF_OPTS(bpf_raw_tp_opts, raw, .cookie = cookie);
	static const enum bpf_attach_type types[KIND_COUNT] = {
		BPF_LSM_MAC, BPF_LSM_CGROUP, BPF_TRACE_FENTRY, BPF_TRACE_FEXIT,
	};
	int kind = w->model.progs[prog].kind, fd = w->prog_fd[prog];

	if (kind == KIND_CGROUP && direct)
		return bpf_prog_attach(fd, w->cgroup_fd[cgroup], BPF_LSM_CGROUP,
				       BPF_F_ALLOW_MULTI);
	if (kind == KIND_CGROUP)
		return link_create(fd, w->cgroup_fd[cgroup], BPF_LSM_CGROUP, 0);
	if (direct)
		return bpf_raw_tracepoint_open_opts(fd, &raw);
	return link_create(fd, 0, types[kind], cookie);
}

static void op_attach(struct worker *w)
{
	int prog = pick_prog(w, -1), ret, expected, cgroup;
	uint64_t cookie;
	struct held *h;
	bool direct;

	if (prog < 0 || rng_chance(&w->rng, 25)) {
		op_load(w);
		prog = pick_prog(w, -1);
	}
	if (prog < 0 || w->nheld == HELD_MAX)
		return;
	cookie = rng_chance(&w->rng, 40) ? (uint32_t)rng_next(&w->rng) : 0;
	cgroup = rng_below(&w->rng, MODEL_CGROUPS);
	direct = rng_chance(&w->rng, 30);
	/* BPF_RAW_TRACEPOINT_OPEN drops the cookie of such programs. */
	if (direct)
		cookie = 0;
	expected = model_attach(&w->model, prog, cookie, cgroup, direct);
	if (expected == -ENOSPC)
		return;
	say(w, "attach %s cookie=%llx cgroup=%d direct=%d", prog_text(w, prog),
	    (unsigned long long)cookie, cgroup, direct);
	ret = attach(w, prog, cookie, cgroup, direct);
	atomic_fetch_add(&w->round->shared->worker[w->nr].stats[STAT_ATTACHES], 1);
	if (expected < 0 && ret != expected)
		wrong(w, "attach returns %d, not %d", ret, expected);
	if (expected >= 0 && ret < 0)
		wrong(w, "attach fails: %d", ret);
	if (expected < 0)
		return;
	h = &w->held[w->nheld++];
	*h = (struct held){ expected, ret, false, -1 };
	if (w->model.progs[prog].kind == KIND_CGROUP && direct) {
		h->fd = -1;
		h->prog_fd = fcntl(w->prog_fd[prog], F_DUPFD_CLOEXEC, 0);
	}
}

static void pin_path(struct worker *w, const struct held *h, char *path, size_t size)
{
	snprintf(path, size, BPFFS "/%d-%d", w->nr, h->att);
}

void forget(struct worker *w, struct held *h)
{
	*h = w->held[--w->nheld];
}

static void detach(struct worker *w, struct held *h)
{
	int hook = w->model.progs[w->model.atts[h->att].prog].hook;
	bool on = w->model.atts[h->att].on, later = false;
	bool cgroup = w->model.progs[w->model.atts[h->att].prog].kind == KIND_CGROUP;
	char path[64];
	int ret;

	model_detach(&w->model, h->att);
	if (h->prog_fd >= 0) {
		if (on) {
			ret = bpf_prog_detach2(h->prog_fd,
					       w->cgroup_fd[w->model.atts[h->att].cgroup],
					       BPF_LSM_CGROUP);
			if (ret)
				wrong(w, "detaching fails: %d", ret);
		}
		close(h->prog_fd);
	}
	if (h->pinned) {
		pin_path(w, h, path, sizeof(path));
		if (unlink(path))
			wrong(w, "%s cannot be removed: %d", path, -errno);
		/* The file's reference goes in the background. */
		later = true;
	}
	if (h->fd >= 0)
		close(h->fd);
	forget(w, h);
	if (later || cgroup)
		settle(w, hook);
}

static struct held *pick_held(struct worker *w)
{
	return w->nheld ? &w->held[rng_below(&w->rng, w->nheld)] : NULL;
}

static void op_detach(struct worker *w)
{
	struct held *h = pick_held(w);

	if (!h)
		return;
	say(w, "detach %s%s", prog_text(w, w->model.atts[h->att].prog), h->pinned ? " pinned" : "");
	detach(w, h);
}

static void op_pin(struct worker *w)
{
	struct held *h = pick_held(w);
	char path[64];
	int ret;

	if (!h || h->fd < 0 || h->pinned)
		return;
	pin_path(w, h, path, sizeof(path));
	say(w, "pin the link of %s", prog_text(w, w->model.atts[h->att].prog));
	ret = bpf_obj_pin(h->fd, path);
	if (ret)
		wrong(w, "pinning fails: %d", ret);
	h->pinned = true;
	if (rng_chance(&w->rng, 60)) {
		close(h->fd);
		h->fd = -1;
	}
}

static void op_reopen(struct worker *w)
{
	struct held *h = pick_held(w);
	char path[64];
	int fd;

	if (!h || !h->pinned)
		return;
	pin_path(w, h, path, sizeof(path));
	say(w, "open the pinned link of %s", prog_text(w, w->model.atts[h->att].prog));
	fd = bpf_obj_get(path);
	if (fd < 0)
		wrong(w, "opening %s fails: %d", path, fd);
	if (h->fd >= 0)
		close(h->fd);
	h->fd = fd;
}

/* BPF_LINK_DETACH, which links of cgroups have and others do not. */
static void op_link_detach(struct worker *w)
{
	struct held *h = pick_held(w);
	int hook, kind, ret;

	if (!h || h->fd < 0)
		return;
	kind = w->model.progs[w->model.atts[h->att].prog].kind;
	hook = w->model.progs[w->model.atts[h->att].prog].hook;
	say(w, "BPF_LINK_DETACH of %s", prog_text(w, w->model.atts[h->att].prog));
	ret = bpf_link_detach(h->fd);
	if (ret != (kind == KIND_CGROUP ? 0 : -EOPNOTSUPP))
		wrong(w, "BPF_LINK_DETACH returns %d", ret);
	if (kind == KIND_CGROUP) {
		model_detach(&w->model, h->att);
		settle(w, hook);
	}
}

static void op_update(struct worker *w)
{
	LIBBPF_OPTS(bpf_link_update_opts, opts);
	struct held *h = pick_held(w);
	int prog, ret, expected, old;

	for (int i = 0; i < 4 && (!h || h->fd < 0 ||
	     w->model.progs[w->model.atts[h->att].prog].kind != KIND_CGROUP); i++)
		h = pick_held(w);
	if (!h || h->fd < 0)
		return;
	old = w->model.atts[h->att].prog;
	prog = pick_prog(w, -1);
	for (int i = 0; i < 4 && prog >= 0 && w->model.progs[prog].hook !=
	     w->model.progs[old].hook; i++)
		prog = pick_prog(w, -1);
	if (prog < 0)
		return;
	if (rng_chance(&w->rng, 40) && w->prog_fd[old] >= 0) {
		opts.flags = BPF_F_REPLACE;
		opts.old_prog_fd = w->prog_fd[old];
	}
	say(w, "update the link of %s with %s", prog_text(w, old), prog_text(w, prog));
	expected = model_update(&w->model, h->att, prog);
	ret = bpf_link_update(h->fd, w->prog_fd[prog], &opts);
	/* Another hook of cgroups may have no number yet. */
	if (expected == -ENOENT && ret == -EINVAL)
		return;
	if (expected == -EINVAL && ret == -ENOENT)
		return;
	if (ret != expected)
		wrong(w, "BPF_LINK_UPDATE returns %d, not %d", ret, expected);
}

static void op_tail(struct worker *w)
{
	int prog = pick_prog(w, KIND_LSM), hook, expected, ret;
	__u32 index = rng_below(&w->rng, MODEL_TAILS);
	bool sleepable, fits;

	if (prog < 0)
		return;
	hook = rng_chance(&w->rng, 85) ? w->model.progs[prog].hook : pick_hook(w, false);
	sleepable = w->model.progs[prog].sleepable ^ rng_chance(&w->rng, 10);
	if (w->tails[hook][sleepable] < 0)
		return;
	if (rng_chance(&w->rng, 30)) {
		expected = w->model.hooks[hook].tails[sleepable][index] < 0 ? -ENOENT : 0;
		say(w, "clear entry %u of the array of %s sleepable=%d", index, hooks[hook].name,
		    sleepable);
		ret = bpf_map_delete_elem(w->tails[hook][sleepable], &index);
		if (ret != expected)
			wrong(w, "clearing returns %d, not %d", ret, expected);
		model_tail(&w->model, hook, sleepable, index, -1);
		return;
	}
	/* Hooks of the same prototype share their programs. */
	fits = hooks[w->model.progs[prog].hook].proto == hooks[hook].proto &&
	       w->model.progs[prog].sleepable == sleepable;
	say(w, "set entry %u of the array of %s sleepable=%d to %s", index, hooks[hook].name,
	    sleepable, prog_text(w, prog));
	ret = bpf_map_update_elem(w->tails[hook][sleepable], &index, &w->prog_fd[prog], 0);
	if (!fits) {
		if (ret != -EINVAL)
			wrong(w, "an array takes a program of another kind: %d", ret);
		return;
	}
	if (ret)
		wrong(w, "an array does not take its hook's program: %d", ret);
	model_tail(&w->model, hook, sleepable, index, prog);
}

void detach_held(struct worker *w)
{
	detach(w, &w->held[w->nheld - 1]);
}

/* Requests that must be refused. */
static void op_refused(struct worker *w)
{
	int lsm = pick_prog(w, KIND_LSM), cgroup = pick_prog(w, KIND_CGROUP), ret = -EINVAL;

	say(w, "attach what cannot be attached");
	switch (rng_below(&w->rng, 5)) {
	case 0:
		if (lsm >= 0)
			ret = link_create(w->prog_fd[lsm], 0, BPF_TRACE_FENTRY, 0);
		break;
	case 1:
		if (lsm >= 0)
			ret = link_create(w->prog_fd[lsm], w->cgroup_fd[0], BPF_LSM_CGROUP, 0);
		break;
	case 2:
		if (lsm >= 0)
			ret = bpf_prog_attach(w->prog_fd[lsm], w->cgroup_fd[0], BPF_LSM_CGROUP,
					      BPF_F_ALLOW_MULTI);
		break;
	case 3:
		if (cgroup >= 0)
			ret = link_create(w->prog_fd[cgroup], 0, BPF_LSM_MAC, 0);
		break;
	case 4:
		ret = bpf_obj_get(BPFFS "/none") == -ENOENT ? -EINVAL : 0;
		break;
	}
	if (ret != -EINVAL)
		wrong(w, "what cannot be attached is not refused: %d", ret);
}

const struct op attach_ops[] = {
	{ "load", op_load, 10 },
	{ "unload", op_unload, 4 },
	{ "attach", op_attach, 22 },
	{ "detach", op_detach, 12 },
	{ "pin", op_pin, 3 },
	{ "reopen", op_reopen, 2 },
	{ "link_detach", op_link_detach, 3 },
	{ "update", op_update, 5 },
	{ "tail", op_tail, 8 },
	{ "join", op_join, 4 },
	{ "rmdir", op_rmdir, 1 },
	{ "refused", op_refused, 2 },
};

const int attach_ops_count = ARRAY_SIZE(attach_ops);
