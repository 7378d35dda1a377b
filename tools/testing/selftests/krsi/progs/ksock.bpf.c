// SPDX-License-Identifier: GPL-2.0
/*
 * LSM programs that tell a peer of what they decide, through a socket that
 * another program has made and left in a map.
 */

#include "krsi.bpf.h"
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "GPL";

#define AF_INET 2
#define SOCK_DGRAM 2
#define ENOENT 2
#define EUCLEAN 117

struct bpf_ksock *bpf_ksock_create(const struct bpf_ksock_create_opts *opts, u32 opts__sz,
				   int *err__uninit) __ksym;
int bpf_ksock_connect(struct bpf_ksock *ks, const union bpf_ksock_addr *addr,
		      u32 addr__sz) __ksym;
struct bpf_ksock *bpf_ksock_acquire(struct bpf_ksock *ks) __ksym;
void bpf_ksock_release(struct bpf_ksock *ks) __ksym;
int bpf_ksock_send(struct bpf_ksock *ks, const void *data, u32 data__sz) __ksym;
void bpf_rcu_read_lock(void) __ksym;
void bpf_rcu_read_unlock(void) __ksym;

struct peer {
	struct bpf_ksock __kptr * socket;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct peer);
} peers SEC(".maps");

static __always_inline struct peer *the_peer(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&peers, &zero);
}

/* The port on the loopback interface that the socket is to be connected to. */
__u16 port;
/* Not on the stack, where it could share its place with what is dead by then. */
int create_err;

SEC("syscall")
int setup(void *ctx)
{
	struct bpf_ksock_create_opts opts = { .family = AF_INET, .type = SOCK_DGRAM };
	struct bpf_ksock *socket, *old;
	union bpf_ksock_addr addr = {};
	struct peer *peer = the_peer();
	int err;

	if (!peer)
		return -ENOENT;
	socket = bpf_ksock_create(&opts, sizeof(opts), &create_err);
	if (!socket)
		return create_err;
	addr.sin.sin_family = AF_INET;
	addr.sin.sin_port = bpf_htons(port);
	addr.sin.sin_addr.s_addr = bpf_htonl(0x7f000001);
	err = bpf_ksock_connect(socket, &addr, sizeof(addr));
	if (err) {
		bpf_ksock_release(socket);
		return err;
	}
	old = bpf_kptr_xchg(&peer->socket, socket);
	if (old)
		bpf_ksock_release(old);
	return 0;
}

SEC("syscall")
int drop(void *ctx)
{
	struct bpf_ksock *socket;
	struct peer *peer = the_peer();

	socket = peer ? bpf_kptr_xchg(&peer->socket, NULL) : NULL;
	if (!socket)
		return -ENOENT;
	bpf_ksock_release(socket);
	return 0;
}

/* The hook that tells. */
enum hook {
	FILE_OPEN,
	SOCKET_BIND,
	USERNS_CREATE,
	HOOKS,
};

struct message {
	__u32 hook;
	__u32 tid;
	char comm[16];
};

bool deny[HOOKS];
__u32 calls[HOOKS];
int sent[HOOKS];

static __always_inline struct bpf_ksock *acquire(void)
{
	struct peer *peer = the_peer();
	struct bpf_ksock *socket;

	if (!peer)
		return NULL;
	bpf_rcu_read_lock();
	socket = peer->socket;
	if (socket)
		socket = bpf_ksock_acquire(socket);
	bpf_rcu_read_unlock();
	return socket;
}

static __always_inline int tell(enum hook hook)
{
	struct message message = { .hook = hook };
	struct bpf_ksock *socket;

	if (!on_target())
		return 0;
	calls[hook]++;
	message.tid = bpf_get_current_pid_tgid();
	bpf_get_current_comm(message.comm, sizeof(message.comm));
	socket = acquire();
	if (socket) {
		sent[hook] = bpf_ksock_send(socket, &message, sizeof(message));
		bpf_ksock_release(socket);
	} else {
		sent[hook] = -ENOENT;
	}
	return deny[hook] ? -EUCLEAN : 0;
}

SEC("lsm.s/file_open")
int tell_file_open(void *ctx)
{
	return tell(FILE_OPEN);
}

SEC("lsm.s/socket_bind")
int tell_socket_bind(void *ctx)
{
	return tell(SOCKET_BIND);
}

SEC("lsm.s/userns_create")
int tell_userns_create(void *ctx)
{
	return tell(USERNS_CREATE);
}

/* Such sockets belong to the task: policies see and control them. */
bool deny_create;
bool deny_connect;
bool deny_send;
__u32 created;
__u32 connected;
__u32 sends;

SEC("lsm.s/socket_create")
int BPF_PROG(on_create, int family, int type, int protocol, int kern)
{
	if (!on_target() || kern)
		return 0;
	created++;
	return deny_create ? -EUCLEAN : 0;
}

SEC("lsm.s/socket_connect")
int BPF_PROG(on_connect, struct socket *sock, struct sockaddr *address, int addrlen)
{
	if (!on_target())
		return 0;
	connected++;
	return deny_connect ? -EUCLEAN : 0;
}

SEC("lsm/socket_sendmsg")
int BPF_PROG(on_send, struct socket *sock, struct msghdr *msg, int size)
{
	if (!on_target() || size != sizeof(struct message))
		return 0;
	sends++;
	return deny_send ? -EUCLEAN : 0;
}

/* None of these can be loaded. */
static __always_inline int take_and_send(void)
{
	struct peer *peer = the_peer();
	struct bpf_ksock *socket;

	socket = peer ? bpf_kptr_xchg(&peer->socket, NULL) : NULL;
	if (!socket)
		return 0;
	bpf_ksock_send(socket, &port, sizeof(port));
	bpf_ksock_release(socket);
	return 0;
}

SEC("?lsm.s/socket_sendmsg")
int send_while_sending(void *ctx)
{
	return take_and_send();
}

SEC("?lsm/file_open")
int send_without_sleeping(void *ctx)
{
	return take_and_send();
}

SEC("?lsm.s/file_open")
int create_in_hook(void *ctx)
{
	struct bpf_ksock_create_opts opts = { .family = AF_INET, .type = SOCK_DGRAM };
	struct bpf_ksock *socket;

	socket = bpf_ksock_create(&opts, sizeof(opts), &create_err);
	if (socket)
		bpf_ksock_release(socket);
	return 0;
}
