/* SPDX-License-Identifier: MIT */
/* The numbers of memory management that the headers of older systems lack. */
#ifndef GMI_UAPI_MM_H
#define GMI_UAPI_MM_H

/* Advice for madvise(2). */
#define GMI_MADV_POPULATE_READ  22 /* 5.14 */
#define GMI_MADV_POPULATE_WRITE 23 /* 5.14 */

/* memfd_create(2): huge pages, and log2 of their size in the top bits. */
#define GMI_MFD_HUGETLB    0x0004u /* 4.14 */
#define GMI_MFD_HUGE_SHIFT 26      /* 4.16 */

#endif
