// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks within a hook: while a sleepable program is in a call that sleeps,
 * programs of other hooks run in the same task, some of which sleep, too. Each
 * keeps its own cookie and what it runs under.
 */

#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "common.h"

/* As progs/nested.bpf.c has it. */
struct seen {
	__u64 ran;
	__u64 cookie;
};

#include "nested.skel.h"

#define FILE_NAME "/tmp/merged/file"
#define VALUE "gold"
#define WORD 0x6e65737465640000ULL

enum { OUTER = 101, OLDER, PERMISSION, GETXATTR };

FIXTURE(nested)
{
	struct nested_bpf *skel;
	struct nested_bpf__bss *bss;
	pthread_t thread;
	long result;
};

static struct bpf_link *attach(struct bpf_program *prog, __u64 cookie)
{
	LIBBPF_OPTS(bpf_trace_opts, opts, .cookie = cookie);

	return bpf_program__attach_trace_opts(prog, &opts);
}

FIXTURE_SETUP(nested)
{
	char dir[16];
	int fd;

	REQUIRE_LSM();
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	ASSERT_EQ(0, mkdir("/tmp/lower", 0755));
	ASSERT_EQ(0, mkdir("/tmp/upper", 0755));
	ASSERT_EQ(0, mkdir("/tmp/work", 0755));
	ASSERT_EQ(0, mkdir("/tmp/merged", 0755));
	ASSERT_EQ(0, mount("overlay", "/tmp/merged", "overlay", 0,
			   "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work"));
	fd = open(FILE_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fsetxattr(fd, "user.krsi", VALUE, strlen(VALUE), 0));
	close(fd);

	self->skel = nested_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->bss = self->skel->bss;
	self->skel->links.older_atomic = attach(self->skel->progs.older_atomic, OLDER);
	ASSERT_NE(NULL, self->skel->links.older_atomic);
	self->skel->links.outer = attach(self->skel->progs.outer, OUTER);
	ASSERT_NE(NULL, self->skel->links.outer);
	self->skel->links.permission = attach(self->skel->progs.permission, PERMISSION);
	ASSERT_NE(NULL, self->skel->links.permission);
	self->skel->links.getxattr = attach(self->skel->progs.getxattr, GETXATTR);
	ASSERT_NE(NULL, self->skel->links.getxattr);
	self->bss->target = getpid();
}

FIXTURE_TEARDOWN(nested)
{
	nested_bpf__destroy(self->skel);
}

static long open_file(void)
{
	long fd = OK(open(FILE_NAME, O_RDONLY | O_CLOEXEC));

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

#define EXPECT_COOKIES() do {						\
	EXPECT_EQ(OUTER, self->bss->before.cookie);			\
	EXPECT_EQ(OUTER, self->bss->after.cookie);			\
	EXPECT_EQ(PERMISSION, self->bss->atomic_inside.cookie);		\
	EXPECT_EQ(GETXATTR, self->bss->sleepable_inside.cookie);	\
	EXPECT_EQ(OLDER, self->bss->older.cookie);			\
} while (0)

TEST_F(nested, each_keeps_its_own)
{
	EXPECT_EQ(0, open_file());
	EXPECT_EQ(strlen(VALUE), self->bss->xattr_len);
	EXPECT_EQ(0, memcmp(self->bss->value, VALUE, strlen(VALUE)));
	EXPECT_LT(0, self->bss->atomic_inside.ran);
	EXPECT_LT(0, self->bss->sleepable_inside.ran);
	EXPECT_LT(0, self->bss->older.ran);
	EXPECT_COOKIES();
}

/* Each hook has its own verdict: those inside are a result for the outer one. */
TEST_F(nested, verdicts)
{
	self->bss->getxattr_verdict = -KRSI_ERRNO;
	EXPECT_EQ(0, open_file());
	EXPECT_EQ(-KRSI_ERRNO, self->bss->xattr_len);
	EXPECT_COOKIES();

	self->bss->permission_verdict = -EXDEV;
	EXPECT_EQ(0, open_file());
	EXPECT_EQ(-EXDEV, self->bss->xattr_len);

	self->bss->outer_verdict = -EPERM;
	self->bss->older_verdict = -KRSI_ERRNO;
	self->bss->older.ran = 0;
	EXPECT_EQ(-EPERM, open_file());
	EXPECT_EQ(0, self->bss->older.ran);

	/* The older one, which does not sleep, decides after the others slept. */
	self->bss->outer_verdict = 0;
	EXPECT_EQ(-KRSI_ERRNO, open_file());
}

static void *open_in_thread(void *arg)
{
	FIXTURE_DATA(nested) * self = arg;

	self->result = open_file();
	return NULL;
}

/*
 * The program inside takes a fault that lasts, while everything that the task
 * is in is detached.
 */
TEST_F(nested, detached_while_asleep)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	__u64 source[512] = { WORD };
	struct uffdio_copy copy = { .src = (__u64)source, .len = 4096 };
	void *page;
	int uffd;

	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_API, &api));
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	reg.range.start = copy.dst = (__u64)page;
	reg.range.len = 4096;
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_REGISTER, &reg));
	self->bss->user = page;

	ASSERT_EQ(0, pthread_create(&self->thread, NULL, open_in_thread, self));
	ASSERT_TRUE(WAIT_FOR(self->bss->asleep, 60));

	ASSERT_EQ(0, bpf_link__destroy(self->skel->links.getxattr));
	self->skel->links.getxattr = NULL;
	ASSERT_EQ(0, bpf_link__destroy(self->skel->links.permission));
	self->skel->links.permission = NULL;
	ASSERT_EQ(0, bpf_link__destroy(self->skel->links.outer));
	self->skel->links.outer = NULL;
	/* Of these hooks only the older program is left. */
	self->bss->older.ran = 0;
	EXPECT_EQ(0, open_file());
	EXPECT_EQ(1, self->bss->older.ran);

	EXPECT_EQ(1, self->bss->asleep);
	self->bss->outer_verdict = -EPERM;
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_COPY, &copy));
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(-EPERM, self->result);
	EXPECT_EQ(0, self->bss->err);
	EXPECT_EQ(WORD, self->bss->word);
	EXPECT_EQ(strlen(VALUE), self->bss->xattr_len);
	EXPECT_COOKIES();
	close(uffd);
}

TEST_HARNESS_MAIN
