// SPDX-License-Identifier: GPL-2.0
/*
 * krsi and bpf exclude each other: of the two on the kernel's command line the
 * first is active, and the refusal of the second is in the log. To be run on a
 * machine booted with, say, lsm=landlock,bpf,krsi.
 */

#include <sys/klog.h>

#include "attach.skel.h"
#include "common.h"

FIXTURE(both)
{
	bool bpf_first;
};

FIXTURE_SETUP(both)
{
	char cmdline[4096], *lsm, *end;
	const char *bpf, *krsi;

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
	bpf = strstr(lsm, "bpf");
	krsi = strstr(lsm, "krsi");
	self->bpf_first = bpf < krsi;
}

FIXTURE_TEARDOWN(both)
{
}

TEST_F(both, first_is_active_alone)
{
	EXPECT_EQ(self->bpf_first, bpf_active());
	EXPECT_EQ(!self->bpf_first, krsi_active());
	EXPECT_EQ(!self->bpf_first, !access(SECURITYFS "/krsi/hooks", F_OK));
}

TEST_F(both, kernel_log_says_so)
{
	const char *loser = self->bpf_first ? "krsi" : "bpf";
	static char log[1 << 20];
	bool found = false;
	char *line, *save;
	int len;

	/* SYSLOG_ACTION_READ_ALL */
	len = klogctl(3, log, sizeof(log) - 1);
	ASSERT_LT(0, len);
	log[len] = '\0';
	for (line = strtok_r(log, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		line = strstr(line, "refusing ");
		if (!line)
			continue;
		TH_LOG("%s", line);
		/* It is the one that is named first. */
		line = strpbrk(line, ":, ");
		found |= !!strstr(line, loser);
	}
	EXPECT_TRUE(found);
}

/* Whichever it is, programs run: once a call, not twice. */
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
