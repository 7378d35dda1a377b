#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# make test-upstream: builds Linux's own tests of LSM programs, of LSMs and of
# Landlock from the tree that KRSI is built in, runs them on `bpf` and on `krsi`,
# and prints each test with another result. The status is 1 if a difference is
# not in scripts/upstream.differences, which says why it is there.
#
#   TESTS='test_lsm ...'   runs only those
#
# The results are in build/upstream/bpf.out and krsi.out, the kernel's log beside them.

. "$(dirname "$0")/lib.sh"

out=$BUILD/upstream
in_out=$IN_TOP/build/upstream
selftests=$IN_TOP/build/linux/tools/testing/selftests
obj=$IN_TOP/build/obj-upstream
# Files of tests that concern LSM programs and have none themselves, and those
# that must be there.
files=(test_lsm lsm_cgroup lsm_bdev signed_loader ksock token kernel_flag sock_xattr fs_kfuncs
	cgroup_xattr tracing_multi test_local_storage task_under_cgroup ptr_untrusted bpf_cookie
	rcu_read_lock verifier test_bprm_opts test_ima d_path link_pinning
	libbpf_get_fd_by_id_opts setget_sockopt lookup_key deny_namespace recursive_attach
	trampoline_count)
syscalls=(lsm_get_self_attr_test lsm_list_modules_test lsm_set_self_attr_test)
landlock=(base_test fs_test net_test ptrace_test scoped_abstract_unix_test scoped_signal_test
	scoped_test)
net=(scm_rights_denial_lsm)

"$TOP/scripts/root.sh"
"$TOP/scripts/kernel.sh" upstream
"$TOP/scripts/kernel.sh" upstream modules
mkdir -p "$out"

# What the three builds share. The tests' own tools are not to be instrumented.
make=(make LLVM=1 "CC=ccache clang" "-j${JOBS:-$(nproc)}" "KBUILD_OUTPUT=$obj"
	"VMLINUX_BTF=$IN_TOP/build/upstream/vmlinux" "KHDR_INCLUDES=-isystem $obj/usr/include")

stage "Building Linux's tests of LSM programs"
"$TOP/scripts/enter" python3 -B scripts/upstream_subset.py "$selftests/bpf" "$selftests/bpf-lsm" \
	"${files[@]}" >"$out/subset"
mapfile -t lists < <(sed '/^$/,$d' "$out/subset")
mapfile -t tests < <(sed '1,/^$/d' "$out/subset")
logged "$BUILD/log/upstream-headers.log" "$TOP/scripts/enter" make -C "$IN_TOP/build/linux" LLVM=1 \
	"O=$obj" headers
# The tools that other tests use are not built, nor a library that LLVM 19 cannot compile.
mkdir -p "$out/bpf-lsm"
logged "$BUILD/log/upstream-bpf.log" "$TOP/scripts/enter" "${make[@]}" -C "$selftests/bpf-lsm" \
	"OUTPUT=$in_out/bpf-lsm" BPF_STRICT_BUILD=0 SKIP_DOCS=1 SKIP_LLVM=1 SKIP_LIBBFD=1 \
	LIBARENA_SKEL= LIBARENA_ASAN_SKEL= \
	"${lists[@]}" "$in_out/bpf-lsm/test_progs"
[ -x "$out/bpf-lsm/test_progs" ] || die "test_progs was not built; see build/log/upstream-bpf.log"
stage "Building Linux's tests of LSMs and of Landlock"
for dir in lsm landlock net/af_unix; do
	mkdir -p "$out/$dir"
	logged "$BUILD/log/upstream-${dir//\//-}.log" "$TOP/scripts/enter" "${make[@]}" \
		-C "$selftests/$dir" "OUTPUT=$in_out/$dir" all
done

mapfile -t built < <(
	printf 'bpf-lsm/%s\n' "${tests[@]}"
	printf 'lsm/%s\n' "${syscalls[@]}"
	printf 'landlock/%s\n' "${landlock[@]}"
	printf 'net/af_unix/%s\n' "${net[@]}"
)
if [ -n "${TESTS:-}" ]; then
	mapfile -t built < <(printf '%s\n' "${built[@]}" |
		grep -E "/($(tr ' ' '|' <<<"$TESTS"))\$")
	[ ${#built[@]} -gt 0 ] || die "none of these is a test: $TESTS"
fi
for lsm in bpf krsi; do
	stage "Testing with lsm=...,$lsm"
	KERNEL=$BUILD/upstream/bzImage CONSOLE=$out/$lsm.console TIMEOUT=${TIMEOUT:-10800} \
		SILENCE=${SILENCE:-1200} APPEND="lsm=landlock,lockdown,yama,$lsm log_buf_len=8M ${APPEND:-}" \
		"$TOP/scripts/vm" "scripts/vm.d/upstream ${built[*]}" >"$out/$lsm.out" ||
		die "the machine did not reach the end; see build/upstream/$lsm.out"
done
stage "Comparing"
"$TOP/scripts/enter" python3 -B scripts/upstream_compare.py "$in_out/bpf.out" "$in_out/krsi.out" \
	"$IN_TOP/scripts/upstream.differences"
