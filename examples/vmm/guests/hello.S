/* SPDX-License-Identifier: MIT */
/* Each vCPU says hello by string output; all memory but the boot area stays untouched. */
#include "guest_abi.h"

	.text
	.globl	start
start:
	/*
	 * KVM itself reads what "outs" puts out, through the host address of the memslot. It finds the
	 * text because libgmem binds a file with the file's own mapping as that address.
	 */
	cld
	lea	text(%rip), %rsi
	mov	$(text_end - text), %ecx
	mov	$PORT_TEXT, %edx
	rep outsb

	xor	%eax, %eax
	mov	$PORT_EXIT, %edx
	out	%eax, %dx
done:	jmp	done

text:	.ascii	"Hello from guest_memfd.\n"
text_end:
