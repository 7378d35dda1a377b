// SPDX-License-Identifier: GPL-2.0
/*
 * Paths: whole ones or an error, however the file is reached and whatever
 * happens to it meanwhile.
 */

#include <linux/mount.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "common.h"
#include "path.skel.h"
#include "path_reject.skel.h"
#include "verdict.h"

#define TASK_ROOT KRSI_PATH_TASK_ROOT
#define DELETED KRSI_PATH_DELETED
#define ROUNDS 4

/* include/linux/krsi.h; programs have them from BTF. */
enum { KRSI_PATH_TASK_ROOT = 1, KRSI_PATH_DELETED = 2, KRSI_PATH_TRUSTED_MOUNT = 4 };

FIXTURE(path)
{
	struct path_bpf *skel;
	struct path_bpf__bss *bss;
	struct path_bpf__data *data;
	struct bpf_link *link;
};

FIXTURE_VARIANT(path)
{
	/* Which program is asked for the path of a file descriptor. */
	const char *prog;
};

FIXTURE_VARIANT_ADD(path, atomic) {
	.prog = "fd_atomic",
};

FIXTURE_VARIANT_ADD(path, sleepable) {
	.prog = "fd_sleepable",
};

FIXTURE_VARIANT_ADD(path, rcu_section) {
	.prog = "fd_in_section",
};

/* Everything is in /tmp, in mounts of its own. */
static bool set_up(struct path_bpf **skel)
{
	char dir[16];

	if (private_dir(dir, sizeof(dir)))
		return false;
	*skel = path_bpf__open_and_load();
	if (!*skel)
		return false;
	(*skel)->bss->target = getpid();
	return true;
}

FIXTURE_SETUP(path)
{
	REQUIRE_LSM();
	if (!krsi_active())
		SKIP(return, "the kfuncs are krsi's");
	ASSERT_TRUE(set_up(&self->skel));
	self->bss = self->skel->bss;
	self->data = self->skel->data;
	self->link = bpf_program__attach(
		bpf_object__find_program_by_name(self->skel->obj, variant->prog));
	ASSERT_NE(NULL, self->link);
}

FIXTURE_TEARDOWN(path)
{
	bpf_link__destroy(self->link);
	path_bpf__destroy(self->skel);
}

/* Asks for the path of @fd, which must be open for more than its path. */
static long ask(struct path_bpf *skel, int fd, __u64 flags)
{
	skel->bss->flags = flags;
	skel->bss->calls = 0;
	skel->bss->ret = 0;
	memset(skel->bss->dst, 'g', sizeof(skel->bss->dst));
	if (ioctl(fd, FIOCLEX) || skel->bss->calls != 1)
		return -1000;
	return skel->bss->ret;
}

/* Whether the memory has nothing from @from on, as far as it was the kfunc's. */
static bool zeroes(struct path_bpf *skel, size_t from)
{
	size_t i;

	for (i = from; i < skel->data->size && i < sizeof(skel->bss->dst); i++)
		if (skel->bss->dst[i])
			return false;
	return true;
}

#define EXPECT_PATH(path, fd, flags) do {				\
	const char *__path = path;					\
	long __len = strlen(__path) + 1;				\
									\
	EXPECT_EQ(__len, ask(self->skel, fd, flags));			\
	EXPECT_STREQ(__path, self->bss->dst);				\
	EXPECT_TRUE(zeroes(self->skel, __len));				\
} while (0)

#define EXPECT_NO_PATH(err, fd, flags) do {				\
	EXPECT_EQ(-(err), ask(self->skel, fd, flags));			\
	EXPECT_TRUE(zeroes(self->skel, 0));				\
} while (0)

static int create(const char *path)
{
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0700);
}

TEST_F(path, plain)
{
	int fd;

	ASSERT_EQ(0, mkdir("/tmp/dir", 0700));
	fd = create("/tmp/dir/file");
	ASSERT_LE(0, fd);
	EXPECT_PATH("/tmp/dir/file", fd, 0);
	EXPECT_PATH("/tmp/dir/file", fd, TASK_ROOT);
	EXPECT_PATH("/tmp/dir/file", fd, DELETED);
	EXPECT_PATH("/tmp/dir/file", fd, TASK_ROOT | DELETED);
	ASSERT_EQ(0, rename("/tmp/dir", "/tmp/other"));
	EXPECT_PATH("/tmp/other/file", fd, 0);
	close(fd);

	fd = open("/tmp/other", O_RDONLY | O_CLOEXEC);
	EXPECT_PATH("/tmp/other", fd, 0);
	close(fd);
	/* The root of a mount. */
	fd = open("/tmp", O_RDONLY | O_CLOEXEC);
	EXPECT_PATH("/tmp", fd, 0);
	EXPECT_PATH("/tmp", fd, TASK_ROOT);
	close(fd);
	/* The root of them all. */
	fd = open("/", O_RDONLY | O_CLOEXEC);
	EXPECT_PATH("/", fd, 0);
	EXPECT_PATH("/", fd, TASK_ROOT);
	close(fd);
	fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(snprintf(NULL, 0, "/proc/%d/status", getpid()) + 1, ask(self->skel, fd, 0));
	close(fd);
}

TEST_F(path, any_name)
{
	int fd;

	fd = create("/tmp/gone (deleted)");
	EXPECT_PATH("/tmp/gone (deleted)", fd, 0);
	close(fd);
	fd = create("/tmp/\n\t\\\"\x80\xff ");
	EXPECT_PATH("/tmp/\n\t\\\"\x80\xff ", fd, 0);
	close(fd);
}

TEST_F(path, size)
{
	const char *path = "/tmp/file";
	int fd, size, len = strlen(path) + 1;

	fd = create(path);
	ASSERT_LE(0, fd);
	for (size = 0; size < len; size++) {
		self->data->size = size;
		EXPECT_NO_PATH(size ? ENAMETOOLONG : EINVAL, fd, 0);
		EXPECT_EQ('g', self->bss->dst[size]);
		EXPECT_NO_PATH(size ? ENAMETOOLONG : EINVAL, fd, TASK_ROOT);
	}
	for (size = len; size < 2 * len + 3; size++) {
		self->data->size = size;
		EXPECT_PATH(path, fd, 0);
		EXPECT_EQ('g', self->bss->dst[size]);
		EXPECT_PATH(path, fd, TASK_ROOT);
	}
	close(fd);
}

TEST_F(path, flags)
{
	int fd, bit;

	fd = create("/tmp/file");
	ASSERT_LE(0, fd);
	for (bit = 0; bit < 64; bit++) {
		__u64 flags = 1ULL << bit;

		if (flags & (TASK_ROOT | DELETED | KRSI_PATH_TRUSTED_MOUNT)) {
			EXPECT_PATH("/tmp/file", fd, flags);
			continue;
		}
		EXPECT_NO_PATH(EINVAL, fd, flags);
		EXPECT_NO_PATH(EINVAL, fd, flags | TASK_ROOT | DELETED);
	}
	close(fd);
}

/* A path that no system call takes whole. */
TEST_F(path, longer_than_path_max)
{
	char name[256], path[16384] = "/tmp";
	int dir, fd, i;

	memset(name, 'n', 255);
	name[255] = '\0';
	dir = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (i = 0; i < 60; i++) {
		name[0] = 'A' + i;
		ASSERT_EQ(0, mkdirat(dir, name, 0700));
		fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ASSERT_LE(0, fd);
		close(dir);
		dir = fd;
		strcat(strcat(path, "/"), name);
	}
	fd = openat(dir, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	strcat(path, "/file");
	ASSERT_LT(15000, strlen(path));
	EXPECT_PATH(path, fd, 0);
	EXPECT_PATH(path, fd, TASK_ROOT);

	/* What is cut is no path. */
	self->data->size = 4096;
	EXPECT_NO_PATH(ENAMETOOLONG, fd, 0);
	self->data->size = strlen(path);
	EXPECT_NO_PATH(ENAMETOOLONG, fd, TASK_ROOT);
	close(dir);
	close(fd);
}

TEST_F(path, chroot)
{
	int inside, outside;

	ASSERT_EQ(0, mkdir("/tmp/jail", 0700));
	inside = create("/tmp/jail/inside");
	outside = create("/tmp/outside");
	ASSERT_LE(0, inside);
	ASSERT_LE(0, outside);
	ASSERT_EQ(0, chroot("/tmp/jail"));
	ASSERT_EQ(0, chdir("/"));
	EXPECT_PATH("/tmp/jail/inside", inside, 0);
	EXPECT_PATH("/inside", inside, TASK_ROOT);
	EXPECT_PATH("/tmp/outside", outside, 0);
	EXPECT_NO_PATH(EXDEV, outside, TASK_ROOT);
	close(inside);

	inside = open("/", O_RDONLY | O_CLOEXEC);
	EXPECT_PATH("/tmp/jail", inside, 0);
	EXPECT_PATH("/", inside, TASK_ROOT);
	close(inside);
	close(outside);
}

TEST_F(path, bind)
{
	int a, b;

	ASSERT_EQ(0, mkdir("/tmp/a", 0700));
	ASSERT_EQ(0, mkdir("/tmp/a/sub", 0700));
	ASSERT_EQ(0, mkdir("/tmp/b", 0700));
	ASSERT_EQ(0, mount("/tmp/a/sub", "/tmp/b", NULL, MS_BIND, NULL));
	a = create("/tmp/a/sub/file");
	b = open("/tmp/b/file", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	EXPECT_PATH("/tmp/a/sub/file", a, 0);
	EXPECT_PATH("/tmp/b/file", b, 0);
	EXPECT_PATH("/tmp/b/file", b, TASK_ROOT);

	/* Out of what the mount shows. */
	ASSERT_EQ(0, rename("/tmp/a/sub/file", "/tmp/a/file"));
	EXPECT_PATH("/tmp/a/file", a, 0);
	EXPECT_NO_PATH(EXDEV, b, 0);
	EXPECT_NO_PATH(EXDEV, b, TASK_ROOT);
	close(a);
	close(b);
}

TEST_F(path, mount_namespace)
{
	int old, new;

	old = create("/tmp/file");
	ASSERT_LE(0, old);
	/* A child, lest the old namespace go. */
	ASSERT_EQ(0, unshare(CLONE_FS));
	int holder = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, holder);
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	new = open("/tmp/file", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, new);
	EXPECT_PATH("/tmp/file", new, 0);
	EXPECT_PATH("/tmp/file", new, TASK_ROOT);
	/* In the namespace that it was opened in, and not below this root. */
	EXPECT_PATH("/tmp/file", old, 0);
	EXPECT_NO_PATH(EXDEV, old, TASK_ROOT);
	/* The last task of that namespace is gone, and so is the namespace. */
	close(holder);
	EXPECT_TRUE(WAIT_FOR(ask(self->skel, old, 0) == -ESTALE, 60));
	EXPECT_NO_PATH(ESTALE, old, TASK_ROOT);
	close(old);
	close(new);
}

TEST_F(path, detached)
{
	int fd, top, mnt;

	ASSERT_EQ(0, mkdir("/tmp/mnt", 0700));
	ASSERT_EQ(0, mount("krsi", "/tmp/mnt", "tmpfs", 0, NULL));
	fd = create("/tmp/mnt/file");
	top = open("/tmp/mnt", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, top);
	EXPECT_PATH("/tmp/mnt/file", fd, 0);
	ASSERT_EQ(0, umount2("/tmp/mnt", MNT_DETACH));
	EXPECT_NO_PATH(ESTALE, fd, 0);
	EXPECT_NO_PATH(ESTALE, fd, TASK_ROOT);
	EXPECT_NO_PATH(ESTALE, top, 0);
	EXPECT_NO_PATH(ESTALE, top, TASK_ROOT);
	close(fd);
	close(top);

	/* Never attached. */
	fd = create("/tmp/mnt/file");
	close(fd);
	mnt = syscall(SYS_open_tree, AT_FDCWD, "/tmp/mnt", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	ASSERT_LE(0, mnt);
	fd = openat(mnt, "file", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_NO_PATH(ESTALE, fd, 0);
	EXPECT_NO_PATH(ESTALE, fd, TASK_ROOT);
	close(fd);
	close(mnt);
}

TEST_F(path, deleted)
{
	int old, new;

	old = create("/tmp/file");
	ASSERT_LE(0, old);
	ASSERT_EQ(0, unlink("/tmp/file"));
	EXPECT_NO_PATH(ENOENT, old, 0);
	EXPECT_NO_PATH(ENOENT, old, TASK_ROOT);
	EXPECT_PATH("/tmp/file", old, DELETED);
	EXPECT_PATH("/tmp/file", old, DELETED | TASK_ROOT);
	/* Another that has the name does not bring it back. */
	new = create("/tmp/file");
	EXPECT_PATH("/tmp/file", new, 0);
	EXPECT_NO_PATH(ENOENT, old, 0);
	close(old);

	/* Replaced. */
	old = create("/tmp/other");
	ASSERT_EQ(0, rename("/tmp/file", "/tmp/other"));
	EXPECT_PATH("/tmp/other", new, 0);
	EXPECT_NO_PATH(ENOENT, old, 0);
	close(old);
	close(new);

	/* A directory, and one that never had a name. */
	ASSERT_EQ(0, mkdir("/tmp/dir", 0700));
	old = open("/tmp/dir", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, rmdir("/tmp/dir"));
	EXPECT_NO_PATH(ENOENT, old, 0);
	EXPECT_PATH("/tmp/dir", old, DELETED);
	close(old);
	old = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	ASSERT_LE(0, old);
	EXPECT_NO_PATH(ENOENT, old, 0);
	EXPECT_LT(0, ask(self->skel, old, DELETED));
	EXPECT_EQ(0, strncmp(self->bss->dst, "/tmp/#", 6));
	close(old);
}

TEST_F(path, pseudo)
{
	int fds[2], fd;

	ASSERT_EQ(0, pipe(fds));
	EXPECT_NO_PATH(EOPNOTSUPP, fds[0], 0);
	EXPECT_NO_PATH(EOPNOTSUPP, fds[1], TASK_ROOT);
	close(fds[0]);
	close(fds[1]);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	EXPECT_NO_PATH(EOPNOTSUPP, fd, 0);
	close(fd);
	fd = memfd_create("krsi", 0);
	ASSERT_LE(0, fd);
	EXPECT_NO_PATH(EOPNOTSUPP, fd, 0);
	EXPECT_NO_PATH(EOPNOTSUPP, fd, DELETED);
	close(fd);
	fd = eventfd(0, 0);
	ASSERT_LE(0, fd);
	EXPECT_NO_PATH(EOPNOTSUPP, fd, 0);
	close(fd);
	fd = syscall(SYS_pidfd_open, getpid(), 0);
	ASSERT_LE(0, fd);
	EXPECT_NO_PATH(EOPNOTSUPP, fd, 0);
	close(fd);
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_NO_PATH(EOPNOTSUPP, fd, 0);
	close(fd);

	/* Unless it was given a place. */
	fd = create("/tmp/net");
	close(fd);
	ASSERT_EQ(0, mount("/proc/self/ns/net", "/tmp/net", NULL, MS_BIND, NULL));
	fd = open("/tmp/net", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_PATH("/tmp/net", fd, 0);
	close(fd);
}

TEST_F(path, overlay)
{
	int fd, i;
	static const char * const dirs[] = { "lower", "upper", "work", "merged" };
	char path[32];
	void *map;

	for (i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "/tmp/%s", dirs[i]);
		ASSERT_EQ(0, mkdir(path, 0700));
	}
	fd = create("/tmp/lower/file");
	ASSERT_EQ(4096, write(fd, self->bss->dst, 4096));
	close(fd);
	ASSERT_EQ(0, mount("overlay", "/tmp/merged", "overlay", 0,
			   "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work"));
	fd = open("/tmp/merged/file", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_PATH("/tmp/merged/file", fd, 0);

	/* What is mapped is the file in the lower filesystem; its path is not. */
	map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	bpf_link__destroy(self->link);
	self->link = bpf_program__attach(self->skel->progs.protected);
	ASSERT_NE(NULL, self->link);
	self->bss->flags = 0;
	self->bss->calls = 0;
	ASSERT_EQ(0, mprotect(map, 4096, PROT_READ | PROT_WRITE));
	EXPECT_EQ(1, self->bss->calls);
	EXPECT_STREQ("/tmp/merged/file", self->bss->dst);
	munmap(map, 4096);
	close(fd);
}

/* Renames while the path is asked for: it is one that there was. */
struct renamer {
	bool stop;
	long renames;
};

#define SHORT "/tmp/s/d"
#define LONG "/tmp/a-rather-longer-name/and-another-one-that-is-longer"

static void *rename_all_the_time(void *arg)
{
	struct renamer *renamer = arg;

	while (!__atomic_load_n(&renamer->stop, __ATOMIC_RELAXED)) {
		if (rename(SHORT, LONG) || rename(LONG, SHORT))
			break;
		__atomic_add_fetch(&renamer->renames, 2, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST_F_TIMEOUT(path, renames, 300)
{
	struct renamer renamer = {};
	int fd, i, was_short = 0, was_long = 0;
	pthread_t thread;

	ASSERT_EQ(0, mkdir("/tmp/s", 0700));
	ASSERT_EQ(0, mkdir("/tmp/a-rather-longer-name", 0700));
	ASSERT_EQ(0, mkdir(SHORT, 0700));
	fd = create(SHORT "/file");
	ASSERT_LE(0, fd);
	self->data->size = 256;
	ASSERT_EQ(0, pthread_create(&thread, NULL, rename_all_the_time, &renamer));
	for (i = 0; i < 200000 && (i < 5000 || !was_short || !was_long); i++) {
		long len = ask(self->skel, fd, i & 1 ? TASK_ROOT : 0);

		if (len == sizeof(SHORT "/file") && !strcmp(self->bss->dst, SHORT "/file"))
			was_short++;
		else if (len == sizeof(LONG "/file") && !strcmp(self->bss->dst, LONG "/file"))
			was_long++;
		else
			break;
	}
	renamer.stop = true;
	pthread_join(thread, NULL);
	EXPECT_EQ(i, was_short + was_long)
		TH_LOG("%lld '%.256s'", self->bss->ret, self->bss->dst);
	EXPECT_LT(0, was_short);
	EXPECT_LT(0, was_long);
	EXPECT_LT(0, renamer.renames);
	close(fd);
}

/* Hooks with other arguments. */

FIXTURE(hook)
{
	struct path_bpf *skel;
	struct path_bpf__bss *bss;
	struct bpf_link *link;
};

FIXTURE_SETUP(hook)
{
	REQUIRE_LSM();
	if (!krsi_active())
		SKIP(return, "the kfuncs are krsi's");
	ASSERT_TRUE(set_up(&self->skel));
	self->bss = self->skel->bss;
}

FIXTURE_TEARDOWN(hook)
{
	bpf_link__destroy(self->link);
	path_bpf__destroy(self->skel);
}

#define ATTACH(prog) do {						\
	bpf_link__destroy(self->link);					\
	self->bss->calls = 0;						\
	self->bss->ret = 0;						\
	self->link = bpf_program__attach(self->skel->progs.prog);	\
	ASSERT_NE(NULL, self->link);					\
} while (0)

#define EXPECT_ANSWER(path) do {					\
	EXPECT_LT(0, self->bss->calls);					\
	EXPECT_EQ(sizeof(path), self->bss->ret);			\
	EXPECT_STREQ(path, self->bss->dst);				\
} while (0)

TEST_F(hook, directories)
{
	close(create("/tmp/file"));
	ATTACH(truncated);
	EXPECT_EQ(0, truncate("/tmp/file", 0));
	EXPECT_ANSWER("/tmp/file");

	/* Names that nothing has yet. */
	ATTACH(made);
	EXPECT_EQ(0, mkdir("/tmp/dir", 0700));
	EXPECT_ANSWER("/tmp/dir");
	ATTACH(created);
	close(create("/tmp/dir/file"));
	EXPECT_ANSWER("/tmp/dir/file");

	/* It is not deleted before it is. */
	ATTACH(unlinked);
	EXPECT_EQ(0, unlink("/tmp/dir/file"));
	EXPECT_ANSWER("/tmp/dir/file");

	ATTACH(renamed);
	EXPECT_EQ(0, rename("/tmp/file", "/tmp/dir/new"));
	EXPECT_EQ(1, self->bss->calls);
	EXPECT_STREQ("/tmp/file", self->bss->round_dst[0]);
	EXPECT_STREQ("/tmp/dir/new", self->bss->round_dst[1]);

	/* The executable is on another filesystem. */
	ATTACH(elsewhere);
	EXPECT_EQ(0, unlink("/tmp/dir/new"));
	EXPECT_EQ(1, self->bss->calls);
	EXPECT_EQ(-EINVAL, self->bss->ret);
	EXPECT_STREQ("", self->bss->dst);
}

/* Through a mount that is not where the directory was made. */
TEST_F(hook, directory_of_bind_mount)
{
	ASSERT_EQ(0, mkdir("/tmp/a", 0700));
	ASSERT_EQ(0, mkdir("/tmp/b", 0700));
	ASSERT_EQ(0, mount("/tmp/a", "/tmp/b", NULL, MS_BIND, NULL));
	close(create("/tmp/a/file"));
	ATTACH(unlinked);
	EXPECT_EQ(0, unlink("/tmp/b/file"));
	EXPECT_ANSWER("/tmp/b/file");
}

static int run_script(void *arg)
{
	struct path_bpf__bss *bss = arg;

	bss->target = getpid();
	execl("/tmp/script", "script", NULL);
	return 127;
}

static void expect_rounds(struct __test_metadata *const _metadata, FIXTURE_DATA(hook) * self,
			  const char *const *paths, int count)
{
	int i;

	memset(self->bss->round_dst, 'g', sizeof(self->bss->round_dst));
	EXPECT_EQ(0, in_child(run_script, self->bss));
	ASSERT_EQ(count, self->bss->calls);
	for (i = 0; i < count; i++) {
		EXPECT_EQ(strlen(paths[i]) + 1, self->bss->round_ret[i]);
		EXPECT_STREQ(paths[i], self->bss->round_dst[i]);
	}
}

/* A script of a script: each round has its file, the first is the one named. */
TEST_F(hook, exec)
{
	static const char * const rounds[] = { "/tmp/script", "/tmp/inner", "/tmp/true" };

	ASSERT_LT(0, copy_file("/bin/true", "/tmp/true"));
	close(create("/tmp/inner"));
	ASSERT_TRUE(write_text("/tmp/inner", "#!/tmp/true\n"));
	close(create("/tmp/script"));
	ASSERT_TRUE(write_text("/tmp/script", "#!/tmp/inner\n"));
	ATTACH(exec_begin);
	expect_rounds(_metadata, self, rounds, 1);
	ATTACH(exec_round);
	expect_rounds(_metadata, self, rounds, 3);
	ATTACH(exec_end);
	expect_rounds(_metadata, self, rounds + 2, 1);
}

/* Hooks that cannot sleep, with whatever locks their callers have. */
TEST_F(hook, not_sleepable)
{
	char exe[256], byte = 0;
	ssize_t len;
	void *map;
	int fd;

	fd = create("/tmp/file");
	ASSERT_EQ(1, write(fd, &byte, 1));
	ATTACH(permitted);
	EXPECT_EQ(1, pread(fd, &byte, 1, 0));
	EXPECT_ANSWER("/tmp/file");

	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ATTACH(protected);
	EXPECT_EQ(0, mprotect(map, 4096, PROT_READ | PROT_WRITE));
	EXPECT_ANSWER("/tmp/file");
	munmap(map, 4096);
	close(fd);

	len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	ASSERT_LT(0, len);
	exe[len] = '\0';
	ATTACH(walked);
	EXPECT_EQ(0, access("/tmp/file", R_OK));
	EXPECT_LT(0, self->bss->calls);
	EXPECT_EQ(len + 1, self->bss->ret);
	EXPECT_STREQ(exe, self->bss->dst);
}

/* They are many, for a slow machine. */
FIXTURE(verdicts)
{
};

FIXTURE_SETUP(verdicts)
{
}

FIXTURE_TEARDOWN(verdicts)
{
}

TEST_F_TIMEOUT(verdicts, programs, 600)
{
	const void *elf;
	size_t size;

	REQUIRE_LSM();
	if (!krsi_active())
		SKIP(return, "the kfuncs are krsi's");
	elf = path_reject_bpf__elf_bytes(&size);
	EXPECT_LE(40, check_verdicts(_metadata, elf, size));
}

/* Nobody but krsi offers them. */
TEST(only_krsi)
{
	struct path_bpf *skel;

	REQUIRE_LSM();
	skel = path_bpf__open();
	ASSERT_NE(NULL, skel);
	EXPECT_EQ(krsi_active(), path_bpf__load(skel) == 0);
	path_bpf__destroy(skel);
}

TEST_HARNESS_MAIN
