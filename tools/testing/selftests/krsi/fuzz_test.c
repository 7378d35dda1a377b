// SPDX-License-Identifier: GPL-2.0
/*
 * The fuzzer of fuzz/: its model, that its oracle notices mistakes, and a short
 * run.
 */

#include "common.h"
#include "fuzz/fuzz.h"

static struct model model;
static struct model_call call;

static int load(struct __test_metadata *const _metadata, struct model_prog prog)
{
	int nr = model_load(&model, &prog);

	ASSERT_LE(0, nr);
	return nr;
}

static int lsm(struct __test_metadata *const _metadata, int verdict)
{
	return load(_metadata, (struct model_prog){ .verdict = verdict, .tail = -1 });
}

static int cgroup(struct __test_metadata *const _metadata, int verdict, int retval)
{
	return load(_metadata, (struct model_prog){ .kind = KIND_CGROUP, .verdict = verdict,
						    .retval = retval, .tail = -1 });
}

static int tail(struct __test_metadata *const _metadata, int verdict, int entry)
{
	return load(_metadata, (struct model_prog){ .verdict = verdict, .tail = entry });
}

static void init(enum model_fault fault)
{
	model_init(&model, fault);
	model_hook(&model, 0, false, -ENOSYS);
	model_hook(&model, 1, true, 0);
}

TEST(model_newest_first)
{
	int a, b, c;

	init(FAULT_NONE);
	a = model_attach(&model, lsm(_metadata, -EPERM), 0, 0, false);
	b = model_attach(&model, lsm(_metadata, -EACCES), 0, 0, false);
	c = model_attach(&model, lsm(_metadata, 0), 0, 0, false);
	model_predict(&model, 0, &call);
	EXPECT_EQ(-EACCES, call.verdict);
	/* The first program that decides ends the walk. */
	ASSERT_EQ(2, call.len);
	EXPECT_EQ(2, call.runs[0].prog);
	EXPECT_EQ(1, call.runs[1].prog);

	model_detach(&model, b);
	model_predict(&model, 0, &call);
	EXPECT_EQ(-EPERM, call.verdict);
	ASSERT_EQ(2, call.len);
	EXPECT_EQ(0, call.runs[1].prog);
	model_detach(&model, a);
	model_detach(&model, c);
	model_predict(&model, 0, &call);
	EXPECT_EQ(0, call.len);
	EXPECT_EQ(-ENOSYS, call.verdict);
}

TEST(model_attaches_once)
{
	int prog;

	init(FAULT_NONE);
	prog = lsm(_metadata, 0);
	EXPECT_LE(0, model_attach(&model, prog, 0, 0, false));
	EXPECT_EQ(-EBUSY, model_attach(&model, prog, 0, 0, false));
	prog = cgroup(_metadata, 1, 0);
	EXPECT_LE(0, model_attach(&model, prog, 0, 1, true));
	EXPECT_EQ(-EINVAL, model_attach(&model, prog, 0, 1, true));
	EXPECT_LE(0, model_attach(&model, prog, 0, 1, false));
}

TEST(model_void_hook_runs_all)
{
	struct model_prog prog = { .hook = 1, .tail = -1 };

	init(FAULT_NONE);
	model_attach(&model, load(_metadata, prog), 0, 0, false);
	model_attach(&model, load(_metadata, prog), 0, 0, false);
	model_predict(&model, 1, &call);
	EXPECT_EQ(2, call.len);
	EXPECT_EQ(0, call.verdict);
}

TEST(model_cgroups)
{
	int above, other, below;

	init(FAULT_NONE);
	above = model_attach(&model, cgroup(_metadata, 1, -EACCES), 0, 0, false);
	other = model_attach(&model, cgroup(_metadata, 0, 0), 0, 3, false);
	below = model_attach(&model, cgroup(_metadata, 0, 0), 0, 2, false);

	/* Neither of the others is above the task's cgroup. */
	model.at = 1;
	model_predict(&model, 0, &call);
	EXPECT_EQ(1, call.len);
	EXPECT_EQ(-EACCES, call.verdict);
	/* All run; what one has set stands. */
	model.at = 2;
	model_predict(&model, 0, &call);
	ASSERT_EQ(2, call.len);
	EXPECT_EQ(2, call.runs[0].prog);
	EXPECT_EQ(0, call.runs[1].prog);
	EXPECT_EQ(-EACCES, call.verdict);
	model_detach(&model, above);
	model_predict(&model, 0, &call);
	EXPECT_EQ(-EPERM, call.verdict);

	/* Their place is that of the first that was attached. */
	model_attach(&model, lsm(_metadata, -EUCLEAN), 0, 0, false);
	model_predict(&model, 0, &call);
	EXPECT_EQ(-EUCLEAN, call.verdict);
	model_detach(&model, below);
	model_detach(&model, other);
	EXPECT_FALSE(model_cgroups_on(&model, 0));
	model_attach(&model, cgroup(_metadata, 0, 0), 0, 0, false);
	model_predict(&model, 0, &call);
	EXPECT_EQ(-EPERM, call.verdict);
}

TEST(model_updates)
{
	int att, prog;

	init(FAULT_NONE);
	att = model_attach(&model, cgroup(_metadata, 1, 0), 0, 0, false);
	prog = cgroup(_metadata, 0, 0);
	EXPECT_EQ(-EINVAL, model_update(&model, att, lsm(_metadata, 0)));
	EXPECT_EQ(0, model_update(&model, att, prog));
	model_predict(&model, 0, &call);
	EXPECT_EQ(-EPERM, call.verdict);
	model_detach(&model, att);
	EXPECT_EQ(-ENOLINK, model_update(&model, att, prog));
	att = model_attach(&model, lsm(_metadata, 0), 0, 0, false);
	EXPECT_EQ(-EINVAL, model_update(&model, att, prog));
}

TEST(model_tail_calls)
{
	int endless;

	init(FAULT_NONE);
	model_attach(&model, tail(_metadata, -EPERM, 1), 0, 0, false);
	model_predict(&model, 0, &call);
	EXPECT_EQ(-EPERM, call.verdict);
	model_tail(&model, 0, false, 1, lsm(_metadata, 0));
	model_predict(&model, 0, &call);
	EXPECT_EQ(2, call.len);
	EXPECT_EQ(-ENOSYS, call.verdict);
	endless = tail(_metadata, -EACCES, 1);
	model_tail(&model, 0, false, 1, endless);
	model_predict(&model, 0, &call);
	EXPECT_EQ(1 + MODEL_TAIL_CALLS, call.len);
	EXPECT_EQ(-EACCES, call.verdict);
}

TEST(model_traced)
{
	struct model_prog prog = { .kind = KIND_FENTRY, .tail = -1 };

	init(FAULT_NONE);
	model_attach(&model, load(_metadata, prog), 0, 0, false);
	prog.kind = KIND_FEXIT;
	model_attach(&model, load(_metadata, prog), 0, 0, false);
	model_attach(&model, lsm(_metadata, -EPERM), 0, 0, false);
	model_predict(&model, 0, &call);
	ASSERT_EQ(2, call.len);
	EXPECT_EQ(0, call.runs[0].prog);
	EXPECT_EQ(2, call.runs[1].prog);
	ASSERT_EQ(1, call.exits_len);
	EXPECT_EQ(1, call.exits[0].prog);
	EXPECT_EQ(-EPERM, call.exits[0].value);
}

FIXTURE(fuzz)
{
	struct round round;
};

FIXTURE_SETUP(fuzz)
{
	char why[256];

	if (!krsi_active())
		SKIP(return, "KRSI is not active");
	self->round.ops = ROUND_OPS;
	self->round.shared = shared_new();
	ASSERT_NE(NULL, self->round.shared);
	ASSERT_EQ(0, rounds_init(why, sizeof(why))) TH_LOG("%s", why);
}

FIXTURE_TEARDOWN(fuzz)
{
}

/* Runs rounds with seeds from @first on until one fails or @max are over. */
static enum result run(FIXTURE_DATA(fuzz) * self, enum model_fault fault, int first, int max)
{
	enum result result = RESULT_OK;
	int i;

	self->round.fault = fault;
	for (i = first; i < first + max && result == RESULT_OK; i++) {
		self->round.seed = i;
		result = round_run(&self->round);
	}
	return result;
}

TEST_F_TIMEOUT(fuzz, short_run, 1800)
{
	enum result result = run(self, FAULT_NONE, 1, 1);
	struct per_worker *worker = self->round.shared->worker;
	unsigned long calls = worker[0].stats[STAT_CALLS];
	unsigned long runs = worker[0].stats[STAT_KFUNC_RUNS] + worker[1].stats[STAT_KFUNC_RUNS];

	EXPECT_EQ(RESULT_OK, result);
	if (result != RESULT_OK)
		round_show(&self->round);
	EXPECT_LT(0, calls);
	EXPECT_LT(0, runs);
}

/* The oracle disagrees with a model that is wrong. */
TEST_F_TIMEOUT(fuzz, notices_mistakes, 1800)
{
	int fault;

	/* Fewer operations than usual, in more rounds. */
	self->round.ops = 150;
	for (fault = FAULT_NONE + 1; fault < FAULT_COUNT; fault++)
		EXPECT_EQ(RESULT_WRONG, run(self, fault, 100 * fault, 6))
			TH_LOG("mistake %d was not noticed", fault);
}

TEST_HARNESS_MAIN
