#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# make run: from a fresh checkout to a policy at work. Sets up what is missing,
# boots the VM and runs scripts/vm.d/demo in it.

. "$(dirname "$0")/lib.sh"

"$TOP/scripts/root.sh"
"$TOP/scripts/kernel.sh"
"$TOP/scripts/samples.sh"
ANNOUNCE=1 "$TOP/scripts/vm" "$IN_TOP/scripts/vm.d/demo"
stage "Done. 'make shell' opens a shell in such a VM; 'make help' lists the rest"
