// SPDX-License-Identifier: GPL-2.0
/*
 * With retbleed=stuff calls are counted in the padding before the function that
 * is called, which is found by the function's address: KRSI's direct calls have
 * to have that as their target.
 */

#include <sys/klog.h>

#include "attach.skel.h"
#include "common.h"

#define PROGS 20
#define LOG_SIZE (1 << 20)

static bool stuffing(void)
{
	char text[128];

	return read_text("/sys/devices/system/cpu/vulnerabilities/retbleed", text, sizeof(text)) &&
	       strstr(text, "Stuffing");
}

/* How often the kernel log says that padding was not found; -1 on failure. */
static int not_found(void)
{
	char *log = calloc(1, LOG_SIZE), *p;
	int count = 0;

	if (!log || klogctl(3 /* SYSLOG_ACTION_READ_ALL */, log, LOG_SIZE - 1) <= 0)
		count = -1;
	for (p = log; count >= 0 && (p = strstr(p, "Invalid padding area")); p++)
		count++;
	free(log);
	return count;
}

/* Programs, chains of them and lists, alone and together. */
TEST(calls_find_the_padding)
{
	struct attach_bpf *skel;
	int link[PROGS], prog[PROGS], i, before;

	if (!krsi_active() || !stuffing())
		SKIP(return, "boot with lsm=...,krsi retbleed=stuff spectre_v2=retpoline");
	/* The message comes once, and at boot it is about a function of Linux. */
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	ASSERT_TRUE(write_text("/sys/kernel/debug/clear_warn_once", "1"));
	before = not_found();
	ASSERT_LE(0, before);

	skel = attach_bpf__open();
	ASSERT_NE(NULL, skel);
	ASSERT_TRUE(load_only(skel->obj, "task_getpgid"));
	ASSERT_EQ(0, attach_bpf__load(skel));
	skel->bss->target = getpid();
	skel->bss->verdict = -EPERM;
	for (i = 0; i < PROGS; i++) {
		prog[i] = bpf_program__fd(skel->progs.task_getpgid);
		if (i)
			prog[i] = load_insns(return_0, 2, hook_btf_id("task_getpgid"), "GPL", 0,
					     NULL, 0);
		ASSERT_LE(0, prog[i]);
		/* The last has a cookie: the list is run. */
		link[i] = attach_cookie_fd(prog[i], i == PROGS - 1);
		ASSERT_LE(0, link[i]);
		EXPECT_EQ(-EPERM, OK(getpgid(getpid())));
	}
	for (i = PROGS - 1; i > 0; i--) {
		close(link[i]);
		close(prog[i]);
		EXPECT_EQ(-EPERM, OK(getpgid(getpid())));
	}
	close(link[0]);
	EXPECT_LT(0, getpgid(getpid()));
	attach_bpf__destroy(skel);
	EXPECT_EQ(before, not_found());
}

TEST_HARNESS_MAIN
