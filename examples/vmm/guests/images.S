/* SPDX-License-Identifier: MIT */
/* Puts the assembled guests into gmem-vmm as data. The build passes the paths. */
	.section .rodata
	.balign	16
	.globl	guest_hello, guest_hello_end
guest_hello:
	.incbin	"hello.bin"
guest_hello_end:

	.globl	guest_memtest, guest_memtest_end
guest_memtest:
	.incbin	"memtest.bin"
guest_memtest_end:

	.globl	guest_convert_storm, guest_convert_storm_end
guest_convert_storm:
	.incbin	"convert_storm.bin"
guest_convert_storm_end:

	.globl	guest_reboot, guest_reboot_end
guest_reboot:
	.incbin	"reboot.bin"
guest_reboot_end:

	.globl	guest_count, guest_count_end
guest_count:
	.incbin	"count.bin"
guest_count_end:

	.section .note.GNU-stack, "", @progbits
