#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# configs.sh [NAME...]: compiles what the series touches for configurations that
# no test boots: other architectures, other compilers and smaller kernels. Treats
# warnings as errors. Prints the results as `cargo test` does, after the compiler's
# messages if there are any; the status is 1 if a configuration fails.

. "$(dirname "$0")/lib.sh"

# Objects of Linux that patches/ change, and those that only KRSI has.
touched=(kernel/capability.o security/lsm_init.o security/security.o rust/)
bpf=(kernel/bpf/btf.o kernel/bpf/bpf_lsm.o kernel/bpf/trampoline.o kernel/bpf/verifier.o
	fs/bpf_fs_kfuncs.o security/bpf/)
audit=(kernel/audit.o kernel/auditsc.o)
krsi=(kernel/bpf/krsi.o kernel/bpf/krsi_blob.o kernel/bpf/krsi_boot.o kernel/bpf/krsi_exec.o
	kernel/bpf/krsi_path.o kernel/bpf/krsi_refs.o kernel/bpf/krsi_xattr.o security/krsi/)

# The options of every configuration, of those with the BPF LSM, with audit, and
# with KRSI, on top of tinyconfig.
base="RUST=y PRINTK=y BUG=y EXPERT=y SYSFS=y MULTIUSER=y SECURITY=y SECURITYFS=y WERROR=y RUST_INLINE_HELPERS=n"
with_bpf="BPF_SYSCALL=y BPF_JIT=y PERF_EVENTS=y FTRACE=y KPROBES=y KPROBE_EVENTS=y BPF_EVENTS=y BPF_LSM=y MODULES=y"
with_audit="NET=y AUDIT=y"
with_krsi="$with_bpf SECURITY_KRSI=y"
x86="ARCH=x86_64"
# clang warns of Linux's own inb() and the like, which UML does not have.
um="ARCH=um SUBARCH=x86 KCFLAGS=-Wno-null-pointer-arithmetic"

# configurations: name | variables of make | options. Of an option that is there
# twice the last one counts. One that does not come out as it says is an error:
# the configuration would show nothing.
configurations() {
	cat <<-END
	bare      | $x86 | $base 64BIT=y SMP=n JUMP_LABEL=n NET=n SECURITY=n SYSFS=n MULTIUSER=n
	um        | $um | $base 64BIT=y JUMP_LABEL=n $with_audit
	no-krsi   | $x86 | $base 64BIT=y SMP=y $with_bpf $with_audit SECURITY_KRSI=n
	no-net    | $x86 | $base 64BIT=y SMP=n JUMP_LABEL=n NET=n $with_krsi
	arm64     | ARCH=arm64 | $base CFI=n HAVE_STATIC_CALL=n $with_krsi $with_audit
	arm64-cfi | ARCH=arm64 | $base CFI=y HAVE_STATIC_CALL=y $with_krsi
	rt        | $x86 | $base 64BIT=y SMP=y JUMP_LABEL=y PREEMPT_RT=y $with_krsi $with_audit
	gcc       | $x86 LLVM= | $base 64BIT=y SMP=y JUMP_LABEL=y CC_IS_GCC=y $with_krsi $with_audit
	cfi       | $x86 | $base 64BIT=y SMP=y JUMP_LABEL=y CFI=y RUST_INLINE_HELPERS=y $with_krsi
	frames    | $x86 | $base 64BIT=y SMP=y JUMP_LABEL=y UNWINDER_FRAME_POINTER=y $with_krsi
	END
}

# has OPTIONS NAME: whether NAME=y is among OPTIONS.
has() { [[ $'\n'$1$'\n' == *$'\n'"$2=y"$'\n'* ]]; }

# compile NAME VARIABLES OPTIONS: leaves what make says in a log.
compile() {
	local name=$1 options=$3 in_obj=$IN_TOP/build/obj-configs/$1 obj=$BUILD/obj-configs/$1
	local make vars targets=("${touched[@]}") key lost option
	read -ra vars <<<"$2"
	# One a line, the last of each name.
	options=$(for option in $options; do echo "$option"; done | tac | sort -t= -u -k1,1 -s)
	make=(make -C "$IN_TOP/build/linux" "O=$in_obj" LLVM=1 "CC=ccache clang"
		"-j${JOBS:-$(nproc)}" KBUILD_BUILD_USER=krsi KBUILD_BUILD_HOST=krsi
		"KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970" "${vars[@]}")
	[[ " $2 " != *" LLVM= "* ]] || make+=("CC=ccache gcc")
	has "$options" SECURITY || targets=(rust/)
	! has "$options" BPF_LSM || targets+=("${bpf[@]}")
	! has "$options" AUDIT || targets+=("${audit[@]}")
	! has "$options" SECURITY_KRSI || targets+=("${krsi[@]}")
	# Symbols that only a link misses.
	has "$options" BPF_SYSCALL || has "$options" NET || targets+=(vmlinux)
	mkdir -p "$obj"
	key=$(printf '%s\n' "${make[@]}" "$options" "$(sha256sum <"$TOP/Kconfig")")
	if ! fresh "$obj/.krsi-config" "$key"; then
		for option in $options; do echo "CONFIG_$option"; done |
			sed 's/^\(.*\)=n$/# \1 is not set/' >"$obj/.options"
		"$TOP/scripts/enter" "${make[@]}" "KCONFIG_ALLCONFIG=$in_obj/.options" allnoconfig || return
		lost=$(for option in $options; do
			case $option in
			*=n) ! grep -q "^CONFIG_${option%=n}=" "$obj/.config" || echo "$option" ;;
			*) grep -qx "CONFIG_$option" "$obj/.config" || echo "$option" ;;
			esac
		done)
		if [ -n "$lost" ]; then
			echo "error: the configuration lost ${lost//$'\n'/ }"
			return 1
		fi
		echo "$key" >"$obj/.krsi-config"
	fi
	"$TOP/scripts/enter" "${make[@]}" prepare "${targets[@]}"
}

"$TOP/scripts/source.sh"
mkdir -p "$BUILD/log" "$BUILD/obj-configs"
failed=0
mapfile -t rows < <(configurations)
[ $# -gt 0 ] || set -- "${rows[@]%% *}"
echo "running $# tests"
while IFS='|' read -r name vars options; do
	read -r name <<<"$name"
	[[ " $* " == *" $name "* ]] || continue
	log=$BUILD/log/configs-$name.log status=0
	stage "Compiling for $name"
	compile "$name" "$vars" "$options" >"$log" 2>&1 </dev/null || status=$?
	if [ "$status" != 0 ] || grep -qE '(error|warning)[:[]' "$log"; then
		failed=1
		grep -E -A 12 '(error|warning)[:[]|\*\*\*' "$log" | head -100 || tail "$log"
		echo "test $name ... FAILED"
	else
		echo "test $name ... ok"
	fi
done < <(printf '%s\n' "${rows[@]}")
exit "$failed"
