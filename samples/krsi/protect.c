// SPDX-License-Identifier: GPL-2.0
/*
 * protect FILE...: marks each FILE, attaches the policy of protect.bpf.c and
 * prints its decisions until SIGINT or SIGTERM. An ordinary libbpf loader:
 * nothing in it knows which LSM runs the programs.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/libbpf.h>
#include "protect.h"
#include "protect.skel.h"

static const char *const hook_names[] = {
	[PROTECT_OPEN] = "open",
	[PROTECT_UNLINK] = "unlink",
	[PROTECT_RENAME] = "rename",
};

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
	stopping = 1;
}

static int print_event(void *ctx, void *data, size_t size)
{
	const struct protect_event *event = data;

	printf("%s[%d] %s: %s\n", event->comm, event->pid, hook_names[event->hook],
	       event->verdict ? strerror(-event->verdict) : "allowed");
	return 0;
}

/* The open file keeps the inode, and with it the mark, in memory. */
static int mark(struct protect_bpf *skel, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), one = 1;

	if (fd < 0)
		return -errno;
	return bpf_map__update_elem(skel->maps.protected, &fd, sizeof(fd), &one, sizeof(one),
				    BPF_ANY);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = stop };
	struct ring_buffer *events = NULL;
	struct protect_bpf *skel;
	int err, i;

	if (argc < 2) {
		fprintf(stderr, "usage: protect FILE...\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);

	skel = protect_bpf__open_and_load();
	if (!skel) {
		fprintf(stderr, "protect: the policy cannot be loaded: %s\n", strerror(errno));
		return 1;
	}
	for (i = 1; i < argc; i++) {
		err = mark(skel, argv[i]);
		if (err) {
			fprintf(stderr, "protect: %s: %s\n", argv[i], strerror(-err));
			goto out;
		}
	}
	events = ring_buffer__new(bpf_map__fd(skel->maps.events), print_event, NULL, NULL);
	err = events ? protect_bpf__attach(skel) : -errno;
	if (err) {
		fprintf(stderr, "protect: the policy cannot be attached: %s\n", strerror(-err));
		goto out;
	}
	printf("attached\n");

	while (!stopping) {
		err = ring_buffer__poll(events, -1);
		if (err < 0 && err != -EINTR) {
			fprintf(stderr, "protect: %s\n", strerror(-err));
			goto out;
		}
	}
	err = 0;
out:
	ring_buffer__free(events);
	/* Closing the links detaches the programs. */
	protect_bpf__destroy(skel);
	return err ? 1 : 0;
}
