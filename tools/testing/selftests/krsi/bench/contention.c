// SPDX-License-Identifier: GPL-2.0
/*
 * One hook on one CPU and on two at once: as many calls on each if the hook
 * writes to nothing that the two share. This takes a clock that counts time.
 */

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define REPEAT 10
#define RUN_US 200000

struct hammer {
	pthread_t thread;
	int cpu;
	uint64_t calls;
};

static struct hammer hammers[2];
static bool stop;

static void *hammer(void *arg)
{
	struct hammer *self = arg;
	uint64_t calls = 0;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(self->cpu, &cpus);
	CHECK(sched_setaffinity(0, sizeof(cpus), &cpus));
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		syscall(SYS_getpgid, 1);
		calls++;
	}
	self->calls = calls;
	return NULL;
}

/* Calls a second of all threads together. */
static double run(int threads)
{
	uint64_t start, calls = 0;
	int i;

	__atomic_store_n(&stop, false, __ATOMIC_RELAXED);
	start = now_ns();
	for (i = 0; i < threads; i++) {
		hammers[i].cpu = i;
		if (pthread_create(&hammers[i].thread, NULL, hammer, &hammers[i]))
			die("pthread_create");
	}
	usleep(RUN_US);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < threads; i++) {
		pthread_join(hammers[i].thread, NULL);
		calls += hammers[i].calls;
	}
	return 1e9 * calls / (now_ns() - start);
}

static void measure_pair(const char *one, const char *two)
{
	double values[2][REPEAT];
	int i, n;

	/* In turn: who else uses the machine disturbs both. */
	for (i = 0; i < REPEAT; i++)
		for (n = 0; n < 2; n++)
			values[n][i] = run(n + 1);
	for (n = 0; n < 2; n++) {
		row_begin("contention", n ? two : one, "calls/s");
		for (i = 0; i < REPEAT; i++)
			row_value(values[n][i]);
		row_end();
	}
}

void bench_contention(void)
{
	struct links links = {};
	int prog;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return;
	if (wanted("contention", "idle"))
		measure_pair("idle-1", "idle-2");
	if (!programs_run || !wanted("contention", "noop"))
		return;
	prog = CHECK(prog_load("task_getpgid", 0, 0));
	links_add(&links, prog_attach(prog));
	measure_pair("noop-1", "noop-2");
	links_close(&links);
	close(prog);
}
