// SPDX-License-Identifier: GPL-2.0
/*
 * A program on each of several kinds of hook, all returning one verdict.
 */

#include "decide.bpf.h"

char LICENSE[] SEC("license") = "GPL";

DECIDE(bpf)
DECIDE(bprm_check_security)
DECIDE(file_ioctl)
DECIDE(file_open)
DECIDE(key_alloc)
DECIDE(mmap_file)
DECIDE(path_mkdir)
DECIDE(perf_event_open)
DECIDE(ptrace_access_check)
DECIDE(sb_mount)
DECIDE(socket_bind)
DECIDE(socket_create)
DECIDE(task_getpgid)
DECIDE(task_setnice)
DECIDE(uring_allowed)
DECIDE(userns_create)
