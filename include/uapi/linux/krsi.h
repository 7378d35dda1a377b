/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What KRSI's kfuncs send to user space. BPF programs find the same in the
 * kernel's BTF.
 */

#ifndef _UAPI_LINUX_KRSI_H
#define _UAPI_LINUX_KRSI_H

#include <linux/types.h>

/**
 * enum krsi_exec_flags - flags of a record
 * @KRSI_EXEC_LAST: the dump is complete with this record
 * @KRSI_EXEC_CHECK: nothing is executed, this is execveat(AT_EXECVE_CHECK)
 * @KRSI_EXEC_CHANGED: another task changed the strings while the kernel copied
 *	them, so that the last ones run into what follows them; @total was less
 *	in earlier records
 */
enum krsi_exec_flags {
	KRSI_EXEC_LAST = 1 << 0,
	KRSI_EXEC_CHECK = 1 << 1,
	KRSI_EXEC_CHANGED = 1 << 2,
};

/**
 * struct krsi_exec_record - what krsi_bprm_dump() puts before each piece
 * @exec_id: the same in all records of a dump, never 0, never used again
 * @offset: where in the area the piece starts
 * @total: bytes in the area
 * @argc: number of strings in the area that are arguments
 * @envc: number of strings after those that are the environment
 * @flags: of enum krsi_exec_flags
 * @len: bytes in this piece, which follow
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

/* The most that a record takes, with its bytes. */
#define KRSI_EXEC_RECORD_MAX 4080

/* The most that the keys of a record take, with the NUL. */
#define KRSI_AUDIT_KEY_MAX 256

/**
 * enum krsi_audit_flags - flags of a decision
 * @KRSI_AUDIT_KILL: the task is killed
 */
enum krsi_audit_flags {
	KRSI_AUDIT_KILL = 1 << 0,
};

/**
 * struct krsi_audit_event - what krsi_audit_log() is told of a decision
 * @rule: number of the rule in its policy, from 1; 0 if there are no rules
 * @verdict: what the program returns: 0 or a negative errno
 * @flags: of enum krsi_audit_flags
 * @reserved: 0
 * @key: by what the event is found; several keys have '\1' between them; may be
 *	empty
 */
struct krsi_audit_event {
	__u32 rule;
	__s32 verdict;
	__u32 flags;
	__u32 reserved;
	char key[KRSI_AUDIT_KEY_MAX];
};

#endif /* _UAPI_LINUX_KRSI_H */
