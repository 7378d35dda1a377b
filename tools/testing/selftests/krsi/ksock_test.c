// SPDX-License-Identifier: GPL-2.0
/*
 * LSM programs that sleep can send through sockets of BPF programs, whichever
 * LSM runs them; what they send arrives, and their verdicts are enforced.
 */

#include <linux/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "common.h"
#include "ksock.skel.h"

/* As in progs/ksock.bpf.c. */
enum hook {
	FILE_OPEN,
	SOCKET_BIND,
	USERNS_CREATE,
};

struct message {
	__u32 hook;
	__u32 tid;
	char comm[16];
};

FIXTURE(ksock)
{
	struct ksock_bpf *skel;
	struct ksock_bpf__bss *bss;
	/* Gets what programs send. */
	int peer;
};

static int loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	err = OK(ioctl(fd, SIOCSIFFLAGS, &ifr));
	close(fd);
	return err;
}

FIXTURE_SETUP(ksock)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	struct timeval timeout = { .tv_sec = 60 };
	socklen_t len = sizeof(addr);

	REQUIRE_LSM();
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	ASSERT_EQ(0, loopback_up());
	self->peer = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, self->peer);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ASSERT_EQ(0, bind(self->peer, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, getsockname(self->peer, (struct sockaddr *)&addr, &len));
	ASSERT_EQ(0, setsockopt(self->peer, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));

	self->skel = ksock_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel) TH_LOG("%s", libbpf_log);
	self->bss = self->skel->bss;
	self->bss->port = ntohs(addr.sin_port);
	self->bss->target = getpid();
}

FIXTURE_TEARDOWN(ksock)
{
	ksock_bpf__destroy(self->skel);
	close(self->peer);
}

static void attach(struct __test_metadata *const _metadata, const struct bpf_program *prog)
{
	/* Lives as long as the test's process. */
	ASSERT_LE(0, attach_fd(bpf_program__fd(prog)));
}

static int run(const struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int err = OK(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts));

	return err ?: (int)opts.retval;
}

static int open_null(void)
{
	int fd = OK(open("/dev/null", O_RDONLY | O_CLOEXEC));

	return fd < 0 ? fd : close(fd);
}

static int bind_any(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	err = OK(bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	close(fd);
	return err;
}

static int unshare_user(void *arg)
{
	return unshare(CLONE_NEWUSER) ? errno : 0;
}

static void expect_message(struct __test_metadata *const _metadata, FIXTURE_DATA(ksock) * self,
			   enum hook hook)
{
	struct message message = {};
	char comm[16];

	EXPECT_EQ(sizeof(message), self->bss->sent[hook]);
	ASSERT_EQ(sizeof(message), recv(self->peer, &message, sizeof(message), 0));
	EXPECT_EQ(hook, message.hook);
	if (hook != USERNS_CREATE)
		EXPECT_EQ(gettid(), message.tid);
	ASSERT_EQ(0, prctl(PR_GET_NAME, comm));
	EXPECT_STREQ(comm, message.comm);
}

static void expect_no_message(struct __test_metadata *const _metadata, FIXTURE_DATA(ksock) * self)
{
	char byte;

	EXPECT_EQ(-EAGAIN, OK(recv(self->peer, &byte, 1, MSG_DONTWAIT)));
}

TEST_F(ksock, tells_and_decides)
{
	attach(_metadata, self->skel->progs.tell_file_open);
	attach(_metadata, self->skel->progs.tell_socket_bind);
	attach(_metadata, self->skel->progs.tell_userns_create);
	ASSERT_EQ(0, run(self->skel->progs.setup));
	expect_no_message(_metadata, self);

	EXPECT_EQ(0, open_null());
	expect_message(_metadata, self, FILE_OPEN);
	EXPECT_EQ(0, bind_any());
	expect_message(_metadata, self, SOCKET_BIND);
	EXPECT_EQ(0, in_child(unshare_user, NULL));
	expect_message(_metadata, self, USERNS_CREATE);

	self->bss->deny[FILE_OPEN] = true;
	EXPECT_EQ(-KRSI_ERRNO, open_null());
	expect_message(_metadata, self, FILE_OPEN);
	self->bss->deny[FILE_OPEN] = false;
	self->bss->deny[SOCKET_BIND] = true;
	EXPECT_EQ(-KRSI_ERRNO, bind_any());
	expect_message(_metadata, self, SOCKET_BIND);
	self->bss->deny[USERNS_CREATE] = true;
	EXPECT_EQ(KRSI_ERRNO, in_child(unshare_user, NULL));
	expect_message(_metadata, self, USERNS_CREATE);
	expect_no_message(_metadata, self);
}

/* Without a socket there is a verdict nevertheless. */
TEST_F(ksock, socket_comes_and_goes)
{
	attach(_metadata, self->skel->progs.tell_file_open);
	self->bss->deny[FILE_OPEN] = true;
	EXPECT_EQ(-KRSI_ERRNO, open_null());
	EXPECT_EQ(-ENOENT, self->bss->sent[FILE_OPEN]);

	ASSERT_EQ(0, run(self->skel->progs.setup));
	EXPECT_EQ(-KRSI_ERRNO, open_null());
	expect_message(_metadata, self, FILE_OPEN);

	ASSERT_EQ(0, run(self->skel->progs.drop));
	EXPECT_EQ(-ENOENT, run(self->skel->progs.drop));
	EXPECT_EQ(-KRSI_ERRNO, open_null());
	EXPECT_EQ(-ENOENT, self->bss->sent[FILE_OPEN]);
	expect_no_message(_metadata, self);
	EXPECT_EQ(3, self->bss->calls[FILE_OPEN]);
}

/* Other policies control the socket, and see what is sent through it. */
TEST_F(ksock, is_controlled)
{
	attach(_metadata, self->skel->progs.on_create);
	attach(_metadata, self->skel->progs.on_connect);
	attach(_metadata, self->skel->progs.on_send);
	attach(_metadata, self->skel->progs.tell_file_open);

	self->bss->deny_create = true;
	EXPECT_EQ(-KRSI_ERRNO, run(self->skel->progs.setup));
	EXPECT_EQ(1, self->bss->created);
	EXPECT_EQ(0, self->bss->connected);
	self->bss->deny_create = false;
	self->bss->deny_connect = true;
	EXPECT_EQ(-KRSI_ERRNO, run(self->skel->progs.setup));
	EXPECT_EQ(2, self->bss->created);
	EXPECT_EQ(1, self->bss->connected);
	EXPECT_EQ(0, open_null());
	EXPECT_EQ(-ENOENT, self->bss->sent[FILE_OPEN]);
	self->bss->deny_connect = false;
	ASSERT_EQ(0, run(self->skel->progs.setup));
	EXPECT_EQ(0, self->bss->sends);

	self->bss->deny_send = true;
	EXPECT_EQ(0, open_null());
	EXPECT_EQ(1, self->bss->sends);
	EXPECT_EQ(-KRSI_ERRNO, self->bss->sent[FILE_OPEN]);
	expect_no_message(_metadata, self);
	self->bss->deny_send = false;
	EXPECT_EQ(0, open_null());
	EXPECT_EQ(2, self->bss->sends);
	expect_message(_metadata, self, FILE_OPEN);
}

static void expect_rejected(struct __test_metadata *const _metadata, const char *name,
			    const char *why)
{
	static char log[1 << 16];
	struct ksock_bpf *skel = ksock_bpf__open();

	ASSERT_NE(NULL, skel);
	log[0] = '\0';
	EXPECT_GT(0, load_logged(skel->obj, name, log, sizeof(log)));
	EXPECT_NE(NULL, strstr(log, why)) TH_LOG("%s: %s", name, log);
	ksock_bpf__destroy(skel);
}

TEST_F(ksock, rejected)
{
	expect_rejected(_metadata, "send_while_sending",
			"calling kernel function bpf_ksock_send is not allowed");
	expect_rejected(_metadata, "create_in_hook",
			"calling kernel function bpf_ksock_create is not allowed");
	expect_rejected(_metadata, "send_without_sleeping",
			"program must be sleepable to call sleepable kfunc bpf_ksock_send");
}

TEST_HARNESS_MAIN
