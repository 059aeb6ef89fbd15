/* SPDX-License-Identifier: MIT */
/* CRC-64/XZ: the polynomial of ECMA-182, reflected. */
#ifndef GMI_CRC64_H
#define GMI_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* The check of @size bytes. That of "123456789" is 0x995dc9bbdf1939fa. */
uint64_t gmi_crc64(const void *data, size_t size);

#endif
