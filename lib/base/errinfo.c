/* SPDX-License-Identifier: MIT */
/* The record of a thread's last failure, and the words for error codes. */
#include "errinfo.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct gmem_errinfo no_error = {
	.sz = sizeof(struct gmem_errinfo),
	.message = "no error",
};

/* The library's only thread-local and only writable variable. */
static _Thread_local struct gmem_errinfo record = {
	.sz = sizeof(struct gmem_errinfo),
	.message = "no error",
};

struct error_word {
	int error;
	const char *name;
	const char *meaning; /* NULL where libgmem does not raise the code itself */
};

static const struct error_word error_words[] = {
	{EINVAL, "EINVAL", "an argument breaks a documented rule"},
	{E2BIG, "E2BIG", "a struct carries a value that this library does not know"},
	{EOPNOTSUPP, "EOPNOTSUPP", "this kernel, build or type of VM cannot do it"},
	{EXDEV, "EXDEV", "the objects do not belong together"},
	{EEXIST, "EEXIST", "the range is bound already"},
	{EBUSY, "EBUSY", "the memslot id is taken, or the object is in use"},
	{EAGAIN, "EAGAIN", "not possible at this moment; trying again is right"},
	{EINTR, "EINTR", "a signal arrived; trying again is right"},
	{ENOENT, "ENOENT", "nothing is there"},
	{ENOSPC, "ENOSPC", "no memslot id or huge page is left"},
	{ENOMEM, "ENOMEM", "out of memory"},
	{EPERM, "EPERM", "a permission is missing"},
	{EACCES, "EACCES", "a permission is missing"},
	{EIO, "EIO", "the firmware refused, or the VM is dead"},
	{ESTALE, "ESTALE", "the VM is dead, or the object belongs to an earlier VM"},
	{EHWPOISON, "EHWPOISON", "the range has a poisoned page"},
	{ECANCELED, "ECANCELED", "the caller cancelled it"},
	{ETIMEDOUT, "ETIMEDOUT", "the caller's time was up"},
	{ENOTRECOVERABLE, "ENOTRECOVERABLE", "it failed half-way, and so did the way back"},
	{EPROTO, "EPROTO", "the peer said what it must not, or what cannot be"},
	{ECONNRESET, "ECONNRESET", "the peer is gone"},
	{EBADF, "EBADF", NULL},
	{EFAULT, "EFAULT", NULL},
	{EFBIG, "EFBIG", NULL},
	{EMFILE, "EMFILE", NULL},
	{ENFILE, "ENFILE", NULL},
	{ENODEV, "ENODEV", NULL},
	{ENOSYS, "ENOSYS", NULL},
	{ENOTTY, "ENOTTY", NULL},
	{ENXIO, "ENXIO", NULL},
	{EROFS, "EROFS", NULL},
	{ESPIPE, "ESPIPE", NULL},
};

static const struct error_word *find_word(int error)
{
	for (size_t i = 0; i < sizeof(error_words) / sizeof(error_words[0]); i++)
		if (error_words[i].error == -error)
			return &error_words[i];
	return NULL;
}

const char *gmi_error_name(int error)
{
	const struct error_word *word = find_word(error);

	return word ? word->name : "an unnamed error";
}

GMEM_API const char *gmem_strerror(int error)
{
	const struct error_word *word = find_word(error);

	if (error == 0)
		return "success";
	if (word && word->meaning)
		return word->meaning;
	return "an error of the kernel that libgmem passes on";
}

void gmi_errinfo_restore(const struct gmem_errinfo *saved)
{
	record = *saved;
}

GMEM_API const struct gmem_errinfo *gmem_errinfo(void)
{
	return &record;
}

static void start(int error, const char *message, va_list args)
{
	record = no_error;
	record.error = error;
	vsnprintf(record.message, sizeof(record.message), message, args);
}

int gmi_error(int error, const char *message, ...)
{
	va_list args;

	va_start(args, message);
	start(error, message, args);
	va_end(args);
	return error;
}

int gmi_error_arg(const char *arg, const char *message, ...)
{
	va_list args;

	va_start(args, message);
	start(-EINVAL, message, args);
	va_end(args);
	return gmi_at_arg(arg);
}

int gmi_error_call(int error, const char *call, const char *message, ...)
{
	size_t used;
	va_list args;

	va_start(args, message);
	start(error, message, args);
	va_end(args);
	record.call = call;
	used = strlen(record.message);
	snprintf(record.message + used, sizeof(record.message) - used, " (%s: %s)", call,
		 gmi_error_name(error));
	return error;
}

int gmi_error_feature(uint32_t feature, const char *message, ...)
{
	va_list args;

	va_start(args, message);
	start(-EOPNOTSUPP, message, args);
	va_end(args);
	record.feature = feature;
	record.valid |= GMEM_ERR_FEATURE;
	return -EOPNOTSUPP;
}

int gmi_error_memory(void)
{
	return gmi_error(-ENOMEM, "out of memory for libgmem's own records");
}

int gmi_at_gpa(uint64_t gpa, uint64_t size)
{
	record.gpa = gpa;
	record.size = size;
	record.valid |= GMEM_ERR_GPA | GMEM_ERR_SIZE;
	return record.error;
}

int gmi_at_offset(uint64_t offset, uint64_t size)
{
	record.offset = offset;
	record.size = size;
	record.valid |= GMEM_ERR_OFFSET | GMEM_ERR_SIZE;
	return record.error;
}

int gmi_at_slot(uint32_t slot_id)
{
	record.slot_id = slot_id;
	record.valid |= GMEM_ERR_SLOT;
	return record.error;
}

int gmi_at_arg(const char *arg)
{
	record.arg = arg;
	return record.error;
}

int gmi_at_fw(uint64_t fw_error)
{
	record.fw_error = fw_error;
	record.valid |= GMEM_ERR_FW;
	return record.error;
}

int gmi_error_inherit(int ret)
{
	if (ret < 0)
		record.op = NULL;
	return ret;
}

/* A record without @op is the one of the failure that is on its way out; any other is old. */
int gmi_result(const char *op, int ret)
{
	if (ret >= 0)
		return ret;
	if (record.op || record.error != ret)
		gmi_error(ret, "%s", gmem_strerror(ret));
	record.op = op;
	return ret;
}
