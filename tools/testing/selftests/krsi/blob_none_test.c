// SPDX-License-Identifier: GPL-2.0
/*
 * Without krsi.blob= there is nothing to be claimed, and no label to be had.
 */

#include "blob.h"
#include "blob.skel.h"

TEST(nothing_is_reserved)
{
	static const char *const classes[] = {
		"cred", "task", "file", "backing_file", "inode", "superblock", "sock", "ipc",
		"msg_msg", "key", "bdev", "perf_event", "tun_dev", "ib", "bpf_map", "bpf_prog",
		"bpf_token",
	};
	struct blob_bpf *skel;
	int i;

	if (!krsi_active())
		SKIP(return, "krsi is not active");
	if (blob_reserved("inode") > 0)
		SKIP(return, "boot without krsi.blob=");
	for (i = 0; i < ARRAY_SIZE(classes); i++) {
		EXPECT_EQ(0, blob_reserved(classes[i])) TH_LOG("%s", classes[i]);
		EXPECT_EQ(-ENXIO, blob_command("claim %s a 8", classes[i]))
			TH_LOG("%s", classes[i]);
		EXPECT_EQ(-ENOENT, blob_command("release %s a", classes[i]));
	}

	/* Programs load, and find nothing. */
	skel = blob_bpf__open();
	ASSERT_NE(NULL, skel);
	ASSERT_TRUE(load_only(skel->obj, "task_use"));
	ASSERT_EQ(0, blob_bpf__load(skel));
	skel->links.task_use = bpf_program__attach(skel->progs.task_use);
	ASSERT_NE(NULL, skel->links.task_use);
	skel->bss->target = getpid();
	EXPECT_LT(0, getpgid(getpid()));
	EXPECT_EQ(0, skel->bss->found);
	EXPECT_EQ(1, skel->bss->missing);
	blob_bpf__destroy(skel);
}

TEST_HARNESS_MAIN
