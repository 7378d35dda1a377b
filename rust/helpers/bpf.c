// SPDX-License-Identifier: GPL-2.0

#include <linux/bpf.h>
#include <linux/filter.h>

/* bpf_prog_run() needs bpf_stats_enabled_key, which exists only with BPF. */
#ifdef CONFIG_BPF_LSM
__rust_helper u32 rust_helper_bpf_prog_run(const struct bpf_prog *prog,
					   const void *ctx)
{
	return bpf_prog_run(prog, ctx);
}

__rust_helper struct bpf_run_ctx *
rust_helper_bpf_set_run_ctx(struct bpf_run_ctx *new_ctx)
{
	return bpf_set_run_ctx(new_ctx);
}

__rust_helper void rust_helper_bpf_reset_run_ctx(struct bpf_run_ctx *old_ctx)
{
	bpf_reset_run_ctx(old_ctx);
}
#endif
