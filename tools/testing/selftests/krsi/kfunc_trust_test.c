// SPDX-License-Identifier: GPL-2.0
/*
 * Which pointers KRSI's kfuncs take: those of objects that something holds.
 */

#include "kfunc_iter.skel.h"
#include "kfunc_trust.skel.h"
#include "verdict.h"

/* They are many, for a slow machine. */
FIXTURE(trust)
{
};

FIXTURE_SETUP(trust)
{
}

FIXTURE_TEARDOWN(trust)
{
}

TEST_F_TIMEOUT(trust, programs, 600)
{
	const void *elf;
	size_t size;

	REQUIRE_LSM();
	if (!krsi_active())
		SKIP(return, "the kfuncs are krsi's");
	elf = kfunc_trust_bpf__elf_bytes(&size);
	EXPECT_LE(36, check_verdicts(_metadata, elf, size));
}

TEST_F_TIMEOUT(trust, iterators, 600)
{
	const void *elf;
	size_t size;

	REQUIRE_LSM();
	if (!krsi_active())
		SKIP(return, "the kfuncs are krsi's");
	elf = kfunc_iter_bpf__elf_bytes(&size);
	EXPECT_LE(19, check_verdicts(_metadata, elf, size));
}

TEST_HARNESS_MAIN
