/* SPDX-License-Identifier: MIT */
/* The record of a thread's last failure: how the library fills what gmem_errinfo() shows. */
#ifndef GMI_ERRINFO_H
#define GMI_ERRINFO_H

#include <libgmem/error.h>

/*
 * Whoever decides that a public call fails describes the failure once, on the way out:
 *
 *	gmi_error_arg("size", "%#llx is not a multiple of 4096", size);
 *	return gmi_at_gpa(gpa, size);
 *
 * and the public function ends with gmi_result(__func__, ret), which adds its name. Steps that are
 * undone or have a fallback say nothing, so that a call that succeeds leaves the record alone.
 */

/* Starts a record. Each returns the error, so that it can be returned at once. */
__attribute__((format(printf, 2, 3))) int gmi_error(int error, const char *message, ...);

/* -EINVAL for the argument or struct member @arg. */
__attribute__((format(printf, 2, 3))) int gmi_error_arg(const char *arg, const char *message, ...);

/* @error as the kernel gave it to @call; the message goes on with the error's name. */
__attribute__((format(printf, 3, 4))) int gmi_error_call(int error, const char *call,
							 const char *message, ...);

/* -EOPNOTSUPP because of a missing enum gmem_feature. */
__attribute__((format(printf, 2, 3))) int gmi_error_feature(uint32_t feature, const char *message,
							    ...);

/* -ENOMEM of libgmem's own allocator. */
int gmi_error_memory(void);

/* Adds numbers to the record just started, and returns its error. */
int gmi_at_gpa(uint64_t gpa, uint64_t size);
int gmi_at_offset(uint64_t offset, uint64_t size);
int gmi_at_slot(uint32_t slot_id);
int gmi_at_arg(const char *arg);
int gmi_at_fw(uint64_t fw_error);

/* Keeps the record of a public function's failure for the one that called it: returns @ret. */
int gmi_error_inherit(int ret);

/* Ends a public function: names it in the record where @ret is an error. Returns @ret. */
int gmi_result(const char *op, int ret);

/* Puts a record back that was copied before steps that made records of their own. */
void gmi_errinfo_restore(const struct gmem_errinfo *saved);

/* "ENOMEM" for -ENOMEM; "an unnamed error" for codes that libgmem has no name for. */
const char *gmi_error_name(int error);

#endif
