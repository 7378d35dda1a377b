#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# samples.sh: builds samples/krsi into build/samples, for the built kernel, or
# for the one of VARIANT=debug, kasan or kcsan.

. "$(dirname "$0")/lib.sh"

stage "Building the samples"
logged "$BUILD/log/samples.log" "$TOP/scripts/enter" make -C "$IN_TOP/samples/krsi" \
	"OUTPUT=$IN_TOP/build/samples" "VMLINUX=$IN_TOP/build/${VARIANT:+$VARIANT/}vmlinux"
