// SPDX-License-Identifier: GPL-2.0
/*
 * Local storage, through a hook each: a program that does nothing, one that
 * gets and increments a counter of the object, and the same when the object
 * has none yet.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "storage.skel.h"

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

static void use_inode(void)
{
	ioctl(fds[next_object()], FIOCLEX);
}

static void use_sock(void)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);

	getsockname(fds[next_object()], (struct sockaddr *)&addr, &len);
}

static void make_task(int i)
{
	pids[i] = CHECK(fork());
	if (!pids[i]) {
		for (;;)
			pause();
	}
	fds[i] = CHECK((int)syscall(SYS_pidfd_open, pids[i], 0));
}

static void drop_task(int i)
{
	kill(pids[i], SIGKILL);
	waitpid(pids[i], NULL, 0);
	close(fds[i]);
}

static void make_inode(int i)
{
	char name[32];

	snprintf(name, sizeof(name), "storage.%d", i);
	fds[i] = CHECK(open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}

static void make_sock(int i)
{
	fds[i] = CHECK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static void drop_fd(int i)
{
	close(fds[i]);
}

static void first_touch(const char *op, struct bpf_map *map, void (*use)(void))
{
	uint64_t start, ns[REPEAT];
	int i, j;

	if (!wanted(op, "first"))
		return;
	for (i = 0; i < REPEAT; i++) {
		for (j = 0; j < OBJECTS; j++)
			bpf_map__delete_elem(map, &fds[j], sizeof(fds[j]), 0);
		/* What was deleted is freed after a grace period. */
		usleep(50000);
		start = now_ns();
		for (j = 0; j < OBJECTS; j++)
			use();
		ns[i] = now_ns() - start;
	}
	row_begin(op, "first", "ns");
	for (i = 0; i < REPEAT; i++)
		row_value((double)ns[i] / OBJECTS);
	row_end();
}

static const struct {
	const char *op;
	const char *hook;
	const char *prog;
	const char *map;
	void (*use)(void);
	void (*make)(int i);
	void (*drop)(int i);
} kinds[] = {
	{ "task_storage", "task_getpgid", "count_task", "tasks", use_task, make_task, drop_task },
	{ "inode_storage", "file_ioctl", "count_inode", "inodes", use_inode, make_inode, drop_fd },
	{ "sk_storage", "socket_getsockname", "count_sock", "socks", use_sock, make_sock, drop_fd },
};

static void bench_kind(const struct bpf_object *obj, int kind)
{
	const struct bpf_program *prog;
	const char *op = kinds[kind].op;
	struct links links = {};
	struct bpf_map *map;
	int i, noop;

	if (!wanted(op, "noop") && !wanted(op, "get") && !wanted(op, "first"))
		return;
	prog = bpf_object__find_program_by_name(obj, kinds[kind].prog);
	map = bpf_object__find_map_by_name(obj, kinds[kind].map);
	for (i = 0; i < OBJECTS; i++)
		kinds[kind].make(i);

	noop = CHECK(prog_load(kinds[kind].hook, 0, 0));
	links_add(&links, prog_attach(noop));
	measure(op, "noop", kinds[kind].use);
	links_close(&links);
	close(noop);

	links_add(&links, prog_attach(bpf_program__fd(prog)));
	for (i = 0; i < OBJECTS; i++)
		kinds[kind].use();
	measure(op, "get", kinds[kind].use);
	first_touch(op, map, kinds[kind].use);
	links_close(&links);

	for (i = 0; i < OBJECTS; i++)
		kinds[kind].drop(i);
}

void bench_storage(void)
{
	struct storage_bpf *skel;
	int i;

	if (!programs_run)
		return;
	skel = storage_bpf__open_and_load();
	if (!skel)
		die("the programs that use storage");
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		bench_kind(skel->obj, i);
	storage_bpf__destroy(skel);
}
