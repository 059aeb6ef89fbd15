/* SPDX-License-Identifier: MIT */
/* What a command is allowed, and how it gives up what it does not need. */
#include "privilege.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#ifdef HAVE_LIBCAP
#include <sys/capability.h>

static bool has_writing(void)
{
	cap_flag_value_t value = CAP_CLEAR;
	cap_t caps = cap_get_proc();

	if (caps)
		cap_get_flag(caps, CAP_DAC_OVERRIDE, CAP_PERMITTED, &value);
	cap_free(caps);
	return value == CAP_SET;
}

/* A process may always have less. What fails leaves it with what it has. */
static void keep(bool writing)
{
	static const cap_value_t write_files = CAP_DAC_OVERRIDE;
	cap_t caps = cap_init();

	if (!caps)
		return;
	if (writing && has_writing()) {
		cap_set_flag(caps, CAP_PERMITTED, 1, &write_files, CAP_SET);
		cap_set_flag(caps, CAP_EFFECTIVE, 1, &write_files, CAP_SET);
	}
	if (cap_set_proc(caps) < 0)
		perror("gmemctl: capabilities cannot be given up");
	cap_free(caps);
}

struct privilege_text privilege_text(void)
{
	struct privilege_text text;

	snprintf(text.text, sizeof(text.text), "user %u with%s CAP_DAC_OVERRIDE", geteuid(),
		 has_writing() ? "" : "out");
	return text;
}
#else
static void keep(bool writing)
{
}

struct privilege_text privilege_text(void)
{
	struct privilege_text text;

	snprintf(text.text, sizeof(text.text), "user %u, capabilities unknown without libcap",
		 geteuid());
	return text;
}
#endif

void privilege_keep_writing(void)
{
	keep(true);
}

void privilege_drop_all(void)
{
	keep(false);
}
