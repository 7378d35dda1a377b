/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The least that is a program: it stops itself, which says that it runs, until
 * the signal comes that ends it.
 */

	.text
	.globl	_start
_start:
#if defined(__x86_64__)
	movl	$39, %eax		/* getpid() */
	syscall
	movl	%eax, %edi
	movl	$19, %esi		/* SIGSTOP */
	movl	$62, %eax		/* kill() */
	syscall
	jmp	_start
#elif defined(__i386__)
	movl	$20, %eax		/* getpid() */
	int	$0x80
	movl	%eax, %ebx
	movl	$19, %ecx		/* SIGSTOP */
	movl	$37, %eax		/* kill() */
	int	$0x80
	jmp	_start
#elif defined(__aarch64__)
	mov	x8, #172		/* getpid() */
	svc	#0
	mov	x1, #19			/* SIGSTOP */
	mov	x8, #129		/* kill() */
	svc	#0
	b	_start
#elif defined(__riscv)
	li	a7, 172			/* getpid() */
	ecall
	li	a1, 19			/* SIGSTOP */
	li	a7, 129			/* kill() */
	ecall
	j	_start
#else
#error "A program for this architecture is missing"
#endif

	.section .note.GNU-stack, "", %progbits
