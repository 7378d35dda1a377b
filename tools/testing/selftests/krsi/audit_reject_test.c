// SPDX-License-Identifier: GPL-2.0
/*
 * Who may write audit records: see progs/audit_reject.bpf.c. Under another LSM
 * nobody may.
 */

#include "../../../../include/uapi/linux/krsi.h"
#include "verdict.h"
#include "audit_reject.skel.h"

FIXTURE(verdicts) {};

FIXTURE_SETUP(verdicts)
{
}

FIXTURE_TEARDOWN(verdicts)
{
}

TEST_F_TIMEOUT(verdicts, programs, 600)
{
	const void *elf;
	size_t size;

	REQUIRE_LSM();
	elf = audit_reject_bpf__elf_bytes(&size);
	EXPECT_EQ(13, check_verdicts(_metadata, elf, size));
}

TEST_HARNESS_MAIN
