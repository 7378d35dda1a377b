// SPDX-License-Identifier: GPL-2.0
/*
 * The arguments and the environment of a program that is about to run: what a
 * policy is told is what the program gets.
 */

#include <linux/loop.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/swap.h>

#include "exec.h"
#include "exec.skel.h"

#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000
#endif

#define BUFFER 4096
#define KIB 1024UL
#define MIB (1024UL * KIB)
/* What the kernel grants at most: 3/4 of _STK_LIM. */
#define AREA_MAX (6 * MIB)
/* The longest string: MAX_ARG_STRLEN, with its NUL. */
#define STRING_MAX (128 * KIB)

FIXTURE(exec)
{
	struct exec_bpf *skel;
	struct exec_bpf__bss *bss;
	struct bpf_link *link;
	struct ring_buffer *ring;
	struct ring_buffer *small_ring;
	struct dumps dumps;
};

FIXTURE_SETUP(exec)
{
	char dir[16];

	if (!krsi_active())
		SKIP(return, "krsi is not active");
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	self->skel = exec_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel) TH_LOG("%s", libbpf_log);
	self->bss = self->skel->bss;
	self->bss->target = getpid();
	self->skel->data->arg_index = -1;
	self->link = bpf_program__attach(self->skel->progs.check_security);
	ASSERT_NE(NULL, self->link);
	self->ring = ring_buffer__new(bpf_map__fd(self->skel->maps.ring), dumps_record,
				      &self->dumps, NULL);
	ASSERT_NE(NULL, self->ring);
	self->small_ring = ring_buffer__new(bpf_map__fd(self->skel->maps.small_ring), dumps_record,
					    &self->dumps, NULL);
	ASSERT_NE(NULL, self->small_ring);
}

FIXTURE_TEARDOWN(exec)
{
	dumps_clear(&self->dumps);
	ring_buffer__free(self->ring);
	ring_buffer__free(self->small_ring);
	bpf_link__destroy(self->link);
	exec_bpf__destroy(self->skel);
}

/* Has the programs of another hook ask. */
static void move_to(struct __test_metadata *const _metadata, FIXTURE_DATA(exec) * self,
		    struct bpf_program *prog)
{
	ASSERT_EQ(0, bpf_link__destroy(self->link));
	self->link = bpf_program__attach(prog);
	ASSERT_NE(NULL, self->link);
}

/* Executes, asks, and ends the program. */
static void asked(struct __test_metadata *const _metadata, FIXTURE_DATA(exec) * self,
		  char *const *argv, char *const *envp)
{
	pid_t pid;

	self->bss->asked = 0;
	pid = start(IDLE, argv, envp);
	ASSERT_LT(0, pid) TH_LOG("%s", strerror(-pid));
	EXPECT_EQ(SIGKILL, stop(pid));
	EXPECT_EQ(1, self->bss->asked);
}

static struct dump *newest(struct __test_metadata *const _metadata, FIXTURE_DATA(exec) * self)
{
	dumps_clear(&self->dumps);
	EXPECT_LE(0, ring_buffer__consume(self->ring));
	EXPECT_EQ(NULL, self->dumps.error) TH_LOG("%s", self->dumps.error);
	ASSERT_LT(0, self->dumps.count);
	return &self->dumps.dump[self->dumps.count - 1];
}

/* Are the dump's strings those that process @pid got, and nothing else? */
static void expect_same(struct __test_metadata *const _metadata, const struct dump *dump, pid_t pid)
{
	struct bytes args = proc_bytes(pid, "cmdline"), env = proc_bytes(pid, "environ");

	EXPECT_LT(0, args.len);
	ASSERT_EQ(dump->bytes.len, args.len + env.len);
	EXPECT_EQ(0, memcmp(dump->bytes.data, args.data, args.len));
	EXPECT_EQ(0, memcmp(dump->bytes.data + args.len, env.data, env.len));
	EXPECT_EQ(dump->bytes.len, dump->total);
	EXPECT_TRUE(dump->flags & KRSI_EXEC_LAST);
	bytes_free(&args);
	bytes_free(&env);
}

/* @count strings of @len bytes with the NUL, no two alike if there is room for that. */
static char **make_strings(size_t count, size_t len, const char *prefix)
{
	char **strings = calloc(count + 1, sizeof(*strings));
	char *text = malloc(count * len + 1);
	size_t i, j, at;

	if (!strings || !text)
		abort();
	for (i = 0; i < count; i++) {
		strings[i] = text + i * len;
		at = snprintf(strings[i], len, "%s%zu=", prefix, i);
		for (j = at; j < len; j++)
			strings[i][j] = 'a' + (i * 7 + j * 3 + j / 4096) % 26;
		strings[i][len - 1] = '\0';
	}
	return strings;
}

static void free_strings(char **strings)
{
	if (strings[0])
		free(strings[0]);
	free(strings);
}

static void set_stack_limit(struct __test_metadata *const _metadata)
{
	struct rlimit limit = { 64 * MIB, RLIM_INFINITY };

	ASSERT_EQ(0, setrlimit(RLIMIT_STACK, &limit));
}

/* Shapes of the area. */
FIXTURE(exec_area)
{
	FIXTURE_DATA(exec) exec;
};

FIXTURE_VARIANT(exec_area)
{
	size_t args, arg_len, vars, var_len;
	/* Not one string more would be taken. */
	bool most;
};

/* clang-format off */
#define AREA(name, args_, arg_len_, vars_, var_len_, most_)	\
FIXTURE_VARIANT_ADD(exec_area, name) {				\
	.args = args_,						\
	.arg_len = arg_len_,					\
	.vars = vars_,						\
	.var_len = var_len_,					\
	.most = most_,						\
}

AREA(no_args, 0, 0, 0, 0, false);
AREA(no_args_but_env, 0, 0, 3, 20, false);
AREA(one_arg, 1, 12, 0, 0, false);
AREA(one_of_each, 1, 12, 1, 12, false);
AREA(empty_strings, 5000, 1, 5000, 1, false);
AREA(page_strings, 20, 4096, 20, 4096, false);
AREA(odd_strings, 300, 4099, 17, 61, false);
AREA(ten_thousand_args, 10000, 40, 100, 40, false);
AREA(longest_string, 1, STRING_MAX, 1, STRING_MAX, true);
AREA(two_mib, 16, STRING_MAX, 0, 0, false);
AREA(two_mib_of_env, 1, 12, 16, STRING_MAX, false);
/* Each takes its NUL and a pointer; then there is the file name. */
AREA(most_args, (AREA_MAX - sizeof(IDLE)) / (1 + sizeof(void *)), 1, 0, 0, true);
AREA(most_vars, 1, 1, (AREA_MAX - sizeof(IDLE)) / (1 + sizeof(void *)) - 1, 1, true);
AREA(most_bytes, 47, STRING_MAX, 0, 0, true);
/* clang-format on */

FIXTURE_SETUP(exec_area)
{
	FIXTURE_DATA(exec) * exec = &self->exec;

	if (!krsi_active())
		SKIP(return, "krsi is not active");
	exec->skel = exec_bpf__open_and_load();
	ASSERT_NE(NULL, exec->skel) TH_LOG("%s", libbpf_log);
	exec->bss = exec->skel->bss;
	exec->bss->target = getpid();
	exec->bss->ask_dump = true;
	exec->link = bpf_program__attach(exec->skel->progs.check_security);
	ASSERT_NE(NULL, exec->link);
	exec->ring = ring_buffer__new(bpf_map__fd(exec->skel->maps.ring), dumps_record,
				      &exec->dumps, NULL);
	ASSERT_NE(NULL, exec->ring);
	set_stack_limit(_metadata);
}

FIXTURE_TEARDOWN(exec_area)
{
	dumps_clear(&self->exec.dumps);
	ring_buffer__free(self->exec.ring);
	bpf_link__destroy(self->exec.link);
	exec_bpf__destroy(self->exec.skel);
}

TEST_F_TIMEOUT(exec_area, is_what_the_program_gets, 300)
{
	char **argv, **envp, **more;
	struct dump *dump;
	pid_t pid;

	argv = make_strings(variant->args, variant->arg_len, "");
	envp = make_strings(variant->vars, variant->var_len, "V");
	pid = start(IDLE, argv, envp);
	ASSERT_LT(0, pid) TH_LOG("%s", strerror(-pid));
	dump = newest(_metadata, &self->exec);
	EXPECT_EQ(1, self->exec.dumps.count);
	EXPECT_EQ(dump->exec_id, self->exec.bss->dump_ret);
	EXPECT_EQ(variant->args ?: 1, dump->argc);
	EXPECT_EQ(variant->vars, dump->envc);
	EXPECT_EQ((variant->args * variant->arg_len ?: 1) + variant->vars * variant->var_len,
		  dump->total);
	EXPECT_EQ(KRSI_EXEC_LAST, dump->flags);
	expect_same(_metadata, dump, pid);
	EXPECT_EQ(SIGKILL, stop(pid));

	if (variant->most && variant->args > 1) {
		more = make_strings(variant->args + 1, variant->arg_len, "");
		EXPECT_EQ(-E2BIG, start(IDLE, more, envp));
		free_strings(more);
	} else if (variant->most && variant->vars > 1) {
		more = make_strings(variant->vars + 1, variant->var_len, "V");
		EXPECT_EQ(-E2BIG, start(IDLE, argv, more));
		free_strings(more);
	} else if (variant->most) {
		more = make_strings(1, variant->arg_len + 1, "");
		EXPECT_EQ(-E2BIG, start(IDLE, more, envp));
		free_strings(more);
	}
	free_strings(argv);
	free_strings(envp);
}

TEST_F(exec, args)
{
	char *argv[] = { "zero", "", "two", "-R", NULL };
	struct exec_bpf__bss *bss = self->bss;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(argv) - 1; i++) {
		memset(bss->arg, 'x', BUFFER);
		self->skel->data->arg_index = i;
		asked(_metadata, self, argv, argv);
		EXPECT_EQ(strlen(argv[i]) + 1, bss->arg_ret);
		EXPECT_STREQ(argv[i], (char *)bss->arg);
		EXPECT_EQ('x', bss->arg[strlen(argv[i]) + 1]);
	}
	/* The environment is none of them; nothing of an older answer stays. */
	self->skel->data->arg_index = i;
	asked(_metadata, self, argv, argv);
	EXPECT_EQ(-ENOENT, bss->arg_ret);
	for (i = 0; i < BUFFER; i++)
		ASSERT_EQ(0, bss->arg[i]);
	self->skel->data->arg_index = 0xffffffff;
	asked(_metadata, self, argv, argv);
	EXPECT_EQ(-ENOENT, bss->arg_ret);
}

TEST_F(exec, args_are_cut)
{
	char *argv[] = { "zero", "argument", NULL };
	struct exec_bpf__bss *bss = self->bss;
	size_t room;

	self->skel->data->arg_index = 1;
	for (room = 0; room < 12; room++) {
		memset(bss->arg, 'x', BUFFER);
		self->skel->data->size = room;
		asked(_metadata, self, argv, argv);
		EXPECT_EQ(9, bss->arg_ret);
		if (room) {
			EXPECT_EQ(room > 8 ? 8 : room - 1, strlen((char *)bss->arg));
			EXPECT_EQ(0, strncmp((char *)bss->arg, argv[1], room - 1));
		}
		EXPECT_EQ('x', bss->arg[room > 9 ? 9 : room]);
	}
}

/* Strings that lie across pages, at each place of the border. */
TEST_F_TIMEOUT(exec, args_across_pages, 300)
{
	struct exec_bpf__bss *bss = self->bss;
	char **argv = make_strings(3, 4000, "");
	char *end = argv[2] + strlen(argv[2]);
	size_t cut;

	self->skel->data->arg_index = 2;
	argv[1] = "01234567";
	for (cut = 0; cut < 24; cut++) {
		*end-- = '\0';
		asked(_metadata, self, argv, argv + 3);
		EXPECT_EQ(strlen(argv[2]) + 1, bss->arg_ret);
		EXPECT_STREQ(argv[2], (char *)bss->arg);
	}
	self->skel->data->arg_index = 1;
	for (cut = 0; cut < 120; cut++) {
		*end-- = '\0';
		asked(_metadata, self, argv, argv + 3);
		EXPECT_EQ(9, bss->arg_ret);
		EXPECT_STREQ(argv[1], (char *)bss->arg);
	}
	argv[1] = argv[0] + 4000;
	free_strings(argv);
}

TEST_F_TIMEOUT(exec, args_of_any_size, 300)
{
	struct exec_bpf__bss *bss = self->bss;
	char **argv = make_strings(10000, 100, "");
	char *longest[] = { "x", make_strings(1, STRING_MAX, "")[0], "last", NULL };
	char *none[] = { NULL };
	size_t i;

	for (i = 0; i < 10000; i += 1111) {
		self->skel->data->arg_index = i;
		asked(_metadata, self, argv, none);
		EXPECT_EQ(100, bss->arg_ret);
		EXPECT_STREQ(argv[i], (char *)bss->arg);
	}
	self->skel->data->arg_index = 1;
	asked(_metadata, self, longest, none);
	EXPECT_EQ(STRING_MAX, bss->arg_ret);
	EXPECT_EQ(BUFFER - 1, strlen((char *)bss->arg));
	EXPECT_EQ(0, memcmp(bss->arg, longest[1], BUFFER - 1));
	self->skel->data->arg_index = 2;
	asked(_metadata, self, longest, none);
	EXPECT_EQ(5, bss->arg_ret);
	EXPECT_STREQ("last", (char *)bss->arg);
	/* No arguments: the kernel adds an empty one. */
	self->skel->data->arg_index = 0;
	asked(_metadata, self, none, argv);
	EXPECT_EQ(1, bss->arg_ret);
	EXPECT_STREQ("", (char *)bss->arg);
	free_strings(argv);
}

static void expect_env(struct __test_metadata *const _metadata, FIXTURE_DATA(exec) * self,
		       char *const *envp, const char *value)
{
	char *argv[] = { "KRSI_TEST=argument", NULL };

	memset(self->bss->env, 'x', BUFFER);
	asked(_metadata, self, argv, envp);
	if (value) {
		EXPECT_EQ(strlen(value) + 1, self->bss->env_ret);
		EXPECT_STREQ(value, (char *)self->bss->env);
	} else {
		EXPECT_EQ(-ENOENT, self->bss->env_ret);
		EXPECT_EQ(0, self->bss->env[0]);
		EXPECT_EQ(0, self->bss->env[BUFFER - 1]);
	}
	EXPECT_EQ(-EINVAL, self->bss->bad_name_ret);
	EXPECT_EQ(-EINVAL, self->bss->empty_name_ret);
}

#define ENV(...) ((char *[]){ __VA_ARGS__ })

TEST_F(exec, env)
{
	self->bss->ask_env = true;
	expect_env(_metadata, self, ENV(NULL), NULL);
	expect_env(_metadata, self, ENV("KRSI_TEST=value", NULL), "value");
	expect_env(_metadata, self, ENV("KRSI_TEST=", NULL), "");
	expect_env(_metadata, self, ENV("KRSI_TEST==a=b", NULL), "=a=b");
	expect_env(_metadata, self, ENV("A=KRSI_TEST=no", "KRSI_TEST=yes", NULL), "yes");
	expect_env(_metadata, self, ENV("", "KRSI_TEST", "KRSI_TESTS=no", "KRSI_TES=no", "=",
					"XKRSI_TEST=no", NULL), NULL);
	expect_env(_metadata, self, ENV("", "KRSI_TEST", "KRSI_TEST=yes", "KRSI_TESTS=no", NULL),
		   "yes");
}

/* Which one a program takes is its own affair: there is no value to decide on. */
TEST_F(exec, env_twice)
{
	char *argv[] = { "zero", NULL };

	self->bss->ask_env = true;
	memset(self->bss->env, 'x', BUFFER);
	asked(_metadata, self, argv, ENV("KRSI_TEST=good", "A=", "KRSI_TEST=bad", NULL));
	EXPECT_EQ(-ENOTUNIQ, self->bss->env_ret);
	EXPECT_EQ(0, self->bss->env[0]);
	EXPECT_EQ(0, self->bss->env[BUFFER - 1]);
}

TEST_F_TIMEOUT(exec, env_among_many, 300)
{
	char **envp = make_strings(1001, 1000, "V"), *text = envp[0];
	char value[2000] = "KRSI_TEST=";

	self->bss->ask_env = true;
	memset(value + 10, 'v', sizeof(value) - 11);
	envp[1000] = value;
	expect_env(_metadata, self, envp, value + 10);
	self->skel->data->size = 8;
	asked(_metadata, self, ENV("zero", NULL), envp);
	EXPECT_EQ(sizeof(value) - 10, self->bss->env_ret);
	EXPECT_STREQ("vvvvvvv", (char *)self->bss->env);
	self->skel->data->size = 0;
	asked(_metadata, self, ENV("zero", NULL), envp);
	EXPECT_EQ(sizeof(value) - 10, self->bss->env_ret);
	envp[0] = value;
	envp[1000] = text;
	self->skel->data->size = BUFFER;
	expect_env(_metadata, self, envp, value + 10);
	free(text);
	free(envp);
}

TEST_F_TIMEOUT(exec, reads, 300)
{
	static const char area[] = "zero\0one\0\0A=1\0B=2";
	struct exec_bpf__bss *bss = self->bss;
	char *argv[] = { "zero", "one", "", NULL };
	size_t off, room, want, i;

	bss->ask_read = true;
	for (off = 0; off < sizeof(area) + 3; off++) {
		for (room = 0; room < sizeof(area) + 3; room += 5) {
			bss->read_off = off;
			self->skel->data->size = room;
			memset(bss->read, 'x', BUFFER);
			asked(_metadata, self, argv, ENV("A=1", "B=2", NULL));
			want = off > sizeof(area) ? 0 : sizeof(area) - off;
			if (want > room)
				want = room;
			ASSERT_EQ(want, bss->read_ret) TH_LOG("%zu bytes at %zu", room, off);
			EXPECT_EQ(0, memcmp(area + off, bss->read, want));
			for (i = want; i < BUFFER; i++)
				ASSERT_EQ('x', bss->read[i]);
		}
	}
	self->skel->data->size = BUFFER;
	for (i = 30; i < 64; i++) {
		bss->read_off = 1ULL << i;
		asked(_metadata, self, argv, ENV("A=1", "B=2", NULL));
		EXPECT_EQ(0, bss->read_ret);
		bss->read_off = -(1ULL << (i - 30));
		asked(_metadata, self, argv, ENV("A=1", "B=2", NULL));
		EXPECT_EQ(0, bss->read_ret);
	}
}

TEST_F_TIMEOUT(exec, reads_far, 300)
{
	struct exec_bpf__bss *bss = self->bss;
	char **argv = make_strings(15, STRING_MAX, "");
	size_t off;

	bss->ask_read = true;
	for (off = 4000; off < 15 * STRING_MAX - BUFFER; off += 333333) {
		bss->read_off = off;
		asked(_metadata, self, argv, ENV(NULL));
		EXPECT_EQ(BUFFER, bss->read_ret);
		EXPECT_EQ(0, memcmp(bss->read, argv[0] + off, BUFFER));
	}
	bss->read_off = 15 * STRING_MAX - 100;
	asked(_metadata, self, argv, ENV(NULL));
	EXPECT_EQ(100, bss->read_ret);
	free_strings(argv);
}

static void write_script(struct __test_metadata *const _metadata, const char *path,
			 const char *line)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);

	ASSERT_LE(0, fd);
	ASSERT_EQ(strlen(line), write(fd, line, strlen(line)));
	close(fd);
}

/* Each interpreter gets other arguments; policies see every round. */
TEST_F(exec, scripts)
{
	static const char * const rounds[] = {
		"given\0-x\0KRSI_TEST=1",
		"/tmp/inner\0an option\0/tmp/outer\0-x\0KRSI_TEST=1",
		IDLE "\0/tmp/inner\0an option\0/tmp/outer\0-x\0KRSI_TEST=1",
	};
	static const size_t len[] = { 21, 47, 59 };
	static const int argc[] = { 2, 4, 5 };
	char *argv[] = { "given", "-x", NULL };
	pid_t pid;
	int i;

	write_script(_metadata, "/tmp/inner", "#!" IDLE "\n");
	write_script(_metadata, "/tmp/outer", "#!/tmp/inner an option\n");
	self->bss->ask_dump = true;
	pid = start("/tmp/outer", argv, ENV("KRSI_TEST=1", NULL));
	ASSERT_LT(0, pid) TH_LOG("%s", strerror(-pid));
	newest(_metadata, self);
	ASSERT_EQ(3, self->dumps.count);
	EXPECT_EQ(3, self->bss->asked);
	for (i = 0; i < 3; i++) {
		struct dump *dump = &self->dumps.dump[i];

		EXPECT_EQ(argc[i], dump->argc);
		EXPECT_EQ(1, dump->envc);
		EXPECT_EQ(self->bss->round_dump[i], dump->exec_id);
		ASSERT_EQ(len[i], dump->bytes.len) TH_LOG("%s", dump->bytes.data);
		EXPECT_EQ(0, memcmp(rounds[i], dump->bytes.data, len[i]));
	}
	expect_same(_metadata, &self->dumps.dump[2], pid);
	EXPECT_EQ(SIGKILL, stop(pid));
}

TEST_F(exec, creds_for_exec)
{
	char *argv[] = { "given", "-x", NULL };
	pid_t pid;

	self->bss->ask_dump = true;
	move_to(_metadata, self, self->skel->progs.creds_for_exec);
	pid = start(IDLE, argv, ENV("A=1", NULL));
	ASSERT_LT(0, pid);
	expect_same(_metadata, newest(_metadata, self), pid);
	EXPECT_EQ(SIGKILL, stop(pid));
}

TEST_F(exec, creds_from_file)
{
	char *argv[] = { "given", "-x", NULL };
	pid_t pid;

	self->bss->ask_dump = true;
	move_to(_metadata, self, self->skel->progs.creds_from_file);
	write_script(_metadata, "/tmp/script", "#!" IDLE "\n");
	pid = start("/tmp/script", argv, ENV("A=1", NULL));
	ASSERT_LT(0, pid);
	expect_same(_metadata, newest(_metadata, self), pid);
	EXPECT_EQ(1, self->dumps.count);
	EXPECT_EQ(SIGKILL, stop(pid));
}

static int execve_check(void)
{
	char *argv[] = { "check", "-x", NULL };
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(syscall(SYS_execveat, AT_FDCWD, IDLE, argv, ENV("A=1", NULL),
			      AT_EXECVE_CHECK) ? errno : 0);
	waitpid(pid, &status, 0);
	return -WEXITSTATUS(status);
}

TEST_F(exec, execve_check)
{
	struct dump *dump;

	self->bss->ask_dump = true;
	EXPECT_EQ(0, execve_check());
	EXPECT_EQ(0, self->bss->asked);

	move_to(_metadata, self, self->skel->progs.creds_for_exec);
	EXPECT_EQ(0, execve_check());
	EXPECT_EQ(1, self->bss->asked);
	dump = newest(_metadata, self);
	EXPECT_EQ(KRSI_EXEC_LAST | KRSI_EXEC_CHECK, dump->flags);
	ASSERT_EQ(13, dump->bytes.len);
	EXPECT_EQ(0, memcmp("check\0-x\0A=1", dump->bytes.data, 13));
	self->bss->deny = true;
	EXPECT_EQ(-EPERM, execve_check());
}

#ifdef __x86_64__
/* execve() of the 32-bit interface; all it is given is below 4 GiB. */
static pid_t start32(const char *path, __u32 *argv, __u32 *envp)
{
	pid_t pid = fork();
	long ret = 11;

	if (pid)
		return pid;
	asm volatile("int $0x80" : "+a"(ret)
		     : "b"(path), "c"(argv), "d"(envp) : "memory", "r8", "r9", "r10", "r11");
	_exit(-ret);
}

TEST_F(exec, compat)
{
	struct below {
		char path[2][16], args[3][8], env[2][8];
		__u32 argv[4], envp[3];
	} *below;
	struct dump *dump;
	pid_t pid;
	int i;

	if (system("zcat /proc/config.gz | grep -q ^CONFIG_IA32_EMULATION=y"))
		SKIP(return, "no 32-bit emulation");
	below = mmap(NULL, sizeof(*below), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, below);
	*below = (struct below){
		.path = { IDLE, IDLE32 },
		.args = { "given", "", "-x" },
		.env = { "A=1", "B=2" },
	};
	for (i = 0; i < 3; i++)
		below->argv[i] = (__u32)(unsigned long)below->args[i];
	for (i = 0; i < 2; i++)
		below->envp[i] = (__u32)(unsigned long)below->env[i];

	self->bss->ask_dump = true;
	for (i = 0; i < 2; i++) {
		pid = start32(below->path[i], below->argv, below->envp);
		ASSERT_EQ(0, started(pid));
		dump = newest(_metadata, self);
		EXPECT_EQ(3, dump->argc);
		EXPECT_EQ(2, dump->envc);
		ASSERT_EQ(18, dump->bytes.len);
		EXPECT_EQ(0, memcmp("given\0\0-x\0A=1\0B=2", dump->bytes.data, 18));
		expect_same(_metadata, dump, pid);
		EXPECT_EQ(SIGKILL, stop(pid));
	}
}
#endif

/* The number after @key in the status file. */
static long long status_of(const char *key)
{
	char text[4096], *p;

	if (!read_text(SECURITYFS "/krsi/status", text, sizeof(text)))
		return -1;
	p = strstr(text, key);
	return p ? strtoll(p + strlen(key), NULL, 10) : -1;
}

TEST_F(exec, full_buffer)
{
	struct exec_bpf__bss *bss = self->bss;
	char **argv = make_strings(3, 4096, "");
	long long lost = status_of("\nexec_dump_lost ");

	ASSERT_LE(0, lost);
	bss->ask_small_dump = true;
	asked(_metadata, self, argv, ENV(NULL));
	EXPECT_EQ(-ENOSPC, bss->dump_ret);
	EXPECT_EQ(lost + 1, status_of("\nexec_dump_lost "));
	/* What user space has got does not look whole. */
	ASSERT_LT(0, ring_buffer__consume(self->small_ring));
	EXPECT_EQ(NULL, self->dumps.error);
	ASSERT_EQ(1, self->dumps.count);
	EXPECT_EQ(0, self->dumps.dump[0].flags & KRSI_EXEC_LAST);
	EXPECT_EQ(3 * 4096, self->dumps.dump[0].total);
	EXPECT_EQ(1, self->dumps.dump[0].records);
	dumps_clear(&self->dumps);

	/* There is room again. */
	asked(_metadata, self, ENV("short", NULL), ENV(NULL));
	EXPECT_LT(0, bss->dump_ret);
	EXPECT_EQ(lost + 1, status_of("\nexec_dump_lost "));
	ASSERT_LT(0, ring_buffer__consume(self->small_ring));
	ASSERT_EQ(1, self->dumps.count);
	EXPECT_EQ(KRSI_EXEC_LAST, self->dumps.dump[0].flags);
	free_strings(argv);
}

TEST_F(exec, dump_refuses)
{
	struct exec_bpf__bss *bss = self->bss;
	bool known;
	int bit;

	bss->ask_dump = true;
	for (bit = 0; bit < 64; bit++) {
		bss->dump_flags = 1ULL << bit;
		asked(_metadata, self, ENV("x", NULL), ENV(NULL));
		known = bss->dump_flags & (BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP);
		EXPECT_EQ(known, bss->dump_ret > 0) TH_LOG("bit %d", bit);
		EXPECT_TRUE(known || bss->dump_ret == -EINVAL) TH_LOG("bit %d", bit);
	}
	bss->dump_flags = 0;
	bss->ask_dump = false;
	bss->ask_array_dump = true;
	asked(_metadata, self, ENV("x", NULL), ENV(NULL));
	EXPECT_EQ(-EINVAL, bss->dump_ret);
}

static void on_event(void *ctx, int cpu, void *data, __u32 size)
{
	dumps_record(ctx, data, size);
}

static void on_lost(void *ctx, int cpu, __u64 count)
{
	((struct dumps *)ctx)->error = "lost";
}

TEST_F(exec, perf_events)
{
	struct exec_bpf__bss *bss = self->bss;
	long long lost = status_of("\nexec_dump_lost ");
	char **argv = make_strings(40, 4096, "");
	struct perf_buffer *buffer;
	int bit;

	/* No events yet. */
	bss->ask_event_dump = true;
	bss->dump_flags = BPF_F_CURRENT_CPU;
	asked(_metadata, self, argv, ENV("A=1", NULL));
	EXPECT_EQ(-ENOENT, bss->dump_ret);

	buffer = perf_buffer__new(bpf_map__fd(self->skel->maps.events), 64, on_event, on_lost,
				  &self->dumps, NULL);
	ASSERT_NE(NULL, buffer);
	asked(_metadata, self, argv, ENV("A=1", NULL));
	EXPECT_LT(0, bss->dump_ret);
	ASSERT_LT(0, perf_buffer__consume(buffer) + 1);
	EXPECT_EQ(NULL, self->dumps.error) TH_LOG("%s", self->dumps.error);
	ASSERT_EQ(1, self->dumps.count);
	EXPECT_EQ(bss->dump_ret, self->dumps.dump[0].exec_id);
	EXPECT_EQ(KRSI_EXEC_LAST, self->dumps.dump[0].flags);
	ASSERT_EQ(40 * 4096 + 4, self->dumps.dump[0].bytes.len);
	EXPECT_EQ(0, memcmp(argv[0], self->dumps.dump[0].bytes.data, 40 * 4096));
	EXPECT_STREQ("A=1", self->dumps.dump[0].bytes.data + 40 * 4096);
	dumps_clear(&self->dumps);

	/* Flags are a CPU, and that of the task. */
	bss->dump_flags = 1 << 20;
	asked(_metadata, self, ENV("x", NULL), ENV(NULL));
	EXPECT_EQ(-E2BIG, bss->dump_ret);
	for (bit = 32; bit < 64; bit++) {
		bss->dump_flags = 1ULL << bit;
		asked(_metadata, self, ENV("x", NULL), ENV(NULL));
		EXPECT_EQ(-EINVAL, bss->dump_ret);
	}
	perf_buffer__free(buffer);
	EXPECT_EQ(lost, status_of("\nexec_dump_lost "));

	/* Two pages do not hold it. */
	buffer = perf_buffer__new(bpf_map__fd(self->skel->maps.events), 2, on_event, on_lost,
				  &self->dumps, NULL);
	ASSERT_NE(NULL, buffer);
	bss->dump_flags = BPF_F_CURRENT_CPU;
	asked(_metadata, self, argv, ENV("A=1", NULL));
	EXPECT_EQ(-ENOSPC, bss->dump_ret);
	EXPECT_EQ(lost + 1, status_of("\nexec_dump_lost "));
	perf_buffer__consume(buffer);
	ASSERT_EQ(1, self->dumps.count);
	EXPECT_EQ(0, self->dumps.dump[0].flags & KRSI_EXEC_LAST);
	perf_buffer__free(buffer);
	free_strings(argv);
}

/* A thread that executes IDLE while a program sleeps on a page of the test's. */
struct sleeper {
	pthread_t thread;
	char *const *argv;
	int uffd;
	void *page;
	pid_t result;
};

static void *sleeper_start(void *arg)
{
	struct sleeper *sleeper = arg;

	sleeper->result = start(IDLE, sleeper->argv, ENV("KRSI_TEST=value", NULL));
	return NULL;
}

static void fall_asleep(struct __test_metadata *const _metadata, FIXTURE_DATA(exec) * self,
			struct sleeper *sleeper, char *const *argv)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	sleeper->argv = argv;
	sleeper->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	ASSERT_LE(0, sleeper->uffd);
	ASSERT_EQ(0, ioctl(sleeper->uffd, UFFDIO_API, &api));
	sleeper->page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
	ASSERT_NE(MAP_FAILED, sleeper->page);
	reg.range.start = (__u64)sleeper->page;
	reg.range.len = 4096;
	ASSERT_EQ(0, ioctl(sleeper->uffd, UFFDIO_REGISTER, &reg));
	self->bss->sleep_on = sleeper->page;
	ASSERT_EQ(0, pthread_create(&sleeper->thread, NULL, sleeper_start, sleeper));
	ASSERT_TRUE(WAIT_FOR(self->bss->asleep, 60));
}

static void wake_up(struct __test_metadata *const _metadata, FIXTURE_DATA(exec) * self,
		    struct sleeper *sleeper)
{
	struct uffdio_zeropage zero = { .range = { (__u64)sleeper->page, 4096 } };

	ASSERT_EQ(0, ioctl(sleeper->uffd, UFFDIO_ZEROPAGE, &zero));
	ASSERT_EQ(0, pthread_join(sleeper->thread, NULL));
	close(sleeper->uffd);
}

TEST_F(exec, killed)
{
	struct exec_bpf__bss *bss = self->bss;
	struct sleeper sleeper;
	int i;

	bss->ask_read = bss->ask_env = bss->ask_dump = true;
	self->skel->data->arg_index = 0;
	memset(bss->arg, 'x', BUFFER);
	memset(bss->env, 'x', BUFFER);
	fall_asleep(_metadata, self, &sleeper, ENV("zero", NULL));
	ASSERT_EQ(0, kill(bss->sleeper, SIGKILL));
	ASSERT_EQ(0, pthread_join(sleeper.thread, NULL));
	close(sleeper.uffd);
	EXPECT_EQ(-ECHILD, sleeper.result);
	EXPECT_EQ(1, bss->asked);
	EXPECT_EQ(-EINTR, bss->arg_ret);
	EXPECT_EQ(-EINTR, bss->env_ret);
	EXPECT_EQ(-EINTR, bss->read_ret);
	EXPECT_EQ(-EINTR, bss->dump_ret);
	EXPECT_EQ(0, ring_buffer__consume(self->ring));
	for (i = 0; i < BUFFER; i++) {
		ASSERT_EQ(0, bss->arg[i]);
		ASSERT_EQ(0, bss->env[i]);
		ASSERT_EQ(0, bss->read[i]);
	}
}

/* Swaps to a file of 32 MiB in memory; it goes with the mounts of the test. */
static bool swap_on(char *device, size_t size)
{
	union {
		struct {
			char boot[1024];
			__u32 version, last_page, bad_pages;
		};
		struct {
			char page[4096 - 10], magic[10];
		};
	} header = { .version = 1, .last_page = 32 * MIB / 4096 - 1 };
	int control, loop, file;

	memcpy(header.magic, "SWAPSPACE2", 10);
	file = open("/tmp/swap", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (file < 0 || control < 0 || ftruncate(file, 32 * MIB) ||
	    write(file, &header, sizeof(header)) != sizeof(header))
		return false;
	snprintf(device, size, "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
	loop = open(device, O_RDWR | O_CLOEXEC);
	if (loop < 0 || ioctl(loop, LOOP_SET_FD, file) || swapon(device, 0))
		return false;
	/* Cleared when the last user goes. */
	ioctl(loop, LOOP_SET_STATUS64, &(struct loop_info64){ .lo_flags = LO_FLAGS_AUTOCLEAR });
	close(loop);
	close(file);
	close(control);
	return true;
}

/* The arguments were swapped out since they were copied. */
TEST_F_TIMEOUT(exec, swapped_out, 300)
{
	char **argv = make_strings(8, STRING_MAX, ""), device[32], pid[16];
	struct exec_bpf__bss *bss = self->bss;
	struct sleeper sleeper;
	struct dump *dump;
	int i;

	if (!swap_on(device, sizeof(device)))
		SKIP(return, "cannot swap");
	ASSERT_EQ(0, mkdir("/tmp/cgroup", 0700));
	ASSERT_EQ(0, mount("none", "/tmp/cgroup", "cgroup2", 0, NULL));
	ASSERT_TRUE(write_text("/tmp/cgroup/cgroup.subtree_control", "+memory"));
	mkdir("/tmp/cgroup/krsi_exec", 0700);
	snprintf(pid, sizeof(pid), "%d", getpid());
	ASSERT_TRUE(write_text("/tmp/cgroup/krsi_exec/cgroup.procs", pid));

	bss->ask_read = bss->ask_env = bss->ask_dump = true;
	self->skel->data->arg_index = 5;
	fall_asleep(_metadata, self, &sleeper, argv);
	/* Fails when less was found to reclaim. */
	for (i = 0; i < 3; i++)
		write_text("/tmp/cgroup/krsi_exec/memory.reclaim", "64M");
	wake_up(_metadata, self, &sleeper);

	ASSERT_LT(0, sleeper.result);
	TH_LOG("%llu major faults", bss->major_faults);
	EXPECT_LT(8, bss->major_faults);
	dump = newest(_metadata, self);
	expect_same(_metadata, dump, sleeper.result);
	EXPECT_EQ(0, memcmp(dump->bytes.data, argv[0], 8 * STRING_MAX));
	EXPECT_EQ(STRING_MAX, bss->arg_ret);
	EXPECT_EQ(0, memcmp(bss->arg, argv[5], BUFFER - 1));
	EXPECT_EQ(6, bss->env_ret);
	EXPECT_EQ(BUFFER, bss->read_ret);
	EXPECT_EQ(SIGKILL, stop(sleeper.result));

	write_text("/tmp/cgroup/cgroup.procs", pid);
	rmdir("/tmp/cgroup/krsi_exec");
	EXPECT_EQ(0, swapoff(device));
	free_strings(argv);
}

/* What is allocated while a dump runs, hence the most that it takes. */
TEST_F_TIMEOUT(exec, dump_takes_no_memory, 300)
{
	char **small = make_strings(1, 1024, ""), **large = make_strings(15, STRING_MAX, "");
	struct bpf_link *link[3];
	__u64 taken;
	int i;

	link[0] = bpf_program__attach(self->skel->progs.on_kmalloc);
	link[1] = bpf_program__attach(self->skel->progs.on_kmem_cache_alloc);
	link[2] = bpf_program__attach(self->skel->progs.on_page_alloc);
	for (i = 0; i < 3; i++)
		ASSERT_NE(NULL, link[i]);
	self->bss->ask_dump = true;

	self->bss->allocated = 0;
	asked(_metadata, self, small, ENV(NULL));
	EXPECT_LT(0, self->bss->dump_ret);
	taken = self->bss->allocated;
	self->bss->allocated = 0;
	asked(_metadata, self, large, ENV(NULL));
	EXPECT_LT(0, self->bss->dump_ret);
	EXPECT_EQ(15 * STRING_MAX, newest(_metadata, self)->total);
	TH_LOG("allocated: %llu bytes for 1 KiB, %llu for 2 MiB", taken, self->bss->allocated);
	EXPECT_LE(self->bss->allocated, taken + 64 * KIB);

	/* The programs do notice. */
	self->bss->dumping = gettid();
	free_strings(make_strings(1, 16 * MIB, ""));
	EXPECT_LE(16 * MIB, self->bss->allocated);
	self->bss->dumping = 0;
	for (i = 0; i < 3; i++)
		bpf_link__destroy(link[i]);
	free_strings(small);
	free_strings(large);
}

TEST_HARNESS_MAIN
