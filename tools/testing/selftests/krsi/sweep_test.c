// SPDX-License-Identifier: GPL-2.0
/*
 * Fails each allocation of an operation in turn. The operation either succeeds
 * or returns -ENOMEM and leaves the old state intact. Needs a kernel with fault
 * injection, such as that of scripts/config/debug.config.
 */

#include "../../../../include/uapi/linux/krsi.h"
#include "blob.h"
#include "common.h"
#include "sweep.skel.h"

#define DEBUGFS "/sys/kernel/debug"
#define CGROUPS "/tmp/cgroups"

/* More than any operation here allocates. */
#define MAX_ALLOCATIONS 3000

/* As progs/sweep.bpf.c has it. */
enum who {
	OLD,
	NEW,
	SLEEPABLE,
	TRACE,
	CGROUP,
	WHO_COUNT,
};

/* One operation, repeated: round N fails its Nth allocation. */
struct sweep {
	int fd;
	int nth;
	/* The last round failed none: the operation has fewer allocations. */
	bool done;
	/* Rounds in which an allocation failed, and in which the operation did. */
	int injected;
	int failed;
};

/* False if the kernel has no fault injection. */
static bool sweep_open(struct sweep *s)
{
	memset(s, 0, sizeof(*s));
	s->fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	return s->fd >= 0 && write_text(DEBUGFS "/failslab/ignore-gfp-wait", "N") &&
	       write_text(DEBUGFS "/failslab/verbose", "0") &&
	       write_text(DEBUGFS "/fail_page_alloc/ignore-gfp-wait", "N") &&
	       write_text(DEBUGFS "/fail_page_alloc/min-order", "0") &&
	       write_text(DEBUGFS "/fail_page_alloc/verbose", "0");
}

static void set_nth(struct sweep *s, int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", nth);

	if (pwrite(s->fd, text, len, 0) != len)
		abort();
}

/* Starts the next round; false after the last. */
static bool next_round(struct sweep *s)
{
	return !s->done && ++s->nth < MAX_ALLOCATIONS;
}

/* From here to disarm() the Nth allocation of this task fails. */
static void arm(struct sweep *s)
{
	set_nth(s, s->nth);
}

/* @ret is what the operation returned. */
static void disarm(struct sweep *s, long ret)
{
	char left[16] = {};

	if (pread(s->fd, left, sizeof(left) - 1, 0) <= 0)
		abort();
	set_nth(s, 0);
	/* The count is 0 once the allocation has failed. */
	s->done = atoi(left) != 0;
	s->injected += !s->done;
	s->failed += !s->done && ret < 0;
}

/* A sweep that ran to its end, and that failed something. */
#define EXPECT_SWEPT(s)							\
	do {								\
		EXPECT_TRUE((s)->done);					\
		EXPECT_LT(0, (s)->injected);				\
		printf("# %s: %d allocations failed, the operation %d times\n", \
		       _metadata->name, (s)->injected, (s)->failed);	\
	} while (0)

/* The links and programs that there are. */
static int count_objects(void)
{
	int count = 0;
	__u32 id;

	for (id = 0; !bpf_link_get_next_id(id, &id);)
		count++;
	for (id = 0; !bpf_prog_get_next_id(id, &id);)
		count++;
	return count;
}

/* Opens a file; returns a bit for each program that ran, which is once. */
static int who_runs(struct sweep_bpf *skel)
{
	int fd, i, who = 0;

	memset(skel->bss->ran, 0, sizeof(skel->bss->ran));
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	for (i = 0; i < WHO_COUNT; i++) {
		if (skel->bss->ran[i] > 1)
			return -EIO;
		who |= skel->bss->ran[i] << i;
	}
	return who;
}

FIXTURE(attach)
{
	struct sweep sweep;
	struct sweep_bpf *skel;
	int prog;
	int cgroup;
	int others[20];
	int old;
	int objects;
};

/* What is on the hook, and what is attached to it. */
FIXTURE_VARIANT(attach)
{
	/* Programs that only return 0; with cookies they are a list, not a chain. */
	int others;
	bool cookies;
	/* A program that counts, and a tracing program. */
	bool old;
	bool traced;
	/* The image that earlier tracing programs have left is about to be removed. */
	bool leaving;
	enum who who;
};

/* clang-format off */
#define ATTACH(name, ...) FIXTURE_VARIANT_ADD(attach, name) { __VA_ARGS__ }

ATTACH(first, .who = NEW);
ATTACH(second, .old = true, .who = NEW);
ATTACH(to_chain, .others = 3, .old = true, .who = NEW);
ATTACH(past_chains, .others = 18, .old = true, .who = NEW);
ATTACH(to_list, .others = 2, .cookies = true, .old = true, .who = NEW);
ATTACH(sleepable, .old = true, .who = SLEEPABLE);
ATTACH(sleepable_to_list, .others = 2, .cookies = true, .old = true, .who = SLEEPABLE);
ATTACH(first_traced, .traced = true, .who = NEW);
ATTACH(second_traced, .old = true, .traced = true, .who = NEW);
ATTACH(trace_alone, .who = TRACE);
ATTACH(trace, .old = true, .who = TRACE);
ATTACH(trace_list, .others = 2, .cookies = true, .old = true, .who = TRACE);
ATTACH(trace_again, .old = true, .leaving = true, .who = TRACE);
ATTACH(cgroup_alone, .who = CGROUP);
ATTACH(cgroup, .old = true, .who = CGROUP);
ATTACH(cgroup_traced, .old = true, .traced = true, .who = CGROUP);
/* clang-format on */

/*
 * Like who_runs(). A worker releases the shim of a cgroup whose last program was
 * detached, on mainline too. Until then, the next program runs through both shims.
 */
static int who_runs_once(const FIXTURE_DATA(attach) * self, const FIXTURE_VARIANT(attach) * variant)
{
	int who = who_runs(self->skel);

	if (variant->who == CGROUP && who == -EIO)
		WAIT_FOR((who = who_runs(self->skel)) != -EIO, 60);
	return who;
}

/* Attaches the program under test: a link's file descriptor, or an errno. */
static int attach(const FIXTURE_DATA(attach) * self, const FIXTURE_VARIANT(attach) * variant)
{
	switch (variant->who) {
	case CGROUP:
		return bpf_link_create(self->prog, self->cgroup, BPF_LSM_CGROUP, NULL);
	case TRACE:
		return bpf_link_create(self->prog, 0, BPF_TRACE_FENTRY, NULL);
	default:
		return attach_fd(self->prog);
	}
}

/* A cgroup of this task's own. */
static int open_cgroup(void)
{
	if (mkdir(CGROUPS, 0700) || mount("cgroup2", CGROUPS, "cgroup2", 0, NULL))
		return -errno;
	rmdir(CGROUPS "/krsi_sweep");
	if (mkdir(CGROUPS "/krsi_sweep", 0755))
		return -errno;
	if (!write_text(CGROUPS "/krsi_sweep/cgroup.procs", "0"))
		return -EIO;
	return open(CGROUPS "/krsi_sweep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

FIXTURE_SETUP(attach)
{
	static const char *const names[] = { "old", "new", "sleepable", "trace", "cgroup" };
	char dir[16];
	int i, fd;

	if (!krsi_active())
		SKIP(return, "krsi is not active");
	if (!sweep_open(&self->sweep))
		SKIP(return, "the kernel has no fault injection");
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	if (variant->who == CGROUP) {
		self->cgroup = open_cgroup();
		ASSERT_LE(0, self->cgroup);
	}
	self->skel = sweep_bpf__open();
	ASSERT_NE(NULL, self->skel);
	self->skel->bss->target = getpid();
	for (i = 0; i < WHO_COUNT; i++)
		bpf_program__set_autoload(bpf_object__find_program_by_name(self->skel->obj,
									   names[i]), true);
	ASSERT_EQ(0, sweep_bpf__load(self->skel)) TH_LOG("%s", libbpf_log);
	self->prog = bpf_program__fd(bpf_object__find_program_by_name(self->skel->obj,
								      names[variant->who]));

	for (i = 0; i < variant->others; i++) {
		fd = load_insns(return_0, ARRAY_SIZE(return_0), hook_btf_id("file_open"), "GPL", 0,
				NULL, 0);
		ASSERT_LE(0, fd);
		self->others[i] = variant->cookies ? attach_cookie_fd(fd, i + 1) : attach_fd(fd);
		ASSERT_LE(0, self->others[i]);
		close(fd);
	}
	if (variant->old) {
		self->skel->links.old = bpf_program__attach(self->skel->progs.old);
		ASSERT_NE(NULL, self->skel->links.old);
		self->old |= 1 << OLD;
	}
	if (variant->traced) {
		self->skel->links.trace = bpf_program__attach(self->skel->progs.trace);
		ASSERT_NE(NULL, self->skel->links.trace);
		self->old |= 1 << TRACE;
	}
	ASSERT_EQ(self->old, who_runs(self->skel));
	self->objects = count_objects();
}

FIXTURE_TEARDOWN(attach)
{
	int i;

	sweep_bpf__destroy(self->skel);
	for (i = 0; i < variant->others; i++)
		close(self->others[i]);
	if (variant->who == CGROUP) {
		close(self->cgroup);
		write_text(CGROUPS "/cgroup.procs", "0");
		EXPECT_EQ(0, rmdir(CGROUPS "/krsi_sweep"));
	}
	close(self->sweep.fd);
}

TEST_F(attach, attaches)
{
	struct sweep *s = &self->sweep;
	int i, link;

	while (next_round(s)) {
		for (i = 0; variant->leaving && i < 2; i++) {
			link = attach(self, variant);
			ASSERT_LE(0, link);
			close(link);
		}
		arm(s);
		link = attach(self, variant);
		disarm(s, link);
		if (link < 0) {
			ASSERT_EQ(-ENOMEM, link) TH_LOG("allocation %d", s->nth);
			ASSERT_EQ(self->old, who_runs_once(self, variant))
				TH_LOG("allocation %d", s->nth);
			continue;
		}
		ASSERT_EQ(self->old | 1 << variant->who, who_runs_once(self, variant))
			TH_LOG("allocation %d", s->nth);
		close(link);
		ASSERT_EQ(self->old, who_runs_once(self, variant)) TH_LOG("allocation %d", s->nth);
	}
	EXPECT_SWEPT(s);
	EXPECT_LT(0, s->failed);
	EXPECT_TRUE(WAIT_FOR(count_objects() <= self->objects, 60));
}

/* Whatever fails, a program whose link is closed does not run any more. */
TEST_F(attach, detaches)
{
	struct sweep *s = &self->sweep;
	int link;

	/* Also with the bpf LSM, and without any. */
	if (variant->who == TRACE)
		SKIP(return, "bpf_tracing_link_release() warns if it cannot allocate");
	while (next_round(s)) {
		link = attach(self, variant);
		ASSERT_LE(0, link) TH_LOG("allocation %d", s->nth);
		ASSERT_EQ(self->old | 1 << variant->who, who_runs_once(self, variant))
			TH_LOG("allocation %d", s->nth);
		arm(s);
		close(link);
		disarm(s, 0);
		ASSERT_EQ(self->old, who_runs_once(self, variant)) TH_LOG("allocation %d", s->nth);
	}
	EXPECT_TRUE(s->done);
	EXPECT_TRUE(WAIT_FOR(count_objects() <= self->objects, 60));
}

FIXTURE(other)
{
	struct sweep sweep;
	struct sweep_bpf *skel;
};

FIXTURE_SETUP(other)
{
	char dir[16];

	if (!krsi_active())
		SKIP(return, "krsi is not active");
	if (!sweep_open(&self->sweep))
		SKIP(return, "the kernel has no fault injection");
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	self->skel = sweep_bpf__open();
	ASSERT_NE(NULL, self->skel);
	self->skel->bss->target = getpid();
}

FIXTURE_TEARDOWN(other)
{
	sweep_bpf__destroy(self->skel);
	close(self->sweep.fd);
}

TEST_F(other, claims_slot)
{
	struct sweep *s = &self->sweep;
	long long before, after;
	char name[32];
	int ret;

	if (blob_reserved("cred") <= 0)
		SKIP(return, "boot with krsi.blob=cred:..., as scripts/test.sh does");
	while (next_round(s)) {
		snprintf(name, sizeof(name), "sweep_%d", s->nth);
		before = blob_free("cred");
		arm(s);
		ret = blob_command("claim cred %s 8", name);
		disarm(s, ret);
		after = blob_free("cred");
		if (ret < 0) {
			ASSERT_EQ(-ENOMEM, ret) TH_LOG("allocation %d", s->nth);
			ASSERT_EQ(before, after);
			ASSERT_EQ(-1, blob_slot("cred", name));
			continue;
		}
		ASSERT_EQ(before - 8, after);
		ASSERT_LT(0, blob_slot("cred", name));
		ASSERT_EQ(0, blob_command("release cred %s", name));
	}
	EXPECT_SWEPT(s);
	EXPECT_LT(0, s->failed);
}

/* What the attribute has; an errno, or -EIO if it is no label. */
static long long stored(const char *path)
{
	long long value;
	ssize_t len;

	len = getxattr(path, "security.krsi.kept", &value, sizeof(value));
	return len == sizeof(value) ? value : len < 0 ? -errno : -EIO;
}

/* Writes @label to the file's blob, if not 0; returns what it had. */
static long long swap_label(struct sweep_bpf *skel, const char *path, __u64 label)
{
	int fd;

	skel->bss->label = label;
	skel->bss->seen = -1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	skel->bss->label = 0;
	if (fd < 0)
		return -errno;
	close(fd);
	return skel->bss->seen;
}

TEST_F(other, saves_label)
{
	const char *path = "/tmp/file";
	struct sweep *s = &self->sweep;
	struct sweep_bpf__bss *bss;
	long long kept = -ENODATA;
	int ret;

	if (blob_reserved("inode") <= 0)
		SKIP(return, "boot with krsi.blob=inode:..., as scripts/test.sh does");
	ASSERT_EQ(0, blob_command("claim inode kept 8 xattr=yes"));
	bpf_program__set_autoload(self->skel->progs.use, true);
	bpf_program__set_autoload(self->skel->progs.save, true);
	self->skel->rodata->kept = blob_slot("inode", "kept");
	ASSERT_EQ(0, sweep_bpf__load(self->skel)) TH_LOG("%s", libbpf_log);
	ASSERT_EQ(0, sweep_bpf__attach(self->skel));
	bss = self->skel->bss;

	while (next_round(s)) {
		ASSERT_LE(0, swap_label(self->skel, path, s->nth));
		bss->result = 1;
		bss->wanted = true;
		arm(s);
		ret = OK(getxattr(path, "user.none", NULL, 0));
		/* 1: the system call failed before its hook was called. */
		disarm(s, bss->result == 1 ? ret : bss->result);
		bss->wanted = false;
		if (!bss->result)
			kept = s->nth;
		else
			ASSERT_EQ(-ENOMEM, bss->result == 1 ? ret : bss->result)
				TH_LOG("allocation %d", s->nth);
		ASSERT_EQ(kept, stored(path)) TH_LOG("allocation %d", s->nth);
		ASSERT_EQ(s->nth, swap_label(self->skel, path, 0));
	}
	EXPECT_SWEPT(s);
	EXPECT_EQ(s->nth, kept);
}

/* In a task of its own, because a task has audit's context from its start on. */
static int audit_rounds(void *arg)
{
	FIXTURE_DATA(other) * self = arg;
	struct sweep *s = &self->sweep;
	struct sweep_bpf__bss *bss = self->skel->bss;
	int ret;

	close(s->fd);
	if (!sweep_open(s))
		return 1;
	bss->target = getpid();
	while (next_round(s)) {
		bss->result = 1;
		bss->wanted = true;
		arm(s);
		ret = OK(getpgid(getpid()));
		disarm(s, bss->result);
		/* The verdict does not depend on the record. */
		if (ret != -EPERM)
			return 2;
		if (bss->result && bss->result != -ENOMEM)
			return 3;
	}
	if (!s->done || !s->injected)
		return 4;
	/* The record of the last round, without a failure, is there. */
	return bss->result ? 5 : 0;
}

TEST_F(other, writes_audit_record)
{
	bpf_program__set_autoload(self->skel->progs.audit, true);
	ASSERT_EQ(0, sweep_bpf__load(self->skel)) TH_LOG("%s", libbpf_log);
	ASSERT_EQ(0, sweep_bpf__attach(self->skel));
	self->skel->bss->event.verdict = -EPERM;
	strcpy((char *)self->skel->bss->event.key, "sweep");
	ASSERT_EQ(0, system("auditctl -e 1 -b 8192 >/dev/null"));
	EXPECT_EQ(0, in_child(audit_rounds, self));
	EXPECT_EQ(0, system("auditctl -e 0 >/dev/null"));
}

TEST_HARNESS_MAIN
