// SPDX-License-Identifier: GPL-2.0
/*
 * No call is decided by no policy while `krsi load` replaces one by another,
 * wherever the task that makes it is held up. Many tasks share a CPU, each in a
 * loop that does little but ask a hook. So whenever a policy is replaced, some
 * of them have found out which one is in force, and not gone on in its program.
 */

#include <sys/mman.h>
#include <sys/prctl.h>

#include "common.h"

#define FORBIDDEN "/bin/true"

/*
 * Tasks that are held up within RCU's readers, as they are meant to be, may look
 * like a stall.
 */
#define STALL "/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout"

/* What the tasks have seen, all together. */
struct seen {
	unsigned long eacces;
	unsigned long ebusy;
	/* Calls that no policy decided. */
	unsigned long other;
};

/* Makes one call that each policy denies; returns what came of it. */
static long ask_getpgid(void)
{
	return OK(getpgid(getpid()));
}

/* The hook of execve has sleepable programs. */
static long ask_execve(void)
{
	static char *argv[] = { FORBIDDEN, NULL };

	return OK(execve(FORBIDDEN, argv, argv + 1));
}

FIXTURE(rule_race)
{
	struct seen *seen;
	pid_t *tasks;
	int started;
	char stall[16];
};

FIXTURE_VARIANT(rule_race)
{
	const char *rule;
	long (*ask)(void);
	int tasks;
	int loads;
};

FIXTURE_VARIANT_ADD(rule_race, getpgid)
{
	.rule = "-S getpgid",
	.ask = ask_getpgid,
	.tasks = 50,
	.loads = 30,
};

FIXTURE_VARIANT_ADD(rule_race, execve)
{
	.rule = "-S execve -F path=" FORBIDDEN,
	.ask = ask_execve,
	.tasks = 50,
	.loads = 30,
};

static int shell(const char *format, const char *one, const char *two)
{
	char command[256];

	snprintf(command, sizeof(command), format, one, two);
	return system(command);
}

/* Replaces the policy by one that denies with @errno_name. */
static int load_rule(const char *errno_name, const char *rule)
{
	return shell("echo '-a deny=%s,exit %s' | krsi load - >/dev/null", errno_name, rule);
}

static void on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

FIXTURE_SETUP(rule_race)
{
	if (!krsi_active())
		SKIP(return, "krsi is not active");
	self->seen = mmap(NULL, sizeof(*self->seen), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->seen);
	self->tasks = calloc(variant->tasks, sizeof(*self->tasks));
	ASSERT_NE(NULL, self->tasks);
	if (read_text(STALL, self->stall, sizeof(self->stall)))
		EXPECT_TRUE(write_text(STALL, "300"));
	ASSERT_EQ(0, load_rule("EACCES", variant->rule));
}

FIXTURE_TEARDOWN(rule_race)
{
	if (!self->tasks)
		return;
	while (self->started) {
		pid_t task = self->tasks[--self->started];

		if (!task)
			continue;
		kill(task, SIGKILL);
		waitpid(task, NULL, 0);
	}
	EXPECT_EQ(0, system("krsi unload >/dev/null"));
	if (self->stall[0])
		EXPECT_TRUE(write_text(STALL, self->stall));
}

static void ask_for_ever(struct seen *seen, long (*ask)(void))
{
	for (;;) {
		unsigned long *what;

		switch (ask()) {
		case -EACCES:
			what = &seen->eacces;
			break;
		case -EBUSY:
			what = &seen->ebusy;
			break;
		default:
			what = &seen->other;
		}
		__atomic_fetch_add(what, 1, __ATOMIC_RELAXED);
	}
}

TEST_F_TIMEOUT(rule_race, each_call_is_decided, 1800)
{
	int ended = 0, number;

	/* The tasks may leave this one a CPU of its own. */
	on_cpu(0);
	while (self->started < variant->tasks) {
		pid_t task = fork();

		ASSERT_LE(0, task);
		if (!task) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			on_cpu(1);
			ask_for_ever(self->seen, variant->ask);
		}
		self->tasks[self->started++] = task;
	}
	for (number = 1; number <= variant->loads; number++)
		ASSERT_EQ(0, load_rule(number % 2 ? "EBUSY" : "EACCES", variant->rule));
	/* A task that could execute the program ended with it. */
	for (number = 0; number < self->started; number++) {
		if (!waitpid(self->tasks[number], NULL, WNOHANG))
			continue;
		self->tasks[number] = 0;
		ended++;
	}
	EXPECT_EQ(0, ended);
	EXPECT_EQ(0, self->seen->other);
	EXPECT_LT(0, self->seen->eacces);
	EXPECT_LT(0, self->seen->ebusy);
	TH_LOG("%lu and %lu calls were denied", self->seen->eacces, self->seen->ebusy);
}

TEST_HARNESS_MAIN
