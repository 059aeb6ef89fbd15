/* SPDX-License-Identifier: MIT */
/* Writes IGVM files for tests, good ones and others. */
#ifndef GT_IGVM_FILE_H
#define GT_IGVM_FILE_H

#include <stddef.h>
#include <stdint.h>

#define IGVM_DATA 0x4000 /* where data pages begin */
#define IGVM_SIZE 0x14000

/* A file under construction: headers grow up from behind the fixed header, data pages from IGVM_DATA. */
struct igvm_file {
	_Alignas(4096) uint8_t bytes[IGVM_SIZE];
	uint32_t first; /* where the variable headers begin */
	uint32_t end;   /* of the headers so far */
	uint32_t data;  /* end of the data so far */
};

void igvm_begin(struct igvm_file *file, uint32_t version);
/* Fills the fixed header in, checksum included. */
void igvm_end(struct igvm_file *file);

/* One header with its padding; returns where its content begins. */
uint32_t igvm_header(struct igvm_file *file, uint32_t type, const void *content, uint32_t size);

/* A page of data filled with @value; returns its offset. */
uint32_t igvm_data(struct igvm_file *file, uint8_t value);

void igvm_platform(struct igvm_file *file, uint32_t mask, uint8_t type);
void igvm_policy(struct igvm_file *file, uint64_t policy, uint32_t mask);
uint32_t igvm_page(struct igvm_file *file, uint64_t gpa, uint32_t mask, uint32_t offset,
		   uint32_t flags, uint16_t type);
void igvm_area(struct igvm_file *file, uint64_t size, uint32_t index, uint32_t offset);
void igvm_parameter(struct igvm_file *file, uint32_t type, uint32_t index, uint32_t offset);
void igvm_insert(struct igvm_file *file, uint64_t gpa, uint32_t mask, uint32_t index);
void igvm_vp_context(struct igvm_file *file, uint64_t gpa, uint32_t mask, uint32_t offset,
		     uint16_t vcpu);

#endif
