// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that belong to a cgroup, on hooks with every kind of first argument,
 * and one ordinary program beside them. A cgroup's program returns 1 to allow
 * and 0 to deny.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

enum who {
	BY_CGROUP,
	BY_CGROUP2,
	BY_LSM,
};

/* The position in which each ran. */
__u32 ran[3];
__u32 next;
__u32 calls;
/* Set to deny; cgroup_errno replaces their EPERM. */
int deny[3];
int cgroup_errno;

static __always_inline int allow(int i)
{
	ran[i] = ++next;
	calls++;
	if (!deny[i])
		return 1;
	if (cgroup_errno)
		bpf_set_retval(bounded(-cgroup_errno));
	return 0;
}

SEC("lsm_cgroup/task_getpgid")
int getpgid(void *ctx)
{
	return allow(BY_CGROUP);
}

SEC("lsm_cgroup/task_getpgid")
int getpgid2(void *ctx)
{
	return allow(BY_CGROUP2);
}

SEC("lsm/task_getpgid")
int getpgid_lsm(void *ctx)
{
	if (!on_target())
		return 0;
	ran[BY_LSM] = ++next;
	return deny[BY_LSM] ? -EACCES : 0;
}

SEC("lsm_cgroup/socket_bind")
int BPF_PROG(bind, struct socket *sock, struct sockaddr *address, int addrlen)
{
	return sock->type == SOCK_DGRAM ? allow(BY_CGROUP) : 1;
}

SEC("lsm_cgroup/socket_post_create")
int BPF_PROG(post_create, struct socket *sock, int family, int type, int protocol, int kern)
{
	return type == SOCK_DGRAM ? allow(BY_CGROUP) : 1;
}

SEC("lsm_cgroup/socket_sock_rcv_skb")
int BPF_PROG(rcv_skb, struct sock *sk, struct sk_buff *skb)
{
	return allow(BY_CGROUP);
}

SEC("lsm_cgroup/file_set_fowner")
int fowner(void *ctx)
{
	ran[BY_CGROUP] = ++next;
	calls++;
	return 1;
}

SEC("lsm_cgroup/uring_allowed")
int uring_allowed(void *ctx)
{
	return allow(BY_CGROUP);
}
