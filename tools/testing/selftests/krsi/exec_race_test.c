// SPDX-License-Identifier: GPL-2.0
/*
 * Another thread rewrites the arguments, the environment and the pointers to
 * them while they are executed. What a policy is told is what the program gets,
 * whatever that is.
 */

#include <pthread.h>

#include "exec.h"
#include "exec.skel.h"

#define ROUNDS 2000
#define BUFFER 4096
#define ARGS 24
#define ARG_LEN 2048
#define VARS 8
#define VAR_LEN 512
#define STRINGS (ARGS + VARS)
#define NAME "KRSI_TEST="
/* The argument that is asked for. */
#define INDEX 17

FIXTURE(exec_race)
{
	struct exec_bpf *skel;
	struct exec_bpf__bss *bss;
	struct bpf_link *link;
	struct ring_buffer *ring;
	struct dumps dumps;

	pthread_t writer;
	volatile bool stop;
	/* One behind the other: without its NUL a string runs into the next. */
	char text[ARGS * ARG_LEN + VARS * VAR_LEN];
	char *string[STRINGS];
	size_t len[STRINGS];
	char *argv[ARGS + 1];
	char *envp[VARS + 1];

	/* What came of the rounds. */
	unsigned int compared;
	unsigned int died;
	unsigned int refused;
	/* Of those compared. */
	unsigned int torn;
	unsigned int more_strings;
	unsigned int fewer_strings;
};

static unsigned int random_below(unsigned int *seed, unsigned int bound)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % bound;
}

/* A string is of one letter, but for the name that one variable has or has not. */
static void fill(FIXTURE_DATA(exec_race) * self, int i, char letter)
{
	memset(self->string[i], letter, self->len[i] - 1);
	if (i >= ARGS && letter % 4)
		memcpy(self->string[i], "VARIABLE0=", 10);
	if (i == STRINGS - 2 && letter % 4 != 3)
		memcpy(self->string[i], NAME, strlen(NAME));
}

static void *rewrite(void *arg)
{
	FIXTURE_DATA(exec_race) * self = arg;
	unsigned int seed = 1, i, j, at;
	char *swap, letter = 0;

	while (!self->stop) {
		i = random_below(&seed, STRINGS);
		letter = (letter + 1) % 26;
		fill(self, i, 'a' + letter);
		switch (random_below(&seed, 4)) {
		case 0:
			self->string[i][self->len[i] - 1] = '!';
			fill(self, random_below(&seed, STRINGS), 'A' + letter);
			self->string[i][self->len[i] - 1] = '\0';
			break;
		case 1:
			at = random_below(&seed, self->len[i]);
			self->string[i][at] = '\0';
			fill(self, random_below(&seed, STRINGS), 'A' + letter);
			break;
		case 2:
			i %= ARGS;
			j = random_below(&seed, ARGS);
			swap = self->argv[i];
			self->argv[i] = self->argv[j];
			self->argv[j] = swap;
			break;
		default:
			break;
		}
	}
	return NULL;
}

FIXTURE_SETUP(exec_race)
{
	char *p = self->text;
	int i;

	if (!krsi_active())
		SKIP(return, "krsi is not active");
	self->skel = exec_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel) TH_LOG("%s", libbpf_log);
	self->bss = self->skel->bss;
	self->bss->target = getpid();
	self->bss->ask_dump = true;
	self->bss->ask_env = true;
	self->bss->ask_read = true;
	self->skel->data->arg_index = INDEX;
	self->link = bpf_program__attach(self->skel->progs.check_security);
	ASSERT_NE(NULL, self->link);
	self->ring = ring_buffer__new(bpf_map__fd(self->skel->maps.ring), dumps_record,
				      &self->dumps, NULL);
	ASSERT_NE(NULL, self->ring);

	for (i = 0; i < STRINGS; i++) {
		self->string[i] = p;
		self->len[i] = i < ARGS ? ARG_LEN : VAR_LEN;
		p += self->len[i];
		fill(self, i, 'a');
		if (i < ARGS)
			self->argv[i] = self->string[i];
		else
			self->envp[i - ARGS] = self->string[i];
	}
	ASSERT_EQ(0, pthread_create(&self->writer, NULL, rewrite, self));
}

FIXTURE_TEARDOWN(exec_race)
{
	self->stop = true;
	pthread_join(self->writer, NULL);
	dumps_clear(&self->dumps);
	ring_buffer__free(self->ring);
	bpf_link__destroy(self->link);
	exec_bpf__destroy(self->skel);
}

/* Has a string two letters that were never in it at once? */
static bool is_torn(const char *string, size_t len)
{
	size_t i;

	if (len < 20)
		return false;
	for (i = 12; i < len; i++)
		if (string[i] != string[11])
			return true;
	return false;
}

/* What the answers must be, going by what the program got. */
static void expect_answers(struct __test_metadata *const _metadata, FIXTURE_DATA(exec_race) * self,
			   const struct bytes *args, const struct bytes *env)
{
	struct exec_bpf__bss *bss = self->bss;
	const char *p, *end, *value = NULL;
	size_t at, len, both;
	int found = 0;

	at = strings_len(args, 0, INDEX);
	ASSERT_GT(args->len, at);
	p = args->data + at;
	EXPECT_EQ(strlen(p) + 1, bss->arg_ret);
	EXPECT_EQ(0, strncmp(p, (char *)bss->arg, BUFFER - 1));

	end = env->data + env->len;
	for (p = env->data; p < end; p += strlen(p) + 1) {
		if (!strncmp(p, NAME, strlen(NAME))) {
			found++;
			value = p + strlen(NAME);
		}
	}
	if (found == 1) {
		EXPECT_EQ(strlen(value) + 1, bss->env_ret);
		EXPECT_EQ(0, strncmp(value, (char *)bss->env, BUFFER - 1));
	} else {
		EXPECT_EQ(found ? -ENOTUNIQ : -ENOENT, bss->env_ret);
	}

	/* The read begins among the arguments and ends among the environment, or behind it. */
	both = args->len + env->len;
	ASSERT_LE(0, bss->read_ret);
	for (at = 0; at < (size_t)bss->read_ret && bss->read_off + at < both; at++) {
		len = bss->read_off + at;
		if (bss->read[at] != (__u8)(len < args->len ? args->data[len] :
					    env->data[len - args->len]))
			break;
	}
	if (bss->read_off + at < both)
		EXPECT_EQ(BUFFER, at);
}

static void expect_same(struct __test_metadata *const _metadata, FIXTURE_DATA(exec_race) * self,
			const struct dump *dump, pid_t pid)
{
	struct bytes args = proc_bytes(pid, "cmdline"), env = proc_bytes(pid, "environ");
	size_t len, at = 0, nuls = 0;
	bool torn = false;

	ASSERT_EQ(dump->total, dump->bytes.len);
	ASSERT_EQ(args.len, strings_len(&dump->bytes, 0, ARGS));
	EXPECT_EQ(0, memcmp(dump->bytes.data, args.data, args.len));
	ASSERT_EQ(env.len, strings_len(&dump->bytes, args.len, VARS));
	EXPECT_EQ(0, memcmp(dump->bytes.data + args.len, env.data, env.len));
	expect_answers(_metadata, self, &args, &env);

	for (; at < dump->total; at += len + 1, nuls++) {
		len = strnlen(dump->bytes.data + at, dump->total - at);
		torn |= is_torn(dump->bytes.data + at, len);
	}
	self->compared++;
	self->torn += torn;
	self->more_strings += nuls > STRINGS;
	self->fewer_strings += !!(dump->flags & KRSI_EXEC_CHANGED);
	bytes_free(&args);
	bytes_free(&env);
}

TEST_F_TIMEOUT(exec_race, rewritten_strings, 900)
{
	unsigned int seed = 2;
	int round;
	pid_t pid;

	for (round = 0; round < ROUNDS; round++) {
		self->bss->read_off = random_below(&seed, ARGS * ARG_LEN + VARS * VAR_LEN);
		pid = start(IDLE, self->argv, self->envp);
		dumps_clear(&self->dumps);
		ASSERT_LE(0, ring_buffer__consume(self->ring));
		ASSERT_EQ(NULL, self->dumps.error) TH_LOG("%s", self->dumps.error);
		if (pid == -ECHILD) {
			/* Strings that do not end: the kernel kills the program. */
			self->died++;
			continue;
		}
		if (pid < 0) {
			self->refused++;
			continue;
		}
		ASSERT_EQ(1, self->dumps.count);
		expect_same(_metadata, self, &self->dumps.dump[0], pid);
		EXPECT_EQ(SIGKILL, stop(pid));
		ASSERT_TRUE(__test_passed(_metadata)) TH_LOG("in round %d", round);
	}
	TH_LOG("%u rounds compared, %u programs died, %u execs were refused", self->compared,
	       self->died, self->refused);
	TH_LOG("%u had torn strings, %u more strings than pointers, %u fewer", self->torn,
	       self->more_strings, self->fewer_strings);
	EXPECT_LE(ROUNDS / 2, self->compared);
	/* The race is a real one. */
	EXPECT_LT(0, self->torn);
	EXPECT_LT(0, self->more_strings);
}

TEST_HARNESS_MAIN
