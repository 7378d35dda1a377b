#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# check.sh [CHECK...]: the style of everything, or only the checks named:
# shell, python, rustfmt, clippy, sparse, checkpatch. All run; the status says
# whether all passed.

. "$(dirname "$0")/lib.sh"

checks=("$@")
[ $# -gt 0 ] || checks=(shell python rustfmt clippy sparse checkpatch)
# Objects of their own: clippy would make the next kernel build start again.
obj=$BUILD/obj-check
make=(make -C "$IN_TOP/build/linux" "O=$IN_TOP/build/obj-check" LLVM=1 "CC=ccache clang"
	CLIPPY=1 "-j${JOBS:-$(nproc)}")

# files PATTERN: the project's files that match, as the build root sees them.
files() {
	(cd "$TOP" && find .ci Kbuild Kconfig arch kernel include rust samples scripts security tools \
		-type f -name "$1" ! -path '*/target/*' 2>/dev/null | sort || :)
}

# configured: build/obj-check is configured as the kernel is, and has what Rust
# and C objects need.
configured() {
	[ -f "$BUILD/config" ] || die "the kernel is not built yet; run: make kernel"
	"$TOP/scripts/source.sh"
	mkdir -p "$obj"
	cmp -s "$BUILD/config" "$obj/.config" || cp "$BUILD/config" "$obj/.config"
	(logged "$BUILD/log/check.log" "$TOP/scripts/enter" "${make[@]}" prepare)
}

check_shell() {
	local scripts
	mapfile -t scripts < <(files '*' | while read -r file; do
		! head -n 1 "$TOP/$file" | grep -qa '^#!.*sh$' || echo "$file"
	done)
	"$TOP/scripts/enter" shellcheck "${scripts[@]}" scripts/lib.sh
}

check_python() {
	"$TOP/scripts/enter" python3 -B -m unittest discover -s scripts -p '*_test.py' 2>&1
}

check_rustfmt() {
	local sources
	mapfile -t sources < <(files '*.rs')
	[ ${#sources[@]} -eq 0 ] || "$TOP/scripts/enter" rustfmt --check --color never --edition 2021 \
		--config-path build/linux/.rustfmt.toml "${sources[@]}"
}

check_clippy() {
	local log=$BUILD/log/clippy.log
	local crate
	for crate in tools/krsi tools/testing/selftests/krsi/clients; do
		CRATE=$crate "$TOP/scripts/cargo.sh" clippy --locked --all-targets -- -D warnings \
			>"$log" 2>&1 || {
			tail -n 40 "$log"
			return 1
		}
	done
	# A program of the kernel's build, in plain Rust.
	mkdir -p "$BUILD/boot/test"
	"$TOP/scripts/enter" clippy-driver --edition 2021 --test -D warnings --emit=metadata \
		--out-dir build/boot/test security/krsi/boot/krsi-boot-check.rs >"$log" 2>&1 || {
		tail -n 40 "$log"
		return 1
	}
	configured || return 1
	# What was built is not warned about again: begin anew, as far as it is
	# ours or has parts that are.
	rm -f "$obj/rust/kernel.o" "$obj"/security/krsi/*.o
	"$TOP/scripts/enter" "${make[@]}" prepare security/krsi/ >"$log" 2>&1 || {
		tail -n 40 "$log"
		return 1
	}
	# Linux's own files have warnings too: only what points to ours counts.
	local sources
	sources=$(files '*.rs' | tr '\n' '|')
	! awk -v RS= -v ours="build/linux/(${sources%|}):" '
		/(^|\n)(warning|error)/ && $0 ~ ours { print $0 "\n"; found = 1 }
		END { exit !found }' "$log"
}

check_sparse() {
	local objects
	mapfile -t objects < <(files '*.c' | sed -n 's,^\(\(kernel\|security\)/.*\)\.c$,\1.o,p')
	[ ${#objects[@]} -gt 0 ] || return 0
	configured || return 1
	"$TOP/scripts/enter" "${make[@]}" C=2 "${objects[@]}" >"$BUILD/log/sparse.log" 2>&1 || {
		tail -n 40 "$BUILD/log/sparse.log"
		return 1
	}
	# Headers of Linux have warnings of their own.
	! grep -E "($(printf '%s|' "${objects[@]/%.o/.c}")krsi\.h):[0-9]+:[0-9]+: (warning|error)" "$BUILD/log/sparse.log"
}

check_checkpatch() {
	"$TOP/scripts/export-series.sh" || return 1
	# Who signs off is up to who sends the series; MAINTAINERS and the list of
	# boot parameters are edited by a patch of their own; ENOSYS and ENOTSUPP are
	# what hooks and the verifier return; KRSI is BPF code, whose RCU is tasks
	# trace; loaders have signal handlers, hence volatile; macros that make tables
	# of hooks and of static calls are no expressions; boot programs have no
	# vmlinux.h and declare what is a typedef there; flags of kfuncs are written
	# as those beside them, without BIT(). A GIT_DIR that is not there
	# leaves out a check that needs more Python than the root has.
	"$TOP/scripts/enter" env GIT_DIR=/none sh -ec 'perl build/linux/scripts/checkpatch.pl \
		--root=build/linux --strict --no-signoff --no-summary --terse --show-types \
		--ignore FILE_PATH_CHANGES,UNDOCUMENTED_SETUP \
		--ignore ENOSYS,ENOTSUPP,RCU_TASKS_TRACE,VOLATILE \
		--ignore COMPLEX_MACRO,MACRO_ARG_REUSE,MACRO_ARG_UNUSED,NEW_TYPEDEFS,BIT_MACRO \
		--ignore TRAILING_SEMICOLON,MULTISTATEMENT_MACRO_USE_DO_WHILE \
		$(ls build/series/*.patch | grep -v selftests)
	# Macros of the kselftest harness look like nothing that checkpatch knows,
	# and neither do those that make tests out of lists; the arguments of an
	# exec are not constant, and kfuncs are declared where they are used; what
	# refuses a program is a line of its own beside it. Statements can be
	# arguments of macros.
	perl build/linux/scripts/checkpatch.pl \
		--root=build/linux --no-signoff --no-summary --terse --show-types \
		--ignore FILE_PATH_CHANGES,ENOSYS,ENOTSUPP,VOLATILE,COMPLEX_MACRO \
		--ignore MACRO_WITH_FLOW_CONTROL,MULTISTATEMENT_MACRO_USE_DO_WHILE \
		--ignore PREFER_DEFINED_ATTRIBUTE_MACRO,SPLIT_STRING,LINE_SPACING \
		--ignore STATIC_CONST_CHAR_ARRAY,AVOID_EXTERNS,LONG_LINE_COMMENT \
		--ignore TRAILING_STATEMENTS,TABSTOP,SUSPECT_CODE_INDENT,ASSIGN_IN_IF \
		$(ls build/series/*.patch | grep selftests)'
}

failed=()
for check in "${checks[@]}"; do
	[ "$(type -t "check_$check")" = function ] || die "there is no check '$check'; see scripts/check.sh"
	stage "Checking: $check"
	"check_$check" || failed+=("$check")
done
[ ${#failed[@]} -eq 0 ] || die "these checks failed: ${failed[*]}"
stage "All checks passed"
