// SPDX-License-Identifier: GPL-2.0
/* Refused: not a BPF object: it is for ELF machine 183 */
/* Flags: --target=aarch64 -mcpu=generic */

int number;
