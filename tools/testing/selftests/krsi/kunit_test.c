// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suites can be run again from debugfs, on a system that enforces a policy:
 * they pass, and what is attached goes on deciding.
 */

#include <dirent.h>
#include <pthread.h>

#include "attach.skel.h"
#include "common.h"

#define SUITES "/sys/kernel/debug/kunit"
/* Two long chains, one after the other, and a short one. */
#define PROGS 34

static bool stop;
static int passed, calls;

static void *keep_calling(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		if (OK(getpgid(getpid())) != -EPERM)
			passed++;
		calls++;
	}
	return NULL;
}

/* Runs a suite; true if all its tests passed. */
static bool run_suite(const char *suite)
{
	char path[300], text[16384];

	snprintf(path, sizeof(path), SUITES "/%s/run", suite);
	if (!write_text(path, "1"))
		return false;
	snprintf(path, sizeof(path), SUITES "/%s/results", suite);
	if (!read_text(path, text, sizeof(text)))
		return false;
	return strstr(text, "\n    ok ") && !strstr(text, "not ok ");
}

TEST(suites_leave_live_hooks_alone)
{
	struct attach_bpf *skel;
	int link[PROGS], prog[PROGS], i, suites = 0;
	struct dirent *entry;
	pthread_t thread;
	DIR *dir;

	if (!krsi_active())
		SKIP(return, "boot with lsm=...,krsi");
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	dir = opendir(SUITES);
	if (!dir || access(SUITES "/krsi_chain/run", W_OK))
		SKIP(return, "CONFIG_KUNIT_DEBUGFS and CONFIG_SECURITY_KRSI_KUNIT_TEST are needed");

	/* The one that denies is the oldest: at the end of the last chain. */
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
		link[i] = attach_fd(prog[i]);
		ASSERT_LE(0, link[i]);
	}
	ASSERT_EQ(-EPERM, OK(getpgid(getpid())));
	ASSERT_EQ(0, pthread_create(&thread, NULL, keep_calling, NULL));

	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, "krsi_", 5) &&
		    strncmp(entry->d_name, "rust_bpf", 8) &&
		    strncmp(entry->d_name, "rust_rcu", 8))
			continue;
		EXPECT_TRUE(run_suite(entry->d_name)) TH_LOG("%s", entry->d_name);
		EXPECT_EQ(-EPERM, OK(getpgid(getpid()))) TH_LOG("%s", entry->d_name);
		suites++;
	}
	EXPECT_LE(5, suites);

	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_LT(0, calls);
	EXPECT_EQ(0, passed);
	/* The chains are in order still. */
	for (i = PROGS - 1; i > 0; i--) {
		close(link[i]);
		close(prog[i]);
		EXPECT_EQ(-EPERM, OK(getpgid(getpid())));
	}
	close(link[0]);
	EXPECT_LT(0, getpgid(getpid()));
	attach_bpf__destroy(skel);
	closedir(dir);
}

TEST_HARNESS_MAIN
