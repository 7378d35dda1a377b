// SPDX-License-Identifier: GPL-2.0
/*
 * provenance: attaches the policy of provenance.bpf.c, which needs a kernel with
 * the boot programs of provenance_boot.bpf.c, and prints what may not be executed
 * until SIGINT or SIGTERM.
 */
#include <signal.h>
#include <bpf/libbpf.h>
#include "krsi_slot.h"
#include "provenance.h"
#include "provenance.skel.h"

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
	stopping = 1;
}

static int print_event(void *ctx, void *data, size_t size)
{
	const struct provenance_event *event = data;

	printf("%s[%d] may not execute %s: ", event->comm, event->pid, event->name);
	if (event->known)
		printf("written by exec %llu, which has to do with the network\n",
		       event->exec_id);
	else
		printf("nobody knows who wrote it\n");
	return 0;
}

/* The number of a slot; ends the program without one. */
static __u32 find_slot(const char *class, const char *name)
{
	long long slot = krsi_boot_slot(class, name, sizeof(struct provenance));

	if (slot >= 0)
		return slot;
	fprintf(stderr, "provenance: no slot '%s' of a boot program: %s\n", name,
		strerror(-slot));
	exit(1);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = stop };
	struct ring_buffer *events = NULL;
	struct provenance_bpf *skel;
	int err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);

	skel = provenance_bpf__open();
	if (!skel) {
		fprintf(stderr, "provenance: the policy cannot be opened: %s\n", strerror(errno));
		return 1;
	}
	skel->rodata->running = find_slot("cred", PROVENANCE_RUNNING);
	skel->rodata->origin = find_slot("inode", PROVENANCE_ORIGIN);
	err = provenance_bpf__load(skel);
	if (err) {
		fprintf(stderr, "provenance: the policy cannot be loaded: %s\n", strerror(-err));
		goto out;
	}
	events = ring_buffer__new(bpf_map__fd(skel->maps.events), print_event, NULL, NULL);
	err = events ? provenance_bpf__attach(skel) : -errno;
	if (err) {
		fprintf(stderr, "provenance: the policy cannot be attached: %s\n", strerror(-err));
		goto out;
	}
	printf("attached\n");

	while (!stopping) {
		err = ring_buffer__poll(events, -1);
		if (err < 0 && err != -EINTR) {
			fprintf(stderr, "provenance: %s\n", strerror(-err));
			goto out;
		}
	}
	err = 0;
out:
	ring_buffer__free(events);
	provenance_bpf__destroy(skel);
	return err ? 1 : 0;
}
