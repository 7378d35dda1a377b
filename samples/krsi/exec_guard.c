// SPDX-License-Identifier: GPL-2.0
/*
 * exec_guard: attaches the policy of exec_guard.bpf.c and prints what it denies
 * until SIGINT or SIGTERM.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/libbpf.h>
#include "exec_guard.h"
#include "exec_guard.skel.h"

static const char *const reasons[] = {
	[GUARD_PRELOAD] = "LD_PRELOAD or LD_AUDIT is set",
	[GUARD_LOADER] = "the dynamic loader is no program",
	[GUARD_FORWARD] = "remote forwarding",
	[GUARD_SERVER] = "http.server",
	[GUARD_UNKNOWN] = "unknown option",
	[GUARD_TOO_LONG] = "string too long",
	[GUARD_TOO_MANY] = "too many arguments",
	[GUARD_UNREADABLE] = "strings cannot be read",
};

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
	stopping = 1;
}

static int print_event(void *ctx, void *data, size_t size)
{
	const struct exec_guard_event *event = data;

	printf("%s[%d] may not run %s: %s", event->comm, event->pid, event->name,
	       reasons[event->reason]);
	if (event->arg)
		printf(" (argument %u)", event->arg);
	putchar('\n');
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = stop };
	struct ring_buffer *events = NULL;
	struct exec_guard_bpf *skel;
	int err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);

	skel = exec_guard_bpf__open_and_load();
	if (!skel) {
		fprintf(stderr, "exec_guard: the policy cannot be loaded: %s\n", strerror(errno));
		return 1;
	}
	events = ring_buffer__new(bpf_map__fd(skel->maps.events), print_event, NULL, NULL);
	err = events ? exec_guard_bpf__attach(skel) : -errno;
	if (err) {
		fprintf(stderr, "exec_guard: the policy cannot be attached: %s\n", strerror(-err));
		goto out;
	}
	printf("attached\n");

	while (!stopping) {
		err = ring_buffer__poll(events, -1);
		if (err < 0 && err != -EINTR) {
			fprintf(stderr, "exec_guard: %s\n", strerror(-err));
			goto out;
		}
	}
	err = 0;
	if (skel->bss->lost)
		printf("denied, but not shown: %llu\n", skel->bss->lost);
out:
	ring_buffer__free(events);
	exec_guard_bpf__destroy(skel);
	return err ? 1 : 0;
}
