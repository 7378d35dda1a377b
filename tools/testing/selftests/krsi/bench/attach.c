// SPDX-License-Identifier: GPL-2.0
/*
 * The time that attaching and detaching take, and the memory that an attached
 * program needs besides the program.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define REPEAT_ONE 15
#define REPEAT_ALL 3

/* Programs that are attached to a few hooks, few enough for mainline. */
#define SOME_HOOKS 8
#define SOME_PROGS (SOME_HOOKS * 30)

/* Whatever was left for after a grace period is done then. */
static void settle(void)
{
	usleep(200000);
}

static void print_us(const char *op, const char *what, const uint64_t *ns, int count)
{
	int i;

	if (!wanted(op, what))
		return;
	row_begin(op, what, "us");
	for (i = 0; i < count; i++)
		row_value(ns[i] / 1000.0);
	row_end();
}

/*
 * Each time with programs that were just loaded: for one that was attached
 * before, the kernel would look its hook up again.
 */
static void bench_one(void)
{
	uint64_t start, attach[REPEAT_ONE], detach[REPEAT_ONE];
	int prog, link, i;

	if (!wanted("attach", "one") && !wanted("detach", "one"))
		return;
	for (i = 0; i < REPEAT_ONE; i++) {
		prog = CHECK(prog_load("task_getpgid", 0, 0));
		settle();
		start = now_ns();
		link = CHECK(prog_attach(prog));
		attach[i] = now_ns() - start;
		settle();
		start = now_ns();
		close(link);
		detach[i] = now_ns() - start;
		close(prog);
	}
	print_us("attach", "one", attach, REPEAT_ONE);
	print_us("detach", "one", detach, REPEAT_ONE);
}

static void bench_all(void)
{
	uint64_t start, attach[REPEAT_ALL], detach[REPEAT_ALL];
	int progs[MAX_HOOKS], links[MAX_HOOKS];
	int count, i, j;

	if (!wanted("attach", "all") && !wanted("detach", "all"))
		return;
	for (i = 0; i < REPEAT_ALL; i++) {
		count = progs_load_all(progs);
		settle();
		start = now_ns();
		for (j = 0; j < count; j++)
			links[j] = prog_attach(progs[j]);
		attach[i] = now_ns() - start;
		for (j = 0; j < count; j++)
			CHECK(links[j]);
		settle();
		start = now_ns();
		for (j = 0; j < count; j++)
			close(links[j]);
		detach[i] = now_ns() - start;
		for (j = 0; j < count; j++)
			close(progs[j]);
	}
	printf("info attachable %d\n", count);
	print_us("attach", "all", attach, REPEAT_ALL);
	print_us("detach", "all", detach, REPEAT_ALL);
}

void bench_attach(void)
{
	if (!programs_run)
		return;
	bench_one();
	bench_all();
}

/*
 * What the kernel has allocated for itself, in bytes, without vmalloc()'s:
 * machine code comes from it two megabytes at a time, for whoever is next. What
 * attaching left to be freed can fill pages still: mainline's figures vary.
 */
static double used_bytes(void)
{
	char line[256], c;
	long sum = 0, n;
	FILE *file;
	int fd;

	/* Mainline's images wait for several grace periods of slow kinds. */
	sleep(3);
	/* CPUs keep back some of what they count. */
	fd = CHECK(open("/proc/sys/vm/stat_refresh", O_RDONLY | O_CLOEXEC));
	CHECK(read(fd, &c, 1));
	close(fd);
	file = fopen("/proc/meminfo", "r");
	if (!file)
		die("/proc/meminfo");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Slab: %ld", &n) == 1 || sscanf(line, "Percpu: %ld", &n) == 1)
			sum += n;
	fclose(file);
	return sum * 1024.0;
}

static void print_bytes(const char *what, double bytes)
{
	if (!wanted("memory", what))
		return;
	row_begin("memory", what, "bytes");
	row_value(bytes);
	row_end();
}

static void attach_count(struct links *links, const int *progs, int count)
{
	int i;

	for (i = 0; i < count; i++)
		links_add(links, prog_attach(progs[i]));
}

static void load_some(int *progs, const char *const *hooks)
{
	int i;

	for (i = 0; i < SOME_PROGS; i++)
		progs[i] = CHECK(prog_load(hooks[i % SOME_HOOKS], 0, 0));
}

/* With the link and its file, without machine code: see used_bytes(). */
void bench_memory(void)
{
	static const char * const fill[SOME_HOOKS] = {
		"task_getpgid", "task_getsid", "task_setnice", "task_getioprio",
		"path_chroot", "sb_mount", "sb_umount", "syslog",
	};
	static const char * const further[SOME_HOOKS] = {
		"task_setioprio", "task_setrlimit", "task_getscheduler", "task_movememory",
		"path_chmod", "path_chown", "sb_remount", "quotactl",
	};
	static int progs[3][MAX_HOOKS];
	static struct links links[3];
	double before, between, after;
	int count, fd, i;

	if (!programs_run || (!wanted("memory", "first") && !wanted("memory", "further")))
		return;
	load_some(progs[0], fill);
	count = progs_load_all(progs[1]);
	load_some(progs[2], further);
	/* The file descriptors' table grows now, not in between. */
	fd = CHECK(fcntl(0, F_DUPFD, 4 * MAX_HOOKS));

	/* What is free in the kernel's caches is used up first. */
	attach_count(&links[0], progs[0], SOME_PROGS);
	before = used_bytes();
	attach_count(&links[1], progs[1], count);
	between = used_bytes();
	attach_count(&links[2], progs[2], SOME_PROGS);
	after = used_bytes();

	print_bytes("first", (between - before) / count);
	print_bytes("further", (after - between) / SOME_PROGS);
	close(fd);
	for (i = 0; i < ARRAY_SIZE(links); i++) {
		for (count = 0; count < links[i].count; count++)
			close(progs[i][count]);
		links_close(&links[i]);
	}
}
