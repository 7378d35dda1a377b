// SPDX-License-Identifier: GPL-2.0
/*
 * Tracing programs see a hook through its function, bpf_lsm_NAME, whether or
 * not LSM programs are attached, and see what those decided.
 */

#include <limits.h>
#include <sys/prctl.h>

#include "common.h"
#include "extend.skel.h"
#include "tracing.skel.h"

enum kind {
	LSM,
	LSM2,
	FENTRY,
	FENTRY2,
	FEXIT,
	FMOD_RET,
	KINDS,
};

#define MAX_LINKS 8

FIXTURE(tracing)
{
	struct tracing_bpf *skel;
	struct tracing_bpf__bss *bss;
	struct bpf_link *link[MAX_LINKS];
	int links;
};

FIXTURE_SETUP(tracing)
{
	REQUIRE_LSM();
	self->skel = tracing_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->bss = self->skel->bss;
	self->bss->target = getpid();
}

FIXTURE_TEARDOWN(tracing)
{
	int i;

	for (i = 0; i < self->links; i++)
		bpf_link__destroy(self->link[i]);
	tracing_bpf__destroy(self->skel);
}

/* Returns the link's place, for detach(). */
static int attach(struct __test_metadata *const _metadata, FIXTURE_DATA(tracing) * self,
		  struct bpf_program *prog)
{
	ASSERT_GT(MAX_LINKS, self->links);
	self->link[self->links] = bpf_program__attach(prog);
	ASSERT_NE(NULL, self->link[self->links])
		TH_LOG("%s: %s", bpf_program__name(prog), strerror(errno));
	return self->links++;
}

static void detach(struct __test_metadata *const _metadata, FIXTURE_DATA(tracing) * self, int i)
{
	ASSERT_EQ(0, bpf_link__destroy(self->link[i]));
	self->link[i] = NULL;
}

static void forget(FIXTURE_DATA(tracing) * self)
{
	memset(self->bss->ran, 0, sizeof(self->bss->ran));
	self->bss->next = 0;
	self->bss->ret = 0x7fff;
}

static int call(FIXTURE_DATA(tracing) * self)
{
	forget(self);
	return OK(getpgid(getpid()));
}

/* The address of a kernel function. */
static __u64 kernel_symbol(const char *name)
{
	unsigned long long addr, found = 0;
	char line[512], type, symbol[256];
	FILE *file;

	file = fopen("/proc/kallsyms", "r");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llx %c %255s", &addr, &type, symbol) == 3 &&
		    !strcmp(symbol, name)) {
			found = addr;
			break;
		}
	}
	fclose(file);
	return found;
}

TEST_F(tracing, fentry_alone)
{
	int link = attach(_metadata, self, self->skel->progs.fentry);

	EXPECT_LT(0, call(self));
	EXPECT_EQ(1, self->bss->calls[FENTRY]);
	EXPECT_LT(0, call(self));
	EXPECT_EQ(2, self->bss->calls[FENTRY]);
	EXPECT_EQ(getpid(), self->bss->arg_tgid);
	EXPECT_EQ(1, self->bss->arg_cnt);

	detach(_metadata, self, link);
	EXPECT_LT(0, call(self));
	EXPECT_EQ(2, self->bss->calls[FENTRY]);
}

TEST_F(tracing, fexit_alone)
{
	int link = attach(_metadata, self, self->skel->progs.fexit);

	EXPECT_LT(0, call(self));
	EXPECT_EQ(1, self->bss->calls[FEXIT]);
	EXPECT_EQ(0, self->bss->ret);
	EXPECT_EQ(0, self->bss->func_ret_err);
	EXPECT_EQ(0, (int)self->bss->func_ret);

	detach(_metadata, self, link);
	EXPECT_LT(0, call(self));
	EXPECT_EQ(1, self->bss->calls[FEXIT]);
}

/* The default is what the function returns, here and to the hook's caller. */
TEST_F(tracing, default_alone)
{
	attach(_metadata, self, self->skel->progs.fentry_prctl);
	attach(_metadata, self, self->skel->progs.fexit_prctl);
	forget(self);
	EXPECT_EQ(1, prctl(PR_GET_DUMPABLE));
	EXPECT_EQ(1, self->bss->ran[FENTRY]);
	EXPECT_EQ(2, self->bss->ran[FEXIT]);
	EXPECT_EQ(-ENOSYS, self->bss->ret);
}

TEST_F(tracing, default_with_lsm)
{
	attach(_metadata, self, self->skel->progs.fentry_prctl);
	attach(_metadata, self, self->skel->progs.fexit_prctl);
	attach(_metadata, self, self->skel->progs.lsm_prctl);
	forget(self);
	EXPECT_EQ(1, prctl(PR_GET_DUMPABLE));
	EXPECT_EQ(1, self->bss->ran[FENTRY]);
	EXPECT_EQ(2, self->bss->ran[LSM]);
	EXPECT_EQ(3, self->bss->ran[FEXIT]);
	/* The program had no opinion. */
	EXPECT_EQ(-ENOSYS, self->bss->ret);

	self->bss->verdict[LSM] = -1;
	EXPECT_EQ(-EPERM, OK(prctl(PR_GET_DUMPABLE)));
	EXPECT_EQ(-EPERM, self->bss->ret);
}

TEST_F(tracing, func_ip)
{
	__u64 want = kernel_symbol("bpf_lsm_task_getpgid");
	int link;

	ASSERT_NE(0, want);
	link = attach(_metadata, self, self->skel->progs.fentry);
	EXPECT_LT(0, call(self));
	EXPECT_EQ(want, self->bss->func_ip);
	detach(_metadata, self, link);

	self->bss->func_ip = 0;
	attach(_metadata, self, self->skel->progs.fexit);
	attach(_metadata, self, self->skel->progs.lsm);
	EXPECT_LT(0, call(self));
	EXPECT_EQ(want, self->bss->func_ip);
}

/* Entry, LSM programs, exit: whichever was attached first. */
TEST_F(tracing, order_with_lsm)
{
	attach(_metadata, self, self->skel->progs.fexit);
	attach(_metadata, self, self->skel->progs.lsm);
	attach(_metadata, self, self->skel->progs.fentry);
	attach(_metadata, self, self->skel->progs.lsm2);
	attach(_metadata, self, self->skel->progs.fentry2);
	EXPECT_LT(0, call(self));
	EXPECT_EQ(1, self->bss->ran[FENTRY2]);
	EXPECT_EQ(2, self->bss->ran[FENTRY]);
	EXPECT_EQ(3, self->bss->ran[LSM2]);
	EXPECT_EQ(4, self->bss->ran[LSM]);
	EXPECT_EQ(5, self->bss->ran[FEXIT]);
	EXPECT_EQ(0, self->bss->ret);
}

/* The exit sees the verdict, and cannot change it. */
TEST_F(tracing, exit_sees_verdict)
{
	attach(_metadata, self, self->skel->progs.fentry);
	attach(_metadata, self, self->skel->progs.fexit);
	attach(_metadata, self, self->skel->progs.lsm);
	attach(_metadata, self, self->skel->progs.lsm2);
	self->bss->verdict[LSM2] = -1;
	EXPECT_EQ(-EPERM, call(self));
	EXPECT_EQ(1, self->bss->ran[FENTRY]);
	EXPECT_EQ(2, self->bss->ran[LSM2]);
	EXPECT_EQ(0, self->bss->ran[LSM]);
	EXPECT_EQ(3, self->bss->ran[FEXIT]);
	EXPECT_EQ(-EPERM, self->bss->ret);
	EXPECT_EQ(-EPERM, (int)self->bss->func_ret);
}

TEST_F(tracing, tracing_outlives_lsm)
{
	int lsm, fentry;

	lsm = attach(_metadata, self, self->skel->progs.lsm);
	fentry = attach(_metadata, self, self->skel->progs.fentry);
	self->bss->verdict[LSM] = -1;
	EXPECT_EQ(-EPERM, call(self));
	detach(_metadata, self, lsm);
	EXPECT_LT(0, call(self));
	EXPECT_EQ(1, self->bss->ran[FENTRY]);
	EXPECT_EQ(0, self->bss->ran[LSM]);
	detach(_metadata, self, fentry);
	EXPECT_LT(0, call(self));
	EXPECT_EQ(0, self->bss->ran[FENTRY]);
}

TEST_F(tracing, lsm_outlives_tracing)
{
	int fentry, fexit;

	attach(_metadata, self, self->skel->progs.lsm);
	fentry = attach(_metadata, self, self->skel->progs.fentry);
	fexit = attach(_metadata, self, self->skel->progs.fexit);
	self->bss->verdict[LSM] = -1;
	EXPECT_EQ(-EPERM, call(self));
	detach(_metadata, self, fentry);
	EXPECT_EQ(-EPERM, call(self));
	EXPECT_EQ(2, self->bss->ran[FEXIT]);
	detach(_metadata, self, fexit);
	EXPECT_EQ(-EPERM, call(self));
	EXPECT_EQ(1, self->bss->ran[LSM]);
	EXPECT_EQ(0, self->bss->ran[FEXIT]);
}

static long long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

/*
 * Closing the last tracer of a hook waits for no grace period, and tracers that
 * come before one has passed find everything in order.
 */
TEST_F(tracing, last_tracer_leaves_at_once)
{
	long long took, least = LLONG_MAX;
	int i, link;

	attach(_metadata, self, self->skel->progs.lsm);
	for (i = 0; i < 30; i++) {
		self->bss->verdict[LSM] = -(i % 2);
		link = attach(_metadata, self, self->skel->progs.fentry);
		EXPECT_EQ(i % 2 ? -EPERM : getpgid(0), call(self));
		EXPECT_EQ(1, self->bss->ran[FENTRY]);
		EXPECT_EQ(2, self->bss->ran[LSM]);
		took = now_us();
		detach(_metadata, self, link);
		took = now_us() - took;
		self->links--;
		if (took < least)
			least = took;
		EXPECT_EQ(i % 2 ? -EPERM : getpgid(0), call(self));
		EXPECT_EQ(0, self->bss->ran[FENTRY]);
		EXPECT_EQ(1, self->bss->ran[LSM]);
		if (i >= 20) /* The image is gone, or about to. */
			usleep(i * 5000);
	}
	/* A grace period of RCU Tasks takes a tenth of a second at least. */
	if (krsi_active())
		EXPECT_GT(50000, least);
	TH_LOG("at least %lld us", least);
}

/* On a void hook LSM programs and exits are one list, the newest first. */
TEST_F(tracing, void_lsm_then_exit)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	attach(_metadata, self, self->skel->progs.fexit_fowner);
	attach(_metadata, self, self->skel->progs.lsm_fowner);
	attach(_metadata, self, self->skel->progs.fentry_fowner);
	self->bss->verdict[LSM] = -1;
	forget(self);
	EXPECT_EQ(0, fcntl(fd, F_SETOWN, getpid()));
	EXPECT_EQ(1, self->bss->ran[FENTRY]);
	EXPECT_EQ(2, self->bss->ran[LSM]);
	EXPECT_EQ(3, self->bss->ran[FEXIT]);
	close(fd);
}

TEST_F(tracing, void_exit_then_lsm)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	attach(_metadata, self, self->skel->progs.lsm_fowner);
	attach(_metadata, self, self->skel->progs.fexit_fowner);
	forget(self);
	EXPECT_EQ(0, fcntl(fd, F_SETOWN, getpid()));
	EXPECT_EQ(1, self->bss->ran[FEXIT]);
	EXPECT_EQ(2, self->bss->ran[LSM]);
	close(fd);
}

TEST_F(tracing, void_alone)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	attach(_metadata, self, self->skel->progs.fexit_fowner);
	attach(_metadata, self, self->skel->progs.fentry_fowner);
	forget(self);
	EXPECT_EQ(0, fcntl(fd, F_SETOWN, getpid()));
	EXPECT_EQ(1, self->bss->ran[FENTRY]);
	EXPECT_EQ(2, self->bss->ran[FEXIT]);
	close(fd);
}

static int unshare_user(void *arg)
{
	return unshare(CLONE_NEWUSER) ? errno : 0;
}

TEST_F(tracing, with_sleepable_lsm)
{
	attach(_metadata, self, self->skel->progs.fexit_userns);
	attach(_metadata, self, self->skel->progs.fentry_userns);
	attach(_metadata, self, self->skel->progs.lsm_userns);
	forget(self);
	EXPECT_EQ(0, in_child(unshare_user, NULL));
	EXPECT_EQ(1, self->bss->ran[FENTRY]);
	EXPECT_EQ(2, self->bss->ran[LSM]);
	EXPECT_EQ(3, self->bss->ran[FEXIT]);
	EXPECT_EQ(0, self->bss->ret);

	self->bss->verdict[LSM] = -1;
	EXPECT_EQ(EPERM, in_child(unshare_user, NULL));
	EXPECT_EQ(-EPERM, self->bss->ret);
}

TEST_F(tracing, session)
{
	int type = attach_type("BPF_TRACE_FSESSION");
	int lsm;

	if (type < 0)
		SKIP(return, "the kernel has no tracing sessions");
	tracing_bpf__destroy(self->skel);
	self->skel = tracing_bpf__open();
	ASSERT_NE(NULL, self->skel);
	bpf_program__set_autoload(self->skel->progs.session, true);
	/* Libbpf has no section name for it yet. */
	ASSERT_EQ(0, bpf_program__set_expected_attach_type(self->skel->progs.session, type));
	ASSERT_EQ(0, tracing_bpf__load(self->skel));
	self->bss = self->skel->bss;
	self->bss->target = getpid();

	lsm = attach(_metadata, self, self->skel->progs.lsm);
	attach(_metadata, self, self->skel->progs.session);
	self->bss->verdict[LSM] = -1;
	EXPECT_EQ(-EPERM, call(self));
	EXPECT_EQ(2, self->bss->calls[FENTRY2]);
	EXPECT_EQ(2, self->bss->ran[LSM]);
	EXPECT_EQ(3, self->bss->ran[FENTRY2]);

	/* Alone. */
	detach(_metadata, self, lsm);
	EXPECT_LT(0, call(self));
	EXPECT_EQ(4, self->bss->calls[FENTRY2]);
	EXPECT_EQ(0, self->bss->ran[LSM]);
}

/* One link to the functions of two hooks. */
TEST_F(tracing, multi)
{
	struct {
		__u32 prog_fd;
		__u32 target_fd;
		__u32 attach_type;
		__u32 flags;
		__u64 ids;
		__u64 cookies;
		__u64 cnt;
	} attr = {};
	int type = attach_type("BPF_TRACE_FENTRY_MULTI");
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = type);
	struct bpf_program *prog = self->skel->progs.fentry2;
	__u32 ids[2];
	int fd, link;

	if (type < 0)
		SKIP(return, "the kernel has no links to several functions");
	/* The program is loaded for no function in particular. */
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "multi", "GPL", bpf_program__insns(prog),
			   bpf_program__insn_cnt(prog), &opts);
	ASSERT_LE(0, fd);
	ids[0] = hook_btf_id("task_getpgid");
	ids[1] = hook_btf_id("task_prctl");
	attr.prog_fd = fd;
	attr.attach_type = type;
	attr.ids = (__u64)ids;
	attr.cnt = 2;
	link = OK(syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr)));
	ASSERT_LE(0, link);
	close(fd);

	EXPECT_LT(0, call(self));
	EXPECT_EQ(1, self->bss->calls[FENTRY2]);
	EXPECT_EQ(1, prctl(PR_GET_DUMPABLE));
	EXPECT_EQ(2, self->bss->calls[FENTRY2]);

	attach(_metadata, self, self->skel->progs.lsm);
	self->bss->verdict[LSM] = -1;
	EXPECT_EQ(-EPERM, call(self));
	EXPECT_EQ(1, self->bss->ran[FENTRY2]);
	EXPECT_EQ(2, self->bss->ran[LSM]);

	close(link);
	EXPECT_EQ(-EPERM, call(self));
	EXPECT_EQ(0, self->bss->ran[FENTRY2]);
	EXPECT_EQ(1, self->bss->ran[LSM]);
}

/* A modified security_task_getpgid() does not get as far as the LSMs. */
TEST_F(tracing, fmod_ret_on_framework)
{
	attach(_metadata, self, self->skel->progs.lsm);
	attach(_metadata, self, self->skel->progs.fmod_ret);
	EXPECT_LT(0, call(self));
	EXPECT_EQ(1, self->bss->ran[FMOD_RET]);
	EXPECT_EQ(2, self->bss->ran[LSM]);

	self->bss->verdict[FMOD_RET] = -1;
	self->bss->verdict[LSM] = -1;
	EXPECT_EQ(-EACCES, call(self));
	EXPECT_EQ(0, self->bss->ran[LSM]);

	self->bss->verdict[FMOD_RET] = 0;
	EXPECT_EQ(-EPERM, call(self));
}

FIXTURE(extend)
{
	struct tracing_bpf *skel;
	struct extend_bpf *extend;
	struct bpf_link *lsm;
	struct bpf_link *link;
	struct bpf_link *link2;
};

FIXTURE_SETUP(extend)
{
	REQUIRE_LSM();
	self->skel = tracing_bpf__open();
	ASSERT_NE(NULL, self->skel);
	ASSERT_TRUE(load_only(self->skel->obj, "lsm_with_part"));
	ASSERT_EQ(0, tracing_bpf__load(self->skel));
	self->skel->bss->target = getpid();
	self->extend = extend_bpf__open();
	ASSERT_NE(NULL, self->extend);
}

FIXTURE_TEARDOWN(extend)
{
	bpf_link__destroy(self->link2);
	bpf_link__destroy(self->link);
	bpf_link__destroy(self->lsm);
	extend_bpf__destroy(self->extend);
	tracing_bpf__destroy(self->skel);
}

FIXTURE_VARIANT(extend)
{
	/* Whether the LSM program is attached before it is extended. */
	bool attached_first;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(extend, attached) {
	.attached_first = true,
};

FIXTURE_VARIANT_ADD(extend, loaded) {
};
/* clang-format on */

static void attach_lsm(struct __test_metadata *const _metadata, FIXTURE_DATA(extend) * self,
		       bool now)
{
	if (!now)
		return;
	self->lsm = bpf_program__attach(self->skel->progs.lsm_with_part);
	ASSERT_NE(NULL, self->lsm);
}

TEST_F(extend, freplace)
{
	struct bpf_program *prog = self->extend->progs.replacement;
	int target = bpf_program__fd(self->skel->progs.lsm_with_part);

	ASSERT_EQ(0, bpf_program__set_attach_target(prog, target, "replaceable"));
	ASSERT_TRUE(load_only(self->extend->obj, "replacement"));
	ASSERT_EQ(0, extend_bpf__load(self->extend));

	attach_lsm(_metadata, self, variant->attached_first);
	self->link = bpf_program__attach(prog);
	ASSERT_NE(NULL, self->link);
	attach_lsm(_metadata, self, !variant->attached_first);

	EXPECT_EQ(-EACCES, OK(getpgid(getpid())));
	EXPECT_EQ(1, self->extend->bss->replaced);
	ASSERT_EQ(0, bpf_link__destroy(self->link));
	self->link = NULL;
	EXPECT_LT(0, getpgid(getpid()));
	EXPECT_EQ(1, self->extend->bss->replaced);
}

TEST_F(extend, fentry_fexit_on_program)
{
	int target = bpf_program__fd(self->skel->progs.lsm_with_part);
	struct extend_bpf *extend = self->extend;

	ASSERT_EQ(0, bpf_program__set_attach_target(extend->progs.enter, target, "lsm_with_part"));
	ASSERT_EQ(0, bpf_program__set_attach_target(extend->progs.leave, target, "lsm_with_part"));
	bpf_program__set_autoload(extend->progs.replacement, false);
	ASSERT_EQ(0, extend_bpf__load(extend));

	attach_lsm(_metadata, self, variant->attached_first);
	self->link = bpf_program__attach(extend->progs.enter);
	ASSERT_NE(NULL, self->link);
	self->link2 = bpf_program__attach(extend->progs.leave);
	ASSERT_NE(NULL, self->link2);
	attach_lsm(_metadata, self, !variant->attached_first);

	self->skel->bss->verdict[LSM] = -1;
	EXPECT_EQ(-EPERM, OK(getpgid(getpid())));
	EXPECT_EQ(1, extend->bss->entered);
	EXPECT_EQ(1, extend->bss->exited);
	EXPECT_EQ(-EPERM, extend->bss->ret);
}

TEST_HARNESS_MAIN
