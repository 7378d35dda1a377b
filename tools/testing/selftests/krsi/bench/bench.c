// SPDX-License-Identifier: GPL-2.0
/*
 * bench [-b] [REGEX]: measures what LSM hooks cost under the LSM that is active,
 * in the rows whose names match REGEX. Prints lines of
 *
 *   info NAME VALUE
 *   row OPERATION/CASE UNIT VALUE...
 *
 * -b: only what is to be measured where krsi.blob= and krsi.xattrs= have space
 * for slots, which makes objects larger; without it, all else.
 *
 * Time is that of CLOCK_MONOTONIC: instructions, where the machine's clock
 * counts them. To be run as root, on an otherwise idle machine.
 */

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

/*
 * Most batches of the short kind fall between two ticks of the timer, yet two
 * readings of the clock do not count. Those of the long kind have ticks, and
 * whatever the calls left for later.
 */
#define SHORT_NS 1000000
#define SHORT_BATCHES 21
#define LONG_NS 40000000
#define LONG_BATCHES 5
#define MAX_BATCHES SHORT_BATCHES

static regex_t rows;

void complain(const char *fmt, ...)
{
	int error = errno;
	va_list args;

	fprintf(stderr, "bench: ");
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(error));
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

bool wanted(const char *op, const char *what)
{
	char name[128];

	snprintf(name, sizeof(name), "%s/%s", op, what);
	return !regexec(&rows, name, 0, NULL, 0);
}

void row_begin(const char *op, const char *what, const char *unit)
{
	printf("row %s/%s %s", op, what, unit);
}

void row_value(double value)
{
	printf(" %.2f", value);
}

void row_end(void)
{
	printf("\n");
	fflush(stdout);
}

static uint64_t batch_ns(void (*fn)(void), uint64_t calls)
{
	uint64_t i, start;

	start = now_ns();
	for (i = 0; i < calls; i++)
		fn();
	return now_ns() - start;
}

static void measure_batches(const char *op, const char *what, void (*fn)(void),
			    uint64_t length, int batches)
{
	uint64_t ns, calls = 1;
	double value[MAX_BATCHES];
	int i;

	if (!wanted(op, what))
		return;
	/* The first calls of all fill caches and fault pages in. */
	fn();
	while ((ns = batch_ns(fn, calls)) < length / 2)
		calls *= 2;
	calls = calls * length / ns;
	if (!calls)
		calls = 1;
	for (i = 0; i < batches; i++)
		value[i] = (double)batch_ns(fn, calls) / calls;

	row_begin(op, what, "ns");
	for (i = 0; i < batches; i++)
		row_value(value[i]);
	row_end();
}

void measure(const char *op, const char *what, void (*fn)(void))
{
	measure_batches(op, what, fn, SHORT_NS, SHORT_BATCHES);
}

void measure_long(const char *op, const char *what, void (*fn)(void))
{
	measure_batches(op, what, fn, LONG_NS, LONG_BATCHES);
}

/* An empty tmpfs as the working directory, which goes with this process. */
static void private_dir(const char *nothing)
{
	char buf[4096];
	ssize_t len;
	int in, out;

	in = CHECK(open(nothing, O_RDONLY | O_CLOEXEC));
	CHECK(unshare(CLONE_NEWNS));
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	/* Whether the time of access is due depends on the time of day. */
	CHECK(mount("bench", "/tmp", "tmpfs", MS_NOATIME, "mode=700"));
	CHECK(chdir("/tmp"));
	out = CHECK(open("nothing", O_WRONLY | O_CREAT | O_CLOEXEC, 0700));
	while ((len = CHECK(read(in, buf, sizeof(buf)))))
		CHECK(write(out, buf, len));
	close(in);
	close(out);
}

static void print_info(void)
{
	struct utsname uts;
	char line[256];
	FILE *file;

	uname(&uts);
	printf("info release %s\n", uts.release);
	printf("info lsm %s\n", krsi_active ? "krsi" : bpf_active ? "bpf" : "none");
	file = fopen("/sys/devices/system/cpu/vulnerabilities/spectre_v2", "r");
	if (file) {
		if (fgets(line, sizeof(line), file))
			printf("info spectre_v2 %s", line);
		fclose(file);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	/* A task that is woken must not preempt the one that wakes it. */
	struct sched_param batch = { 0 };
	struct rlimit limit = { 8192, 8192 };
	bool blobs = argc > 1 && !strcmp(argv[1], "-b");
	int args = argc - blobs;
	char nothing[4096];
	const char *slash;

	if (args > 2 ||
	    regcomp(&rows, args > 1 ? argv[1 + blobs] : "", REG_EXTENDED | REG_NOSUB)) {
		fprintf(stderr, "usage: bench [-b] [REGEX]\n");
		return 2;
	}
	slash = strrchr(argv[0], '/');
	snprintf(nothing, sizeof(nothing), "%.*snothing", slash ? (int)(slash + 1 - argv[0]) : 0,
		 argv[0]);

	/* Addresses at random need page tables at random: begin again without. */
	if (!(CHECK(personality(0xffffffff)) & ADDR_NO_RANDOMIZE)) {
		CHECK(personality(ADDR_NO_RANDOMIZE));
		CHECK(execv("/proc/self/exe", argv));
	}
	CHECK(sched_setscheduler(0, SCHED_BATCH, &batch));
	CHECK(setrlimit(RLIMIT_NOFILE, &limit));
	programs_init();
	private_dir(nothing);
	print_info();

	bench_object(blobs);
	if (blobs) {
		bench_blob();
		return 0;
	}
	bench_hooks();
	bench_syscalls();
	bench_storage();
	bench_attach();
	bench_memory();
	bench_exec();
	bench_contention();
	return 0;
}
