# SPDX-License-Identifier: GPL-2.0
#
# The commands of the development tree; `make` alone lists them. Linux's own
# build never reads this file: it reads Kbuild and Kconfig.

# These are passed on as they stand: a '$' in them is not make's.
override CMD := $(value CMD)
override APPEND := $(value APPEND)
override ROWS := $(value ROWS)
export CMD APPEND SHARE ICOUNT KERNEL INITRD MEM CPUS TIMEOUT ACCEL KERNEL_SRC
export COUNTS TESTS VARIANT ROWS ROUNDS VARIANTS MITIGATIONS CLOCK WITHOUT
export MINUTES SEED START

.DEFAULT_GOAL := help

help:		## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

run:		## set up everything, boot KRSI and show a policy at work
	@scripts/run.sh

test:		## build a debugging kernel, boot it and run all tests [VARIANT=kasan|kcsan] [TESTS='a_test ...']
	@scripts/test.sh

configs:	## compile what the series touches for ten other configurations
	@scripts/configs.sh

shell:		## open a shell in a VM with KRSI; 'exit' ends it
	@scripts/vm --shell

vm:		## run CMD='...' in a VM [SHARE=dir] [APPEND='...'] [ICOUNT=1]; see scripts/vm
	@scripts/vm "$$CMD"

kernel: root	## build build/bzImage, build/vmlinux and build/config
	@scripts/kernel.sh

root:		## set up the build root, a Debian 13 tree with all the tools
	@scripts/root.sh

tools: kernel	## build what runs in the VM: the command build/krsi, the samples into build/samples
	@scripts/tools.sh
	@scripts/samples.sh

bench: kernel	## compare the cost of hooks with mainline's [ROWS=regex] [MITIGATIONS=off]; see scripts/bench.sh
	@scripts/bench.sh

bench-rules: kernel ## compare what rules cost with the kernel's audit; see scripts/bench_rules.sh
	@scripts/bench_rules.sh

bench-boot: root ## compare booting with and without 16 boot programs; see scripts/bench_boot.sh
	@scripts/bench_boot.sh

fuzz: root	## give the compiler of rules what no person would write [MINUTES=10] [SEED=n]; see scripts/fuzz.sh
	@scripts/fuzz.sh

fuzz-kernel: root ## random bpf(2) against a kernel with KASAN and lockdep [MINUTES=10] [SEED=n]; see scripts/fuzz_kernel.sh
	@scripts/fuzz_kernel.sh

test-upstream: root ## run Linux's own tests of LSM programs under `bpf` and `krsi`, and compare; see scripts/upstream.sh
	@scripts/upstream.sh

check: root	## check the style of everything: rustfmt, clippy, checkpatch, sparse, shellcheck
	@scripts/check.sh

series: root	## write the patch series for your own Linux 7.3 tree to build/series
	@scripts/export-series.sh

clean:		## remove what was built, keep the build root and the sources
	rm -rf build

distclean: clean ## remove the build root, the kernel source and the caches too
	@scripts/root.sh --remove

.PHONY: help run test configs shell vm kernel root tools bench bench-rules bench-boot fuzz fuzz-kernel test-upstream check series clean distclean
