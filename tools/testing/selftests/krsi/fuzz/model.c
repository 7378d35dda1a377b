// SPDX-License-Identifier: GPL-2.0
/*
 * The model of what is attached. See "How verdicts are made" in
 * Documentation/admin-guide/LSM/krsi.rst for the rules.
 */

#include <errno.h>
#include <string.h>

#include "model.h"

const int model_parent[MODEL_CGROUPS] = { -1, 0, 1, 0 };

void model_init(struct model *m, enum model_fault fault)
{
	memset(m, 0, sizeof(*m));
	m->fault = fault;
}

void model_hook(struct model *m, int hook, bool returns_void, int dflt)
{
	struct model_hook *h = &m->hooks[hook];

	h->used = true;
	h->returns_void = returns_void;
	h->dflt = returns_void ? 0 : dflt;
	for (int i = 0; i < MODEL_TAILS; i++)
		h->tails[0][i] = h->tails[1][i] = -1;
}

/* Returns the number of the program, or -ENOSPC. */
int model_load(struct model *m, const struct model_prog *prog)
{
	if (m->nprogs == MODEL_PROGS)
		return -ENOSPC;
	m->progs[m->nprogs] = *prog;
	return m->nprogs++;
}

static void add_first(int *list, int *len, int what)
{
	memmove(list + 1, list, *len * sizeof(*list));
	list[0] = what;
	(*len)++;
}

static void del(int *list, int *len, int what)
{
	for (int i = 0; i < *len; i++) {
		if (list[i] != what)
			continue;
		memmove(list + i, list + i + 1, (*len - i - 1) * sizeof(*list));
		(*len)--;
		return;
	}
}

/* True if a program of a cgroup is attached to the hook. */
bool model_cgroups_on(const struct model *m, int hook)
{
	for (int i = 0; i < MODEL_CGROUPS; i++)
		if (m->hooks[hook].cgroup_len[i])
			return true;
	return false;
}

/* Returns how many attachments a program has. */
int model_attached(const struct model *m, int prog)
{
	int count = 0;

	for (int i = 0; i < m->natts; i++)
		count += m->atts[i].on && m->atts[i].prog == prog;
	return count;
}

static bool attached_direct(const struct model *m, int prog, int cgroup)
{
	for (int i = 0; i < m->natts; i++)
		if (m->atts[i].on && m->atts[i].direct && m->atts[i].prog == prog &&
		    m->atts[i].cgroup == cgroup)
			return true;
	return false;
}

/*
 * Attaches a program; @cgroup and @direct are of programs of a cgroup only.
 * Returns the number of the attachment, or what the kernel has to answer:
 * -EBUSY, -EINVAL; -ENOSPC if the model is full.
 */
int model_attach(struct model *m, int prog, uint64_t cookie, int cgroup, bool direct)
{
	const struct model_prog *p = &m->progs[prog];
	struct model_hook *h = &m->hooks[p->hook];
	int att = m->natts, kind;

	if (att == MODEL_ATTS)
		return -ENOSPC;
	switch (p->kind) {
	case KIND_LSM:
		if (model_attached(m, prog))
			return -EBUSY;
		if (h->len >= MODEL_LIST - 1)
			return -ENOSPC;
		add_first(h->list, &h->len, att);
		break;
	case KIND_CGROUP:
		if (direct && attached_direct(m, prog, cgroup))
			return -EINVAL;
		if (h->cgroup_len[cgroup] == MODEL_LIST)
			return -ENOSPC;
		if (!model_cgroups_on(m, p->hook))
			add_first(h->list, &h->len, MODEL_SHIM);
		h->cgroup[cgroup][h->cgroup_len[cgroup]++] = att;
		break;
	default:
		kind = p->kind == KIND_FEXIT;
		if (model_attached(m, prog))
			return -EBUSY;
		if (h->traced_len[kind] == MODEL_LIST)
			return -ENOSPC;
		add_first(h->traced[kind], &h->traced_len[kind], att);
	}
	m->atts[att] = (struct model_att){ prog, cookie, cgroup, direct, true };
	return m->natts++;
}

void model_detach(struct model *m, int att)
{
	const struct model_prog *p = &m->progs[m->atts[att].prog];
	struct model_hook *h = &m->hooks[p->hook];
	int cgroup = m->atts[att].cgroup;

	if (!m->atts[att].on)
		return;
	m->atts[att].on = false;
	if (m->fault == FAULT_DETACH && p->kind == KIND_LSM)
		return;
	switch (p->kind) {
	case KIND_LSM:
		del(h->list, &h->len, att);
		break;
	case KIND_CGROUP:
		del(h->cgroup[cgroup], &h->cgroup_len[cgroup], att);
		if (!model_cgroups_on(m, p->hook))
			del(h->list, &h->len, MODEL_SHIM);
		break;
	default:
		del(h->traced[p->kind == KIND_FEXIT], &h->traced_len[p->kind == KIND_FEXIT], att);
	}
}

/* Gives a link another program. Returns 0 or what the kernel has to answer. */
int model_update(struct model *m, int att, int prog)
{
	const struct model_prog *p = &m->progs[prog];
	const struct model_prog *old = &m->progs[m->atts[att].prog];

	if (old->kind != KIND_CGROUP)
		return -EINVAL;
	if (!m->atts[att].on)
		return -ENOLINK;
	if (p->kind != KIND_CGROUP)
		return -EINVAL;
	/* The program's hook has no attachment of this link. */
	if (p->hook != old->hook)
		return -ENOENT;
	m->atts[att].prog = prog;
	return 0;
}

void model_tail(struct model *m, int hook, bool sleepable, int index, int prog)
{
	m->hooks[hook].tails[sleepable][index] = prog;
}

static void note(const struct model *m, struct model_call *call, int prog, uint64_t cookie)
{
	const struct model_prog *p = &m->progs[prog];

	if (call->len == MODEL_LOG)
		return;
	if (!p->cookie || m->fault == FAULT_COOKIE)
		cookie = 0;
	call->runs[call->len++] = (struct model_run){ prog, cookie };
}

/* Runs a program and what it tail-calls. Returns its verdict. */
static int run(const struct model *m, struct model_call *call, int prog, uint64_t cookie)
{
	int verdict = m->progs[prog].verdict;

	for (int calls = 0; ; calls++) {
		const struct model_prog *p = &m->progs[prog];
		const struct model_hook *h = &m->hooks[p->hook];

		note(m, call, prog, cookie);
		if (m->fault != FAULT_TAIL || !calls)
			verdict = p->verdict;
		if (p->kind != KIND_LSM || p->tail < 0 || calls == MODEL_TAIL_CALLS)
			return verdict;
		if (h->tails[p->sleepable][p->tail] < 0)
			return verdict;
		prog = h->tails[p->sleepable][p->tail];
	}
}

static bool is_below(int cgroup, int above)
{
	for (; cgroup >= 0; cgroup = model_parent[cgroup])
		if (cgroup == above)
			return true;
	return false;
}

/* All programs of the task's cgroup run, then those of the cgroups above. */
static int run_cgroups(const struct model *m, struct model_call *call, const struct model_hook *h)
{
	int retval = 0;

	for (int cgroup = m->at; cgroup >= 0; cgroup = model_parent[cgroup]) {
		for (int i = 0; i < h->cgroup_len[cgroup]; i++) {
			const struct model_att *att = &m->atts[h->cgroup[cgroup][i]];
			const struct model_prog *p = &m->progs[att->prog];

			note(m, call, att->prog, 0);
			if (p->retval)
				retval = p->retval;
			if (!p->verdict && !retval)
				retval = -EPERM;
		}
	}
	if (m->fault == FAULT_SCOPE) {
		for (int cgroup = 0; cgroup < MODEL_CGROUPS; cgroup++)
			if (!is_below(m->at, cgroup) && h->cgroup_len[cgroup])
				note(m, call, m->atts[h->cgroup[cgroup][0]].prog, 0);
	}
	return retval;
}

/* Returns the verdict of one entry of a hook's list. */
static int run_entry(const struct model *m, struct model_call *call, const struct model_hook *h,
		     int entry)
{
	if (entry == MODEL_SHIM)
		return run_cgroups(m, call, h);
	return run(m, call, m->atts[entry].prog, m->atts[entry].cookie);
}

/* Says what a call of the hook by the task does. */
void model_predict(const struct model *m, int hook, struct model_call *call)
{
	const struct model_hook *h = &m->hooks[hook];
	int verdict = 0;

	memset(call, 0, sizeof(*call));
	for (int i = 0; i < h->traced_len[0]; i++)
		run_entry(m, call, h, h->traced[0][i]);
	for (int i = 0; i < h->len; i++) {
		int entry = h->list[m->fault == FAULT_ORDER ? h->len - 1 - i : i];
		int ret = run_entry(m, call, h, entry);

		if (h->returns_void || verdict)
			continue;
		verdict = ret;
		if (verdict && m->fault != FAULT_STOP)
			break;
	}
	if (!verdict && m->fault != FAULT_DEFAULT)
		verdict = h->dflt;
	call->verdict = verdict;
	for (int i = 0; i < h->traced_len[1]; i++) {
		const struct model_att *att = &m->atts[h->traced[1][i]];
		struct model_run exit = { att->prog, h->returns_void ? 0 : verdict };

		call->exits[call->exits_len++] = exit;
	}
}
