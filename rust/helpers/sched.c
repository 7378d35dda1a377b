// SPDX-License-Identifier: GPL-2.0

#include <linux/sched.h>
#include <linux/uaccess.h>

/*
 * Not named after the C functions: bindgen sees the out-of-line ones that
 * modules use, which would be preferred.
 */
__rust_helper void rust_helper_inline_migrate_disable(void)
{
	migrate_disable();
}

__rust_helper void rust_helper_inline_migrate_enable(void)
{
	migrate_enable();
}

__rust_helper void rust_helper_might_fault(void)
{
	might_fault();
}
