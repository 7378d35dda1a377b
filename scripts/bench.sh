#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# make bench: boots the kernel image with no BPF LSM, with lsm=bpf and with
# lsm=krsi, measures what hooks cost in each, prints one table, writes
# build/bench/results.json and a plot, and refreshes both in Documentation.
#
#   ROWS=REGEX      measures only the rows whose names match, one round, and
#                   leaves Documentation alone
#   ROUNDS=N        boots each N times (3)
#   VARIANTS='...'  some of: none bpf krsi
#   MITIGATIONS=off boots with mitigations=off
#   CLOCK=wall      measures time, under KVM or whatever ACCEL= says, instead of
#                   counting instructions
#   WITHOUT=y       builds and measures a kernel without KRSI too, and compares
#                   its size

. "$(dirname "$0")/lib.sh"

rows=${ROWS:-}
rounds=${ROUNDS:-3}
[ -z "$rows" ] || rounds=${ROUNDS:-1}
read -ra variants <<<"${VARIANTS:-none bpf krsi}"
clock=${CLOCK:-icount}
mitigations=${MITIGATIONS:-default}
lsms=landlock,lockdown,yama

[[ $rounds =~ ^[1-9][0-9]*$ ]] || die "ROUNDS=$rounds is not a number of rounds"
[[ $clock =~ ^(icount|wall)$ ]] || die "CLOCK is icount or wall, not $clock"
[[ $mitigations =~ ^(default|off)$ ]] || die "the only MITIGATIONS= there is is off"
for variant in "${variants[@]}"; do
	[[ $variant =~ ^(none|bpf|krsi)$ ]] || die "there is no variant '$variant': VARIANTS is some of: none bpf krsi"
done
[[ ${WITHOUT:-} =~ ^y?$ ]] || die "WITHOUT is y or nothing, not $WITHOUT"
if [ -n "${WITHOUT:-}" ]; then
	"$TOP/scripts/kernel.sh" without
	variants+=(without)
fi

# Runs of different kinds do not overwrite each other's results.
name=
[ "$clock" = icount ] || name+=.$clock
[ "$mitigations" = default ] || name+=.mitigations-$mitigations
[ -z "$rows" ] || name+=.rows
out=$BUILD/bench$name
in_out=$IN_TOP/build/bench$name
tools=$BUILD/bench/bin
# The boot would wait for devices that nobody uses.
append="i8042.nokbd i8042.noaux"
[ "$mitigations" = default ] || append+=" mitigations=$mitigations"

# matches ROW: whether this row is asked for.
matches() { [ -z "$rows" ] || [[ $1 =~ $rows ]]; }

# boot NAME VARIANT [VARIABLE=VALUE...]: one virtual machine; what it measures
# goes to raw/NAME.
boot() {
	local file=$out/raw/$1 variant=$2 lsm=$lsms kernel=$out/bzImage more=${reserve:-}
	local command=("$IN_TOP/build/bench/bin/bench")
	shift 2
	case $variant in
	none) ;;
	without) kernel=$BUILD/without/bzImage ;;
	*) lsm+=,$variant ;;
	esac
	# Programs in the image run for each object that is made: only where they are
	# what is measured.
	[ -n "${programs:-}" ] || more+=" krsi.boot=off"
	[ -z "${reserve:-}" ] || command+=(-b)
	command+=("${regex:-$rows}")
	stage "Measuring $(basename "$file")"
	env KERNEL="$kernel" CONSOLE="$file.console" "APPEND=lsm=$lsm $append $more ${APPEND:-}" "$@" \
		"$TOP/scripts/vm" "${command[*]@Q}" >"$file" ||
		die "measuring $(basename "$file") failed; see ${file#"$TOP"/} and its .console"
}

# wants ROW...: whether one of these rows is asked for.
wants() {
	local row
	for row; do
		! matches "$row" || return 0
	done
	return 1
}

blobs=({task,inode,file,cred,inode_kept}_blob/{noop,get,first} object/{cred,task,file,inode}-reserved)
boot_blobs=({inode,cred}_boot_blob/{noop,get,first})

# boot_time NAME: adds the time at which the kernel started init.
boot_time() {
	local file=$out/raw/$1
	! matches boot/init || sed -n 's,^\[ *\([0-9]*\)\.\([0-9]*\)\].* Run .* as init process.*,row boot/init us \1\2,p' \
		"$file.console" >>"$file"
}

# size_of DIR NAME: how large the parts of the kernel in DIR are.
size_of() {
	local dir
	dir=$(realpath "$1")
	"$TOP/scripts/enter" -b "$dir=/share" llvm-size /share/vmlinux |
		awk -v name="$2" 'NR == 2 { print name, "text", $1; print name, "data", $2; print name, "bss", $3 }'
	echo "$2 bzImage $(stat -L -c %s "$dir/bzImage")"
}

# One at a time: two would share a directory, and the machine.
mkdir -p "$BUILD"
exec 8>"$BUILD/bench.lock"
flock --nonblock 8 || {
	stage "Waiting for another run of the benchmarks to end"
	flock 8
}

stage "Building what measures"
logged "$BUILD/log/bench.log" "$TOP/scripts/enter" make -C "$IN_TOP/tools/testing/selftests/krsi/bench" \
	"OUTPUT=$IN_TOP/build/bench/bin" "VMLINUX=$IN_TOP/build/vmlinux"
[ -x "$tools/bench" ] || die "there is no build/bench/bin/bench; see build/log/bench.log"

# One image for all boots, even if it is rebuilt meanwhile.
rm -rf "$out/raw"
mkdir -p "$out/raw"
cp "$BUILD/bzImage" "$out/bzImage"

for ((round = 1; round <= rounds; round++)); do
	for variant in "${variants[@]}"; do
		if [ "$clock" = icount ]; then
			boot "$variant.$round" "$variant" ICOUNT=1
		else
			boot "$variant.$round" "$variant" CPUS=2
		fi
		boot_time "$variant.$round"
	done
	[[ " ${variants[*]} " == *" krsi "* ]] || continue
	# On their own, because they make objects larger. bench_report.py knows how much.
	clocked=(CPUS=2)
	[ "$clock" = wall ] || clocked=(ICOUNT=1)
	if wants "${blobs[@]}"; then
		reserve="krsi.blob=cred:64,task:64,file:64,inode:64 krsi.xattrs=1" \
			boot "krsi.$round.blob" krsi "${clocked[@]}"
	fi
	if wants "${boot_blobs[@]}"; then
		programs=y reserve=krsi.xattrs=0 regex=_boot_blob/ \
			boot "krsi.$round.boot" krsi "${clocked[@]}"
	fi
done

# Contention takes two CPUs, and a clock that does not stand still for one of
# them: time it is.
if [ "$clock" = icount ] && { matches contention/idle || matches contention/noop; }; then
	for variant in "${variants[@]}"; do
		regex=^contention/ boot "$variant.time" "$variant" CPUS=2
	done
fi
rm -f "$out/bzImage"

if [ -z "$rows" ]; then
	size_of "$BUILD" with >"$out/raw/size"
	[ -z "${WITHOUT:-}" ] || size_of "$BUILD/without" without >>"$out/raw/size"
fi

report=(python3 -B scripts/bench_report.py --clock "$clock" --mitigations "$mitigations"
	--rounds "$rounds" "$in_out")
# Only what anybody gets who runs just `make bench` is documented.
if [ -z "$name${VARIANTS:-}${APPEND:-}${KERNEL:-}" ]; then
	report+=(--documentation Documentation/security)
fi
"$TOP/scripts/enter" "${report[@]}"
stage "Wrote ${out#"$TOP"/}/results.json, plot.svg and plot.png"
