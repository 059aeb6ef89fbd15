/* SPDX-License-Identifier: MIT */
/* All vCPUs at once convert pages, write and verify them in both states, and have the host look. */
#include "guest_abi.h"

#define KVM_HC_MAP_GPA_RANGE 12 /* linux/kvm_para.h */
#define TO_SHARED  0
#define TO_PRIVATE 16 /* KVM_MAP_GPA_RANGE_ENCRYPTED */
#define PAGE       4096
#define VENDOR_AUTH 0x68747541 /* the first letters of AuthenticAMD */
#define VENDOR_HYGO 0x6f677948 /* and of HygonGenuine */

/*
 * rbx: boot record; r12: index of this vCPU; r13: first address; r14: bytes; r15: how many vCPUs;
 * rbp: the routine with this processor's hypercall instruction
 */
	.text
	.globl	start
start:
	mov	%rdi, %rbx
	mov	%rsi, %r12
	mov	BOOT_VCPUS(%rbx), %r15
	mov	BOOT_REGION(%rbx), %r13
	mov	BOOT_REGION+8(%rbx), %r14
	mov	$STORM_SIZE, %eax
	cmp	%rax, %r14
	cmova	%rax, %r14
	call	choose_hypercall

	call	own_pages
	mov	$1, %edi
	call	barrier
	call	contested_pages
	mov	$2, %edi
	call	barrier
	call	large_range

	xor	%edi, %edi
exit:	/* edi: 0 for success */
	mov	%edi, %eax
	mov	$PORT_EXIT, %edx
	out	%eax, %dx
done:	jmp	done

choose_hypercall:
	push	%rbx
	xor	%eax, %eax
	cpuid
	lea	by_vmmcall(%rip), %rbp
	cmp	$VENDOR_AUTH, %ebx
	je	1f
	cmp	$VENDOR_HYGO, %ebx
	je	1f
	lea	by_vmcall(%rip), %rbp
1:	pop	%rbx
	ret
by_vmmcall:
	vmmcall
	ret
by_vmcall:
	vmcall
	ret

/* Pages of one block, dealt out to the vCPUs in turn: neighbours of a page are always another's. */
own_pages:
	push	$STORM_ROUNDS
1:	lea	make_private(%rip), %r9
	call	each_page
	lea	check_private(%rip), %r9
	call	each_page
	lea	make_shared(%rip), %r9
	call	each_page
	lea	check_shared(%rip), %r9
	call	each_page
	decq	(%rsp)
	jnz	1b
	pop	%rax
	ret

/* Call r9 for each page of this vCPU, in r10. */
each_page:
	mov	%r12, %r10
	shl	$12, %r10
	add	%r13, %r10
	mov	%r15, %r11
	shl	$12, %r11
	lea	STORM_BLOCK(%r13), %r8
1:	cmp	%r8, %r10
	jae	2f
	call	*%r9
	add	%r11, %r10
	jmp	1b
2:	ret

make_private:
	mov	%r10, %rdi
	mov	$1, %esi
	mov	$TO_PRIVATE, %edx
	call	convert
	mov	%r10, %rdi
	mov	$PAGE, %esi
	mov	$STORM_SEED_PRIVATE, %edx
	call	fill
	mov	$REPORT_PRIVATE, %edi
	mov	%r10, %rsi
	jmp	report

check_private:
	mov	%r10, %rdi
	mov	$PAGE, %esi
	mov	$STORM_SEED_PRIVATE, %edx
	jmp	verify

make_shared:
	mov	%r10, %rdi
	mov	$1, %esi
	mov	$TO_SHARED, %edx
	call	convert
	mov	%r10, %rdi
	mov	$PAGE, %esi
	mov	$STORM_SEED_SHARED, %edx
	call	fill
	mov	$REPORT_SHARED, %edi
	mov	%r10, %rsi
	jmp	report

/* The host has found the guest's words and put its own there. */
check_shared:
	mov	%r10, %rdi
	mov	$PAGE, %esi
	mov	$STORM_SEED_HOST, %edx
	jmp	verify

/*
 * All vCPUs convert the same pages, to either state, and touch them. A touch can come between two
 * conversions and fault. Nobody can know what the pages hold then.
 */
contested_pages:
	mov	$STORM_CONTESTS, %r8d
1:	mov	%r8, %rdx
	xor	%r12, %rdx
	and	$1, %edx
	shl	$4, %edx
	lea	STORM_BLOCK(%r13), %rdi
	mov	$STORM_CONTESTED_PAGES, %esi
	call	convert
	mov	$STORM_CONTESTED_PAGES, %ecx
2:	incq	(%rdi,%r12,8)
	add	$PAGE, %rdi
	dec	%ecx
	jnz	2b
	dec	%r8
	jnz	1b
	ret

/* The vCPU's share of all, r11 bytes from r10 on: one hypercall in either direction. */
large_range:
	mov	%r12, %rax
	call	share_start
	mov	%rax, %r10
	lea	1(%r12), %rax
	call	share_start
	mov	%rax, %r11
	sub	%r10, %r11

	mov	%r10, %rdi
	mov	%r11, %rsi
	shr	$12, %rsi
	mov	$TO_PRIVATE, %edx
	call	convert
	mov	%r10, %rdi
	mov	%r11, %rsi
	mov	$STORM_SEED_PRIVATE, %edx
	call	fill
	mov	$3, %edi
	call	barrier
	mov	%r10, %rdi
	mov	%r11, %rsi
	mov	$STORM_SEED_PRIVATE, %edx
	call	verify
	push	%r10
	lea	(%r10,%r11), %rcx
1:	mov	$REPORT_PRIVATE, %edi
	mov	%r10, %rsi
	call	report
	add	$STORM_SAMPLE, %r10
	cmp	%rcx, %r10
	jb	1b
	pop	%r10

	mov	%r10, %rdi
	mov	%r11, %rsi
	shr	$12, %rsi
	mov	$TO_SHARED, %edx
	call	convert
	mov	%r10, %rdi
	mov	%r11, %rsi
	mov	$STORM_SEED_SHARED, %edx
	call	fill
	add	%r10, %r11
1:	mov	$REPORT_SHARED, %edi
	mov	%r10, %rsi
	call	report
	call	check_shared
	add	$STORM_SAMPLE, %r10
	cmp	%r11, %r10
	jb	1b
	ret

/* rax = address where the share of vCPU rax starts: whole pages, evenly */
share_start:
	mov	%r14, %rdx
	shr	$12, %rdx
	mul	%rdx
	div	%r15
	shl	$12, %rax
	add	%r13, %rax
	ret

/* rdi: address, rsi: pages, rdx: TO_...; keeps rdi */
convert:
	push	%rbx
	mov	$KVM_HC_MAP_GPA_RANGE, %eax
	mov	%rdi, %rbx
	mov	%rsi, %rcx
	call	*%rbp
	pop	%rbx
	test	%rax, %rax
	jnz	bad_hypercall
	ret

bad_hypercall:
	mov	$REPORT_BAD_CALL, %edi
	mov	%rax, %rsi
	jmp	fail

/* A word is its address with its bits turned over, and the seed rdx in the upper 16. */
fill:
	shl	$48, %rdx
	add	%rdi, %rsi
1:	mov	%rdi, %rax
	not	%rax
	xor	%rdx, %rax
	mov	%rax, (%rdi)
	add	$8, %rdi
	cmp	%rsi, %rdi
	jb	1b
	ret

verify:
	shl	$48, %rdx
	add	%rdi, %rsi
1:	mov	%rdi, %rax
	not	%rax
	xor	%rdx, %rax
	cmp	(%rdi), %rax
	jne	bad_word
	add	$8, %rdi
	cmp	%rsi, %rdi
	jb	1b
	ret

bad_word:
	mov	%rdi, %rsi
	mov	$REPORT_BAD_WORD, %edi
fail:	call	report
	mov	$1, %edi
	jmp	exit

/* Wait until all vCPUs have come to barrier edi, counted from 1. */
barrier:
	imul	%r15, %rdi
	lock incq BOOT_ARRIVED(%rbx)
1:	pause
	cmp	%rdi, BOOT_ARRIVED(%rbx)
	jb	1b
	ret

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
