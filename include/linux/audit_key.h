/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an LSM with rules of its own needs so that its records are found as
 * those of audit's rules are, and that it writes none about audit itself.
 */

#ifndef _LINUX_AUDIT_KEY_H
#define _LINUX_AUDIT_KEY_H

#include <linux/errno.h>
#include <linux/types.h>

/* Between the keys of a record; audit's tools know it by the same name. */
#define AUDIT_KEY_SEPARATOR '\1'

#ifdef CONFIG_AUDIT
/* C: kernel/audit.c */
bool audit_is_own_task(void);
bool audit_is_excluded(int type);
bool audit_backlog_full(void);
#endif

#ifdef CONFIG_AUDITSYSCALL
/* C: kernel/auditsc.c */
int audit_add_key(const char *key);
#else
static inline int audit_add_key(const char *key)
{
	return -ENOENT;
}
#endif

#endif /* _LINUX_AUDIT_KEY_H */
