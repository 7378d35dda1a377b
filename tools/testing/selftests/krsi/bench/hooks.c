// SPDX-License-Identifier: GPL-2.0
/*
 * One hook: a system call that does almost nothing else, with programs that do
 * nothing.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

static int ioctl_fd;

static void do_getpgid(void)
{
	syscall(SYS_getpgid, 1);
}

/* An ioctl() that the file has no part in. */
static void do_ioctl(void)
{
	ioctl(ioctl_fd, FIOCLEX);
}

static void measure_one(const char *op, const char *what, const char *hook, int verdict,
			uint32_t flags, void (*fn)(void))
{
	struct links links = {};
	int prog;

	if (!programs_run || !wanted(op, what))
		return;
	prog = CHECK(prog_load(hook, verdict, flags));
	links_add(&links, prog_attach(prog));
	measure(op, what, fn);
	links_close(&links);
	close(prog);
}

static void measure_many(int count)
{
	struct links links = {};
	char what[16];
	int i, prog, link;

	snprintf(what, sizeof(what), "%d", count);
	if (!programs_run || !wanted("getpgid", what))
		return;
	for (i = 0; i < count; i++) {
		prog = CHECK(prog_load("task_getpgid", 0, 0));
		link = prog_attach(prog);
		close(prog);
		/* Mainline's image of the hook is full. */
		if (link == -E2BIG)
			break;
		links_add(&links, link);
	}
	if (links.count == count)
		measure("getpgid", what, do_getpgid);
	else
		printf("info programs_max %d\n", links.count);
	links_close(&links);
}

static void measure_fentry(void)
{
	struct links links = {};
	int prog;

	if (!programs_run || !wanted("getpgid", "fentry"))
		return;
	prog = CHECK(prog_load_fentry("task_getpgid"));
	links_add(&links, prog_attach_fentry(prog));
	measure("getpgid", "fentry", do_getpgid);
	links_close(&links);
	close(prog);
}

void bench_hooks(void)
{
	static const int counts[] = { 1, 2, 3, 4, 8, 16, 36, 38, 64 };
	int i;

	measure("getpgid", "idle", do_getpgid);
	for (i = 0; i < ARRAY_SIZE(counts); i++)
		measure_many(counts[i]);
	measure_one("getpgid", "deny", "task_getpgid", -EPERM, 0, do_getpgid);
	measure_fentry();

	ioctl_fd = CHECK(open("ioctl", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	measure("ioctl", "idle", do_ioctl);
	measure_one("ioctl", "1", "file_ioctl", 0, 0, do_ioctl);
	measure_one("ioctl", "sleepable", "file_ioctl", 0, BPF_F_SLEEPABLE, do_ioctl);
	close(ioctl_fd);
}
