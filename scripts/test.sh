#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# make test: runs the krsi command's own tests, builds a kernel that notices its
# own mistakes, runs KUnit, the selftests and the sample in it, then on
# mainline's `bpf` LSM whatever has to come out the same there, and ends with
# 'N passed, N failed, N skipped'. TESTS='a_test b_test' runs only those
# programs; 'cargo' among them are the command's own tests, 'boot' those of what
# checks boot programs in a build, 'without' whether Linux can be built without
# KRSI, and 'configs', which takes too long to be one of them by default, whether
# what the series touches compiles for the configurations of scripts/configs.sh.
# VARIANT=kasan has KASAN, kmemleak and UBSAN in the kernel instead of lockdep,
# VARIANT=kcsan has KCSAN.

. "$(dirname "$0")/lib.sh"

variant=${VARIANT:-debug}
tests=$TOP/tools/testing/selftests/krsi
in_tests=$IN_TOP/build/linux/tools/testing/selftests/krsi
out=$BUILD/test
lsms=landlock,lockdown,yama
# Space for the slots of blob_test, and what is to be refused.
blobs="krsi.blob=cred:128,task:128,file:64,backing_file:64,inode:512,superblock:64,sock:64,ipc:64"
blobs+=",msg_msg:64,key:64,bdev:64,perf_event:64,bpf_map:64,bpf_prog:64,bpf_token:64"
blobs+=" krsi.blob=tun_dev:16,nonsense,dentry:8,inode:8,ib:12,ib:4096"
blobs+=" krsi.xattrs=5 krsi.xattrs=17 krsi.xattrs=many"
# The root of the VM is an overlay on 9p. blob_trust_test needs ext4 to be untrusted.
trust="krsi.xattr_trust=type=overlay,nonsense krsi.xattr_trust=type=9p"
blobs+=" $trust"

"$TOP/scripts/root.sh"
stage "Testing the reader of test results"
logged "$BUILD/log/ktap.log" "$TOP/scripts/enter" python3 -B scripts/ktap_test.py
"$TOP/scripts/kernel.sh" "$variant"
stage "Building the selftests"
logged "$BUILD/log/selftests.log" "$TOP/scripts/enter" make -C "$in_tests" LLVM=1 \
	"OUTPUT=$IN_TOP/build/selftests" "VMLINUX_BTF=$IN_TOP/build/$variant/vmlinux"
# Linux's own tests of the LSM system calls; the headers know KRSI's ID.
logged "$BUILD/log/headers.log" "$TOP/scripts/enter" make -C "$IN_TOP/build/linux" LLVM=1 \
	"O=$IN_TOP/build/obj-$variant" headers
logged "$BUILD/log/selftests-lsm.log" "$TOP/scripts/enter" make LLVM=1 \
	-C "$IN_TOP/build/linux/tools/testing/selftests/lsm" "OUTPUT=$IN_TOP/build/selftests" \
	"KHDR_INCLUDES=-isystem $IN_TOP/build/obj-$variant/usr/include"
VARIANT=$variant "$TOP/scripts/samples.sh"

# What the selftests' Makefile lists, and of it what also runs on `bpf`.
mapfile -t all < <("$TOP/scripts/enter" make -s -C "$in_tests" LLVM=1 \
	"OUTPUT=$IN_TOP/build/selftests" "VMLINUX_BTF=$IN_TOP/build/$variant/vmlinux" \
	--eval 'krsi-list:;@:$(foreach t,$(TEST_PROGS) $(TEST_GEN_PROGS),$(info $(notdir $(t))))' krsi-list)
[ ${#all[@]} -gt 0 ] || die "the selftests' Makefile lists no test programs"
both=()
[ ! -f "$tests/TEST_BOTH" ] || mapfile -t both < <(sed 's/[[:space:]]*#.*//; /^$/d' "$tests/TEST_BOTH")
lsm_syscalls=(lsm_get_self_attr_test lsm_list_modules_test lsm_set_self_attr_test)
all+=("${lsm_syscalls[@]}")
both+=("${lsm_syscalls[@]}")
if [ -n "${TESTS:-}" ]; then
	read -ra all <<<"$TESTS"
	mapfile -t both < <(printf '%s\n' "${both[@]}" | grep -xF "$(printf '%s\n' "${all[@]}")" || :)
fi

# Programs that want a command line of their own, below.
mapfile -t ordinary < <(printf '%s\n' "${all[@]}" | grep -vxE 'inactive_test|both_test|systemd_test.py|call_depth_test|blob_none_test|bootconfig_test|cargo|boot|without|configs' || :)
# Programs that have something to say where no LSM runs programs.
mapfile -t neither < <(printf '%s\n' "${all[@]}" | grep -xE 'inactive_test|detect_test|tool_test.py' || :)

# wanted PROGRAM: whether it is among the programs to run.
wanted() { printf '%s\n' "${all[@]}" | grep -qxF "$1"; }

# boot NAME APPEND LSM [PROGRAM...]: one virtual machine, with the sample if LSM
# is not '-'. What it says is left in build/test for ktap.py; here only the
# marks go by.
boot() {
	local name=$1 append=$2 lsm=$3 status=0
	shift 3
	stage "Testing with $append"
	KERNEL=$BUILD/$variant/bzImage CONSOLE=$out/$name.console TIMEOUT=${TIMEOUT:-10800} \
		SILENCE=${SILENCE:-1200} APPEND="$append ${APPEND:-}" "$TOP/scripts/vm" "scripts/vm.d/tests $lsm $*" \
		2> >(tee "$out/$name.err" >&2) |
		tee "$out/$name.out" | sed -un 's/^# krsi-test: begin /  /p' >&2 || status=$?
	echo "$status" >"$out/$name.status"
}

# must_panic NAME APPEND: boots, which must end before there is user space, with
# the reason. What came of it is left as `cargo test` would.
must_panic() {
	local result=FAILED status=0
	stage "Testing that $2 does not boot"
	KERNEL=$BUILD/$variant/bzImage CONSOLE=$out/panic-$1.log TIMEOUT=${TIMEOUT:-1200} \
		APPEND="lsm=$lsms,krsi $2 ${APPEND:-}" "$TOP/scripts/vm" true >/dev/null 2>&1 || status=$?
	if [ "$status" != 0 ] && ! grep -q 'Run /.* as init process' "$out/panic-$1.log" &&
		grep -q 'Kernel panic - not syncing: krsi: boot: .*inherit.bpf.o: ' "$out/panic-$1.log"; then
		result=ok
	fi
	printf 'running 1 test\ntest panics ... %s\n# krsi-test: end boot-%s 0\n' "$result" "$1" \
		>"$out/boot-$1.cargo"
}

rm -rf "$out"
mkdir -p "$out"
if [ -z "${TESTS:-}" ] || wanted cargo; then
	stage "Testing the krsi command"
	{
		status=0
		"$TOP/scripts/cargo.sh" test --release --locked --no-fail-fast 2>&1 || status=$?
		echo "# krsi-test: end cargo $status"
	} >"$out/krsi-command.cargo"
fi
if [ -z "${TESTS:-}" ] || wanted boot; then
	stage "Testing the check of boot programs"
	{
		status=0
		"$TOP/scripts/boot_test.sh" 2>&1 || status=$?
		echo "# krsi-test: end boot $status"
	} >"$out/krsi-boot-check.cargo"
fi
if [ -z "${TESTS:-}" ] || wanted without; then
	stage "Testing that Linux can be built without KRSI"
	{
		result=FAILED status=0
		# What the series edits.
		"$TOP/scripts/kernel.sh" without prepare arch/x86/net/ fs/bpf_fs_kfuncs.o \
			kernel/audit.o kernel/auditsc.o kernel/bpf/ kernel/capability.o \
			security/ 2>&1 || status=$?
		grep -E '(error|warning)[:[]' "$BUILD/log/kernel-without.log" || [ "$status" != 0 ] || result=ok
		printf 'running 1 test\ntest builds ... %s\n# krsi-test: end without 0\n' "$result"
	} >"$out/krsi-without.cargo"
fi
if wanted configs; then
	stage "Testing that the series compiles for other configurations"
	{
		status=0
		"$TOP/scripts/configs.sh" || status=$?
		echo "# krsi-test: end configs $status"
	} >"$out/krsi-configs.cargo"
fi
if wanted client_loaders_test.py; then
	stage "Building loaders in Rust"
	logged "$BUILD/log/clients.log" env CRATE=tools/testing/selftests/krsi/clients \
		"$TOP/scripts/cargo.sh" build --release --locked
	ln -f "$BUILD"/cargo/release/client_{aya,libbpf_rs} "$BUILD/selftests/"
fi
# The tests in Python are of the command, and so are those of rules.
! printf '%s\n' "${all[@]}" | grep -qE '\.py$|^rule_' || "$TOP/scripts/tools.sh"
# What is said at boot has to be in the log when the last test has run.
boot krsi "lsm=$lsms,krsi $blobs kunit.autorun=1 log_buf_len=8M" krsi "${ordinary[@]}"
boot bpf "lsm=$lsms,bpf" bpf "${both[@]}"
if [ ${#neither[@]} -gt 0 ]; then
	boot neither "lsm=$lsms" - "${neither[@]}"
fi
if wanted blob_none_test; then
	boot no-blobs "lsm=$lsms,krsi $trust krsi.boot=off krsi.blob=ib:0" - blob_none_test
fi
if wanted blob_test; then
	boot tomoyo "lsm=$lsms,tomoyo,krsi $blobs" - blob_test
fi
if wanted boot_test; then
	# One of the objects in the image is refused, as if it could not be loaded, and
	# those that cannot be.
	permissive="krsi.boot=permissive krsi.boot_fail=inherit.bpf.o krsi.boot_refused"
	boot permissive "lsm=$lsms,krsi $trust $permissive krsi.boot_objects" - boot_test
	must_panic enforce "krsi.boot_fail=inherit.bpf.o"
	must_panic unknown "krsi.boot=Permissive krsi.boot_fail=inherit.bpf.o"
fi
if wanted bootconfig_test || wanted boot_test; then
	# The same object is refused there. Objects of an initial RAM disk are old.
	"$TOP/scripts/initrd.sh" "$out/initrd" "$tests/bootconfig.conf"
	INITRD=$out/initrd boot initrd "lsm=$lsms,krsi $trust bootconfig retain_initrd" - bootconfig_test boot_test
fi
if wanted call_depth_test; then
	# A CPU that this mitigation is for.
	CPU=vendor=GenuineIntel,family=6,model=94,stepping=3 \
		boot stuff "lsm=$lsms,krsi spectre_v2=retpoline retbleed=stuff" - call_depth_test
fi
if wanted both_test; then
	boot krsi-first "lsm=krsi,$lsms,bpf" - both_test detect_test
	boot bpf-first "lsm=bpf,$lsms,krsi" - both_test detect_test
	# CONFIG_LSM names both.
	boot default "" - detect_test
fi
if wanted systemd_test.py; then
	boot systemd-krsi "lsm=$lsms,krsi KRSI_SYSTEMD=1" - systemd_test.py
	boot systemd-bpf "lsm=$lsms,bpf KRSI_SYSTEMD=1" - systemd_test.py
fi

stage "Results"
"$TOP/scripts/enter" python3 -B scripts/ktap.py "$IN_TOP/build/test"
