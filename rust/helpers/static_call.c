// SPDX-License-Identifier: GPL-2.0

#include <linux/compiler.h>
#include <linux/cpufeature.h>
#include <linux/static_call.h>
#include <linux/types.h>
#ifdef CONFIG_X86
#include <asm/ibt.h>
#endif

/*
 * Landing pads are for indirect calls, so direct calls may skip them. With call
 * depth tracking they must not: then calls go to the padding before the
 * function, which is located by the function's address.
 */
__rust_helper void *rust_helper_skip_landing_pad(void *func)
{
#ifdef CONFIG_X86
	/* Hides from objtool an address that is not the start of a function. */
	OPTIMIZER_HIDE_VAR(func);
	if (is_endbr(func) && !cpu_feature_enabled(X86_FEATURE_CALL_DEPTH))
		return func + ENDBR_INSN_SIZE;
#endif
	return func;
}

#if defined(CONFIG_HAVE_STATIC_CALL) && !defined(CONFIG_HAVE_STATIC_CALL_INLINE)
__rust_helper void
rust_helper___static_call_update(struct static_call_key *key, void *tramp,
				 void *func)
{
	__static_call_update(key, tramp, func);
}
#endif
