// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the arguments of an exec: one of them, a variable among a hundred,
 * and all of them, per byte, next to a plain copy_from_user() of as much. The
 * time is taken in the program, around the call.
 */

#include "../../../../../include/uapi/linux/krsi.h"
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "exec.h"
#include "exec.skel.h"

#define OP "exec_args"
#define REPEAT 9
#define VARS 100
/* Long ones: 16 of them are 2 MiB. */
#define LONG_STRING (128 << 10)
#define SHORT_STRING 64

static struct exec_bpf *skel;
static struct ring_buffer *ring;
static size_t streamed;

static char text[EXEC_MAX];
static char *argv[EXEC_MAX / SHORT_STRING + 1];
static char *no_env[] = { NULL };

static int on_record(void *ctx, void *data, size_t size)
{
	const struct krsi_exec_record *record = data;

	streamed += record->len;
	return 0;
}

/* Cuts @size bytes into arguments of @len bytes. */
static void make_args(size_t size, size_t len)
{
	size_t i, count = 0;

	memset(text, 'a', size);
	for (i = 0; i < size; i += len) {
		argv[count++] = text + i;
		text[(i + len < size ? i + len : size) - 1] = '\0';
	}
	argv[count] = NULL;
}

/* Executes, and returns how long the answer took. */
static double ask(enum exec_question question, char **args, char **env)
{
	pid_t pid;
	int status;

	skel->bss->question = question;
	skel->bss->ret = -1;
	skel->bss->ns = 0;
	pid = CHECK(vfork());
	if (!pid) {
		execve("./nothing", args, env);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || status || !skel->bss->ns)
		die("executing ./nothing");
	return skel->bss->ns;
}

/* The time that it takes to ask nothing. */
static double overhead(char **args, char **env)
{
	return ask(EXEC_NOTHING, args, env);
}

static void short_row(const char *what, enum exec_question question, char **args, char **env,
		      long want)
{
	int i;

	if (!wanted(OP, what))
		return;
	row_begin(OP, what, "ns");
	for (i = 0; i < REPEAT; i++) {
		double nothing = overhead(args, env);

		row_value((ask(question, args, env) - nothing) / EXEC_REPEAT);
		if (skel->bss->ret != want)
			die("%s answered %lld", what, (long long)skel->bss->ret);
	}
	row_end();
}

static double per_byte(enum exec_question question, size_t size)
{
	double nothing = overhead(argv, no_env), ns = ask(question, argv, no_env);

	streamed = 0;
	ring_buffer__consume(ring);
	if (question == EXEC_DUMP ? skel->bss->ret <= 0 || streamed != size :
	    skel->bss->ret != (question == EXEC_READ ? size : 0))
		die("%zu bytes: %lld, %zu streamed", size, (long long)skel->bss->ret, streamed);
	return (ns - nothing) / size;
}

static void byte_rows(const char *what, size_t size, size_t len)
{
	static const struct {
		const char *name;
		enum exec_question question;
	} kinds[] = {
		/* The first is what the others are a multiple of. */
		{ "copy", EXEC_COPY },
		{ "read", EXEC_READ },
		{ "dump", EXEC_DUMP },
	};
	double value[ARRAY_SIZE(kinds)][REPEAT];
	char name[32];
	int i, kind;

	make_args(size, len);
	skel->bss->user = text;
	skel->bss->size = size;
	for (i = 0; i < REPEAT; i++)
		for (kind = 0; kind < ARRAY_SIZE(kinds); kind++)
			value[kind][i] = per_byte(kinds[kind].question, size);

	for (kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		snprintf(name, sizeof(name), "%s-%s", kinds[kind].name, what);
		if (wanted(OP, name)) {
			row_begin(OP, name, "ns/byte");
			for (i = 0; i < REPEAT; i++)
				row_value(value[kind][i]);
			row_end();
		}
		snprintf(name, sizeof(name), "%s-ratio-%s", kinds[kind].name, what);
		if (kind && wanted(OP, name)) {
			row_begin(OP, name, "x");
			for (i = 0; i < REPEAT; i++)
				row_value(value[kind][i] / value[0][i]);
			row_end();
		}
	}
}

void bench_exec(void)
{
	static char *args[] = { "ssh", "-R", "8080:localhost:80", "host.example.org", NULL };
	struct rlimit old, limit = { 64 << 20, RLIM_INFINITY };
	struct links links = {};
	static char var[VARS][40];
	static char *env[VARS + 1];
	int i;

	if (!krsi_active)
		return;
	skel = exec_bpf__open_and_load();
	if (!skel)
		die("the program that asks about an exec");
	ring = ring_buffer__new(bpf_map__fd(skel->maps.ring), on_record, NULL, NULL);
	if (!ring)
		die("a ring buffer");
	skel->bss->target = getpid();
	links_add(&links, prog_attach(bpf_program__fd(skel->progs.ask)));
	CHECK(getrlimit(RLIMIT_STACK, &old));
	CHECK(setrlimit(RLIMIT_STACK, &limit));

	for (i = 0; i < VARS; i++) {
		env[i] = var[i];
		snprintf(var[i], sizeof(var[i]), "VARIABLE_%d=the value of variable %d", i, i);
	}
	env[VARS / 2] = EXEC_NAME "=/tmp/evil.so";
	short_row("argv1", EXEC_ARG, args, env, 3);
	short_row("env100", EXEC_ENV, args, env, 13);

	byte_rows("4k", 4 << 10, LONG_STRING);
	byte_rows("128k", 128 << 10, LONG_STRING);
	byte_rows("2m", EXEC_MAX, LONG_STRING);
	byte_rows("2m-short", EXEC_MAX, SHORT_STRING);

	CHECK(setrlimit(RLIMIT_STACK, &old));
	links_close(&links);
	ring_buffer__free(ring);
	exec_bpf__destroy(skel);
}
