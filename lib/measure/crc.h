/* SPDX-License-Identifier: MIT */
/* CRC-32 as in IEEE 802.3. */
#ifndef GMI_CRC_H
#define GMI_CRC_H

#include <stdint.h>

/* Continues @crc, 0 at the beginning, with @size bytes. */
uint32_t gmi_crc32(uint32_t crc, const uint8_t *bytes, uint64_t size);

#endif
