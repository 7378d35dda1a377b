// SPDX-License-Identifier: GPL-2.0
/*
 * Without krsi.blob=, and with boot programs switched off, there is nothing to be
 * claimed, and no label to be had.
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
	char text[4096];
	int i;

	if (!krsi_active())
		SKIP(return, "krsi is not active");
	if (blob_reserved("inode") > 0)
		SKIP(return, "boot without krsi.blob=");
	ASSERT_TRUE(read_text(SECURITYFS "/krsi/boot", text, sizeof(text)));
	if (strncmp(text, "mode=off ", strlen("mode=off ")))
		SKIP(return, "boot with krsi.boot=off");
	EXPECT_STREQ("mode=off programs=0 refused=0 micros=0 cpu_micros=0\n", text);
	for (i = 0; i < ARRAY_SIZE(classes); i++) {
		EXPECT_EQ(0, blob_reserved(classes[i])) TH_LOG("%s", classes[i]);
		EXPECT_EQ(0, blob_field("boot=", classes[i], NULL, NULL)) TH_LOG("%s", classes[i]);
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
