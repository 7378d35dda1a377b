// SPDX-License-Identifier: GPL-2.0

#include <linux/types.h>
#ifdef CONFIG_X86
#include <asm/ibt.h>
#endif

/* Landing pads are for indirect calls: a direct one may pass over it. */
__rust_helper void *rust_helper_skip_landing_pad(void *func)
{
#ifdef CONFIG_X86
	if (is_endbr(func))
		return func + ENDBR_INSN_SIZE;
#endif
	return func;
}
