/* SPDX-License-Identifier: GPL-2.0 */
/* What exec_log.bpf.c tells exec_log.c, besides the records of the kernel. */

#ifndef _SAMPLES_KRSI_EXEC_LOG_H
#define _SAMPLES_KRSI_EXEC_LOG_H

#define EXEC_LOG_NAME 4096

/* Comes after the records of its exec. */
struct exec_log_event {
	unsigned long long zero;	/* where a record has its id, which is not 0 */
	long long exec_id;		/* of the records, or a negative errno */
	int pid;
	unsigned int uid;
	int name_len;			/* with the NUL; a name of this size may be cut */
	char comm[16];			/* who calls execve() */
	char name[EXEC_LOG_NAME];	/* the file to execute, as it was given */
};

#endif /* _SAMPLES_KRSI_EXEC_LOG_H */
