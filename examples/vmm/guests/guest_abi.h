/* SPDX-License-Identifier: MIT */
/* What the VMM and its guests agree on: where things are and what the ports mean. */
#ifndef GUEST_ABI_H
#define GUEST_ABI_H

/* Read by the assembler too: numbers only. */

/*
 * Guest memory begins with the boot area, which the VMM writes before the start. Guests leave it alone but
 * for their own stack and the boot record. All other RAM is theirs.
 *
 *   0x001000  boot record, below
 *   0x040000  stacks, one page each; vCPU i starts with the end of page i in rsp
 *   0x100000  the program
 *   0x200000  page tables, as large as the RAM needs them
 *
 * A program starts at its first byte, in 64-bit user mode with access to the ports, all guest
 * addresses mapped one to one, with the address of the boot record in rdi and the index of the vCPU
 * in rsi. There is no interrupt table: an exception shuts the guest down. convert-storm starts in
 * kernel mode, the only one from which KVM takes hypercalls.
 */
#define BOOT_RECORD       0x1000
#define BOOT_STACKS       0x40000
#define BOOT_PROGRAM      0x100000
#define BOOT_PAGE_TABLES  0x200000
#define BOOT_PROGRAM_SIZE (BOOT_PAGE_TABLES - BOOT_PROGRAM)

#define BOOT_MAX_VCPUS 64

/* The boot record: offsets of 64-bit numbers. */
#define BOOT_VCPUS       0  /* how many vCPUs run the program */
#define BOOT_ARRIVED     8  /* a counter for the guest's use, 0 at the start */
#define BOOT_REGIONS     16 /* how many regions of RAM follow */
#define BOOT_REGION      24 /* the first: its guest address, then its size in bytes */
#define BOOT_REGION_SIZE 16 /* bytes from one region to the next */
#define BOOT_NUMBER      64 /* how often the machine has booted before */
#define BOOT_LAST        72 /* the number of the boot at which the guest ends */
#define BOOT_KEPT        80 /* 1 where RAM has to be as the boot before left it, else it is zero */

/*
 * Ports. A guest reports a 64-bit value in three writes of 32 bits each: low half, high half, and what
 * the value is.
 */
#define PORT_TEXT   0x500 /* bytes of text; string output is fine */
#define PORT_LOW    0x504
#define PORT_HIGH   0x508
#define PORT_WHAT   0x50c /* REPORT_... */
#define PORT_EXIT   0x510 /* this vCPU is done: 0 is success */
#define PORT_REBOOT 0x514 /* this vCPU is done with this boot, and wants the next */

#define PORT_TICK 0x518 /* count: the low half of the count */

#define REPORT_CHECKSUM 1 /* sum of the 64-bit words that this vCPU verified, modulo 2^64 */
#define REPORT_BYTES    2 /* how many bytes that were */
#define REPORT_BAD_WORD 3 /* address of a word that did not hold what was written there */

/* convert-storm: the VMM looks at the page at the reported address. */
#define REPORT_PRIVATE  4 /* must not be the guest's content that it sees */
#define REPORT_SHARED   5 /* must be; the VMM then writes its own */
#define REPORT_BAD_CALL 6 /* what a hypercall answered that should have been 0 */

#define TICK_EVERY 100000 /* count: from one tick to the next */

#define STORM_SIZE            0x1000000 /* the most of RAM that is converted, from its beginning */
#define STORM_BLOCK           0x200000  /* its first block is dealt out to the vCPUs page by page */
#define STORM_ROUNDS          2         /* how often there and back */
#define STORM_CONTESTED_PAGES 16        /* behind that block: all vCPUs convert and touch them */
#define STORM_CONTESTS        100       /* how often, each */
#define STORM_SAMPLE          0x40000 /* the VMM looks at a page of so many bytes of a large range */
#define STORM_SEED_PRIVATE    1       /* contents: what is written depends on address and seed */
#define STORM_SEED_SHARED     2
#define STORM_SEED_HOST       3

#endif
