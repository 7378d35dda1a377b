// SPDX-License-Identifier: GPL-2.0
/*
 * exec_log [NAME...]: attaches exec_log.bpf.c and prints a line for each exec,
 * with all of its arguments and those environment variables that are named,
 * until SIGINT or SIGTERM. What did not arrive whole is said to be lost, and
 * counted; nothing is cut.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/libbpf.h>
#include "../../include/uapi/linux/krsi.h"
#include "exec_log.h"
#include "exec_log.skel.h"

/* Execs whose records come at the same time; one is dropped if there are more. */
#define MAX_OPEN 256

/* An exec whose records arrive. */
struct exec {
	unsigned long long id;	/* 0: none */
	struct krsi_exec_record last;
	size_t len;
	bool broken;
	char *area;
};

static struct exec execs[MAX_OPEN];
static unsigned int next_exec;
static char **names;
static int names_cnt;
/* What the loader could not print, for whatever reason. */
static unsigned long long lost;

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
	stopping = 1;
}

static struct exec *find(unsigned long long id)
{
	int i;

	for (i = 0; i < MAX_OPEN; i++)
		if (execs[i].id == id)
			return &execs[i];
	return NULL;
}

static void drop(struct exec *exec)
{
	free(exec->area);
	memset(exec, 0, sizeof(*exec));
}

/* Keeps the records of one exec together; they come in their order. */
static void collect(const struct krsi_exec_record *record)
{
	struct exec *exec = find(record->exec_id);
	char *area;

	if (!exec) {
		/* The oldest one goes if all are in use: its end was lost. */
		exec = &execs[next_exec++ % MAX_OPEN];
		drop(exec);
		exec->id = record->exec_id;
	}
	area = realloc(exec->area, exec->len + record->len + 1);
	if (!area || record->offset != exec->len) {
		exec->broken = true;
		exec->area = area ?: exec->area;
		return;
	}
	memcpy(area + exec->len, record + 1, record->len);
	exec->area = area;
	exec->len += record->len;
	exec->last = *record;
}

/* In quotes, and such that no string can pass for something else. */
static void print_string(const char *s, size_t len)
{
	size_t i;

	putchar('"');
	for (i = 0; i < len; i++) {
		unsigned char c = s[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			printf("\\x%02x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static bool wanted(const char *variable)
{
	int i;

	for (i = 0; i < names_cnt; i++) {
		size_t len = strlen(names[i]);

		if (!strncmp(variable, names[i], len) && variable[len] == '=')
			return true;
	}
	return false;
}

/* The strings of an area that is there whole; false if it is not. */
static bool print_area(const struct exec *exec)
{
	const struct krsi_exec_record *last = &exec->last;
	const char *s = exec->area, *end = s + exec->len;
	unsigned long long i, count = (unsigned long long)last->argc + last->envc;

	if (exec->broken || !(last->flags & KRSI_EXEC_LAST) || exec->len != last->total)
		return false;
	/* A string behind the end ends there: a NUL is put after the area. */
	exec->area[exec->len] = '\0';
	for (i = 0; i < count; i++, s += strlen(s) + 1) {
		if (s >= end) {
			printf(" (%llu strings less than there should be)", count - i);
			break;
		}
		if (i >= last->argc && !wanted(s))
			continue;
		putchar(' ');
		if (i >= last->argc)
			fputs("env ", stdout);
		print_string(s, strlen(s));
	}
	if (last->flags & KRSI_EXEC_CHANGED)
		printf(" (changed during the exec)");
	return true;
}

static void print_event(const struct exec_log_event *event)
{
	struct exec *exec = event->exec_id > 0 ? find(event->exec_id) : NULL;
	bool check = exec && exec->last.flags & KRSI_EXEC_CHECK;

	print_string(event->comm, strnlen(event->comm, sizeof(event->comm)));
	printf(" pid %d uid %u %s ", event->pid, event->uid, check ? "checks" : "executes");
	print_string(event->name, event->name_len > 0 ? event->name_len - 1 : 0);
	if (event->name_len <= 0 || event->name_len == EXEC_LOG_NAME)
		printf(" (and maybe more)");
	putchar(':');
	if (event->exec_id < 0) {
		/* The kernel has counted it. */
		printf(" arguments lost: %s\n", strerror(-event->exec_id));
	} else if (!exec || !print_area(exec)) {
		lost++;
		printf(" arguments lost: records missing\n");
	} else {
		putchar('\n');
	}
	if (exec)
		drop(exec);
}

static int receive(void *ctx, void *data, size_t size)
{
	const struct krsi_exec_record *record = data;

	if (!record->exec_id)
		print_event(data);
	else
		collect(record);
	return 0;
}

/* Says it when the number of those that were lost has changed. */
static void print_lost(const struct exec_log_bpf *skel)
{
	static unsigned long long said;
	unsigned long long now = __atomic_load_n(&skel->bss->lost, __ATOMIC_RELAXED) + lost;

	if (now != said)
		printf("lost: %llu\n", now);
	said = now;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = stop };
	struct ring_buffer *events = NULL;
	struct exec_log_bpf *skel;
	int err, i;

	names = argv + 1;
	names_cnt = argc - 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);

	skel = exec_log_bpf__open_and_load();
	if (!skel) {
		fprintf(stderr, "exec_log: the program cannot be loaded: %s\n", strerror(errno));
		return 1;
	}
	events = ring_buffer__new(bpf_map__fd(skel->maps.events), receive, NULL, NULL);
	err = events ? exec_log_bpf__attach(skel) : -errno;
	if (err) {
		fprintf(stderr, "exec_log: the program cannot be attached: %s\n", strerror(-err));
		goto out;
	}
	printf("attached\n");

	while (!stopping) {
		err = ring_buffer__poll(events, 1000);
		if (err < 0 && err != -EINTR) {
			fprintf(stderr, "exec_log: %s\n", strerror(-err));
			goto out;
		}
		print_lost(skel);
	}
	/* What came before the end is shown, too. */
	exec_log_bpf__detach(skel);
	err = ring_buffer__consume(events);
	err = err < 0 ? err : 0;
	print_lost(skel);
	printf("lost in all: %llu\n", skel->bss->lost + lost);
out:
	ring_buffer__free(events);
	exec_log_bpf__destroy(skel);
	for (i = 0; i < MAX_OPEN; i++)
		drop(&execs[i]);
	return err ? 1 : 0;
}
