// SPDX-License-Identifier: GPL-2.0
/*
 * A program sleeps at each hook that mainline's list of sleepable hooks lacked,
 * called through the system calls that reach it. A debugging kernel complains
 * where it may not. What the list should not have had is refused.
 */

#include <grp.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/lsm.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/quota.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "common.h"
#include "sleepable_hooks.skel.h"

#define WORD 0x736c656570790000ULL

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
/* <linux/watch_queue.h> does not go with <fcntl.h>. */
#define IOC_WATCH_QUEUE_SET_SIZE _IO('W', 0x60)

/*
 * What reaches a hook. Whether the system call succeeds is its own affair, but
 * for those that return bool: these need the steps before to have worked.
 */

static int make_file(const char *path)
{
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static bool do_path_mknod(void)
{
	return !mknod("/tmp/node", S_IFREG | 0600, 0);
}

static bool do_open_create(void)
{
	return make_file("/tmp/created") >= 0;
}

static bool do_unix_bind(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "/tmp/socket" };

	return !bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&addr, sizeof(addr));
}

static bool do_unix_connect(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "/tmp/listening" };
	int server = socket(AF_UNIX, SOCK_STREAM, 0);

	return !bind(server, (struct sockaddr *)&addr, sizeof(addr)) && !listen(server, 1) &&
	       !connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&addr, sizeof(addr));
}

static bool do_unix_send(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "/tmp/datagrams" };

	return !bind(socket(AF_UNIX, SOCK_DGRAM, 0), (struct sockaddr *)&addr, sizeof(addr)) &&
	       sendto(socket(AF_UNIX, SOCK_DGRAM, 0), "x", 1, 0, (struct sockaddr *)&addr,
		      sizeof(addr)) == 1;
}

static bool do_chroot(void)
{
	return !chroot("/");
}

static bool do_link(void)
{
	return make_file("/tmp/old") >= 0 && !link("/tmp/old", "/tmp/new");
}

static bool do_mkdir(void)
{
	return !mkdir("/tmp/dir", 0700);
}

static bool do_tmpfile(void)
{
	return open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) >= 0;
}

static bool do_chmod(void)
{
	return make_file("/tmp/file") >= 0 && !chmod("/tmp/file", 0640);
}

static bool do_write_suid(void)
{
	int fd = make_file("/tmp/file");

	/* The kernel removes the bit under the lock of the inode. */
	return !fchmod(fd, 04755) && !fchown(fd, 1, 1);
}

static bool do_setflags(void)
{
	int flags = FS_NOATIME_FL;

	return !ioctl(make_file("/tmp/file"), FS_IOC_SETFLAGS, &flags);
}

/* A POSIX ACL that mode bits cannot say, or it would not be kept. */
static const struct {
	__u32 version;
	struct {
		__u16 tag, perm;
		__u32 id;
	} entry[5];
} acl = { 2, { { 1, 6, -1 }, { 2, 4, 1 }, { 4, 4, -1 }, { 0x10, 4, -1 }, { 0x20, 0, -1 } } };

static bool do_set_acl(void)
{
	return !fsetxattr(make_file("/tmp/file"), "system.posix_acl_access", &acl, sizeof(acl), 0);
}

static bool do_get_acl(void)
{
	char buf[64];

	return make_file("/tmp/file") >= 0 && do_set_acl() &&
	       getxattr("/tmp/file", "system.posix_acl_access", buf, sizeof(buf)) > 0;
}

static bool do_remove_acl(void)
{
	return make_file("/tmp/file") >= 0 && do_set_acl() &&
	       !removexattr("/tmp/file", "system.posix_acl_access");
}

static bool do_memfd(void)
{
	return memfd_create("krsi", MFD_CLOEXEC) >= 0;
}

static bool do_userfaultfd(void)
{
	return syscall(SYS_userfaultfd, O_CLOEXEC) >= 0;
}

static bool do_overlay(void)
{
	return !mkdir("/tmp/lower", 0755) && !mkdir("/tmp/upper", 0755) &&
	       !mkdir("/tmp/work", 0755) && !mkdir("/tmp/merged", 0755) &&
	       !mount("overlay", "/tmp/merged", "overlay", 0,
		      "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work") &&
	       make_file("/tmp/merged/file") >= 0;
}

static bool do_close(void)
{
	return !close(make_file("/tmp/file"));
}

static int exit_with_file(void *arg)
{
	return make_file("/tmp/file") < 0;
}

/* The file goes when the task has no memory any more. */
static bool do_exit(void)
{
	return !in_child(exit_with_file, NULL);
}

static bool do_ioctl_compat(void)
{
#ifdef __x86_64__
	int fd = make_file("/tmp/file");
	long ret;

	asm volatile("int $0x80"
		     : "=a"(ret)
		     : "a"(54), "b"(fd), "c"(FIONREAD), "d"(0)
		     : "r8", "r9", "r10", "r11", "memory");
	return true;
#else
	return false;
#endif
}

static bool do_fcntl(void)
{
	return fcntl(0, F_GETFD) >= 0;
}

static bool do_ftruncate(void)
{
	return !ftruncate(make_file("/tmp/file"), 1);
}

static bool do_open_truncate(void)
{
	return make_file("/tmp/file") >= 0 && open("/tmp/file", O_RDWR | O_TRUNC | O_CLOEXEC) >= 0;
}

static int mount_tmpfs(void)
{
	int fs = syscall(SYS_fsopen, "tmpfs", 0);

	syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "size", "1M", 0);
	syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	return syscall(SYS_fsmount, fs, 0, 0);
}

static bool do_fsconfig(void)
{
	return mount_tmpfs() >= 0;
}

static bool do_move_mount(void)
{
	return !mkdir("/tmp/mnt", 0700) &&
	       !syscall(SYS_move_mount, mount_tmpfs(), "", AT_FDCWD, "/tmp/mnt", 4);
}

static bool do_umount(void)
{
	return !mkdir("/tmp/mnt", 0700) && !mount("krsi", "/tmp/mnt", "tmpfs", 0, NULL) &&
	       make_file("/tmp/mnt/file") >= 0 && !umount2("/tmp/mnt", MNT_DETACH) &&
	       /* And one that nothing keeps. */
	       !mount("krsi", "/tmp/mnt", "tmpfs", 0, NULL) && !umount("/tmp/mnt");
}

static bool do_pivot_root(void)
{
	syscall(SYS_pivot_root, "/tmp", "/tmp");
	return true;
}

static bool do_quotactl(void)
{
	return !quotactl(QCMD(Q_SYNC, USRQUOTA), NULL, 0, NULL);
}

/* A child gives its session keyring to its parent, which is the test. */
static int session_to_parent(void *arg)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0)
		return 1;
	return !!syscall(SYS_keyctl, KEYCTL_SESSION_TO_PARENT);
}

static bool do_session_to_parent(void)
{
	return !in_child(session_to_parent, NULL);
}

static bool do_init_module(void)
{
	static char junk[4096];

	return syscall(SYS_init_module, junk, sizeof(junk), "") && errno == ENOEXEC;
}

static bool do_finit_module(void)
{
	char junk[4096] = "";
	int fd = make_file("/tmp/module");

	if (write(fd, junk, sizeof(junk)) != sizeof(junk))
		return false;
	close(fd);
	fd = open("/tmp/module", O_RDONLY | O_CLOEXEC);
	return syscall(SYS_finit_module, fd, "", 0) && errno == ENOEXEC;
}

static bool do_msgsnd(void)
{
	struct {
		long type;
		char text[8000];	/* more than a page: a segment is allocated, too */
	} msg = { .type = 1 };
	int id = msgget(IPC_PRIVATE, 0600);
	bool sent = !msgsnd(id, &msg, sizeof(msg.text), IPC_NOWAIT);

	msgctl(id, IPC_RMID, NULL);
	return sent;
}

static bool do_setselfattr(void)
{
	struct {
		struct lsm_ctx ctx;
		char text[8];
	} attr = {
		.ctx.id = LSM_ID_BPF,
		.ctx.len = sizeof(attr),
		.ctx.ctx_len = sizeof(attr.text),
	};

	syscall(SYS_lsm_set_self_attr, LSM_ATTR_CURRENT, &attr, sizeof(attr), 0);
	return true;
}

static bool do_setuid(void)
{
	return !setuid(0) && !setreuid(0, 0) && !setresuid(0, 0, 0) && setfsuid(0) >= 0;
}

static bool do_setgid(void)
{
	return !setgid(0) && !setregid(0, 0) && !setresgid(0, 0, 0) && setfsgid(0) >= 0;
}

static bool do_setgroups(void)
{
	return !setgroups(0, NULL);
}

static bool do_setsockopt(void)
{
	int one = 1;

	return !setsockopt(socket(AF_INET, SOCK_DGRAM, 0), SOL_SOCKET, SO_REUSEADDR, &one,
			   sizeof(one));
}

static bool do_getpeersec(void)
{
	char buf[64];
	socklen_t len = sizeof(buf);
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return false;
	/* There is no label to be had. */
	return getsockopt(pair[0], SOL_SOCKET, SO_PEERSEC, buf, &len) && errno == ENOPROTOOPT;
}

static bool do_mptcp(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);

	return !bind(fd, (struct sockaddr *)&addr, sizeof(addr)) && !listen(fd, 1);
}

static bool do_perf_ioctl(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
	};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return !ioctl(fd, PERF_EVENT_IOC_RESET, 0);
}

/* A ring through which one request has gone; false if it could not. */
static bool ring_request(__u32 flags, const struct io_uring_sqe *request, bool personality)
{
	struct io_uring_params params = { .flags = flags };
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	__u32 *tail, *array;
	void *ring;
	int fd, id = 0;

	fd = syscall(SYS_io_uring_setup, 4, &params);
	if (fd < 0)
		return false;
	if (!request)
		return true;
	if (personality)
		id = syscall(SYS_io_uring_register, fd, IORING_REGISTER_PERSONALITY, NULL, 0);
	ring = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
	sqes = mmap(NULL, params.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED,
		    fd, IORING_OFF_SQES);
	if (id < 0 || ring == MAP_FAILED || sqes == MAP_FAILED)
		return false;
	sqes[0] = *request;
	sqes[0].personality = id;
	array = ring + params.sq_off.array;
	tail = ring + params.sq_off.tail;
	array[0] = 0;
	__atomic_store_n(tail, 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return false;
	cqes = ring + params.cq_off.cqes;
	return cqes[0].res >= 0;
}

static bool do_ring_setup(void)
{
	return ring_request(0, NULL, false);
}

static bool do_ring_sqpoll(void)
{
	return ring_request(IORING_SETUP_SQPOLL, NULL, false);
}

static bool do_ring_personality(void)
{
	struct io_uring_sqe nop = { .opcode = IORING_OP_NOP };

	return ring_request(0, &nop, true);
}

static bool ring_cmd(__u8 flags)
{
	struct io_uring_sqe cmd = {
		.opcode = IORING_OP_URING_CMD,
		.flags = flags,
		.fd = open("/dev/null", O_RDWR | O_CLOEXEC),
	};

	return ring_request(0, &cmd, false);
}

static bool do_ring_cmd(void)
{
	return ring_cmd(0);
}

/* In a worker of the ring. */
static bool do_ring_cmd_async(void)
{
	return ring_cmd(IOSQE_ASYNC);
}

static bool do_watch_key(void)
{
	int fd[2], key;

	/* O_NOTIFICATION_PIPE */
	if (pipe2(fd, O_EXCL) || ioctl(fd[0], IOC_WATCH_QUEUE_SET_SIZE, 1))
		return false;
	key = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	return key >= 0 && !syscall(SYS_keyctl, KEYCTL_WATCH_KEY, key, fd[0], 1);
}

static int wait_for_parent(void *arg)
{
	struct {
		__u32 version;
		int pid;
	} header = { 0x20080522, getppid() };
	__u32 data[6];

	return !!syscall(SYS_capget, &header, data);
}

/* Of another task, which was looked up in an RCU read-side section. */
static bool do_capget(void)
{
	return !in_child(wait_for_parent, NULL);
}

FIXTURE(sleepable_hooks)
{
	struct sleepable_hooks_bpf *skel;
	struct sleepable_hooks_bpf__bss *bss;
	__u64 *page;
};

FIXTURE_VARIANT(sleepable_hooks)
{
	const char *hook;
	bool (*reach)(void);
};

/* HOOK(name, how): the hook @name is reached by do_@how(). */
#define HOOK(name, how)						\
	FIXTURE_VARIANT_ADD(sleepable_hooks, name##__##how) {		\
		.hook = #name,						\
		.reach = do_##how,					\
	}

HOOK(capget, capget);
HOOK(cred_alloc_blank, session_to_parent);
HOOK(cred_transfer, session_to_parent);
HOOK(dentry_create_files_as, overlay);
HOOK(file_fcntl, fcntl);
HOOK(file_ioctl_compat, ioctl_compat);
HOOK(file_release, close);
HOOK(file_release, exit);
HOOK(file_truncate, ftruncate);
HOOK(file_truncate, open_truncate);
HOOK(fs_context_parse_param, fsconfig);
HOOK(inode_file_setattr, setflags);
HOOK(inode_get_acl, get_acl);
HOOK(inode_init_security_anon, memfd);
HOOK(inode_init_security_anon, userfaultfd);
HOOK(inode_init_security_anon, ring_setup);
HOOK(inode_link, link);
HOOK(inode_mkdir, mkdir);
HOOK(inode_post_create_tmpfile, tmpfile);
HOOK(inode_post_remove_acl, remove_acl);
HOOK(inode_post_set_acl, set_acl);
HOOK(inode_post_setattr, chmod);
HOOK(inode_post_setattr, write_suid);
HOOK(inode_remove_acl, remove_acl);
HOOK(inode_set_acl, set_acl);
HOOK(kernel_load_data, init_module);
HOOK(kernel_post_load_data, init_module);
HOOK(kernel_post_read_file, finit_module);
HOOK(move_mount, move_mount);
HOOK(mptcp_add_subflow, mptcp);
HOOK(msg_msg_alloc_security, msgsnd);
HOOK(path_chroot, chroot);
HOOK(path_mknod, path_mknod);
HOOK(path_mknod, open_create);
HOOK(path_mknod, unix_bind);
HOOK(path_post_mknod, path_mknod);
HOOK(perf_event_write, perf_ioctl);
HOOK(quotactl, quotactl);
HOOK(sb_delete, umount);
HOOK(sb_pivotroot, pivot_root);
HOOK(setselfattr, setselfattr);
HOOK(socket_getpeersec_stream, getpeersec);
HOOK(socket_setsockopt, setsockopt);
HOOK(task_fix_setgid, setgid);
HOOK(task_fix_setgroups, setgroups);
HOOK(task_fix_setuid, setuid);
HOOK(unix_find, unix_connect);
HOOK(unix_find, unix_send);
HOOK(uring_allowed, ring_setup);
HOOK(uring_cmd, ring_cmd);
HOOK(uring_cmd, ring_cmd_async);
HOOK(uring_override_creds, ring_personality);
HOOK(uring_sqpoll, ring_sqpoll);
HOOK(watch_key, watch_key);

FIXTURE_SETUP(sleepable_hooks)
{
	char dir[16];
	int fd;

	REQUIRE_LSM();
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	self->skel = sleepable_hooks_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->bss = self->skel->bss;

	/* Shared, so that dropping the page leaves what is in it. */
	fd = make_file("/tmp/page");
	ASSERT_EQ(0, ftruncate(fd, 4096));
	self->page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	*self->page = WORD;
	close(fd);
	self->bss->user = self->page;
}

FIXTURE_TEARDOWN(sleepable_hooks)
{
	sleepable_hooks_bpf__destroy(self->skel);
}

TEST_F(sleepable_hooks, sleeps)
{
	int prog, link;

	prog = load_again(self->skel->progs.sleep_anywhere, variant->hook, BPF_F_SLEEPABLE);
	ASSERT_LE(0, prog);
	link = attach_fd(prog);
	ASSERT_LE(0, link);
	/* The program takes a fault to get the page back. */
	ASSERT_EQ(0, madvise(self->page, 4096, MADV_DONTNEED));
	self->bss->target = getpid();
	EXPECT_TRUE(variant->reach()) TH_LOG("errno %d", errno);
	self->bss->target = 0;
	EXPECT_LT(0, self->bss->ran);
	/* A task that exits has no memory to read from. */
	if (variant->reach != do_exit) {
		EXPECT_EQ(0, self->bss->failed);
		EXPECT_EQ(WORD, self->bss->word);
	}
	close(link);
	close(prog);
}

TEST_HARNESS_MAIN
