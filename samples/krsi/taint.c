// SPDX-License-Identifier: GPL-2.0
/*
 * taint -s SOURCE... -p PROTECTED...: attaches the policy of taint.bpf.c, which
 * needs a kernel with the boot program taint_boot.bpf.c, and prints who becomes
 * tainted and who is denied what until SIGINT or SIGTERM.
 */
#include <signal.h>
#include <bpf/libbpf.h>
#include "krsi_slot.h"
#include "taint.h"
#include "taint.skel.h"

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
	stopping = 1;
}

static int print_event(void *ctx, void *data, size_t size)
{
	const struct taint_event *event = data;

	printf("%s[%d] %s %s\n", event->comm, event->pid,
	       event->action == TAINT_DENIED ? "may not access" : "is tainted by", event->name);
	return 0;
}

/* The open file keeps the inode, and with it the mark, in memory. */
static int mark(struct taint_bpf *skel, const char *path, int value)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return bpf_map__update_elem(skel->maps.marks, &fd, sizeof(fd), &value, sizeof(value),
				    BPF_NOEXIST);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = stop };
	struct ring_buffer *events = NULL;
	struct taint_bpf *skel;
	int err, option, marked = 0;
	long long slot;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);

	skel = taint_bpf__open();
	if (!skel) {
		fprintf(stderr, "taint: the policy cannot be opened: %s\n", strerror(errno));
		return 1;
	}
	slot = krsi_boot_slot("cred", TAINT_SLOT, sizeof(__u64));
	if (slot < 0) {
		err = slot;
		fprintf(stderr, "taint: no slot '%s' of a boot program: %s\n", TAINT_SLOT,
			strerror(-err));
		goto out;
	}
	skel->rodata->tainted = slot;
	err = taint_bpf__load(skel);
	if (err) {
		fprintf(stderr, "taint: the policy cannot be loaded: %s\n", strerror(-err));
		goto out;
	}
	while ((option = getopt(argc, argv, "s:p:")) != -1) {
		if (option == '?')
			break;
		err = mark(skel, optarg, option == 's' ? TAINT_SOURCE : TAINT_PROTECTED);
		if (err) {
			fprintf(stderr, "taint: %s: %s\n", optarg, strerror(-err));
			goto out;
		}
		marked++;
	}
	if (option != -1 || optind != argc || !marked) {
		fprintf(stderr, "usage: taint [-s SOURCE]... [-p PROTECTED]...\n");
		err = -EINVAL;
		goto out;
	}
	events = ring_buffer__new(bpf_map__fd(skel->maps.events), print_event, NULL, NULL);
	err = events ? taint_bpf__attach(skel) : -errno;
	if (err) {
		fprintf(stderr, "taint: the policy cannot be attached: %s\n", strerror(-err));
		goto out;
	}
	printf("attached\n");

	while (!stopping) {
		err = ring_buffer__poll(events, -1);
		if (err < 0 && err != -EINTR) {
			fprintf(stderr, "taint: %s\n", strerror(-err));
			goto out;
		}
	}
	err = 0;
out:
	ring_buffer__free(events);
	taint_bpf__destroy(skel);
	return err ? 1 : 0;
}
