// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/sock: instruction *: calls kfunc krsi_tun_dev_blob: boot programs may not call it */

#include "krsi_boot.bpf.h"

char *krsi_tun_dev_blob(void *tun, __u32 slot, __u32 rdwr_buf_size) __ksym;

SEC("krsi.blob/sock")
void BPF_PROG(label, struct sock *sk, __u32 how)
{
	char *blob = krsi_tun_dev_blob(sk, how, 8);

	if (blob)
		*blob = 1;
}

char LICENSE[] SEC("license") = "GPL";
