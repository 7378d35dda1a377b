#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# make bench-rules: what system calls cost with 10, 100 and 1,000 rules that do
# not match, in the kernel's audit and in krsi, in instructions; prints a table
# and refreshes the one in Documentation. COUNTS='...' has other numbers of
# rules and leaves Documentation alone.

. "$(dirname "$0")/lib.sh"

read -ra counts <<<"${COUNTS:-10 100 1000}"
out=$BUILD/bench.rules
lsms=landlock,lockdown,yama
append="i8042.nokbd i8042.noaux"

"$TOP/scripts/tools.sh"
stage "Building what measures"
logged "$BUILD/log/bench.log" "$TOP/scripts/enter" make -C "$IN_TOP/tools/testing/selftests/krsi/bench" \
	"OUTPUT=$IN_TOP/build/bench/bin" "VMLINUX=$IN_TOP/build/vmlinux"
rm -rf "$out"
mkdir -p "$out"

# measure NAME APPEND: one virtual machine.
measure() {
	stage "Measuring $1"
	ICOUNT=1 CONSOLE=$out/$1.console APPEND="$2 $append" "$TOP/scripts/vm" \
		"scripts/vm.d/bench_rules $1 ${counts[*]}" >"$out/$1" ||
		die "measuring $1 failed; see ${out#"$TOP"/}/$1.console"
}
measure none "lsm=$lsms audit=0"
measure audit "lsm=$lsms audit=1"
measure krsi "lsm=$lsms,krsi audit=1"

report=(python3 -B scripts/bench_rules.py "$IN_TOP/build/bench.rules")
[ -n "${COUNTS:-}" ] || report+=(--csv Documentation/admin-guide/LSM/krsi-rules-bench.csv)
"$TOP/scripts/enter" "${report[@]}"
