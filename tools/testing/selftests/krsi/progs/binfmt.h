/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What programs on the hooks of an exec saw, each time that they were called.
 */

#ifndef _KRSI_BINFMT_H
#define _KRSI_BINFMT_H

#define BINFMT_ROUNDS 4
#define BINFMT_PATH 64
#define BINFMT_AREA 128

enum binfmt_hook {
	BINFMT_OPEN,
	BINFMT_FOR_EXEC,
	BINFMT_CHECK,
	BINFMT_FROM_FILE,
	BINFMT_COMMITTED,
	BINFMT_HOOKS,
};

struct binfmt_seen {
	unsigned int calls;
	/* Of the hook's file: bprm->file or its own. */
	unsigned long long ino[BINFMT_ROUNDS];
	unsigned int argc[BINFMT_ROUNDS];
};

/* What KRSI's kfuncs returned, and wrote. */
struct binfmt_args {
	unsigned int calls;
	long long path_ret[BINFMT_ROUNDS];
	long long area_ret[BINFMT_ROUNDS];
	char path[BINFMT_ROUNDS][BINFMT_PATH];
	char area[BINFMT_ROUNDS][BINFMT_AREA];
};

#endif /* _KRSI_BINFMT_H */
