/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random numbers that depend on a seed only.
 *
 * Each operation of a round has a generator of its own, seeded with its index:
 * an operation that is left out does not change the draws of the others.
 */

#ifndef _KRSI_FUZZ_RNG_H
#define _KRSI_FUZZ_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

/* splitmix64 */
static inline uint64_t rng_next(struct rng *r)
{
	uint64_t z = (r->state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* Returns the generator of operation @index of worker @worker. */
static inline struct rng rng_of(uint64_t seed, unsigned int worker, unsigned int index)
{
	struct rng r = { seed };

	r.state = rng_next(&r) + worker;
	r.state = rng_next(&r) + index;
	return r;
}

/* Returns a number below @bound, which must not be 0. */
static inline unsigned int rng_below(struct rng *r, unsigned int bound)
{
	return rng_next(r) % bound;
}

/* True in @percent of 100 cases. */
static inline bool rng_chance(struct rng *r, unsigned int percent)
{
	return rng_below(r, 100) < percent;
}

#define rng_pick(r, array) ((array)[rng_below(r, sizeof(array) / sizeof((array)[0]))])

#endif /* _KRSI_FUZZ_RNG_H */
