/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Classes whose kfuncs boot programs can call, as KRSI_BOOT_KFUNC(CLASS). This
 * file is included several times.
 */

KRSI_BOOT_KFUNC(cred)
KRSI_BOOT_KFUNC(task)
KRSI_BOOT_KFUNC(file)
KRSI_BOOT_KFUNC(backing_file)
KRSI_BOOT_KFUNC(inode)
KRSI_BOOT_KFUNC(superblock)
KRSI_BOOT_KFUNC(sock)
KRSI_BOOT_KFUNC(ipc)
KRSI_BOOT_KFUNC(msg_msg)
#ifdef CONFIG_KEYS
KRSI_BOOT_KFUNC(key)
#endif
KRSI_BOOT_KFUNC(bdev)
KRSI_BOOT_KFUNC(perf_event)
KRSI_BOOT_KFUNC(bpf_map)
KRSI_BOOT_KFUNC(bpf_prog)
KRSI_BOOT_KFUNC(bpf_token)
