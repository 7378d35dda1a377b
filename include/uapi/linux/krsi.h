/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Records of KRSI's kfuncs for user space. BPF programs get the same types from
 * the kernel's BTF.
 */

#ifndef _UAPI_LINUX_KRSI_H
#define _UAPI_LINUX_KRSI_H

#include <linux/types.h>

/**
 * enum krsi_exec_flags - flags of a record
 * @KRSI_EXEC_LAST: this record completes the dump
 * @KRSI_EXEC_CHECK: execveat(AT_EXECVE_CHECK); nothing is executed
 * @KRSI_EXEC_CHANGED: another task changed the strings while the kernel copied
 *	them: the last strings are not terminated, and the area extends into the
 *	bytes that follow; @total was smaller in earlier records
 */
enum krsi_exec_flags {
	KRSI_EXEC_LAST = 1 << 0,
	KRSI_EXEC_CHECK = 1 << 1,
	KRSI_EXEC_CHANGED = 1 << 2,
};

/**
 * struct krsi_exec_record - header of each record of krsi_bprm_dump()
 * @exec_id: identifies the dump, never 0, never reused
 * @offset: offset of the piece in the area
 * @total: bytes in the area
 * @argc: number of strings in the area that are arguments
 * @envc: number of strings after those that are the environment
 * @flags: of enum krsi_exec_flags
 * @len: bytes in this piece, which follow the header
 *
 * The area has @argc + @envc strings, each of which ends with a NUL.
 */
struct krsi_exec_record {
	__u64 exec_id;
	__u64 offset;
	__u64 total;
	__u32 argc;
	__u32 envc;
	__u32 flags;
	__u32 len;
};

/* Limit on the size of a record with its bytes. */
#define KRSI_EXEC_RECORD_MAX 4080

/* Limit on the size of the keys of a record, including the NUL. */
#define KRSI_AUDIT_KEY_MAX 256

/**
 * enum krsi_audit_flags - flags of a decision
 * @KRSI_AUDIT_KILL: the task is killed
 */
enum krsi_audit_flags {
	KRSI_AUDIT_KILL = 1 << 0,
};

/**
 * struct krsi_audit_event - a decision, for krsi_audit_log()
 * @rule: number of the rule in its policy, from 1; 0 if there are no rules
 * @verdict: the program's return value: 0 or a negative errno
 * @flags: of enum krsi_audit_flags
 * @reserved: must be 0
 * @key: keys of the event, separated by '\1'; may be empty
 */
struct krsi_audit_event {
	__u32 rule;
	__s32 verdict;
	__u32 flags;
	__u32 reserved;
	char key[KRSI_AUDIT_KEY_MAX];
};

#endif /* _UAPI_LINUX_KRSI_H */
