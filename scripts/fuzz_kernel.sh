#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# make fuzz-kernel: boots a kernel with KASAN and lockdep and gives KRSI random
# sequences of bpf(2) and of writes to securityfs, on two CPUs, for MINUTES=10.
# A model of what is attached says what each call of a hook has to do.
#
#   SEED=N          runs the one round that a failure has shown
#   START=N         begins with another series of rounds
#   VARIANT=debug   takes the kernel of `make test`
#
# What the program says is in build/fuzz-kernel/log, the kernel's log beside it.

. "$(dirname "$0")/lib.sh"

variant=${VARIANT:-fuzz}
out=$BUILD/fuzz-kernel
blobs="krsi.blob=cred:128,task:128,file:64,backing_file:64,inode:512,superblock:64,sock:64,ipc:64"
blobs+=",msg_msg:64,key:64,bdev:64,perf_event:64,bpf_map:64,bpf_prog:64,bpf_token:64 krsi.xattrs=5"

if [ -n "${SEED:-}" ]; then
	[[ $SEED =~ ^[0-9]+$ ]] || die "SEED is the number that a failure has shown"
	args="-r $SEED" minutes=20
else
	minutes=${MINUTES:-10}
	[[ $minutes =~ ^[0-9]+$ ]] || die "MINUTES is a number"
	[[ ${START:-0} =~ ^[0-9]+$ ]] || die "START is a number"
	args="-m $minutes ${START:+-s $START}"
fi
"$TOP/scripts/root.sh"
"$TOP/scripts/kernel.sh" "$variant"
stage "Building the fuzzer"
logged "$BUILD/log/fuzz-kernel.log" "$TOP/scripts/enter" make \
	-C "$IN_TOP/tools/testing/selftests/krsi/fuzz" "OUTPUT=$IN_TOP/build/fuzz-kernel/bin"

stage "Fuzzing ($args)"
status=0
# A round that was begun is ended, and what has failed is made shorter.
KERNEL=$BUILD/$variant/bzImage CONSOLE=$out/console TIMEOUT=$((minutes * 60 + 900)) \
	APPEND="lsm=landlock,lockdown,yama,krsi $blobs log_buf_len=8M ${APPEND:-}" \
	"$TOP/scripts/vm" "build/fuzz-kernel/bin/krsi-fuzz $args" 2>&1 | tee "$out/log" || status=$?
# The fuzzer sees what the kernel says while it runs. Here is what ended it.
if ! "$TOP/scripts/enter" python3 -B scripts/ktap.py --console "$IN_TOP/build/fuzz-kernel/console"; then
	status=1
fi
[ "$status" = 0 ] || die "the fuzzer has found something; see ${out#"$TOP"/}/log and console"
