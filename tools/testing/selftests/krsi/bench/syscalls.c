// SPDX-License-Identifier: GPL-2.0
/*
 * What programs do all day, with nothing attached and with a program on every
 * hook that can have one, hence on those that are passed.
 */

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static int file_fd;
static int listen_fd;
static struct sockaddr_in listen_addr;
static int to_child[2], from_child[2];

static void do_open_close(void)
{
	close(CHECK(open("file", O_RDONLY)));
}

static void do_stat(void)
{
	struct stat st;

	CHECK(stat("file", &st));
}

static void do_fork_exec_wait(void)
{
	char *const argv[] = { "nothing", NULL };
	int status;
	pid_t pid;

	pid = CHECK(fork());
	if (!pid) {
		execve("nothing", argv, argv + 1);
		_exit(1);
	}
	CHECK(waitpid(pid, &status, 0));
	if (status)
		die("nothing ended with status %d", status);
}

static void do_connect_accept(void)
{
	/* A reset rather than a socket that lingers on. */
	struct linger linger = { .l_onoff = 1 };
	int client, server;

	client = CHECK(socket(AF_INET, SOCK_STREAM, 0));
	CHECK(connect(client, (struct sockaddr *)&listen_addr, sizeof(listen_addr)));
	server = CHECK(accept(listen_fd, NULL, NULL));
	CHECK(setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	close(client);
	close(server);
}

static void do_read(void)
{
	char c;

	CHECK(pread(file_fd, &c, 1, 0));
}

static void do_ping_pong(void)
{
	char c = 0;

	CHECK(write(to_child[1], &c, 1));
	CHECK(read(from_child[0], &c, 1));
}

static void do_mmap_munmap(void)
{
	void *p;

	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		die("mmap");
	munmap(p, 4096);
}

static const struct {
	const char *op;
	void (*fn)(void);
} calls[] = {
	{ "open+close", do_open_close },
	{ "stat", do_stat },
	{ "read", do_read },
	{ "mmap+munmap", do_mmap_munmap },
	{ "pipe", do_ping_pong },
	{ "connect+accept", do_connect_accept },
	{ "fork+exec+wait", do_fork_exec_wait },
};

static pid_t start_echo(void)
{
	pid_t pid;
	char c;

	CHECK(pipe(to_child));
	CHECK(pipe(from_child));
	pid = CHECK(fork());
	if (pid)
		return pid;
	for (;;) {
		CHECK(read(to_child[0], &c, 1));
		CHECK(write(from_child[1], &c, 1));
	}
}

static void start_listening(void)
{
	socklen_t len = sizeof(listen_addr);

	listen_addr.sin_family = AF_INET;
	listen_addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listen_fd = CHECK(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	CHECK(bind(listen_fd, (struct sockaddr *)&listen_addr, len));
	CHECK(listen(listen_fd, 16));
	CHECK(getsockname(listen_fd, (struct sockaddr *)&listen_addr, &len));
}

/*
 * A process that has a program attached to every hook until it is killed. Not
 * this one: hundreds of files to copy and to close would be all that fork and
 * exec do.
 */
static pid_t start_keeper(void)
{
	struct links links = {};
	int ready[2];
	pid_t pid;
	char c;

	CHECK(pipe(ready));
	pid = CHECK(fork());
	if (!pid) {
		links_attach_all(&links);
		CHECK(write(ready[1], "x", 1));
		for (;;)
			pause();
	}
	close(ready[1]);
	if (CHECK(read(ready[0], &c, 1)) != 1)
		die("the programs were not attached");
	close(ready[0]);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

void bench_syscalls(void)
{
	pid_t echo, keeper;
	bool any = false;
	int i;

	file_fd = CHECK(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	CHECK(write(file_fd, "x", 1));
	start_listening();
	echo = start_echo();

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		measure_long(calls[i].op, "idle", calls[i].fn);
		any |= wanted(calls[i].op, "noop");
	}
	if (programs_run && any) {
		keeper = start_keeper();
		for (i = 0; i < ARRAY_SIZE(calls); i++)
			measure_long(calls[i].op, "noop", calls[i].fn);
		end_child(keeper);
	}

	end_child(echo);
	close(listen_fd);
	close(file_fd);
}
