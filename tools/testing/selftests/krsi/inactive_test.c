// SPDX-License-Identifier: GPL-2.0
/*
 * With neither krsi nor bpf among the active LSMs, nothing would ever call an
 * LSM program. A kernel with KRSI then refuses to attach one, instead of
 * letting its owner believe that it is enforced. To be run on a machine booted
 * with, say, lsm=landlock,yama.
 */

#include "attach.skel.h"
#include "cgroup.skel.h"
#include "common.h"

FIXTURE(inactive)
{
	struct attach_bpf *skel;
};

FIXTURE_SETUP(inactive)
{
	if (krsi_active() || bpf_active())
		SKIP(return, "an LSM that runs programs is active");
	if (!krsi_built())
		SKIP(return, "the kernel was built without KRSI");
	self->skel = attach_bpf__open();
	ASSERT_NE(NULL, self->skel);
	ASSERT_TRUE(load_only(self->skel->obj, "task_getpgid"));
	/* Loading is verification, which works. */
	ASSERT_EQ(0, attach_bpf__load(self->skel));
	self->skel->bss->target = getpid();
	self->skel->bss->verdict = -EPERM;
}

FIXTURE_TEARDOWN(inactive)
{
	attach_bpf__destroy(self->skel);
}

TEST_F(inactive, attach_is_refused)
{
	EXPECT_EQ(-EOPNOTSUPP, attach_fd(bpf_program__fd(self->skel->progs.task_getpgid)));
	EXPECT_LT(0, getpgid(getpid()));
	EXPECT_EQ(0, self->skel->bss->calls);
	/* Not by accident: not the second time either. */
	EXPECT_EQ(-EOPNOTSUPP, attach_fd(bpf_program__fd(self->skel->progs.task_getpgid)));
}

TEST_F(inactive, raw_tracepoint_open_is_refused)
{
	int prog = bpf_program__fd(self->skel->progs.task_getpgid);

	EXPECT_EQ(-EOPNOTSUPP, bpf_raw_tracepoint_open(NULL, prog));
}

TEST_F(inactive, cgroup_attach_is_refused)
{
	struct cgroup_bpf *skel;
	char dir[16];
	int cgroup;

	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	ASSERT_EQ(0, mount("cgroup2", "/tmp", "cgroup2", 0, NULL));
	cgroup = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_LE(0, cgroup);
	skel = cgroup_bpf__open();
	ASSERT_NE(NULL, skel);
	ASSERT_TRUE(load_only(skel->obj, "getpgid"));
	ASSERT_EQ(0, cgroup_bpf__load(skel));
	EXPECT_EQ(-EOPNOTSUPP, bpf_link_create(bpf_program__fd(skel->progs.getpgid), cgroup,
					       BPF_LSM_CGROUP, NULL));
	cgroup_bpf__destroy(skel);
	close(cgroup);
}

/* As aya's is_program_supported() probes: a trivial program for the hook `bpf`. */
TEST_F(inactive, aya_program_probe)
{
	int prog;

	prog = load_insns(return_0, 2, hook_btf_id("bpf"), "GPL", 0, NULL, 0);
	ASSERT_LE(0, prog);
	/* ENOTSUPP (524) would be its "no". */
	EXPECT_EQ(-EOPNOTSUPP, bpf_raw_tracepoint_open(NULL, prog));
	close(prog);
}

/* As aya's is_map_supported() probes: with an LSM that runs programs, -EBADF. */
TEST_F(inactive, aya_inode_storage_probe)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts,
		.map_flags = BPF_F_NO_PREALLOC,
		.btf_key_type_id = 1,
		.btf_value_type_id = 1,
	);

	EXPECT_EQ(-EOPNOTSUPP,
		  bpf_map_create(BPF_MAP_TYPE_INODE_STORAGE, NULL, 4, 1, 0, &opts));
}

TEST_F(inactive, kernel_log_says_why)
{
	EXPECT_EQ(-EOPNOTSUPP, attach_fd(bpf_program__fd(self->skel->progs.task_getpgid)));
	EXPECT_TRUE(kernel_log_has("name krsi or bpf in the boot option lsm="));
}

TEST_F(inactive, no_securityfs)
{
	EXPECT_EQ(-1, access(SECURITYFS "/krsi/hooks", F_OK));
}

TEST_HARNESS_MAIN
