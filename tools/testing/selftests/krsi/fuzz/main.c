// SPDX-License-Identifier: GPL-2.0
/*
 * krsi-fuzz [-m MINUTES] [-s SEED] [-r SEED] [-o OPERATIONS] [-v]
 *
 * Runs rounds until the time is over, with seeds that come from SEED; -r runs
 * the one round that a failure has named. The exit status is 0 if nothing was
 * found.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

static const char *const stat_names[STAT_COUNT] = {
	"operations", "calls compared", "programs", "attachments", "deniers relieved",
	"programs with kfuncs", "refused by the verifier", "runs of programs with kfuncs",
};

static void show_stats(struct shared *shared, int rounds, long seconds)
{
	printf("%d rounds in %ld s:", rounds, seconds);
	for (int i = 0; i < STAT_COUNT; i++) {
		unsigned long n = 0;

		for (int j = 0; j < WORKERS; j++)
			n += shared->worker[j].stats[i];
		printf("%s %lu %s", i ? "," : "", n, stat_names[i]);
	}
	printf("\n");
	fflush(stdout);
}

static void show_kfuncs(struct shared *shared)
{
	int loaded = 0, ran = 0;

	for (int i = 0; i < kfuncs_count(); i++) {
		loaded += shared->kfunc_loaded[i] > 0;
		ran += shared->kfunc_ran[i] > 0;
		printf("#   %-28s %lu loaded, %lu ran\n", kfunc_name(i), shared->kfunc_loaded[i],
		       shared->kfunc_ran[i]);
	}
	printf("%d kfuncs: %d in programs that loaded, %d in programs that ran\n", kfuncs_count(),
	       loaded, ran);
}

static int fail(struct round *round, enum result result)
{
	round_show(round);
	if (result == RESULT_WRONG) {
		printf("# leaving out what does not matter\n");
		fflush(stdout);
		if (round_shrink(round, 120) == RESULT_WRONG)
			round_show(round);
		else
			printf("# it does not happen each time\n");
	}
	printf("FAILED; once more: make fuzz-kernel SEED=%llu\n", (unsigned long long)round->seed);
	return 1;
}

int main(int argc, char **argv)
{
	struct round round = { .ops = ROUND_OPS };
	time_t began = time(NULL), end, told = began;
	struct rng r = { began };
	int rounds = 0, opt;
	enum result result;
	char why[256];
	bool one = false;

	end = began + 600;
	while ((opt = getopt(argc, argv, "m:s:r:o:v")) != -1) {
		switch (opt) {
		case 'm':
			end = began + atof(optarg) * 60;
			break;
		case 's':
			r.state = strtoull(optarg, NULL, 0);
			break;
		case 'r':
			one = true;
			round.seed = strtoull(optarg, NULL, 0);
			break;
		case 'o':
			round.ops = atoi(optarg);
			break;
		case 'v':
			round.verbose = true;
			break;
		default:
			return 2;
		}
	}
	if (round.ops < 1 || round.ops > ROUND_OPS) {
		fprintf(stderr, "krsi-fuzz: -o: a round has 1 to %d operations\n", ROUND_OPS);
		return 2;
	}
	round.shared = shared_new();
	if (!round.shared || rounds_init(why, sizeof(why))) {
		fprintf(stderr, "krsi-fuzz: %s\n", round.shared ? why : "no memory");
		return 2;
	}
	if (!one)
		printf("seed %llu\n", (unsigned long long)r.state);
	do {
		if (!one)
			round.seed = rng_next(&r) & 0xffffffff;
		printf("# round %d, seed %llu\n", rounds + 1, (unsigned long long)round.seed);
		fflush(stdout);
		result = round_run(&round);
		if (result != RESULT_OK)
			return fail(&round, result);
		rounds++;
		if (time(NULL) - told >= 60) {
			told = time(NULL);
			show_stats(round.shared, rounds, told - began);
		}
	} while (!one && time(NULL) < end);
	show_kfuncs(round.shared);
	show_stats(round.shared, rounds, time(NULL) - began);
	printf("no failure\n");
	return 0;
}
