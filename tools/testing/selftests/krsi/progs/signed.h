/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a program on a hook saw of another program, which is being loaded.
 */

#ifndef _KRSI_SIGNED_H
#define _KRSI_SIGNED_H

struct seen {
	unsigned int calls;
	unsigned int type;
	unsigned int insn_cnt;
	unsigned int signature_size;
	int keyring_id;
	int keyring_serial;
	unsigned int id;
	/* Of prog->aux->sig: the verdict and the kind of the keyring. */
	bool verified;
	bool unsigned_;
	bool user_keyring;
	bool no_keyring;
	/* The last argument of bpf_prog_load. */
	bool kernel;
};

#endif /* _KRSI_SIGNED_H */
