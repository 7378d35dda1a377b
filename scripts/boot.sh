#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# boot.sh: compiles boot programs into build/boot: those of the samples, of the
# selftests and of the benchmarks. They become a part of kernels, whose configuration names them,
# so this comes before a kernel is built and needs nothing of one.

. "$(dirname "$0")/lib.sh"

stage "Compiling the boot programs"
mkdir -p "$BUILD/boot"
# An object that comes out the same stays as old as it is.
# shellcheck disable=SC2016 # expanded in the build root
logged "$BUILD/log/boot.log" "$TOP/scripts/enter" sh -ec '
	tests=tools/testing/selftests/krsi
	for source in samples/krsi/*_boot.bpf.c $tests/boot/*.bpf.c $tests/bench/boot/*.bpf.c; do
		[ -f "$source" ] || continue
		object=build/boot/$(basename "$source" .c).o
		clang -g -O2 --target=bpfel -mcpu=v3 -Wall -Wextra -Wno-unused-parameter \
			-Werror -Isamples/krsi -c "$source" -o "$object.new"
		if cmp -s "$object.new" "$object"; then rm "$object.new"; else mv "$object.new" "$object"; fi
	done'
