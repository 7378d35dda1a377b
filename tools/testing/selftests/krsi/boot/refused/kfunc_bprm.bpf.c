// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/file: instruction *: calls kfunc krsi_bprm_cred_blob: boot programs may not call it */

#include "krsi_boot.bpf.h"

char *krsi_bprm_cred_blob(void *bprm, __u32 slot, __u32 rdwr_buf_size) __ksym;

SEC("krsi.blob/file")
void BPF_PROG(label, struct file *file, __u32 how)
{
	char *blob = krsi_bprm_cred_blob(file, how, 8);

	if (blob)
		*blob = 1;
}

char LICENSE[] SEC("license") = "GPL";
