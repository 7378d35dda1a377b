// SPDX-License-Identifier: GPL-2.0
/*
 * If lsm= names krsi and bpf, in either order, KRSI runs the programs, at the
 * place where krsi is named. Boot with, say, lsm=landlock,bpf,yama,krsi.
 */

#include "attach.skel.h"
#include "common.h"

FIXTURE(both)
{
	char lsm[1024];		/* the value of lsm= */
};

FIXTURE_SETUP(both)
{
	char cmdline[4096], *lsm, *end;

	if (!krsi_built())
		SKIP(return, "the kernel was built without KRSI");
	ASSERT_TRUE(read_text("/proc/cmdline", cmdline, sizeof(cmdline)));
	lsm = strstr(cmdline, "lsm=");
	if (!lsm)
		SKIP(return, "lsm= is not on the command line");
	/* The last one counts. */
	while (strstr(lsm + 1, "lsm="))
		lsm = strstr(lsm + 1, "lsm=");
	lsm += strlen("lsm=");
	end = lsm + strcspn(lsm, "\n ");
	*end = '\0';
	if (!in_list(lsm, "bpf") || !in_list(lsm, "krsi"))
		SKIP(return, "lsm= does not name both bpf and krsi");
	ASSERT_GT(sizeof(self->lsm), strlen(lsm));
	strcpy(self->lsm, lsm);
}

FIXTURE_TEARDOWN(both)
{
}

TEST_F(both, krsi_is_active)
{
	EXPECT_TRUE(krsi_active());
	EXPECT_EQ(0, access(SECURITYFS "/krsi/hooks", F_OK));
}

/* The list is lsm= without bpf, and with "bpf,krsi" for krsi. */
TEST_F(both, listed_where_krsi_is_named)
{
	char list[1024], expected[1024] = "capability", *name, *save;

	for (name = strtok_r(self->lsm, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		if (!strcmp(name, "bpf"))
			continue;
		strcat(expected, !strcmp(name, "krsi") ? ",bpf," : ",");
		strcat(expected, name);
	}
	ASSERT_TRUE(read_text(SECURITYFS "/lsm", list, sizeof(list)));
	EXPECT_STREQ(expected, list);
}

TEST_F(both, kernel_log_says_so)
{
	EXPECT_TRUE(kernel_log_has("LSM: cmdline:krsi replaces bpf"));
	EXPECT_TRUE(kernel_log_has("krsi: LSM support for eBPF active in place of bpf"));
}

/* Programs run once per call, not twice. */
TEST_F(both, programs_run_once)
{
	struct attach_bpf *skel;
	struct bpf_link *link;

	skel = attach_bpf__open();
	ASSERT_NE(NULL, skel);
	ASSERT_TRUE(load_only(skel->obj, "task_getpgid"));
	ASSERT_EQ(0, attach_bpf__load(skel));
	skel->bss->target = getpid();
	link = bpf_program__attach(skel->progs.task_getpgid);
	ASSERT_NE(NULL, link);
	EXPECT_LT(0, getpgid(getpid()));
	EXPECT_EQ(1, skel->bss->calls);
	skel->bss->verdict = -EPERM;
	EXPECT_EQ(-EPERM, OK(getpgid(getpid())));
	EXPECT_EQ(2, skel->bss->calls);
	bpf_link__destroy(link);
	EXPECT_LT(0, getpgid(getpid()));
	attach_bpf__destroy(skel);
}

TEST_HARNESS_MAIN
