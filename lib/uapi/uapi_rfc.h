/* SPDX-License-Identifier: MIT */
/* Interfaces around guest_memfd that no Linux release has, by generation. */
#ifndef GMI_UAPI_RFC_H
#define GMI_UAPI_RFC_H

#include <stdint.h>

/*
 * GMI_NEXT_ is queued for a release, GMI_RFC_<series><generation>_ was only posted. A number here
 * means this only on a kernel of that generation: releases and other series reuse it. 0xc040aed5
 * is also the merged KVM_PRE_FAULT_MEMORY (on a vCPU fd), and 0xc040aed6 is claimed twice below.
 */

/*
 * In-place conversion as queued for 7.4: kvm-x86 in linux-next, September 2026, base commit
 * 799c9fadc639. Not in 7.3. The ioctl is for the guest_memfd fd only.
 */
#define GMI_NEXT_SET_MEMORY_ATTRIBUTES2            0xc080aed2u /* 7.4 expected */
#define GMI_NEXT_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES 252         /* 7.4 expected */

/* @flags and @reserved must be 0. @error_offset is written only with EAGAIN and ENOMEM. */
struct gmi_next_memory_attributes2 {
	uint64_t offset;
	uint64_t size;
	uint64_t attributes;
	uint64_t flags;
	uint64_t error_offset;
	uint64_t reserved[11];
};

/*
 * Earlier postings of in-place conversion. From RFC v2 on the ioctl and the struct's size are those
 * queued; the capability numbers moved.
 */

/* RFC v1, 2025-10-17, cover.1760731772.git.ackerleytng@google.com; on VM and guest_memfd fds. */
#define GMI_RFC_INPLACE1_SET_MEMORY_ATTRIBUTES2            0xc040aed6u /* unmerged */
#define GMI_RFC_INPLACE1_CAP_MEMORY_ATTRIBUTES2            245         /* unmerged */
#define GMI_RFC_INPLACE1_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES 246         /* unmerged */

struct gmi_rfc_inplace1_attrs2 {
	uint64_t offset;
	uint64_t size;
	uint64_t attributes;
	uint64_t flags;
	uint64_t error_offset;
	uint64_t reserved[3];
};

/* RFC v2, 2026-02-02, cover.1770071243.git.ackerleytng@google.com; numbers by inference. */
#define GMI_RFC_INPLACE2_CAP_MEMORY_ATTRIBUTES2            247 /* unmerged */
#define GMI_RFC_INPLACE2_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES 248 /* unmerged */

/* RFC v3, 2026-03-13, 20260313-gmem-inplace-conversion-v3-0-5fc12a70ec89@google.com; not verified.
 */
#define GMI_RFC_INPLACE3_CAP_MEMORY_ATTRIBUTES2            248 /* unmerged */
#define GMI_RFC_INPLACE3_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES 249 /* unmerged */

/*
 * RFC v4, 2026-03-26, 20260326-gmem-inplace-conversion-v4-0-e202fe950ffd@google.com. The only one
 * with RFC v5 that has content modes in @flags; 0 leaves the contents undefined.
 */
#define GMI_RFC_INPLACE4_CAP_MEMORY_ATTRIBUTES2            248         /* unmerged */
#define GMI_RFC_INPLACE4_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES 249         /* unmerged */
#define GMI_RFC_INPLACE4_CAP_MEMORY_ATTRIBUTES2_FLAGS      250         /* unmerged */
#define GMI_RFC_INPLACE4_FLAG_ZERO                         (1ull << 0) /* unmerged */
#define GMI_RFC_INPLACE4_FLAG_PRESERVE                     (1ull << 1) /* unmerged */

/* v7, 2026-05-22, 20260522-gmem-inplace-conversion-v7-0-2f0fae496530@google.com. */
#define GMI_RFC_INPLACE7_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES 249 /* unmerged */

/* v8, 2026-06-18, 20260618-gmem-inplace-conversion-v8-0-9d2959357853@google.com. */
#define GMI_RFC_INPLACE8_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES 250 /* unmerged */

/*
 * A second file on the inode of another VM's guest_memfd; asked of the new VM. Neither generation
 * has a capability. RFC v1: 2023-08-07, cover.1691446946.git.ackerleytng@google.com. RFC v2:
 * 2025-05-16, cover.1747368092.git.afranji@google.com.
 */
#define GMI_RFC_LINK1_LINK_GUEST_MEMFD 0xc040aed5u /* unmerged */
#define GMI_RFC_LINK2_LINK_GUEST_MEMFD 0xc040aed6u /* unmerged */

/* Both generations. @flags must be 0; RFC v2 does not read @reserved. */
struct gmi_rfc_link_guest_memfd {
	uint64_t fd;
	uint64_t flags;
	uint64_t reserved[6];
};

/*
 * 1G pages, RFC v2: 2025-05-14, cover.1747264138.git.ackerleytng@google.com. Conversion is asked of
 * the guest_memfd fd. Flag bits 0 and 1 mean something else in every release since 6.18.
 */
#define GMI_RFC_HUGE2_CONVERT_SHARED      0xc040af41u /* unmerged */
#define GMI_RFC_HUGE2_CONVERT_PRIVATE     0xc040af42u /* unmerged */
#define GMI_RFC_HUGE2_CAP_GMEM_SHARED_MEM 240         /* unmerged */
#define GMI_RFC_HUGE2_CAP_GMEM_CONVERSION 241         /* unmerged */
#define GMI_RFC_HUGE2_CAP_GMEM_HUGETLB    242         /* unmerged */
#define GMI_RFC_HUGE2_FLAG_SUPPORT_SHARED (1ull << 0) /* unmerged */
#define GMI_RFC_HUGE2_FLAG_INIT_PRIVATE   (1ull << 1) /* unmerged; with SUPPORT_SHARED only */
#define GMI_RFC_HUGE2_FLAG_HUGETLB        (1ull << 2) /* unmerged */

/* log2 of the page size in the flags' top bits, 14 to 34; 0 is the host's default huge page. */
#define GMI_RFC_HUGE2_SIZE_SHIFT 58            /* unmerged */
#define GMI_RFC_HUGE2_SIZE_MASK  0x3full       /* unmerged */
#define GMI_RFC_HUGE2_SIZE_2MB   (21ull << 58) /* unmerged */
#define GMI_RFC_HUGE2_SIZE_1GB   (30ull << 58) /* unmerged */

struct gmi_rfc_huge2_convert {
	uint64_t offset;
	uint64_t size;
	uint64_t error_offset;
	uint64_t reserved[5];
};

/*
 * 1G pages, the working tree of 2025-12-08. A flag in KVM_CAP_GUEST_MEMFD_FLAGS and a u8 page order
 * in the creation struct's reserved area; which bit and which byte is not known to us.
 */
#define GMI_RFC_HUGEWIP_PAGE_ORDER_2M 9  /* unmerged */
#define GMI_RFC_HUGEWIP_PAGE_ORDER_1G 18 /* unmerged */

/* The maintainer's sketch in reply to RFC v2: a flag, and the size as the first reserved byte. */
#define GMI_RFC_HUGESKETCH_FLAG_HUGE_PAGES (1ull << 2) /* unmerged */

struct gmi_rfc_hugesketch_create_guest_memfd {
	uint64_t size;
	uint64_t flags;
	uint8_t huge_page_size_log2;
	uint8_t reserved[47];
};

/* Other claims on creation flags, slot flags and capabilities; declared to be refused, not used. */
#define GMI_RFC_NODIRECTMAP5_FLAG       (1ull << 1) /* unmerged; v5, v6 of 2025 */
#define GMI_RFC_NODIRECTMAP5_CAP        245         /* unmerged */
#define GMI_RFC_NODIRECTMAP8_FLAG       (1ull << 2) /* unmerged; v8 to v12 */
#define GMI_RFC_WRITE_FLAG              (1ull << 2) /* unmerged; 2025 */
#define GMI_RFC_USERFAULT_MEM_FLAG      (1u << 3)   /* unmerged; June 2025 */
#define GMI_RFC_USERFAULT_BITMAP_OFFSET 48          /* unmerged; in gmi_kvm_region2 */
#define GMI_RFC_USERFAULT1_ATTRIBUTE    (1ull << 4) /* unmerged; first RFC */
#define GMI_RFC_USERFAULT1_CAP          236         /* unmerged */
#define GMI_RFC_USERFAULT_CAP_239       239         /* unmerged */
#define GMI_RFC_USERFAULT_CAP_240       240         /* unmerged */
#define GMI_RFC_USERFAULT_CAP           243         /* unmerged; June 2025 */
#define GMI_RFC_GUEST_MEMFD_MMAP_CAP    244         /* unmerged; answered 1 */

/* Confidential guests. */
#define GMI_RFC_SNP_HV_REPORT_REQ  104 /* unmerged; SEV command */
#define GMI_RFC_EXIT_SNP_REQ_CERTS 42  /* unmerged; merged as 43 */

/* 2025-07-29, 20250729193341.621487-6-seanjc@google.com; a word in the reserved area. */
#define GMI_RFC_TDX_TERMINATE_VM          6           /* unmerged; VM fd */
#define GMI_RFC_TDX_SUPPORTED_CAPS_OFFSET 48          /* unmerged; in gmi_kvm_tdx_capabilities */
#define GMI_RFC_TDX_CAP_TERMINATE_VM      (1ull << 0) /* unmerged */

#endif
