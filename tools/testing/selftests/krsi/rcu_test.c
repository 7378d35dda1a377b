// SPDX-License-Identifier: GPL-2.0
/*
 * Pointers that RCU protects: what programs read through them, what they are
 * kept from, and what the documentation says of each.
 */

#include <linux/magic.h>
#include <sys/socket.h>

#include "common.h"
#include "pointers.h"
#include "rcu.skel.h"
#include "rcu_reject.skel.h"
#include "verdict.h"

#define WORD 0x6b7273692d726375ULL

FIXTURE(rcu)
{
	struct rcu_bpf *skel;
	struct rcu_bpf__bss *bss;
};

FIXTURE_SETUP(rcu)
{
	char dir[16];

	REQUIRE_LSM();
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	self->skel = rcu_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->bss = self->skel->bss;
	self->bss->target = getpid();
}

FIXTURE_TEARDOWN(rcu)
{
	rcu_bpf__destroy(self->skel);
}

/* The parent's parent, and how many there are up to the first process. */
static int ancestry(int *grandparent)
{
	int pid = getpid(), count = 0;
	char path[32], stat[512], *p;

	while (pid > 1) {
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		if (!read_text(path, stat, sizeof(stat)))
			return -1;
		/* The name is in parentheses, and may have any of its own. */
		p = strrchr(stat, ')');
		if (!p || sscanf(p + 1, " %*c %d", &pid) != 1)
			return -1;
		if (++count == 2)
			*grandparent = pid;
	}
	return count;
}

TEST_F_TIMEOUT(rcu, values, 300)
{
	unsigned long long word = WORD;
	struct bpf_program *prog;
	int ran = 0, grandparent = 0, count;

	count = ancestry(&grandparent);
	ASSERT_LT(1, count);
	self->bss->user = &word;
	/* The file's credentials are those of who opened it: of this process. */
	ASSERT_EQ(0, setresuid(4711, 4712, 0));
	bpf_object__for_each_program(prog, self->skel->obj) {
		const char *name = bpf_program__name(prog);
		struct bpf_link *link;
		int fd;

		if (!strstr(bpf_program__section_name(prog), "file_open"))
			continue;
		self->bss->calls = 0;
		self->bss->parent = 0;
		self->bss->grandparent = 0;
		self->bss->uid = 0;
		self->bss->f_uid = 0;
		self->bss->cgroup = 0;
		self->bss->magic = 0;
		ASSERT_EQ(0, setresuid(-1, 0, -1));
		link = bpf_program__attach(prog);
		ASSERT_NE(NULL, link);
		ASSERT_EQ(0, setresuid(-1, 4712, -1));
		fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		EXPECT_LE(0, fd);
		ASSERT_EQ(0, setresuid(-1, 0, -1));
		EXPECT_EQ(0, bpf_link__destroy(link));
		close(fd);

		EXPECT_EQ(1, self->bss->calls)
			TH_LOG("%s", name);
		EXPECT_EQ(getppid(), self->bss->parent)
			TH_LOG("%s", name);
		EXPECT_EQ(grandparent, self->bss->grandparent)
			TH_LOG("%s", name);
		EXPECT_EQ(4711, self->bss->uid)
			TH_LOG("%s", name);
		EXPECT_EQ(4711, self->bss->f_uid)
			TH_LOG("%s", name);
		EXPECT_NE(0, self->bss->cgroup)
			TH_LOG("%s", name);
		EXPECT_EQ(self->bss->own_cgroup, self->bss->cgroup)
			TH_LOG("%s", name);
		EXPECT_EQ(TMPFS_MAGIC, self->bss->magic)
			TH_LOG("%s", name);
		ran++;
	}
	EXPECT_EQ(9, ran);
	EXPECT_EQ(WORD, self->bss->word);
	EXPECT_EQ(count, self->bss->ancestors);
}

static void expect_sock(struct __test_metadata *const _metadata, FIXTURE_DATA(rcu) * self,
			struct bpf_program *prog)
{
	struct bpf_link *link;
	int fd;

	self->bss->calls = 0;
	self->bss->sk_type = 0;
	self->bss->sk_family = 0;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	ASSERT_LE(0, fd);
	link = bpf_program__attach(prog);
	ASSERT_NE(NULL, link);
	EXPECT_EQ(0, listen(fd, 1));
	EXPECT_EQ(0, bpf_link__destroy(link));
	close(fd);
	EXPECT_EQ(1, self->bss->calls);
	EXPECT_EQ(SOCK_STREAM, self->bss->sk_type);
	EXPECT_EQ(AF_INET, self->bss->sk_family);
}

TEST_F(rcu, sock)
{
	expect_sock(_metadata, self, self->skel->progs.sock_sleepable);
	expect_sock(_metadata, self, self->skel->progs.sock_atomic);
}

/* They are many, for a slow machine. */
FIXTURE(verdicts)
{
};

FIXTURE_SETUP(verdicts)
{
}

FIXTURE_TEARDOWN(verdicts)
{
}

TEST_F_TIMEOUT(verdicts, programs, 600)
{
	const void *elf;
	size_t size;

	REQUIRE_LSM();
	if (!krsi_active())
		SKIP(return, "some of the kfuncs are krsi's");
	elf = rcu_reject_bpf__elf_bytes(&size);
	EXPECT_LT(40, check_verdicts(_metadata, elf, size));
}

/* Documentation/bpf/krsi-pointers.csv, of which Makefile puts a copy here. */
TEST_F_TIMEOUT(verdicts, documented, 600)
{
	REQUIRE_LSM();
	if (!krsi_active())
		SKIP(return, "some of the kfuncs are krsi's");
	EXPECT_LT(20, check_pointers(_metadata, "krsi-pointers.csv"));
}

TEST_HARNESS_MAIN
