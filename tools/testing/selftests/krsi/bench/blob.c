// SPDX-License-Identifier: GPL-2.0
/*
 * Blobs, through a hook each: a program that does nothing, one that gets and
 * increments a counter of the object, and the same for objects that are new. To
 * be measured where krsi.blob= and krsi.xattrs= have space for the slots.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "blob.skel.h"
#include "provenance.h"

#define BLOBS "/sys/kernel/security/krsi/blobs"
#define OBJECTS 64
#define REPEAT 15

static pid_t pids[OBJECTS];
static int fds[OBJECTS];
static int next;

static int next_object(void)
{
	next = (next + 1) % OBJECTS;
	return next;
}

static void use_task(void)
{
	syscall(SYS_getpgid, pids[next_object()]);
}

static void use_file(void)
{
	ioctl(fds[next_object()], FIOCLEX);
}

static void use_cred(void)
{
	next_object();
	syscall(SYS_getsid, getpid());
}

static void make_task(int i)
{
	pids[i] = CHECK(fork());
	if (!pids[i]) {
		for (;;)
			pause();
	}
}

static void drop_task(int i)
{
	kill(pids[i], SIGKILL);
	waitpid(pids[i], NULL, 0);
}

static void make_file(int i)
{
	char name[32];

	snprintf(name, sizeof(name), "blob.%d", i);
	fds[i] = CHECK(open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	unlink(name);
}

static void drop_file(int i)
{
	close(fds[i]);
}

static void no_object(int i)
{
}

/* The number of a slot; 0 if there is no space for one. */
static unsigned int slot_of(const char *class, const char *name, const char *claim)
{
	char line[256], want[64];
	unsigned int number = 0;
	FILE *file;
	int fd, len;

	fd = open(BLOBS, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (claim) {
		len = snprintf(line, sizeof(line), "claim %s %s %s", class, name, claim);
		len = write(fd, line, len);
	}
	close(fd);
	if (len < 0)
		return 0;
	file = fopen(BLOBS, "r");
	if (!file)
		return 0;
	snprintf(want, sizeof(want), " class=%s name=%s ", class, name);
	while (!number && fgets(line, sizeof(line), file)) {
		if (strstr(line, want))
			sscanf(line, "slot=%u", &number);
	}
	fclose(file);
	return number;
}

/* The last ones are of slots of boot programs, which cannot be claimed. */
static const struct {
	const char *op;
	const char *class;
	const char *slot;
	const char *claim;
	const char *hook;
	const char *prog;
	void (*use)(void);
	void (*make)(int i);
	void (*drop)(int i);
} kinds[] = {
	{ "task_blob", "task", "bench", "8", "task_getpgid", "blob_task", use_task, make_task,
	  drop_task },
	{ "inode_blob", "inode", "bench", "8", "file_ioctl", "blob_inode", use_file, make_file,
	  drop_file },
	{ "file_blob", "file", "bench", "8", "file_ioctl", "blob_file", use_file, make_file,
	  drop_file },
	{ "cred_blob", "cred", "bench", "8", "task_getsid", "blob_cred", use_cred, no_object,
	  no_object },
	{ "inode_kept_blob", "inode", "bench-kept", "8 xattr=yes", "file_ioctl", "blob_kept",
	  use_file, make_file, drop_file },
	{ "inode_boot_blob", "inode", PROVENANCE_ORIGIN, NULL, "file_ioctl", "blob_origin",
	  use_file, make_file, drop_file },
	{ "cred_boot_blob", "cred", PROVENANCE_RUNNING, NULL, "task_getsid", "blob_running",
	  use_cred, no_object, no_object },
};

static void first_touch(int kind)
{
	const char *op = kinds[kind].op;
	uint64_t start, ns[REPEAT];
	int i, j;

	if (!wanted(op, "first") || kinds[kind].make == no_object)
		return;
	for (i = 0; i < REPEAT; i++) {
		for (j = 0; j < OBJECTS; j++) {
			kinds[kind].drop(j);
			kinds[kind].make(j);
		}
		usleep(50000);
		start = now_ns();
		for (j = 0; j < OBJECTS; j++)
			kinds[kind].use();
		ns[i] = now_ns() - start;
	}
	row_begin(op, "first", "ns");
	for (i = 0; i < REPEAT; i++)
		row_value((double)ns[i] / OBJECTS);
	row_end();
}

static void bench_kind(int kind)
{
	const char *op = kinds[kind].op;
	struct links links = {};
	struct bpf_program *prog;
	struct blob_bpf *skel;
	unsigned int slot;
	int i, noop;

	if (!wanted(op, "noop") && !wanted(op, "get") && !wanted(op, "first"))
		return;
	slot = slot_of(kinds[kind].class, kinds[kind].slot, kinds[kind].claim);
	if (!slot)
		return;
	skel = blob_bpf__open();
	if (!skel)
		die("the programs that use blobs");
	skel->rodata->slot = slot;
	prog = bpf_object__find_program_by_name(skel->obj, kinds[kind].prog);
	bpf_program__set_autoload(prog, true);
	if (blob_bpf__load(skel))
		die("the programs that use blobs");
	for (i = 0; i < OBJECTS; i++)
		kinds[kind].make(i);

	noop = CHECK(prog_load(kinds[kind].hook, 0, 0));
	links_add(&links, prog_attach(noop));
	measure(op, "noop", kinds[kind].use);
	links_close(&links);
	close(noop);

	links_add(&links, prog_attach(bpf_program__fd(prog)));
	measure(op, "get", kinds[kind].use);
	first_touch(kind);
	links_close(&links);

	for (i = 0; i < OBJECTS; i++)
		kinds[kind].drop(i);
	blob_bpf__destroy(skel);
}

void bench_blob(void)
{
	int i;

	if (!krsi_active)
		return;
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		bench_kind(i);
}
