// SPDX-License-Identifier: GPL-2.0
/*
 * Which kfuncs may be called from where.
 */

#include "kfunc_context.skel.h"
#include "verdict.h"

/* They are many, for a slow machine. */
FIXTURE(context)
{
};

FIXTURE_SETUP(context)
{
}

FIXTURE_TEARDOWN(context)
{
}

TEST_F_TIMEOUT(context, programs, 240)
{
	const void *elf;
	size_t size;

	REQUIRE_LSM();
	if (!krsi_active())
		SKIP(return, "the kfuncs are krsi's");
	elf = kfunc_context_bpf__elf_bytes(&size);
	EXPECT_LE(70, check_verdicts(_metadata, elf, size));
}

TEST_HARNESS_MAIN
