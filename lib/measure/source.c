/* SPDX-License-Identifier: MIT */
/* Reads the contents of a step; the one place of libgmem-measure that calls the kernel. */
#include "source.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int read_file(const struct gmem_launch_step *step, uint64_t offset, uint64_t size,
		     uint8_t *scratch, struct gmem_measure_error *error)
{
	uint64_t done = 0;

	while (done < size) {
		ssize_t n = pread(step->fd, scratch + done, size - done,
				  (off_t)(step->offset + offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gmi_fail(error, EIO, step->offset + offset + done,
					"%s cannot be read: errno %d",
					step->label ? step->label : "the file", errno);
		if (n == 0)
			return gmi_fail(error, EIO, step->offset + offset + done, "%s is too short",
					step->label ? step->label : "the file");
		done += (uint64_t)n;
	}
	return 0;
}

int gmi_source_get(const struct gmem_launch_step *step, uint64_t offset, uint64_t size,
		   uint8_t *scratch, const uint8_t **ret_bytes, struct gmem_measure_error *error)
{
	if (step->bytes) {
		*ret_bytes = (const uint8_t *)step->bytes + offset;
		return 0;
	}
	*ret_bytes = scratch;
	if (step->flags & GMEM_LAUNCH_FILE)
		return read_file(step, offset, size, scratch, error);
	memset(scratch, 0, size);
	return 0;
}
