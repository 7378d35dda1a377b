#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# make fuzz: gives the parser and the compiler of rules what no person would
# write, for MINUTES=10; programs that it makes have to decide as `krsi check`
# says. What fails is shown with its seed; SEED=... has one round again.

. "$(dirname "$0")/lib.sh"

if [ -n "${SEED:-}" ]; then
	[[ $SEED =~ ^[0-9]+$ ]] || die "SEED is the number that a failure has shown"
	stage "Fuzzing with seed $SEED"
	set -- "env.KRSI_FUZZ_SEED=\"$SEED\""
else
	minutes=${MINUTES:-10}
	[[ $minutes =~ ^[0-9]+$ ]] || die "MINUTES is a number"
	stage "Fuzzing for $minutes minutes"
	set -- "env.KRSI_FUZZ_SECONDS=\"$((minutes * 60))\""
fi
exec "$TOP/scripts/cargo.sh" --config "$1" test --release --locked --quiet --bin krsi \
	rule::fuzz::as_long_as_it_is_told_to -- --exact --ignored --nocapture
