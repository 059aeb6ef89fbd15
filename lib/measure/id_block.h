/* SPDX-License-Identifier: MIT */
/* Layouts of the SNP ID block and the ID authentication page (AMD 56860). */
#ifndef GMI_ID_BLOCK_H
#define GMI_ID_BLOCK_H

/* The ID block. */
enum {
	GMI_ID_DIGEST = 0,
	GMI_ID_FAMILY = 48,
	GMI_ID_IMAGE = 64,
	GMI_ID_VERSION = 80,
	GMI_ID_SVN = 84,
	GMI_ID_POLICY = 88,
};

/* The ID authentication page. */
enum {
	GMI_AUTH_ID_ALGORITHM = 0,
	GMI_AUTH_AUTHOR_ALGORITHM = 4,
	GMI_AUTH_BLOCK_SIGNATURE = 0x40,
	GMI_AUTH_ID_KEY = 0x240,
	GMI_AUTH_KEY_SIGNATURE = 0x680,
	GMI_AUTH_AUTHOR_KEY = 0x880,
};

/* A number in a key or signature: little-endian, zero-extended from 48 bytes. */
#define GMI_ID_NUMBER_SIZE 72
#define GMI_ID_NUMBER_USED 48

/* In a key: u32 curve, x, y. */
#define GMI_ID_KEY_X 4
#define GMI_ID_KEY_Y 76

/* In a signature: r, s. */
#define GMI_ID_SIGNATURE_S    72
#define GMI_ID_SIGNATURE_SIZE 512

#define GMI_ID_BLOCK_VERSION 1
#define GMI_ID_ECDSA_P384    1
#define GMI_ID_CURVE_P384    2

#endif
