// SPDX-License-Identifier: GPL-2.0
/*
 * Tail calls between the programs of one hook.
 */

#include "common.h"
#include "tailcall.skel.h"

FIXTURE(tailcall)
{
	struct tailcall_bpf *skel;
	struct bpf_link *link;
	int programs;
};

FIXTURE_SETUP(tailcall)
{
	REQUIRE_LSM();
	self->skel = tailcall_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->skel->bss->target = getpid();
	self->programs = bpf_map__fd(self->skel->maps.programs);
	self->link = bpf_program__attach(self->skel->progs.entry);
	ASSERT_NE(NULL, self->link);
}

FIXTURE_TEARDOWN(tailcall)
{
	bpf_link__destroy(self->link);
	tailcall_bpf__destroy(self->skel);
}

static int set_callee(FIXTURE_DATA(tailcall) * self, struct bpf_program *prog)
{
	__u32 key = 0, fd = bpf_program__fd(prog);

	return bpf_map_update_elem(self->programs, &key, &fd, 0);
}

/* A call of nothing is not one, and the verdict the caller's. */
TEST_F(tailcall, missing)
{
	EXPECT_EQ(-EACCES, OK(getpgid(getpid())));
	EXPECT_EQ(1, self->skel->bss->entered);
	EXPECT_EQ(1, self->skel->bss->missed);
}

TEST_F(tailcall, verdict_is_the_callees)
{
	ASSERT_EQ(0, set_callee(self, self->skel->progs.callee));
	EXPECT_LT(0, getpgid(getpid()));
	EXPECT_EQ(1, self->skel->bss->entered);
	EXPECT_EQ(1, self->skel->bss->reached);
	EXPECT_EQ(0, self->skel->bss->missed);

	self->skel->bss->verdict = -1;
	EXPECT_EQ(-EPERM, OK(getpgid(getpid())));
	EXPECT_EQ(2, self->skel->bss->reached);
}

/* 33 calls, counted anew for every call of the hook. */
TEST_F(tailcall, is_bounded)
{
	ASSERT_EQ(0, set_callee(self, self->skel->progs.endless));
	EXPECT_EQ(-EPERM, OK(getpgid(getpid())));
	EXPECT_EQ(33, self->skel->bss->reached);
	EXPECT_EQ(-EPERM, OK(getpgid(getpid())));
	EXPECT_EQ(66, self->skel->bss->reached);
}

/* Its context would be another's. */
TEST_F(tailcall, not_into_other_hook)
{
	EXPECT_EQ(-EINVAL, set_callee(self, self->skel->progs.other_hook));
}

TEST_HARNESS_MAIN
