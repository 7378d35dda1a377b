#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# tools.sh: builds tools/krsi: the command build/krsi, and beneath build/man and
# build/completions what is made from it.

. "$(dirname "$0")/lib.sh"

stage "Building the krsi command"
logged "$BUILD/log/tools.log" "$TOP/scripts/cargo.sh" build --release --locked
# The VM has build/bin on its PATH.
mkdir -p "$BUILD/bin"
ln -f "$BUILD/cargo/release/krsi" "$BUILD/krsi"
ln -sfn ../krsi "$BUILD/bin/krsi"
logged "$BUILD/log/tools.log" "$TOP/scripts/enter" sh -ec '
	build/krsi man build/man
	mkdir -p build/completions
	build/krsi completions bash >build/completions/krsi
	build/krsi completions zsh >build/completions/_krsi
	build/krsi completions fish >build/completions/krsi.fish'
