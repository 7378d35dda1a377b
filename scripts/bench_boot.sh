#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# make bench-boot: what 16 boot programs over 6 classes add to booting, in
# instructions: boots one image with them and with krsi.boot=off, by turns, and
# compares. Fails if they add more than 20 ms.
#
#   ROUNDS=N        boots each N times (5)

. "$(dirname "$0")/lib.sh"

rounds=${ROUNDS:-5}
[[ $rounds =~ ^[1-9][0-9]*$ ]] || die "ROUNDS=$rounds is not a number of rounds"
out=$BUILD/bench.boot

"$TOP/scripts/kernel.sh" bench-boot
rm -rf "$out"
mkdir -p "$out"
for ((round = 1; round <= rounds; round++)); do
	for mode in off enforce; do
		file=$out/$mode.$round
		stage "Booting with krsi.boot=$mode"
		ICOUNT=1 KERNEL=$BUILD/bench-boot/bzImage CONSOLE=$file.console \
			APPEND="lsm=landlock,lockdown,yama,krsi krsi.boot=$mode i8042.nokbd i8042.noaux" \
			"$TOP/scripts/vm" 'scripts/vm.d/cpu_time && cat /sys/kernel/security/krsi/boot' >"$file" ||
			die "booting failed; see ${file#"$TOP"/}.console"
	done
done
"$TOP/scripts/enter" python3 -B scripts/bench_boot.py "$IN_TOP/build/bench.boot"
