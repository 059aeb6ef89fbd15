/* SPDX-License-Identifier: MIT */
/* What a command is allowed, and how it gives up what it does not need. */
#ifndef PRIVILEGE_H
#define PRIVILEGE_H

/* Gives up all capabilities but the one that writes files of others, or that one too. Without libcap
 * nothing is given up. */
void privilege_keep_writing(void);
void privilege_drop_all(void);

/* "user 1000 without CAP_DAC_OVERRIDE": who this process is. */
struct privilege_text {
	char text[96];
};
struct privilege_text privilege_text(void);

#endif
