// SPDX-License-Identifier: GPL-2.0
/*
 * Who may write audit records: LSM programs of every hook but the one that asks
 * whether there shall be a record, under KRSI.
 */

#include "../../../../include/uapi/linux/krsi.h"
#include "common.h"
#include "audit_reject.skel.h"

FIXTURE(audit_reject)
{
	struct audit_reject_bpf *skel;
	char log[65536];
};

FIXTURE_VARIANT(audit_reject)
{
	const char *prog;
	/* Whether KRSI takes the program; no other LSM does. */
	bool accept;
	const char *reason;
};

/* clang-format off */
#define REJECT(name, why)					\
FIXTURE_VARIANT_ADD(audit_reject, name) {			\
	.prog = #name,						\
	.reason = why,						\
}
#define ACCEPT(name)						\
FIXTURE_VARIANT_ADD(audit_reject, name) {			\
	.prog = #name,						\
	.accept = true,						\
}

#define NOT_ALLOWED "krsi_audit_log is not allowed"

ACCEPT(file_open);
ACCEPT(file_open_sleepable);
ACCEPT(task_free);
ACCEPT(cgroup);

/* A hook for no programs, now; the kfunc would refuse it too. */
REJECT(audit_rule_match, "disabled hook");
REJECT(fentry, NOT_ALLOWED);
REJECT(raw_tracepoint, NOT_ALLOWED);
REJECT(kprobe, NOT_ALLOWED);
REJECT(system_call, NOT_ALLOWED);

REJECT(null_event, "R1");
REJECT(null_object, "R3");
REJECT(too_large, "invalid access to map value");
REJECT(kernel_memory, "R3");
/* clang-format on */

FIXTURE_SETUP(audit_reject)
{
	self->skel = audit_reject_bpf__open();
	ASSERT_NE(NULL, self->skel);
}

FIXTURE_TEARDOWN(audit_reject)
{
	audit_reject_bpf__destroy(self->skel);
}

TEST_F(audit_reject, load)
{
	const char *reason = krsi_active() ? variant->reason : "";
	struct bpf_program *prog;
	int err;

	ASSERT_TRUE(load_only(self->skel->obj, variant->prog));
	prog = bpf_object__find_program_by_name(self->skel->obj, variant->prog);
	ASSERT_NE(NULL, prog);
	ASSERT_EQ(0, bpf_program__set_log_buf(prog, self->log, sizeof(self->log)));
	bpf_program__set_log_level(prog, 1);

	err = audit_reject_bpf__load(self->skel);
	if (variant->accept && krsi_active()) {
		EXPECT_EQ(0, err) TH_LOG("%s", self->log);
		return;
	}
	EXPECT_GT(0, err);
	EXPECT_NE(NULL, strstr(self->log, reason))
		TH_LOG("expected '%s':\n%s%s", reason, self->log, libbpf_log);
	if (variant->accept)
		EXPECT_NE(NULL, strstr(self->log, NOT_ALLOWED)) TH_LOG("%s", self->log);
}

TEST_HARNESS_MAIN
