// SPDX-License-Identifier: GPL-2.0
/*
 * The differences between KRSI and the bpf LSM are those that the admin guide
 * names, and no larger.
 */

#include "common.h"
#include "differences.skel.h"

/*
 * Frames between the program and security_*(): of the bpf LSM, the generated
 * trampoline and perhaps the function of the hook; KRSI may have three more.
 */
#define FRAMES_BPF 3
#define FRAMES_KRSI (FRAMES_BPF + 3)

FIXTURE(differences)
{
	struct differences_bpf *skel;
};

FIXTURE_SETUP(differences)
{
	REQUIRE_LSM();
	self->skel = differences_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->skel->bss->target = getpid();
	ASSERT_EQ(0, differences_bpf__attach(self->skel));
}

FIXTURE_TEARDOWN(differences)
{
	differences_bpf__destroy(self->skel);
}

/* A program finds the framework's function a few frames above its own. */
TEST_F(differences, stack)
{
	int frames, at, limit = krsi_active() ? FRAMES_KRSI : FRAMES_BPF;
	const char *name;

	ASSERT_LT(0, getpgid(getpid()));
	ASSERT_LT(0, self->skel->bss->stack_size);
	frames = self->skel->bss->stack_size / sizeof(__u64);
	/* The first is the program itself. */
	for (at = 1; at < frames; at++) {
		name = self->skel->bss->names[at];
		TH_LOG("frame %d: %s", at, name);
		if (!strcmp(name, "security_task_getpgid"))
			break;
	}
	ASSERT_LT(at, frames) TH_LOG("security_task_getpgid() is not on the stack");
	EXPECT_LE(at - 1, limit);
}

/* Whether inode_init_security is called depends on attributes that KRSI keeps. */
TEST_F(differences, inode_init_security)
{
	char dir[16], cmdline[8192];

	ASSERT_TRUE(read_text("/proc/cmdline", cmdline, sizeof(cmdline)));
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	ASSERT_EQ(0, mknod("/tmp/file", S_IFREG | 0600, 0));
	if (krsi_active() && !strstr(cmdline, "krsi.xattrs="))
		SKIP(return, "a boot program may keep attributes");
	EXPECT_EQ(krsi_active(), self->skel->bss->created);
}

/* Patterns find a function that is not a hook, and no program can be loaded for it. */
TEST_F(differences, pattern)
{
	int id = hook_btf_id("is_sleepable_hook");

	ASSERT_LT(0, id);
	EXPECT_EQ(-EINVAL, load_insns(return_0, 2, id, "GPL", 0, NULL, 0));
}

TEST_HARNESS_MAIN
