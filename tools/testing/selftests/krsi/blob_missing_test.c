// SPDX-License-Identifier: GPL-2.0
/*
 * Objects without a blob: the verifier keeps the test for NULL where security/
 * krsi/blob/missing.rs says that there can be one, and accesses are right
 * wherever an allocation fails or an LSM refuses an object. To be run on a
 * machine booted with the krsi.blob= that scripts/test.sh has.
 */

#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <sys/msg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>

#include "blob.h"
#include "token.h"
#include "verity.h"
#include "progs/blob_missing.h"
#include "blob_missing.skel.h"

#define INSN(_code, _dst, _src, _off, _imm) ((struct bpf_insn) {	\
	.code = _code, .dst_reg = _dst, .src_reg = _src, .off = _off, .imm = _imm })

static long long slot(const char *class)
{
	int err = blob_command("claim %s missing 8", class);

	return err ? err : blob_slot(class, "missing");
}

/* A class whose objects are arguments of hooks. */
struct class {
	const char *name, *type;
	/* A program can have objects without such a blob at any hook. */
	bool anywhere;
	/* The access is always a call. */
	bool called;
	/* The hooks at which an object can be without a blob, and how many they are. */
	const char *hooks;
	int count;
	long long slot;
	int kfunc;
};

static struct class classes[] = {
	{ "cred", "cred" },
	{ "task", "task_struct" },
	{ "file", "file", .hooks = "backing_file_free", .count = 1 },
	{ "backing_file", "file", .called = true },
	{ "inode", "inode" },
	{ "superblock", "super_block", .hooks = "sb_free_security,sb_delete", .count = 2 },
	{ "sock", "sock", .called = true },
	{ "ipc", "kern_ipc_perm" },
	{ "msg_msg", "msg_msg", .hooks = "msg_msg_free_security", .count = 1 },
	{ "key", "key" },
	{ "bdev", "block_device" },
	{ "perf_event", "perf_event" },
	{ "bpf_map", "bpf_map" },
	{ "bpf_prog", "bpf_prog", .anywhere = true },
	{ "bpf_token", "bpf_token" },
};

enum access {
	/* The verifier refuses the program. */
	REFUSED,
	CALLED,
	/* The blob is compared with NULL. */
	TESTED,
	UNTESTED,
	BROKEN,
};

/* How a program of a hook accesses the object that is at @offset of the context. */
static enum access how(const struct class *class, int hook, int offset, char *log, size_t size)
{
	const struct bpf_insn prog[] = {
		INSN(BPF_LDX | BPF_MEM | BPF_DW, 1, 1, offset, 0),
		INSN(BPF_ALU | BPF_MOV | BPF_K, 2, 0, 0, class->slot),
		INSN(BPF_ALU | BPF_MOV | BPF_K, 3, 0, 0, 8),
		INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, class->kfunc),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1, 0),
		INSN(BPF_ST | BPF_MEM | BPF_DW, 0, 0, 0, 7),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	struct bpf_insn insns[64];
	struct bpf_prog_info info = {
		.xlated_prog_insns = (__u64)(unsigned long)insns,
		.xlated_prog_len = sizeof(insns),
	};
	__u32 len = sizeof(info);
	enum access access = UNTESTED;
	int fd, i;

	log[0] = '\0';
	fd = load_insns(prog, ARRAY_SIZE(prog), hook, "GPL", 0, log, size);
	if (fd < 0)
		return REFUSED;
	if (bpf_prog_get_info_by_fd(fd, &info, &len) || !info.xlated_prog_insns)
		access = BROKEN;
	close(fd);
	for (i = 0; access != BROKEN && i < info.xlated_prog_len / sizeof(*insns); i++) {
		if (insns[i].code == (BPF_JMP | BPF_CALL))
			return CALLED;
		if (insns[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && insns[i].dst_reg == 0)
			access = TESTED;
	}
	return access;
}

/* The structure that a pointer is to; NULL if it is none. */
static const char *target_of(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = btf__type_by_id(btf, btf__resolve_type(btf, id));

	if (!t || !btf_is_ptr(t))
		return NULL;
	id = btf__resolve_type(btf, t->type);
	t = (int)id < 0 ? NULL : btf__type_by_id(btf, id);
	return t && btf_is_struct(t) ? btf__name_by_offset(btf, t->name_off) : NULL;
}

static enum access expected(const struct class *class, const char *hook)
{
	if (class->called)
		return CALLED;
	return class->anywhere || (class->hooks && in_list(class->hooks, hook)) ? TESTED : UNTESTED;
}

/* Every class at every hook that has an object of it as an argument. */
TEST(table)
{
	int seen[BROKEN + 1] = {}, listed[ARRAY_SIZE(classes)] = {};
	int func, arg, offset, i, n, hooks = 0;
	struct btf *btf;
	char log[8192];

	if (!krsi_active())
		SKIP(return, "krsi is not active");
	if (blob_reserved("inode") <= 0)
		SKIP(return, "boot with krsi.blob=inode:..., as scripts/test.sh does");
	btf = btf__load_vmlinux_btf();
	ASSERT_NE(NULL, btf);
	for (i = 0; i < ARRAY_SIZE(classes); i++) {
		char kfunc[64];

		snprintf(kfunc, sizeof(kfunc), "krsi_%s_blob", classes[i].name);
		classes[i].kfunc = btf__find_by_name_kind(btf, kfunc, BTF_KIND_FUNC);
		ASSERT_LT(0, classes[i].kfunc) TH_LOG("no %s()", kfunc);
		classes[i].slot = slot(classes[i].name);
		ASSERT_LT(0, classes[i].slot) TH_LOG("no slot of class %s", classes[i].name);
	}
	n = btf__type_cnt(btf);
	for (func = 1; func < n; func++) {
		const struct btf_type *t = btf__type_by_id(btf, func), *proto;
		const char *name, *type;

		if (!btf_is_func(t))
			continue;
		name = btf__name_by_offset(btf, t->name_off);
		if (strncmp(name, "bpf_lsm_", 8) || hook_btf_id(name + 8) != func)
			continue;
		name += 8;
		proto = btf__type_by_id(btf, t->type);
		hooks++;
		for (arg = offset = 0; arg < btf_vlen(proto); arg++) {
			__u32 id = btf_params(proto)[arg].type;

			type = target_of(btf, id);
			for (i = 0; type && i < ARRAY_SIZE(classes); i++) {
				enum access is;

				if (strcmp(type, classes[i].type))
					continue;
				is = how(&classes[i], func, offset, log, sizeof(log));
				/* A function of bpf_lsm.c that is no hook. */
				if (is == REFUSED && strstr(log, "wrong type name"))
					continue;
				seen[is]++;
				if (is == REFUSED) {
					EXPECT_TRUE(strstr(log, "disabled hook") ||
						    strstr(log, "trusted") ||
						    strstr(log, "not allowed"))
						TH_LOG("%s at %s: %s", classes[i].name, name, log);
					continue;
				}
				listed[i] += is == TESTED;
				EXPECT_EQ(expected(&classes[i], name), is)
					TH_LOG("%s at %s", classes[i].name, name);
			}
			offset += (btf__resolve_size(btf, id) + 7) / 8 * 8;
		}
	}
	for (i = 0; i < ARRAY_SIZE(classes); i++) {
		if (classes[i].anywhere)
			continue;
		EXPECT_EQ(classes[i].count, listed[i]) TH_LOG("%s", classes[i].name);
	}
	TH_LOG("%d hooks: %d accesses without a test, %d with, %d calls, %d refused", hooks,
	       seen[UNTESTED], seen[TESTED], seen[CALLED], seen[REFUSED]);
	EXPECT_LT(100, seen[UNTESTED]);
	EXPECT_LT(20, seen[CALLED]);
	btf__free(btf);
}

FIXTURE(missing)
{
	struct blob_missing_bpf *skel;
	struct blob_missing_bpf__bss *bss;
};


/* What has an object made, and freed again. 0 or a negative errno. */
static int make_task(void)
{
	/* As fork(), which allocates memory of its own. */
	int status, err;
	pid_t pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (!pid)
		syscall(SYS_exit_group, 0);
	err = -errno;
	return pid < 0 ? err : waitpid(pid, &status, 0) == pid ? 0 : -ECHILD;
}

static int make_cred(void)
{
	return prctl(PR_SET_KEEPCAPS, 1) || prctl(PR_SET_KEEPCAPS, 0) ? -errno : 0;
}

static int make_inode(void)
{
	int fd = open("/tmp/made", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return unlink("/tmp/made") ? -errno : 0;
}

static int make_superblock(void)
{
	if (mount("krsi", "/tmp/mount", "tmpfs", 0, NULL))
		return -errno;
	return umount("/tmp/mount") ? -errno : 0;
}

static int make_msg_queue(void)
{
	int id = msgget(IPC_PRIVATE, 0600);

	return id < 0 || msgctl(id, IPC_RMID, NULL) ? -errno : 0;
}

static int make_shm(void)
{
	int id = shmget(IPC_PRIVATE, 4096, 0600);

	return id < 0 || shmctl(id, IPC_RMID, NULL) ? -errno : 0;
}

static int make_sem(void)
{
	int id = semget(IPC_PRIVATE, 1, 0600);

	return id < 0 || semctl(id, 0, IPC_RMID) ? -errno : 0;
}

static int queue = -1;

static int make_msg(void)
{
	/* Of two parts. */
	static struct {
		long type;
		char text[5000];
	} msg = { 1 };

	if (msgsnd(queue, &msg, sizeof(msg.text), 0))
		return -errno;
	return msgrcv(queue, &msg, sizeof(msg.text), 0, 0) < 0 ? -errno : 0;
}

static int make_key(void)
{
	long key = syscall(SYS_add_key, "user", "krsi-missing", "payload", 7,
			   KEY_SPEC_PROCESS_KEYRING);

	if (key < 0)
		return -errno;
	return syscall(SYS_keyctl, KEYCTL_UNLINK, key, KEY_SPEC_PROCESS_KEYRING) ? -errno : 0;
}

static int make_perf_event(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
	};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);

	return fd < 0 || close(fd) ? -errno : 0;
}

static int make_bpf_map(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 8,
		.max_entries = 1,
	};
	int fd = syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));

	return fd < 0 || close(fd) ? -errno : 0;
}

static int make_bpf_prog(void)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insns = (__u64)(unsigned long)insns,
		.insn_cnt = ARRAY_SIZE(insns),
		.license = (__u64)(unsigned long)"GPL",
	};
	int fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	return fd < 0 || close(fd) ? -errno : 0;
}

static int child_token(int token)
{
	return 0;
}

static int make_token(void)
{
	/* An errno does not get out of there. */
	return with_token(child_token) ? -EIO : 0;
}

static int make_backing_file(void)
{
	int fd = open("/tmp/over/a", O_RDONLY | O_CLOEXEC);

	return fd < 0 || close(fd) ? -errno : 0;
}

static int make_sock(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 || close(fd) ? -errno : 0;
}

static int make_bdev(void)
{
	int err = verity_make("/tmp/data");

	if (err)
		return err;
	err = verity_resume();
	return verity_remove() ?: err;
}

FIXTURE_SETUP(missing)
{
	char dir[16];
	int fd;

	if (!krsi_active())
		SKIP(return, "krsi is not active");
	if (blob_reserved("inode") <= 0)
		SKIP(return, "boot with krsi.blob=inode:..., as scripts/test.sh does");
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	ASSERT_EQ(0, mkdir("/tmp/mount", 0700));
	ASSERT_EQ(0, mkdir("/tmp/lower", 0700));
	ASSERT_EQ(0, mkdir("/tmp/upper", 0700));
	ASSERT_EQ(0, mkdir("/tmp/work", 0700));
	ASSERT_EQ(0, mkdir("/tmp/over", 0700));
	fd = open("/tmp/lower/a", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	close(fd);
	ASSERT_EQ(0, mount("overlay", "/tmp/over", "overlay", 0,
			   "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work"));
	queue = msgget(IPC_PRIVATE, 0600);
	ASSERT_LE(0, queue);

	self->skel = blob_missing_bpf__open();
	ASSERT_NE(NULL, self->skel);
#define SLOT(class) ASSERT_LT(0, self->skel->rodata->class##_slot = slot(#class))
	SLOT(cred);
	SLOT(task);
	SLOT(file);
	SLOT(backing_file);
	SLOT(inode);
	SLOT(superblock);
	SLOT(ipc);
	SLOT(msg_msg);
	SLOT(key);
	SLOT(bdev);
	SLOT(perf_event);
	SLOT(bpf_map);
	SLOT(bpf_prog);
	SLOT(bpf_token);
#undef SLOT
	ASSERT_EQ(0, blob_missing_bpf__load(self->skel)) TH_LOG("%s", libbpf_log);
	self->bss = self->skel->bss;
	self->bss->target = getpid();
	ASSERT_EQ(0, blob_missing_bpf__attach(self->skel));
}

FIXTURE_TEARDOWN(missing)
{
	blob_missing_bpf__destroy(self->skel);
	if (queue >= 0)
		msgctl(queue, IPC_RMID, NULL);
}

static const char *const accesses[] = {
#define ACCESS(NAME) #NAME,
	ACCESS_LIST(ACCESS)
#undef ACCESS
};

/* Whether the object of an access can be without its blob. */
static bool can_be_missing(int access)
{
	return access == ACCESS_sb_free_security || access == ACCESS_msg_msg_free_security ||
	       access == ACCESS_backing_file_free || access == ACCESS_backing_file_free_file;
}

/* No object is without a blob where that cannot be. */
static void expect_complete(struct __test_metadata *const _metadata, FIXTURE_DATA(missing) * self)
{
	int i;

	for (i = 0; i < ACCESSES; i++) {
		if (can_be_missing(i))
			continue;
		EXPECT_EQ(0, self->bss->missing[i]) TH_LOG("%s", accesses[i]);
	}
}

static const struct {
	const char *name;
	int (*make)(void);
	/* The accesses of the object that is made and freed, up to one that is negative. */
	int access[4];
} objects[] = {
	{ "task", make_task, { ACCESS_task_alloc, ACCESS_cred_prepare, ACCESS_cred_free, -1 } },
	{ "cred", make_cred, { ACCESS_cred_prepare, ACCESS_cred_free, -1 } },
	{ "inode", make_inode,
	  { ACCESS_inode_alloc_security, ACCESS_inode_free_security, ACCESS_file_open, -1 } },
	{ "superblock", make_superblock,
	  { ACCESS_sb_alloc_security, ACCESS_sb_delete, ACCESS_sb_free_security, -1 } },
	{ "msg_queue", make_msg_queue,
	  { ACCESS_msg_queue_alloc_security, ACCESS_msg_queue_free_security, -1 } },
	{ "shm", make_shm, { ACCESS_shm_alloc_security, ACCESS_shm_free_security, -1 } },
	{ "sem", make_sem, { ACCESS_sem_alloc_security, ACCESS_sem_free_security, -1 } },
	{ "msg_msg", make_msg,
	  { ACCESS_msg_msg_alloc_security, ACCESS_msg_msg_free_security, -1 } },
	{ "key", make_key, { ACCESS_key_alloc, -1 } },
	{ "perf_event", make_perf_event, { ACCESS_perf_event_alloc, -1 } },
	{ "bpf_map", make_bpf_map, { ACCESS_bpf_map_create, -1 } },
	{ "bpf_prog", make_bpf_prog, { ACCESS_bpf_prog_load, -1 } },
	{ "bpf_token", make_token, { ACCESS_bpf_token_create, ACCESS_bpf_token_free, -1 } },
	{ "backing_file", make_backing_file,
	  { ACCESS_backing_file_alloc, ACCESS_backing_file_alloc_file, ACCESS_file_release, -1 } },
	{ "sock", make_sock, { -1 } },
	{ "bdev", make_bdev, { ACCESS_bdev_setintegrity, -1 } },
};

/* Every access gets the bytes of an object that is complete. */
TEST_F(missing, complete)
{
	int i, j;

	for (i = 0; i < ARRAY_SIZE(objects); i++) {
		EXPECT_EQ(0, objects[i].make()) TH_LOG("%s", objects[i].name);
		for (j = 0; objects[i].access[j] >= 0; j++) {
			EXPECT_TRUE(WAIT_FOR(self->bss->found[objects[i].access[j]], 60))
				TH_LOG("%s", accesses[objects[i].access[j]]);
		}
	}
	EXPECT_TRUE(WAIT_FOR(self->bss->found[ACCESS_backing_file_free], 60));
	/* The file's own blob is freed first. */
	EXPECT_EQ(0, self->bss->found[ACCESS_backing_file_free_file]);
	EXPECT_LT(0, self->bss->missing[ACCESS_backing_file_free_file]);
	EXPECT_EQ(0, self->bss->missing[ACCESS_backing_file_free]);
	EXPECT_EQ(0, self->bss->missing[ACCESS_sb_free_security]);
	EXPECT_EQ(0, self->bss->missing[ACCESS_msg_msg_free_security]);
	expect_complete(_metadata, self);
}

/* An object that an LSM refuses can come by the hook that frees it again. */
TEST_F(missing, refused)
{
	int i, err;

	self->bss->verdict = -KRSI_ERRNO;
	for (i = 0; i < ARRAY_SIZE(objects); i++) {
		int access = objects[i].access[0];

		if (access < 0)
			continue;
		self->skel->data->refuse = access;
		self->bss->found[access] = 0;
		/* What dm-verity does if the hook refuses is up to it. */
		err = objects[i].make();
		if (access != ACCESS_bdev_setintegrity)
			EXPECT_GT(0, err) TH_LOG("%s", objects[i].name);
		self->skel->data->refuse = ACCESSES;
		EXPECT_LT(0, self->bss->found[access]) TH_LOG("%s", accesses[access]);
		EXPECT_EQ(0, objects[i].make()) TH_LOG("%s", objects[i].name);
	}
	EXPECT_TRUE(WAIT_FOR(self->bss->missing[ACCESS_sb_free_security], 60));
	EXPECT_TRUE(WAIT_FOR(self->bss->missing[ACCESS_msg_msg_free_security], 60));
	EXPECT_TRUE(WAIT_FOR(self->bss->missing[ACCESS_backing_file_free], 60));
	expect_complete(_metadata, self);
}

static int send_unreadable(void *arg)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long *type;

	if (page == MAP_FAILED || mprotect(page + 4096, 4096, PROT_NONE))
		return 1;
	/* The text would be on the next page. */
	type = (long *)(page + 4096) - 1;
	*type = 1;
	if (setuid(65534))
		return 2;
	return msgsnd(*(int *)arg, type, 8, 0) == -1 && errno == EFAULT ? 0 : 3;
}

/* A message whose text cannot be read is freed before it has a blob, for any user. */
TEST_F(missing, unreadable_message)
{
	struct msqid_ds ds;
	__u64 found;

	ASSERT_EQ(0, msgctl(queue, IPC_STAT, &ds));
	ds.msg_perm.mode = 0666;
	ASSERT_EQ(0, msgctl(queue, IPC_SET, &ds));
	found = self->bss->found[ACCESS_msg_msg_free_security];
	EXPECT_EQ(0, in_child(send_unreadable, &queue));
	EXPECT_EQ(1, self->bss->missing[ACCESS_msg_msg_free_security]);
	EXPECT_EQ(found, self->bss->found[ACCESS_msg_msg_free_security]);
	EXPECT_EQ(0, make_msg());
	EXPECT_EQ(found + 1, self->bss->found[ACCESS_msg_msg_free_security]);
	EXPECT_EQ(1, self->bss->missing[ACCESS_msg_msg_free_security]);
	expect_complete(_metadata, self);
}

#define FAILSLAB "/sys/kernel/debug/failslab/"

/*
 * Has the @nth allocation of what @make does fail. Returns whether there were so
 * many.
 */
static bool make_fail(int (*make)(void), int nth, int *err)
{
	char text[16] = "";
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	int len = snprintf(text, sizeof(text), "%d", nth);

	if (fd < 0 || pwrite(fd, text, len, 0) != len)
		return false;
	*err = make();
	memset(text, 0, sizeof(text));
	/* 0 once it has failed. */
	len = pread(fd, text, sizeof(text) - 1, 0);
	pwrite(fd, "0", 1, 0);
	close(fd);
	return len > 0 && !atoi(text);
}

/* Every allocation fails once, that of each class's blob among them. */
TEST_F(missing, failing_allocations)
{
	int i, nth, err, failed;

	if (!write_text(FAILSLAB "ignore-gfp-wait", "N"))
		SKIP(return, "needs CONFIG_FAILSLAB and CONFIG_FAULT_INJECTION_DEBUG_FS");
	ASSERT_TRUE(write_text(FAILSLAB "verbose", "0"));
	/* Page faults allocate, too. */
	mlockall(MCL_CURRENT);
	for (i = 0; i < ARRAY_SIZE(objects); i++) {
		int (*make)(void) = objects[i].make;

		/*
		 * Linux itself does not stand it, or logs it: bpf_token_create() leaks
		 * an inode if there is no memory for the file, devices have workqueues,
		 * and tasks and programs have memory from vmalloc().
		 */
		if (make == make_token || make == make_bdev || make == make_task ||
		    make == make_bpf_prog)
			continue;
		/* What is cached afterwards is not allocated again. */
		EXPECT_EQ(0, make()) TH_LOG("%s", objects[i].name);
		for (nth = 1, failed = 0; nth < 1000; nth++) {
			if (!make_fail(make, nth, &err))
				break;
			failed += err < 0;
			umount("/tmp/mount");
			unlink("/tmp/made");
		}
		TH_LOG("%s: %d allocations have failed", objects[i].name, nth - 1);
		EXPECT_GT(1000, nth) TH_LOG("%s", objects[i].name);
		EXPECT_LT(0, failed) TH_LOG("%s", objects[i].name);
		EXPECT_EQ(0, make()) TH_LOG("%s", objects[i].name);
	}
	munlockall();
	write_text(FAILSLAB "ignore-gfp-wait", "Y");
	EXPECT_TRUE(WAIT_FOR(self->bss->missing[ACCESS_sb_free_security], 60));
	EXPECT_TRUE(WAIT_FOR(self->bss->missing[ACCESS_msg_msg_free_security], 60));
	EXPECT_TRUE(WAIT_FOR(self->bss->missing[ACCESS_backing_file_free], 60));
	expect_complete(_metadata, self);
}

TEST_HARNESS_MAIN
