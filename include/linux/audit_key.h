/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Audit interface for LSMs that have their own rules: attaches the keys of a
 * rule to the record of a system call, and tells when to write no record.
 */

#ifndef _LINUX_AUDIT_KEY_H
#define _LINUX_AUDIT_KEY_H

#include <linux/errno.h>
#include <linux/types.h>

/* Separates the keys of a record. Audit's tools use the same name. */
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
