// SPDX-License-Identifier: GPL-2.0
/*
 * One hook carries many programs. Mainline's trampolines end at 38, or with
 * their page, with E2BIG, and those that are attached go on working; KRSI has no
 * limit that anybody meets.
 */

#include "common.h"
#include "many.skel.h"

#define MAX_PROGRAMS 128

FIXTURE(many)
{
	struct many_bpf *skel;
	struct bpf_program *prog;
	__u32 flags;
	const char *hook;
	int attached;
	int link[MAX_PROGRAMS];
	int (*action)(void);
};

FIXTURE_VARIANT(many)
{
	bool sleepable;
	int programs;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(many, programs_32) {
	.programs = 32,
};

FIXTURE_VARIANT_ADD(many, programs_39) {
	.programs = 39,
};

FIXTURE_VARIANT_ADD(many, programs_64) {
	.programs = 64,
};

FIXTURE_VARIANT_ADD(many, programs_128) {
	.programs = 128,
};

FIXTURE_VARIANT_ADD(many, sleepable_64) {
	.sleepable = true,
	.programs = 64,
};
/* clang-format on */

static int use_getpgid(void)
{
	return OK(getpgid(getpid()));
}

static int unshare_user(void *arg)
{
	return unshare(CLONE_NEWUSER) ? errno : 0;
}

static int use_userns(void)
{
	return -in_child(unshare_user, NULL);
}

FIXTURE_SETUP(many)
{
	int i;

	for (i = 0; i < MAX_PROGRAMS; i++)
		self->link[i] = -1;

	REQUIRE_LSM();
	self->skel = many_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->skel->bss->target = getpid();

	self->hook = variant->sleepable ? "userns_create" : "task_getpgid";
	self->flags = variant->sleepable ? BPF_F_SLEEPABLE : 0;
	self->action = variant->sleepable ? use_userns : use_getpgid;
	self->prog = variant->sleepable ? self->skel->progs.many_sleepable : self->skel->progs.many;
}

FIXTURE_TEARDOWN(many)
{
	int i;

	for (i = 0; i < MAX_PROGRAMS; i++)
		if (self->link[i] >= 0)
			close(self->link[i]);
	many_bpf__destroy(self->skel);
}

static void attach_all(struct __test_metadata *const _metadata, FIXTURE_DATA(many) * self,
		       int programs)
{
	int prog, i;

	for (i = 0; i < programs; i++) {
		prog = load_again(self->prog, self->hook, self->flags);
		ASSERT_LE(0, prog);
		self->link[i] = attach_cookie_fd(prog, i);
		/* The link keeps the program. */
		close(prog);
		if (self->link[i] < 0)
			break;
	}
	self->attached = i;
}

TEST_F_TIMEOUT(many, all_run_in_order, 300)
{
	struct many_bpf__bss *bss = self->skel->bss;
	int i;

	attach_all(_metadata, self, variant->programs);
	if (krsi_active() || variant->programs <= 32) {
		ASSERT_EQ(variant->programs, self->attached);
	} else {
		ASSERT_LE(32, self->attached);
		ASSERT_GE(MAINLINE_MAX_LINKS, self->attached);
		ASSERT_EQ(-E2BIG, self->link[self->attached]);
	}

	EXPECT_LE(0, self->action());
	EXPECT_EQ(self->attached, bss->next);
	for (i = 0; i < self->attached; i++)
		EXPECT_EQ(self->attached - i, bss->ran[i]);

	/* The oldest is asked last, and asked all the same. */
	bss->verdict[0] = -1;
	bss->next = 0;
	EXPECT_EQ(-EPERM, self->action());
	EXPECT_EQ(self->attached, bss->next);

	/* After one in the middle, none. */
	bss->verdict[self->attached / 2] = -1;
	bss->next = 0;
	EXPECT_EQ(-EPERM, self->action());
	EXPECT_EQ(self->attached - self->attached / 2, bss->next);
}

TEST_F_TIMEOUT(many, detach_every_second, 300)
{
	struct many_bpf__bss *bss = self->skel->bss;
	int i, left;

	attach_all(_metadata, self, variant->programs);
	for (i = 0; i < self->attached; i += 2) {
		ASSERT_EQ(0, close(self->link[i]));
		self->link[i] = -1;
	}
	left = self->attached / 2;

	EXPECT_LE(0, self->action());
	EXPECT_EQ(left, bss->next);
	for (i = 0; i < self->attached; i++)
		EXPECT_EQ(i % 2 ? left - i / 2 : 0, bss->ran[i]);
}

TEST_HARNESS_MAIN
