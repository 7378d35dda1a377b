// SPDX-License-Identifier: GPL-2.0
/*
 * Programs attached to a cgroup: they decide for its members, next to ordinary
 * programs on the same hook, and go with it.
 */

#include <linux/io_uring.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "cgroup.skel.h"
#include "common.h"

#define IN "/tmp/in"
#define OUT "/tmp/out"

enum who {
	BY_CGROUP,
	BY_CGROUP2,
	BY_LSM,
};

FIXTURE(cgroup)
{
	struct cgroup_bpf *skel;
	struct cgroup_bpf__bss *bss;
	struct bpf_link *link;
	struct bpf_link *link2;
	int in;
	int out;
};

static bool join(const char *cgroup)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	return write_text(path, "0");
}

static int open_cgroup(const char *path)
{
	if (mkdir(path, 0755))
		return -errno;
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

FIXTURE_SETUP(cgroup)
{
	char dir[16];

	REQUIRE_LSM();
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	ASSERT_EQ(0, mount("cgroup2", "/tmp", "cgroup2", 0, NULL));
	/* Of an earlier run that was killed. */
	rmdir(IN "/below");
	rmdir(IN);
	rmdir(OUT);
	self->in = open_cgroup(IN);
	ASSERT_LE(0, self->in);
	self->out = open_cgroup(OUT);
	ASSERT_LE(0, self->out);
	ASSERT_TRUE(join(IN));

	self->skel = cgroup_bpf__open();
	ASSERT_NE(NULL, self->skel);
	self->bss = self->skel->bss;
	self->bss->target = getpid();
}

FIXTURE_TEARDOWN(cgroup)
{
	bpf_link__destroy(self->link2);
	bpf_link__destroy(self->link);
	cgroup_bpf__destroy(self->skel);
	close(self->in);
	close(self->out);
	EXPECT_TRUE(join("/tmp"));
	rmdir(IN "/below");
	rmdir(IN);
	EXPECT_EQ(0, rmdir(OUT));
}

/* Loads the programs named @a, @b and @c; unused ones are NULL. */
static void load(struct __test_metadata *const _metadata, FIXTURE_DATA(cgroup) * self,
		 const char *a, const char *b, const char *c)
{
	struct bpf_program *prog;
	const char *name;

	bpf_object__for_each_program(prog, self->skel->obj) {
		name = bpf_program__name(prog);
		bpf_program__set_autoload(prog, !strcmp(name, a) || (b && !strcmp(name, b)) ||
					  (c && !strcmp(name, c)));
	}
	ASSERT_EQ(0, cgroup_bpf__load(self->skel));
}

static struct bpf_link *attach(struct __test_metadata *const _metadata, struct bpf_program *prog,
			       int cgroup)
{
	struct bpf_link *link = bpf_program__attach_cgroup(prog, cgroup);

	ASSERT_NE(NULL, link) TH_LOG("%s: %s", bpf_program__name(prog), strerror(errno));
	return link;
}

static int call(FIXTURE_DATA(cgroup) * self)
{
	memset(self->bss->ran, 0, sizeof(self->bss->ran));
	self->bss->next = 0;
	return OK(getpgid(getpid()));
}

TEST_F(cgroup, decides_for_members)
{
	load(_metadata, self, "getpgid", NULL, NULL);
	self->link = attach(_metadata, self->skel->progs.getpgid, self->in);

	EXPECT_LT(0, call(self));
	EXPECT_EQ(1, self->bss->calls);
	self->bss->deny[BY_CGROUP] = 1;
	EXPECT_EQ(-EPERM, call(self));
	EXPECT_EQ(2, self->bss->calls);

	ASSERT_TRUE(join(OUT));
	EXPECT_LT(0, call(self));
	EXPECT_EQ(2, self->bss->calls);
	ASSERT_TRUE(join(IN));
	EXPECT_EQ(-EPERM, call(self));

	ASSERT_EQ(0, bpf_link__destroy(self->link));
	self->link = NULL;
	EXPECT_LT(0, call(self));
	EXPECT_EQ(3, self->bss->calls);
}

TEST_F(cgroup, chooses_errno)
{
	load(_metadata, self, "getpgid", NULL, NULL);
	self->link = attach(_metadata, self->skel->progs.getpgid, self->in);
	self->bss->deny[BY_CGROUP] = 1;
	self->bss->cgroup_errno = KRSI_ERRNO;
	EXPECT_EQ(-KRSI_ERRNO, call(self));
}

TEST_F(cgroup, decides_for_descendants)
{
	ASSERT_EQ(0, mkdir(IN "/below", 0755));
	load(_metadata, self, "getpgid", NULL, NULL);
	self->link = attach(_metadata, self->skel->progs.getpgid, self->in);
	self->bss->deny[BY_CGROUP] = 1;
	ASSERT_TRUE(join(IN "/below"));
	EXPECT_EQ(-EPERM, call(self));
}

/* The cgroups' programs take the place of the first that was attached. */
TEST_F(cgroup, older_than_lsm_program)
{
	load(_metadata, self, "getpgid", "getpgid_lsm", NULL);
	self->link = attach(_metadata, self->skel->progs.getpgid, self->in);
	self->link2 = bpf_program__attach(self->skel->progs.getpgid_lsm);
	ASSERT_NE(NULL, self->link2);

	EXPECT_LT(0, call(self));
	EXPECT_EQ(1, self->bss->ran[BY_LSM]);
	EXPECT_EQ(2, self->bss->ran[BY_CGROUP]);

	self->bss->deny[BY_LSM] = 1;
	self->bss->deny[BY_CGROUP] = 1;
	EXPECT_EQ(-EACCES, call(self));
	EXPECT_EQ(0, self->bss->ran[BY_CGROUP]);
	self->bss->deny[BY_LSM] = 0;
	EXPECT_EQ(-EPERM, call(self));
	EXPECT_EQ(2, self->bss->ran[BY_CGROUP]);

	/* Each stays when the other goes. */
	ASSERT_EQ(0, bpf_link__destroy(self->link));
	self->link = NULL;
	EXPECT_LT(0, call(self));
	EXPECT_EQ(1, self->bss->ran[BY_LSM]);
	EXPECT_EQ(0, self->bss->ran[BY_CGROUP]);
}

TEST_F(cgroup, newer_than_lsm_program)
{
	load(_metadata, self, "getpgid", "getpgid_lsm", NULL);
	self->link2 = bpf_program__attach(self->skel->progs.getpgid_lsm);
	ASSERT_NE(NULL, self->link2);
	self->link = attach(_metadata, self->skel->progs.getpgid, self->in);

	EXPECT_LT(0, call(self));
	EXPECT_EQ(1, self->bss->ran[BY_CGROUP]);
	EXPECT_EQ(2, self->bss->ran[BY_LSM]);
	self->bss->deny[BY_LSM] = 1;
	self->bss->deny[BY_CGROUP] = 1;
	EXPECT_EQ(-EPERM, call(self));
	EXPECT_EQ(0, self->bss->ran[BY_LSM]);

	/* For who is not a member only the LSM program runs. */
	ASSERT_TRUE(join(OUT));
	EXPECT_EQ(-EACCES, call(self));
	EXPECT_EQ(0, self->bss->ran[BY_CGROUP]);
	ASSERT_TRUE(join(IN));

	ASSERT_EQ(0, bpf_link__destroy(self->link2));
	self->link2 = NULL;
	EXPECT_EQ(-EPERM, call(self));
	EXPECT_EQ(1, self->bss->ran[BY_CGROUP]);
}

/* Two cgroups, one hook: each decides for its own. */
TEST_F(cgroup, two_cgroups)
{
	load(_metadata, self, "getpgid", "getpgid2", NULL);
	self->link = attach(_metadata, self->skel->progs.getpgid, self->in);
	self->link2 = attach(_metadata, self->skel->progs.getpgid2, self->out);
	self->bss->deny[BY_CGROUP] = 1;
	self->bss->deny[BY_CGROUP2] = 1;
	EXPECT_EQ(-EPERM, call(self));
	EXPECT_EQ(1, self->bss->ran[BY_CGROUP]);
	EXPECT_EQ(0, self->bss->ran[BY_CGROUP2]);
	ASSERT_TRUE(join(OUT));
	EXPECT_EQ(-EPERM, call(self));
	EXPECT_EQ(0, self->bss->ran[BY_CGROUP]);
	EXPECT_EQ(1, self->bss->ran[BY_CGROUP2]);

	ASSERT_EQ(0, bpf_link__destroy(self->link2));
	self->link2 = NULL;
	EXPECT_LT(0, call(self));
	ASSERT_TRUE(join(IN));
	EXPECT_EQ(-EPERM, call(self));
}

/* Unlike LSM links, cgroup links can be updated. */
TEST_F(cgroup, link_update)
{
	load(_metadata, self, "getpgid", "getpgid2", NULL);
	self->link = attach(_metadata, self->skel->progs.getpgid, self->in);
	self->bss->deny[BY_CGROUP] = 1;
	EXPECT_EQ(-EPERM, call(self));
	ASSERT_EQ(0, bpf_link__update_program(self->link, self->skel->progs.getpgid2));
	EXPECT_LT(0, call(self));
	EXPECT_EQ(0, self->bss->ran[BY_CGROUP]);
	EXPECT_EQ(1, self->bss->ran[BY_CGROUP2]);
	self->bss->deny[BY_CGROUP2] = 1;
	EXPECT_EQ(-EPERM, call(self));
}

/*
 * A program for BPF_LSM_MAC may sleep, which those of cgroups must not, and
 * denies with an errno, which allows there.
 */
TEST_F(cgroup, link_update_with_other_kind)
{
	load(_metadata, self, "getpgid", "getpgid_lsm", NULL);
	self->link = attach(_metadata, self->skel->progs.getpgid, self->in);
	self->bss->deny[BY_CGROUP] = 1;
	self->bss->deny[BY_LSM] = 1;
	EXPECT_EQ(-EINVAL, bpf_link__update_program(self->link, self->skel->progs.getpgid_lsm));
	EXPECT_EQ(-EPERM, call(self));
	EXPECT_EQ(1, self->bss->ran[BY_CGROUP]);
	EXPECT_EQ(0, self->bss->ran[BY_LSM]);
}

TEST_F(cgroup, attached_without_link)
{
	LIBBPF_OPTS(bpf_prog_query_opts, query);
	int prog;

	load(_metadata, self, "getpgid", NULL, NULL);
	prog = bpf_program__fd(self->skel->progs.getpgid);
	ASSERT_EQ(0, bpf_prog_attach(prog, self->in, BPF_LSM_CGROUP, BPF_F_ALLOW_MULTI));
	self->bss->deny[BY_CGROUP] = 1;
	EXPECT_EQ(-EPERM, call(self));
	EXPECT_EQ(0, bpf_prog_query_opts(self->in, BPF_LSM_CGROUP, &query));
	EXPECT_EQ(1, query.prog_cnt);
	ASSERT_EQ(0, bpf_prog_detach2(prog, self->in, BPF_LSM_CGROUP));
	EXPECT_LT(0, call(self));
	query.prog_cnt = 0;
	EXPECT_EQ(0, bpf_prog_query_opts(self->in, BPF_LSM_CGROUP, &query));
	EXPECT_EQ(0, query.prog_cnt);
}

static __u64 cgroup_of(struct bpf_link *link)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);

	if (bpf_link_get_info_by_fd(bpf_link__fd(link), &info, &len) ||
	    info.type != BPF_LINK_TYPE_CGROUP || info.cgroup.attach_type != BPF_LSM_CGROUP)
		return ~0ULL;
	return info.cgroup.cgroup_id;
}

/* A cgroup that is removed takes its programs along; its links stay, defunct. */
TEST_F(cgroup, removed_cgroup_detaches)
{
	load(_metadata, self, "getpgid", "getpgid_lsm", NULL);
	self->link = attach(_metadata, self->skel->progs.getpgid, self->in);
	self->link2 = bpf_program__attach(self->skel->progs.getpgid_lsm);
	ASSERT_NE(NULL, self->link2);
	self->bss->deny[BY_CGROUP] = 1;
	EXPECT_EQ(-EPERM, call(self));
	EXPECT_NE(0, cgroup_of(self->link));
	EXPECT_NE(~0ULL, cgroup_of(self->link));

	ASSERT_TRUE(join(OUT));
	ASSERT_EQ(0, rmdir(IN));
	close(self->in);
	self->in = -1;
	EXPECT_TRUE(WAIT_FOR(cgroup_of(self->link) == 0, 60));
	EXPECT_LT(0, call(self));
	EXPECT_EQ(1, self->bss->ran[BY_LSM]);

	/* The hook serves the next cgroup. */
	ASSERT_EQ(0, bpf_link__destroy(self->link));
	self->link = attach(_metadata, self->skel->progs.getpgid, self->out);
	EXPECT_EQ(-EPERM, call(self));
	EXPECT_EQ(1, self->bss->ran[BY_CGROUP]);
}

/* What is pinned to a cgroup needs no descriptor. */
TEST_F(cgroup, removed_cgroup_without_link)
{
	int prog;

	load(_metadata, self, "getpgid", NULL, NULL);
	prog = bpf_program__fd(self->skel->progs.getpgid);
	ASSERT_EQ(0, bpf_prog_attach(prog, self->in, BPF_LSM_CGROUP, BPF_F_ALLOW_MULTI));
	self->bss->deny[BY_CGROUP] = 1;
	EXPECT_EQ(-EPERM, call(self));
	ASSERT_TRUE(join(OUT));
	ASSERT_EQ(0, rmdir(IN));
	EXPECT_LT(0, call(self));
}

static int bind_any(int sock)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };

	return OK(bind(sock, (struct sockaddr *)&addr, sizeof(addr)));
}

/*
 * Hooks about a socket: mainline intends to ask the cgroup of the socket's
 * creator, and asks that of the current process.
 */
TEST_F(cgroup, hook_of_socket)
{
	int inside, outside;

	inside = socket(AF_INET, SOCK_DGRAM, 0);
	ASSERT_LE(0, inside);
	ASSERT_TRUE(join(OUT));
	outside = socket(AF_INET, SOCK_DGRAM, 0);
	ASSERT_LE(0, outside);
	ASSERT_TRUE(join(IN));

	load(_metadata, self, "bind", NULL, NULL);
	self->link = attach(_metadata, self->skel->progs.bind, self->in);
	self->bss->deny[BY_CGROUP] = 1;
	EXPECT_EQ(-EPERM, bind_any(inside));
	EXPECT_EQ(1, self->bss->calls);
	EXPECT_EQ(-EPERM, bind_any(outside));
	EXPECT_EQ(2, self->bss->calls);
	ASSERT_TRUE(join(OUT));
	EXPECT_EQ(0, bind_any(outside));
	EXPECT_EQ(0, bind_any(inside));
	EXPECT_EQ(2, self->bss->calls);
	close(inside);
	close(outside);
}

TEST_F(cgroup, hook_of_new_socket)
{
	int sock;

	load(_metadata, self, "post_create", NULL, NULL);
	self->link = attach(_metadata, self->skel->progs.post_create, self->in);
	sock = socket(AF_INET, SOCK_DGRAM, 0);
	EXPECT_LE(0, sock);
	close(sock);
	EXPECT_EQ(1, self->bss->calls);
	self->bss->deny[BY_CGROUP] = 1;
	EXPECT_EQ(-EPERM, OK(socket(AF_INET, SOCK_DGRAM, 0)));
	ASSERT_TRUE(join(OUT));
	sock = socket(AF_INET, SOCK_DGRAM, 0);
	EXPECT_LE(0, sock);
	close(sock);
	EXPECT_EQ(2, self->bss->calls);
}

/* Runs when a packet arrives, in whatever process that interrupts. */
TEST_F(cgroup, hook_of_sock)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(4660),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int receiver, sender;
	char byte;

	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	receiver = socket(AF_INET, SOCK_DGRAM, 0);
	ASSERT_LE(0, receiver);
	sender = socket(AF_INET, SOCK_DGRAM, 0);
	ASSERT_LE(0, sender);
	ASSERT_EQ(0, ioctl(sender, SIOCSIFFLAGS, &ifr));
	ASSERT_EQ(0, bind(receiver, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, connect(sender, (struct sockaddr *)&addr, sizeof(addr)));

	load(_metadata, self, "rcv_skb", NULL, NULL);
	self->link = attach(_metadata, self->skel->progs.rcv_skb, self->in);
	ASSERT_EQ(1, send(sender, "x", 1, 0));
	EXPECT_EQ(1, recv(receiver, &byte, 1, 0));
	EXPECT_EQ(1, self->bss->calls);

	self->bss->deny[BY_CGROUP] = 1;
	ASSERT_EQ(1, send(sender, "x", 1, 0));
	EXPECT_EQ(-EAGAIN, OK(recv(receiver, &byte, 1, MSG_DONTWAIT)));
	EXPECT_EQ(2, self->bss->calls);
	close(receiver);
	close(sender);
}

/* On a hook without a verdict. */
TEST_F(cgroup, void_hook)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	load(_metadata, self, "fowner", NULL, NULL);
	self->link = attach(_metadata, self->skel->progs.fowner, self->in);
	EXPECT_EQ(0, fcntl(fd, F_SETOWN, getpid()));
	EXPECT_EQ(1, self->bss->calls);
	ASSERT_TRUE(join(OUT));
	EXPECT_EQ(0, fcntl(fd, F_SETOWN, getpid()));
	EXPECT_EQ(1, self->bss->calls);
	close(fd);
}

/* On a hook without an argument. */
TEST_F(cgroup, hook_without_argument)
{
	struct io_uring_params params = {};
	int fd;

	load(_metadata, self, "uring_allowed", NULL, NULL);
	self->link = attach(_metadata, self->skel->progs.uring_allowed, self->in);
	self->bss->deny[BY_CGROUP] = 1;
	EXPECT_EQ(-EPERM, OK(syscall(SYS_io_uring_setup, 4, &params)));
	ASSERT_TRUE(join(OUT));
	memset(&params, 0, sizeof(params));
	fd = syscall(SYS_io_uring_setup, 4, &params);
	EXPECT_LE(0, fd);
	close(fd);
}

TEST_HARNESS_MAIN
