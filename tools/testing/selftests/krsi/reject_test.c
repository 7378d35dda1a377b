// SPDX-License-Identifier: GPL-2.0
/*
 * What cannot be loaded, with the reason that its author is told.
 */

#include "common.h"
#include "license.skel.h"
#include "reject.skel.h"

FIXTURE(reject)
{
	struct reject_bpf *skel;
	char log[65536];
};

FIXTURE_VARIANT(reject)
{
	const char *prog;
	/* 0 if the program is to be accepted. */
	int err;
	const char *reason;
};

/* clang-format off */
#define REJECT(name, errnum, why)			\
FIXTURE_VARIANT_ADD(reject, name) {			\
	.prog = #name,					\
	.err = errnum,					\
	.reason = why,					\
}
#define ACCEPT(name) REJECT(name, 0, "")

#define RANGE "should have been in [-4095, 0]"
#define BOOL_RANGE "should have been in [0, 1]"
REJECT(return_1, -EINVAL, RANGE);
REJECT(return_minus_4096, -EINVAL, RANGE);
REJECT(return_any, -EINVAL, RANGE);
REJECT(prctl_return_1, -EINVAL, RANGE);
ACCEPT(return_minus_4095);

#define BOOL_HOOK(hook)						\
	ACCEPT(hook##_0);					\
	ACCEPT(hook##_1);					\
	REJECT(hook##_2, -EINVAL, BOOL_RANGE);			\
	REJECT(hook##_minus_1, -EINVAL, BOOL_RANGE)

BOOL_HOOK(audit_rule_known);
BOOL_HOOK(inode_xattr_skipcap);
BOOL_HOOK(xfrm_state_pol_flow_match);

REJECT(sleepable_getpgid, -EINVAL, "bpf_lsm_task_getpgid is not sleepable");

#define SLEEPLESS(hook)								\
	REJECT(sleepable_##hook, -EINVAL, "bpf_lsm_" #hook " is not sleepable")

SLEEPLESS(file_permission);
SLEEPLESS(inode_copy_up);
SLEEPLESS(inode_file_getattr);
SLEEPLESS(inode_free_security);
SLEEPLESS(inode_permission);
SLEEPLESS(perf_event_read);
SLEEPLESS(ptrace_access_check);
SLEEPLESS(release_secctx);
SLEEPLESS(task_kill);

REJECT(copy_from_user, -EINVAL, "bpf_copy_from_user");

#define DISABLED(hook)								\
	REJECT(disabled_##hook, -EINVAL, "points to disabled hook bpf_lsm_" #hook)

DISABLED(audit_rule_match);
DISABLED(file_alloc_security);
DISABLED(getprocattr);
DISABLED(getselfattr);
DISABLED(inode_copy_up_xattr);
DISABLED(inode_getsecurity);
DISABLED(inode_listsecurity);
DISABLED(inode_need_killpriv);
DISABLED(ismaclabel);
DISABLED(key_getsecurity);
DISABLED(setprocattr);
DISABLED(vm_enough_memory);
DISABLED(xfrm_decode_session);

/* Libbpf, not the kernel, looks for the hook. */
REJECT(no_such_hook, -ESRCH, "failed to find kernel BTF type ID of 'no_such_hook'");

REJECT(third_argument, -EACCES, "doesn't have 3-th argument");
REJECT(second_of_none, -EACCES, "doesn't have 2-th argument");
REJECT(return_of_void, -EACCES, "invalid bpf_context access");
REJECT(write_argument, -EACCES, "");
REJECT(func_ip, -ENOTSUPP, "not supported for program type");
REJECT(fmod_ret, -EINVAL, "bpf_lsm_task_getpgid() is not modifiable");
REJECT(fmod_ret_sleepable, -EINVAL, "is not sleepable");
REJECT(fentry_sleepable, -EINVAL, "is not sleepable");
/* clang-format on */

FIXTURE_SETUP(reject)
{
	self->skel = reject_bpf__open();
	ASSERT_NE(NULL, self->skel);
}

FIXTURE_TEARDOWN(reject)
{
	reject_bpf__destroy(self->skel);
}

TEST_F(reject, load)
{
	EXPECT_EQ(variant->err, load_logged(self->skel->obj, variant->prog, self->log,
					    sizeof(self->log)));
	if (variant->err)
		EXPECT_TRUE(strstr(self->log, variant->reason) ||
			    strstr(libbpf_log, variant->reason))
			TH_LOG("expected '%s':\n%s%s", variant->reason, self->log, libbpf_log);
}

TEST(license)
{
	struct license_bpf *skel;
	char log[4096] = {};

	skel = license_bpf__open();
	ASSERT_NE(NULL, skel);
	ASSERT_EQ(0, bpf_program__set_log_buf(skel->progs.proprietary, log, sizeof(log)));
	bpf_program__set_log_level(skel->progs.proprietary, 1);
	EXPECT_EQ(-EINVAL, license_bpf__load(skel));
	EXPECT_NE(NULL, strstr(log, "LSM programs must have a GPL compatible license"))
		TH_LOG("%s", log);
	license_bpf__destroy(skel);
}

/* Functions of the kernel that are not hooks. */
TEST(not_a_hook)
{
	char log[4096] = {};
	struct btf *btf;
	int id;

	btf = btf__load_vmlinux_btf();
	ASSERT_NE(NULL, btf);
	id = btf__find_by_name_kind(btf, "security_file_open", BTF_KIND_FUNC);
	ASSERT_LT(0, id);
	EXPECT_EQ(-EINVAL, load_insns(return_0, 2, id, "GPL", 0, log, sizeof(log)));
	EXPECT_NE(NULL, strstr(log, "points to wrong type name security_file_open"))
		TH_LOG("%s", log);

	/* Nor does the name make a hook. */
	id = btf__find_by_name_kind(btf, "bpf_lsm_verify_prog", BTF_KIND_FUNC);
	ASSERT_LT(0, id);
	EXPECT_EQ(-EINVAL, load_insns(return_0, 2, id, "GPL", 0, log, sizeof(log)));
	EXPECT_NE(NULL, strstr(log, "points to wrong type name bpf_lsm_verify_prog"))
		TH_LOG("%s", log);
	btf__free(btf);
}

TEST(no_btf_id)
{
	char log[4096] = {};

	EXPECT_EQ(-EINVAL, load_insns(return_0, 2, 0, "GPL", 0, log, sizeof(log)));
	EXPECT_EQ(-EINVAL, load_insns(return_0, 2, 0x7fffffff, "GPL", 0, log, sizeof(log)));
}

/* A user without capabilities loads nothing, and attaches nothing. */
TEST(unprivileged)
{
	int id = hook_btf_id("task_getpgid");
	int fd;

	ASSERT_LT(0, id);
	fd = load_insns(return_0, 2, id, "GPL", 0, NULL, 0);
	ASSERT_LE(0, fd);
	close(fd);
	ASSERT_EQ(0, setuid(65534));
	EXPECT_EQ(-EPERM, load_insns(return_0, 2, id, "GPL", 0, NULL, 0));
}

TEST_HARNESS_MAIN
