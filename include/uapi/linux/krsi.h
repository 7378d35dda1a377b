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

#endif /* _UAPI_LINUX_KRSI_H */
