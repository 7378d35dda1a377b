// SPDX-License-Identifier: GPL-2.0
/*
 * A policy on the extended attributes that sockets have.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define EUCLEAN 117

int bpf_sock_read_xattr(struct socket *sock, const char *name__str,
			struct bpf_dynptr *value_p) __ksym;

/* Who reads. */
enum reader {
	ATOMIC,
	SLEEPABLE,
	CGROUP,
	UNFINISHED,
	READERS,
};

__u32 calls[READERS];
int ret[READERS];
char value[READERS][16];

/* What other reads give, at the hook that cannot sleep. */
int absent;
int forbidden;
int too_small;
char little[2];

static __always_inline int check(enum reader reader, struct socket *sock)
{
	struct bpf_dynptr ptr;

	if (!on_target())
		return 0;
	calls[reader]++;
	__builtin_memset(value[reader], 0, sizeof(value[reader]));
	bpf_dynptr_from_mem(value[reader], sizeof(value[reader]), 0, &ptr);
	ret[reader] = bpf_sock_read_xattr(sock, "user.krsi", &ptr);
	if (ret[reader] == 4 && !bpf_strncmp(value[reader], 4, "deny"))
		return -EUCLEAN;
	return 0;
}

SEC("lsm/socket_listen")
int BPF_PROG(on_listen, struct socket *sock, int backlog)
{
	struct bpf_dynptr ptr;

	if (!on_target())
		return 0;
	bpf_dynptr_from_mem(value[ATOMIC], sizeof(value[ATOMIC]), 0, &ptr);
	absent = bpf_sock_read_xattr(sock, "user.absent", &ptr);
	forbidden = bpf_sock_read_xattr(sock, "security.krsi", &ptr);
	bpf_dynptr_from_mem(little, sizeof(little), 0, &ptr);
	too_small = bpf_sock_read_xattr(sock, "user.krsi", &ptr);
	return check(ATOMIC, sock);
}

SEC("lsm.s/socket_bind")
int BPF_PROG(on_bind, struct socket *sock, struct sockaddr *address, int addrlen)
{
	return check(SLEEPABLE, sock);
}

/* The socket has no file yet. */
SEC("lsm.s/socket_post_create")
int BPF_PROG(on_post_create, struct socket *sock, int family, int type, int protocol, int kern)
{
	return kern ? 0 : check(UNFINISHED, sock);
}

/* 1 allows. */
SEC("lsm_cgroup/socket_connect")
int BPF_PROG(on_connect, struct socket *sock, struct sockaddr *address, int addrlen)
{
	if (!check(CGROUP, sock))
		return 1;
	bpf_set_retval(-EUCLEAN);
	return 0;
}
