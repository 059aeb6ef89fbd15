/* SPDX-License-Identifier: MIT */
/* Each vCPU looks whether its RAM is as the last boot left it or zero, fills it, and asks to reboot. */
#include "guest_abi.h"

/*
 * The word at an address is, after boot number n, the address with its bits turned over plus n. What
 * it has to be at the start the boot record says: that of the boot before, or 0.
 *
 * rbx: boot record; r11: number of this boot; r12: index of this vCPU; r13: sum of the words found;
 * r14: bytes looked at; r15: 1 where RAM was kept
 */
	.text
	.globl	start
start:
	mov	%rdi, %rbx
	mov	%rsi, %r12
	xor	%r13, %r13
	xor	%r14, %r14
	mov	BOOT_NUMBER(%rbx), %r11
	mov	BOOT_KEPT(%rbx), %r15

	lea	check(%rip), %rsi
	call	each_share
	lea	fill(%rip), %rsi
	call	each_share

	mov	$REPORT_CHECKSUM, %edi
	mov	%r13, %rsi
	call	report
	mov	$REPORT_BYTES, %edi
	mov	%r14, %rsi
	call	report
	mov	$PORT_REBOOT, %edx
	cmp	BOOT_LAST(%rbx), %r11
	jb	1f
	mov	$PORT_EXIT, %edx
1:	xor	%eax, %eax
	out	%eax, %dx
done:	jmp	done

/* Call rsi with the share of this vCPU in every region: from rdi up to, not including, rcx. */
each_share:
	mov	%rsi, %rbp
	mov	BOOT_REGIONS(%rbx), %r9
	lea	BOOT_REGION(%rbx), %r8
1:	mov	%r12, %rax
	call	share_start
	push	%rax
	lea	1(%r12), %rax
	call	share_start
	mov	%rax, %rcx
	pop	%rdi
	call	*%rbp
	add	$BOOT_REGION_SIZE, %r8
	dec	%r9
	jnz	1b
	ret

/* rax = address in region r8 where the share of vCPU rax starts: whole pages, evenly */
share_start:
	mov	8(%r8), %rdx
	shr	$12, %rdx
	mul	%rdx
	divq	BOOT_VCPUS(%rbx)
	shl	$12, %rax
	add	(%r8), %rax
	ret

check:
	add	%rcx, %r14
	sub	%rdi, %r14
	cmp	%rcx, %rdi
	jae	3f
1:	xor	%eax, %eax
	test	%r15, %r15
	jz	2f
	mov	%rdi, %rax
	not	%rax
	lea	-1(%rax, %r11), %rax
2:	cmp	(%rdi), %rax
	jne	bad_word
	add	%rax, %r13
	add	$8, %rdi
	cmp	%rcx, %rdi
	jb	1b
3:	ret

fill:
	cmp	%rcx, %rdi
	jae	2f
1:	mov	%rdi, %rax
	not	%rax
	add	%r11, %rax
	mov	%rax, (%rdi)
	add	$8, %rdi
	cmp	%rcx, %rdi
	jb	1b
2:	ret

bad_word:
	mov	%rdi, %rsi
	mov	$REPORT_BAD_WORD, %edi
	call	report
	mov	$1, %eax
	mov	$PORT_EXIT, %edx
	out	%eax, %dx
	jmp	done

/* edi: REPORT_..., rsi: value */
report:
	mov	%esi, %eax
	mov	$PORT_LOW, %edx
	out	%eax, %dx
	mov	%rsi, %rax
	shr	$32, %rax
	mov	$PORT_HIGH, %edx
	out	%eax, %dx
	mov	%edi, %eax
	mov	$PORT_WHAT, %edx
	out	%eax, %dx
	ret
