// SPDX-License-Identifier: GPL-2.0
/*
 * Boot parameters that come through a bootconfig do what they do on the command
 * line, and what makes no sense is logged. To be run on a machine booted with
 * the one in bootconfig.conf.
 */

#include "blob.h"

FIXTURE(bootconfig) {};

FIXTURE_SETUP(bootconfig)
{
	char text[4096];

	if (!krsi_active())
		SKIP(return, "krsi is not active");
	if (!read_text("/proc/bootconfig", text, sizeof(text)) || !strstr(text, "kernel.krsi."))
		SKIP(return, "boot with the bootconfig of the selftests, as scripts/test.sh does");
}

FIXTURE_TEARDOWN(bootconfig)
{
}

TEST_F(bootconfig, sizes)
{
	EXPECT_EQ(64, blob_reserved("cred"));
	EXPECT_EQ(128, blob_reserved("inode"));
	EXPECT_EQ(32, blob_reserved("task"));
	EXPECT_EQ(0, blob_reserved("file"));
	EXPECT_EQ(0, blob_reserved("key"));
	EXPECT_TRUE(logged("krsi.blob: ignoring \"nonsense\": not of the form CLASS:BYTES"));
	EXPECT_TRUE(logged("krsi.blob: ignoring \"inode:8\": duplicate class"));
	EXPECT_TRUE(logged("krsi.blob: ignoring \"key:4096\": more than 1024 bytes"));
}

/* The second of an array is refused, and the first is in force. */
TEST_F(bootconfig, xattrs)
{
	EXPECT_EQ(0, blob_command("claim inode one 8 xattr=yes"));
	EXPECT_EQ(0, blob_command("claim inode two 8 xattr=yes"));
	EXPECT_EQ(-ENOSPC, blob_command("claim inode three 8 xattr=yes"));
	EXPECT_TRUE(logged("krsi.xattrs: ignoring \"many\": not a number up to 16"));
}

TEST_F(bootconfig, mode)
{
	char text[4096];

	ASSERT_TRUE(read_text(SECURITYFS "/krsi/boot", text, sizeof(text)));
	EXPECT_EQ(0, strncmp(text, "mode=permissive ", strlen("mode=permissive ")));
	EXPECT_TRUE(logged("krsi.boot: neither enforce, permissive nor off: \"maybe\"; enforcing"));
}

TEST_HARNESS_MAIN
