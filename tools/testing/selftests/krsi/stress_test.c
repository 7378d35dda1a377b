// SPDX-License-Identifier: GPL-2.0
/*
 * Attaching and detaching while every CPU calls the hook. As long as a program
 * that denies is attached no call may pass, whatever happens around it; and
 * when attaching or detaching returns, it has taken effect.
 *
 * Emulated by QEMU (TCG), the machine needs "-accel tcg,thread=single": with a
 * thread for each CPU, an instruction that one CPU patches while another runs
 * it can be translated stale, and a breakpoint of the patching then outlives it
 * ("Oops: int3"), static keys' as well as trampolines'.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "common.h"
#include "stress.skel.h"

#define MAX_THREADS 2

struct hammer {
	pthread_t thread;
	int cpu;
	bool (*denied)(void);
	atomic_bool *stop;
	atomic_ulong passed;
	atomic_ulong calls;
};

FIXTURE(stress)
{
	struct stress_bpf *skel;
	struct hammer hammer[MAX_THREADS];
	atomic_bool stop;
	int threads;
	struct timespec end;
};

static bool denied_getpgid(void)
{
	return getpgid(getpid()) < 0 && errno == EPERM;
}

static bool denied_open(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == EPERM;
}

static void *hammer(void *arg)
{
	struct hammer *h = arg;
	cpu_set_t set;

	/* One on each CPU; where there is only one they take turns. */
	CPU_ZERO(&set);
	CPU_SET(h->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	while (!atomic_load_explicit(h->stop, memory_order_relaxed)) {
		if (!h->denied())
			atomic_fetch_add_explicit(&h->passed, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&h->calls, 1, memory_order_relaxed);
	}
	return NULL;
}

FIXTURE_SETUP(stress)
{
	REQUIRE_LSM();
	self->skel = stress_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->skel->bss->target = getpid();
}

FIXTURE_TEARDOWN(stress)
{
	stress_bpf__destroy(self->skel);
}

static void start(struct __test_metadata *const _metadata, FIXTURE_DATA(stress) * self,
		  bool (*denied)(void))
{
	struct hammer *h;
	int i;

	self->threads = MAX_THREADS;
	for (i = 0; i < self->threads; i++) {
		h = &self->hammer[i];
		h->cpu = i;
		h->denied = denied;
		h->stop = &self->stop;
		ASSERT_EQ(0, pthread_create(&h->thread, NULL, hammer, h));
	}
	/* Every thread is in the loop. */
	for (i = 0; i < self->threads; i++)
		ASSERT_TRUE(WAIT_FOR(self->hammer[i].calls > 0, 60));
	clock_gettime(CLOCK_MONOTONIC, &self->end);
	self->end.tv_sec += 2;
}

/* Some seconds, but no fewer than @min rounds. */
static bool go_on(FIXTURE_DATA(stress) * self, int round, int min)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return round < min || now.tv_sec < self->end.tv_sec;
}

/* True if calls of the threads have passed, and others have not. */
static bool both_seen(FIXTURE_DATA(stress) * self)
{
	unsigned long passed = 0, calls = 0;
	int i;

	/* In this order: a thread counts what has passed before it counts the call. */
	for (i = 0; i < self->threads; i++)
		calls += self->hammer[i].calls;
	for (i = 0; i < self->threads; i++)
		passed += self->hammer[i].passed;
	return passed && passed < calls;
}

static void finish(FIXTURE_DATA(stress) * self, unsigned long *passed, unsigned long *calls)
{
	int i;

	self->stop = true;
	*passed = 0;
	*calls = 0;
	for (i = 0; i < self->threads; i++) {
		pthread_join(self->hammer[i].thread, NULL);
		*passed += self->hammer[i].passed;
		*calls += self->hammer[i].calls;
	}
}

/* Links @prog and cuts it again at once. */
static void flash(struct __test_metadata *const _metadata, const struct bpf_program *prog)
{
	int link = attach_fd(bpf_program__fd(prog));

	ASSERT_LE(0, link);
	ASSERT_EQ(0, close(link));
}

/* Others come and go, newer than the program that denies. */
TEST_F_TIMEOUT(stress, no_window_below, 300)
{
	unsigned long passed, calls;
	int link, link2, round;

	link = attach_fd(bpf_program__fd(self->skel->progs.getpgid_deny));
	ASSERT_LE(0, link);
	start(_metadata, self, denied_getpgid);
	for (round = 0; go_on(self, round, 10); round++) {
		link2 = attach_fd(bpf_program__fd(self->skel->progs.getpgid_allow0));
		ASSERT_LE(0, link2);
		flash(_metadata, self->skel->progs.getpgid_allow1);
		ASSERT_EQ(0, close(link2));
	}
	finish(self, &passed, &calls);
	EXPECT_EQ(0, passed);
	EXPECT_LT(round, calls);
	close(link);
}

/*
 * ... and older than a second one that denies. (Mainline does not promise that
 * the two may relieve each other: a call that began with the one may reach it
 * when it is gone.)
 */
TEST_F_TIMEOUT(stress, no_window_above, 300)
{
	unsigned long passed, calls;
	int deny, newest, older, round;
	struct stress_bpf *other;

	other = stress_bpf__open_and_load();
	ASSERT_NE(NULL, other);
	other->bss->target = getpid();

	deny = attach_fd(bpf_program__fd(self->skel->progs.getpgid_deny));
	ASSERT_LE(0, deny);
	start(_metadata, self, denied_getpgid);
	for (round = 0; go_on(self, round, 10); round++) {
		older = attach_fd(bpf_program__fd(self->skel->progs.getpgid_allow0));
		ASSERT_LE(0, older);
		newest = attach_fd(bpf_program__fd(other->progs.getpgid_deny));
		ASSERT_LE(0, newest);
		ASSERT_EQ(0, close(older));
		flash(_metadata, self->skel->progs.getpgid_allow1);
		ASSERT_EQ(0, close(newest));
	}
	finish(self, &passed, &calls);
	EXPECT_EQ(0, passed);
	EXPECT_LT(round, calls);
	close(deny);
	stress_bpf__destroy(other);
}

/* The hook changes between sleeping and not sleeping. */
TEST_F_TIMEOUT(stress, no_window_sleepable, 300)
{
	unsigned long passed, calls;
	int link, link2, round;

	link = attach_fd(bpf_program__fd(self->skel->progs.open_deny));
	ASSERT_LE(0, link);
	start(_metadata, self, denied_open);
	for (round = 0; go_on(self, round, 10); round++) {
		link2 = attach_fd(bpf_program__fd(self->skel->progs.open_allow0));
		ASSERT_LE(0, link2);
		flash(_metadata, self->skel->progs.open_allow1);
		ASSERT_EQ(0, close(link2));
	}
	finish(self, &passed, &calls);
	EXPECT_EQ(0, passed);
	EXPECT_LT(round, calls);
	close(link);
}

/* The one that denies is the only one that may sleep. */
TEST_F_TIMEOUT(stress, no_window_below_sleepable, 300)
{
	unsigned long passed, calls;
	int link, round;

	link = attach_fd(bpf_program__fd(self->skel->progs.open_deny_sleepable));
	ASSERT_LE(0, link);
	start(_metadata, self, denied_open);
	for (round = 0; go_on(self, round, 10); round++)
		flash(_metadata, self->skel->progs.open_allow1);
	finish(self, &passed, &calls);
	EXPECT_EQ(0, passed);
	EXPECT_LT(round, calls);
	close(link);
}

/* Attaching is over when it returns; so is detaching. */
TEST_F_TIMEOUT(stress, takes_effect_at_once, 300)
{
	unsigned long passed, calls;
	int link, round, late = 0, stale = 0;

	start(_metadata, self, denied_getpgid);
	for (round = 0; go_on(self, round, 10) || !both_seen(self); round++) {
		link = attach_fd(bpf_program__fd(self->skel->progs.getpgid_deny));
		ASSERT_LE(0, link);
		late += !denied_getpgid();
		ASSERT_EQ(0, close(link));
		stale += denied_getpgid();
	}
	finish(self, &passed, &calls);
	EXPECT_EQ(0, late);
	EXPECT_EQ(0, stale);
	/* Attached and detached, the threads have seen both. */
	EXPECT_LT(0, passed);
	EXPECT_LT(passed, calls);
}

/* Not only for who attaches: every CPU is denied from then on. */
TEST_F_TIMEOUT(stress, takes_effect_everywhere, 300)
{
	unsigned long before[MAX_THREADS], calls, passed;
	int link, round, i, late = 0;

	start(_metadata, self, denied_getpgid);
	for (round = 0; go_on(self, round, 10); round++) {
		link = attach_fd(bpf_program__fd(self->skel->progs.getpgid_deny));
		ASSERT_LE(0, link);
		for (i = 0; i < self->threads; i++) {
			/* The call that was under way may pass yet. */
			calls = self->hammer[i].calls;
			while (self->hammer[i].calls < calls + 2)
				sched_yield();
			before[i] = self->hammer[i].passed;
		}
		for (i = 0; i < self->threads; i++) {
			calls = self->hammer[i].calls;
			while (self->hammer[i].calls < calls + 2)
				sched_yield();
			late += self->hammer[i].passed != before[i];
		}
		ASSERT_EQ(0, close(link));
	}
	finish(self, &passed, &calls);
	EXPECT_EQ(0, late);
}

/* Programs are freed, not only detached, while their hook is called. */
TEST_F_TIMEOUT(stress, load_and_free, 300)
{
	unsigned long passed, calls;
	int link, link2, prog, round;

	/* Reads BTF from a file, which is denied soon. */
	ASSERT_LT(0, hook_btf_id("file_open"));
	link = attach_fd(bpf_program__fd(self->skel->progs.open_deny));
	ASSERT_LE(0, link);
	start(_metadata, self, denied_open);
	for (round = 0; go_on(self, round, 10); round++) {
		prog = round % 2 ?
			load_again(self->skel->progs.open_allow1, "file_open", 0) :
			load_again(self->skel->progs.open_allow0, "file_open", BPF_F_SLEEPABLE);
		ASSERT_LE(0, prog);
		link2 = attach_fd(prog);
		ASSERT_LE(0, link2);
		close(prog);
		ASSERT_EQ(0, close(link2));
	}
	finish(self, &passed, &calls);
	EXPECT_EQ(0, passed);
	close(link);
}

struct worker {
	int prog;
	int rounds;
};

static int attach_and_detach(void *arg)
{
	struct worker *worker = arg;
	int link, i;

	for (i = 0; i < worker->rounds; i++) {
		link = attach_fd(worker->prog);
		if (link < 0)
			return 1;
		if (close(link))
			return 2;
	}
	return 0;
}

/* Several attach at once, to one hook and to two. */
TEST_F_TIMEOUT(stress, concurrent_attachers, 300)
{
	struct worker worker[4] = {
		{ bpf_program__fd(self->skel->progs.getpgid_allow0), 15 },
		{ bpf_program__fd(self->skel->progs.getpgid_allow1), 15 },
		{ bpf_program__fd(self->skel->progs.open_allow0), 15 },
		{ bpf_program__fd(self->skel->progs.open_allow1), 15 },
	};
	unsigned long passed, calls;
	pid_t pid[4];
	int link, status, i;

	link = attach_fd(bpf_program__fd(self->skel->progs.getpgid_deny));
	ASSERT_LE(0, link);
	start(_metadata, self, denied_getpgid);
	for (i = 0; i < 4; i++) {
		pid[i] = fork();
		if (!pid[i])
			_exit(attach_and_detach(&worker[i]));
		ASSERT_LT(0, pid[i]);
	}
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(pid[i], waitpid(pid[i], &status, 0));
		EXPECT_TRUE(WIFEXITED(status));
		EXPECT_EQ(0, WEXITSTATUS(status));
	}
	finish(self, &passed, &calls);
	EXPECT_EQ(0, passed);
	close(link);
}

/* One program cannot be attached twice, however close the two come. */
TEST_F_TIMEOUT(stress, concurrent_same_program, 300)
{
	int prog = bpf_program__fd(self->skel->progs.getpgid_deny);
	struct worker worker = { prog, 100 };
	int link, round, status, attached = 0;
	pid_t pid;

	pid = fork();
	if (!pid) {
		for (round = 0; round < worker.rounds; round++) {
			link = attach_fd(prog);
			if (link < 0 && link != -EBUSY)
				_exit(1);
			if (link >= 0)
				close(link);
		}
		_exit(0);
	}
	/* The child's CPU may pause while it has the program attached. */
	for (round = 0; round < worker.rounds || !attached; round++) {
		link = attach_fd(prog);
		if (link < 0) {
			ASSERT_EQ(-EBUSY, link);
			continue;
		}
		attached++;
		EXPECT_TRUE(denied_getpgid());
		close(link);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_LT(0, attached);
	EXPECT_FALSE(denied_getpgid());
}

TEST_HARNESS_MAIN
