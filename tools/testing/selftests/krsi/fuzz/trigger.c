// SPDX-License-Identifier: GPL-2.0
/*
 * System calls that call many hooks, for programs that call kfuncs.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fuzz.h"

/* Hooks that the functions below call, so that a program there runs. */
const char *const trigger_hooks[] = {
	"bprm_check_security", "bprm_creds_for_exec", "bprm_creds_from_file",
	"bprm_committing_creds", "bprm_committed_creds", "cred_prepare", "cred_free",
	"task_alloc", "task_free", "task_kill", "task_getpgid", "task_setnice", "task_prctl",
	"file_open", "file_permission", "file_ioctl", "file_fcntl", "file_lock", "mmap_file",
	"file_mprotect", "file_release", "file_free_security", "file_post_open", "file_receive",
	"inode_create", "inode_permission", "inode_getattr", "inode_setattr", "inode_unlink",
	"inode_mkdir", "inode_rmdir", "inode_rename", "inode_link", "inode_symlink",
	"inode_readlink", "inode_setxattr", "inode_getxattr", "inode_listxattr",
	"inode_removexattr", "inode_post_setxattr", "inode_post_removexattr", "inode_post_setattr",
	"inode_alloc_security", "inode_free_security", "inode_init_security", "d_instantiate",
	"path_truncate", "path_mkdir", "path_rename", "path_unlink", "path_link", "path_chmod",
	"socket_create", "socket_post_create", "socket_bind", "socket_connect", "socket_sendmsg",
	"socket_recvmsg", "socket_socketpair", "socket_getsockname", "sk_alloc_security",
	"sk_free_security", "unix_stream_connect", "unix_may_send", "socket_sock_rcv_skb",
	"ipc_permission", "msg_queue_alloc_security", "msg_queue_msgsnd", "msg_queue_msgrcv",
	"msg_queue_msgctl", "msg_msg_alloc_security", "msg_msg_free_security",
	"msg_queue_free_security", "sem_alloc_security", "sem_semop", "sem_free_security",
	"shm_alloc_security", "shm_shmat", "shm_free_security", "key_alloc", "key_permission",
	"perf_event_open", "perf_event_alloc", "perf_event_read", "bpf", "bpf_map",
	"bpf_map_create", "bpf_map_free", "bpf_prog", "bpf_prog_load", "bpf_prog_free",
	"sb_mount", "sb_umount", "sb_statfs", "sb_alloc_security", "sb_free_security",
	"sb_kern_mount", "sb_set_mnt_opts", "capable", "backing_file_alloc", "backing_file_free",
};

const int trigger_hooks_count = ARRAY_SIZE(trigger_hooks);

static void do_exec(void)
{
	char *const argv[] = { "true", "", "an argument", "-x", NULL };
	char *const envp[] = { "PATH=/bin", "EMPTY=", "A=1", "A=2", "noequals", NULL };
	pid_t pid;

	if (!posix_spawn(&pid, "/bin/true", NULL, NULL, argv, envp))
		waitpid(pid, NULL, 0);
}

static void do_fork(void)
{
	pid_t pid = fork();

	if (!pid) {
		setpriority(PRIO_PROCESS, 0, 1);
		_exit(0);
	}
	if (pid > 0) {
		kill(pid, 0);
		waitpid(pid, NULL, 0);
	}
}

static void do_files(void)
{
	int fd = open("/tmp/a", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;
	void *map;

	if (fd < 0)
		return;
	if (write(fd, "some text", 9) == 9 && !lseek(fd, 0, SEEK_SET)) {
		map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
		if (map != MAP_FAILED) {
			mprotect(map, 4096, PROT_READ | PROT_WRITE);
			munmap(map, 4096);
		}
	}
	fcntl(fd, F_GETFL);
	fchmod(fd, 0644);
	close(fd);
	truncate("/tmp/a", 3);
	stat("/tmp/a", &st);
	link("/tmp/a", "/tmp/b");
	rename("/tmp/b", "/tmp/c");
	symlink("/tmp/c", "/tmp/d");
	close(open("/tmp/d", O_RDONLY | O_CLOEXEC));
	unlink("/tmp/d");
	unlink("/tmp/c");
	mkdir("/tmp/dir", 0755);
	rmdir("/tmp/dir");
	/* Deleted while it is open. */
	fd = open("/tmp/a", O_RDONLY | O_CLOEXEC);
	unlink("/tmp/a");
	if (fd >= 0)
		fstat(fd, &st);
	close(fd);
}

static void do_xattrs(void)
{
	char buf[256];
	int fd = open("/tmp/x", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	fsetxattr(fd, "user.a", "value", 5, 0);
	fsetxattr(fd, "security.krsi.fuzz-kept", "12345678", 8, 0);
	fgetxattr(fd, "user.a", buf, sizeof(buf));
	flistxattr(fd, buf, sizeof(buf));
	fremovexattr(fd, "user.a");
	close(fd);
	close(open("/tmp/x", O_RDONLY | O_CLOEXEC));
	unlink("/tmp/x");
}

static void do_sockets(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int pair[2], fd, fd2;
	socklen_t len = sizeof(addr);
	char buf[16];

	if (!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		if (write(pair[0], "x", 1) == 1)
			fd = read(pair[1], buf, sizeof(buf));
		close(pair[0]);
		close(pair[1]);
	}
	snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1, "fuzz-%d", getpid());
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fd2 = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && fd2 >= 0 && !bind(fd, (struct sockaddr *)&addr, sizeof(addr)) &&
	    !listen(fd, 1) && !connect(fd2, (struct sockaddr *)&addr, sizeof(addr))) {
		close(accept4(fd, NULL, NULL, SOCK_CLOEXEC));
		getsockname(fd2, (struct sockaddr *)&addr, &len);
	}
	close(fd);
	close(fd2);
	close(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	close(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static void do_ipc(void)
{
	struct { long type; char text[8]; } message = { 1, "text" };
	struct sembuf op = { 0, 1, IPC_NOWAIT };
	struct msginfo info;
	void *at;
	int id;

	id = msgget(IPC_PRIVATE, 0600);
	if (id >= 0) {
		msgsnd(id, &message, sizeof(message.text), IPC_NOWAIT);
		msgctl(id, IPC_INFO, (struct msqid_ds *)&info);
		if (msgrcv(id, &message, sizeof(message.text), 0, IPC_NOWAIT) < 0)
			errno = 0;
		/* One that is never copied in. */
		msgsnd(id, NULL, 8, IPC_NOWAIT);
		msgctl(id, IPC_RMID, NULL);
	}
	id = semget(IPC_PRIVATE, 1, 0600);
	if (id >= 0) {
		semop(id, &op, 1);
		semctl(id, 0, IPC_RMID);
	}
	id = shmget(IPC_PRIVATE, 4096, 0600);
	if (id >= 0) {
		at = shmat(id, NULL, 0);
		if (at != (void *)-1)
			shmdt(at);
		shmctl(id, IPC_RMID, NULL);
	}
}

static void do_keys(void)
{
	int key = syscall(SYS_add_key, "user", "fuzz", "x", 1, KEY_SPEC_PROCESS_KEYRING);

	if (key >= 0) {
		syscall(SYS_keyctl, KEYCTL_READ, key, NULL, 0);
		syscall(SYS_keyctl, KEYCTL_UNLINK, key, KEY_SPEC_PROCESS_KEYRING);
	}
}

static void do_perf(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.size = sizeof(attr),
	};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	uint64_t count;

	if (fd >= 0) {
		if (read(fd, &count, sizeof(count)) < 0)
			errno = 0;
		close(fd);
	}
}

static void do_bpf(void)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4,
				.max_entries = 1 };

	close(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
}

static void do_mount(void)
{
	struct statfs st;

	mkdir("/tmp/m", 0755);
	if (!mount("fuzz", "/tmp/m", "tmpfs", 0, NULL)) {
		statfs("/tmp/m", &st);
		/* In use, so that it goes later. */
		umount2("/tmp/m", MNT_DETACH);
	}
	rmdir("/tmp/m");
}

/* Files of an overlay have a second file below them. */
static void do_overlay(void)
{
	int fd;

	mkdir("/tmp/l", 0755);
	mkdir("/tmp/u", 0755);
	mkdir("/tmp/w", 0755);
	mkdir("/tmp/o", 0755);
	close(open("/tmp/l/f", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	if (!mount("fuzz", "/tmp/o", "overlay", 0,
		   "lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/w")) {
		fd = open("/tmp/o/f", O_RDWR | O_CLOEXEC);
		if (fd >= 0) {
			void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

			if (map != MAP_FAILED)
				munmap(map, 4096);
			if (write(fd, "x", 1) != 1)
				errno = 0;
			close(fd);
		}
		umount2("/tmp/o", MNT_DETACH);
	}
	unlink("/tmp/u/f");
}

static void do_task(void)
{
	char name[16];

	getpgid(0);
	setpriority(PRIO_PROCESS, 0, 0);
	prctl(PR_GET_NAME, name);
	setresuid(-1, 0, -1);
	kill(getpid(), 0);
}

void trigger(struct worker *w, struct rng *r, int count)
{
	static void (*const all[])(void) = {
		do_exec, do_fork, do_files, do_xattrs, do_sockets, do_ipc, do_keys, do_perf,
		do_bpf, do_mount, do_overlay, do_task,
	};

	for (int i = 0; i < count; i++)
		rng_pick(r, all)();
}
