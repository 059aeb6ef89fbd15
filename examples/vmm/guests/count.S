/* SPDX-License-Identifier: MIT */
/* Each vCPU counts in memory and in a register, says so now and then, and fails where they differ. */
#include "guest_abi.h"

/* rbx: boot record; r12: index of this vCPU; r13: the count; r8: its word in memory, a page each */
	.text
	.globl	start
start:
	mov	%rdi, %rbx
	mov	%rsi, %r12
	mov	BOOT_REGION(%rbx), %r8
	mov	%r12, %rax
	shl	$12, %rax
	add	%rax, %r8
	xor	%r13, %r13

again:	mov	$TICK_EVERY, %ecx
1:	inc	%r13
	incq	(%r8)
	cmp	(%r8), %r13
	jne	bad_word
	dec	%ecx
	jnz	1b
	mov	%r13d, %eax
	mov	$PORT_TICK, %edx
	out	%eax, %dx
	jmp	again

bad_word:
	mov	%r8d, %eax
	mov	$PORT_LOW, %edx
	out	%eax, %dx
	mov	%r8, %rax
	shr	$32, %rax
	mov	$PORT_HIGH, %edx
	out	%eax, %dx
	mov	$REPORT_BAD_WORD, %eax
	mov	$PORT_WHAT, %edx
	out	%eax, %dx
done:	jmp	done
