// SPDX-License-Identifier: GPL-2.0
/*
 * Programs on the hooks whose default is not 0 and on those that
 * security/security.c walks by itself, with lsm_for_each_hook().
 */

#include "decide.bpf.h"

char LICENSE[] SEC("license") = "GPL";

DECIDE(dentry_init_security)
DECIDE(fs_context_parse_param)
DECIDE(inode_getsecctx)
DECIDE(inode_init_security)
DECIDE(inode_setsecurity)
DECIDE(lsmprop_to_secctx)
DECIDE(sb_set_mnt_opts)
DECIDE(secid_to_secctx)
DECIDE(setselfattr)
DECIDE(socket_getpeersec_dgram)
DECIDE(socket_getpeersec_stream)
DECIDE(task_prctl)

/* Called in the network's context too, where current may be anyone. */
__u64 flow_matches;

SEC("lsm/xfrm_state_pol_flow_match")
int xfrm_state_pol_flow_match(void *ctx)
{
	__sync_fetch_and_add(&flow_matches, 1);
	return verdict & 1;
}
