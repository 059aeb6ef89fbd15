/* SPDX-License-Identifier: MIT */
/* All vCPUs together fill all RAM with a pattern, verify it, and report the sum of its words. */
#include "guest_abi.h"

/*
 * Each region of RAM is cut into as many shares as there are vCPUs. A vCPU fills its own share and,
 * when all have finished that, verifies the share of the next vCPU: so every word is read by another
 * processor than the one that wrote it, and a word that landed at a wrong address is found.
 *
 * rbx: boot record; r12: index of this vCPU; r13: sum of the words; r14: bytes verified
 */
	.text
	.globl	start
start:
	mov	%rdi, %rbx
	mov	%rsi, %r12
	xor	%r13, %r13
	xor	%r14, %r14

	mov	%r12, %rdi
	lea	fill(%rip), %rsi
	call	each_share

	lock incq BOOT_ARRIVED(%rbx)
wait:	pause
	mov	BOOT_ARRIVED(%rbx), %rax
	cmp	BOOT_VCPUS(%rbx), %rax
	jb	wait

	lea	1(%r12), %rdi
	cmp	BOOT_VCPUS(%rbx), %rdi
	jb	1f
	xor	%edi, %edi
1:	lea	verify(%rip), %rsi
	call	each_share

	mov	$REPORT_CHECKSUM, %edi
	mov	%r13, %rsi
	call	report
	mov	$REPORT_BYTES, %edi
	mov	%r14, %rsi
	call	report
	xor	%edi, %edi

/* edi: 0 for success */
exit:
	mov	%edi, %eax
	mov	$PORT_EXIT, %edx
	out	%eax, %dx
done:	jmp	done

/* Call rsi with the share of vCPU rdi in every region: from rdi up to, not including, rcx. */
each_share:
	mov	%rsi, %rbp
	mov	%rdi, %r10
	mov	BOOT_REGIONS(%rbx), %r9
	lea	BOOT_REGION(%rbx), %r8
1:	mov	%r10, %rax
	call	share_start
	push	%rax
	lea	1(%r10), %rax
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

/* The word at an address is the address with its bits turned over. */
fill:
	cmp	%rcx, %rdi
	jae	2f
1:	mov	%rdi, %rax
	not	%rax
	mov	%rax, (%rdi)
	add	$8, %rdi
	cmp	%rcx, %rdi
	jb	1b
2:	ret

verify:
	add	%rcx, %r14
	sub	%rdi, %r14
	cmp	%rcx, %rdi
	jae	2f
1:	mov	%rdi, %rax
	not	%rax
	cmp	(%rdi), %rax
	jne	bad_word
	add	%rax, %r13
	add	$8, %rdi
	cmp	%rcx, %rdi
	jb	1b
2:	ret

bad_word:
	mov	%rdi, %rsi
	mov	$REPORT_BAD_WORD, %edi
	call	report
	mov	$1, %edi
	jmp	exit

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
