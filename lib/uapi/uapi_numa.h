/* SPDX-License-Identifier: MIT */
/* The part of the kernel's NUMA policy interface that libgmem speaks. */
#ifndef GMI_UAPI_NUMA_H
#define GMI_UAPI_NUMA_H

/* Modes of mbind(2); flags that get_mempolicy(2) may add stand in the bits above. */
#define GMI_MPOL_DEFAULT    0      /* 2.6.7 */
#define GMI_MPOL_PREFERRED  1      /* 2.6.7 */
#define GMI_MPOL_BIND       2      /* 2.6.7 */
#define GMI_MPOL_INTERLEAVE 3      /* 2.6.7 */
#define GMI_MPOL_MODE_MASK  0x1fff /* 6.9 has the lowest flag, 1 << 13 */

/* Flags of get_mempolicy(2). */
#define GMI_MPOL_F_NODE         (1u << 0) /* 2.6.7 */
#define GMI_MPOL_F_ADDR         (1u << 1) /* 2.6.7 */
#define GMI_MPOL_F_MEMS_ALLOWED (1u << 2) /* 2.6.24 */

/* CONFIG_NODES_SHIFT is at most 10: no kernel has more nodes. */
#define GMI_MAX_NUMNODES 1024

#endif
