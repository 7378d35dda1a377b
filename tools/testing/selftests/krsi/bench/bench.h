/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the measurements share: rows of results, time, and BPF programs.
 *
 * A row is named OPERATION/CASE. All its values are printed; what is made of
 * them is up to who reads them.
 */

#ifndef _KRSI_BENCH_H
#define _KRSI_BENCH_H

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* More than there are LSM hooks. */
#define MAX_HOOKS 512

/* bench.c */

/* Says what went wrong, with errno. */
void complain(const char *fmt, ...);

#define die(...) do {							\
	complain(__VA_ARGS__);						\
	exit(1);							\
} while (0)

/* Ends the program when @call fails; its value otherwise. */
#define CHECK(call) ({							\
	__typeof__(call) __ret = (call);				\
									\
	if ((long)__ret < 0)						\
		die("%s:%d: %s failed", __FILE__, __LINE__, #call);	\
	__ret;								\
})

uint64_t now_ns(void);

/* Are these rows to be measured? */
bool wanted(const char *op, const char *what);

/* A row's values, which are printed in the order in which they come. */
void row_begin(const char *op, const char *what, const char *unit);
void row_value(double value);
void row_end(void);

/* Measures a row: the nanoseconds that one call of @fn takes. */
void measure(const char *op, const char *what, void (*fn)(void));
/* The same for calls that leave work for later. */
void measure_long(const char *op, const char *what, void (*fn)(void));

/* programs.c */

/* A set of links that are attached, as file descriptors. */
struct links {
	int count;
	int fd[MAX_HOOKS];
};

extern bool krsi_active;
extern bool bpf_active;
/* One of them is. */
extern bool programs_run;

void programs_init(void);
/* Loads a program for @hook that returns @verdict; -errno if it is refused. */
int prog_load(const char *hook, int verdict, uint32_t flags);
/* Loads a program that is called when the stub of @hook is entered. */
int prog_load_fentry(const char *hook);
int prog_attach(int prog);
int prog_attach_fentry(int prog);
/* Loads a program that returns 0 for each hook that can have one. */
int progs_load_all(int *progs);
void links_add(struct links *links, int link);
void links_close(struct links *links);
/* Attaches a program that returns 0 to each hook that can have one. */
void links_attach_all(struct links *links);

/* The measurements, a file each. */
void bench_hooks(void);
void bench_syscalls(void);
void bench_attach(void);
void bench_memory(void);
void bench_storage(void);
void bench_blob(void);
/* @reserved: there is space for slots of blobs. */
void bench_object(bool reserved);
void bench_exec(void);
void bench_contention(void);

#endif /* _KRSI_BENCH_H */
