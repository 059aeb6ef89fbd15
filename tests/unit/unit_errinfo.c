/* SPDX-License-Identifier: MIT */
/* The record of failures: what it says, whose it is, and when it is left alone. */
#include <pthread.h>

#include "errinfo.h"
#include "gmem_test.h"

static int fail_plainly(void)
{
	return gmi_result("gmem_test_plain", gmi_error(-EEXIST, "at %d", 7));
}

static void before_any_failure(struct gt *t)
{
	const struct gmem_errinfo *info = gmem_errinfo();

	EXPECT("error", info->error, 0);
	EXPECT("size", (int64_t)info->sz, (int64_t)sizeof(*info));
	EXPECT("message", strcmp(info->message, "no error"), 0);
}

static void a_refusal(struct gt *t)
{
	const struct gmem_errinfo *info = gmem_errinfo();

	EXPECT("returned", fail_plainly(), -EEXIST);
	EXPECT("error", info->error, -EEXIST);
	EXPECT("op", strcmp(info->op, "gmem_test_plain"), 0);
	EXPECT("message", strcmp(info->message, "at 7"), 0);
	EXPECT("valid", info->valid, 0);
	EXPECT("no argument", !info->arg, true);
	EXPECT("no call", !info->call, true);
}

static void a_bad_argument(struct gt *t)
{
	const struct gmem_errinfo *info = gmem_errinfo();

	gmi_error_arg("size", "too large");
	EXPECT("returned", gmi_result("gmem_test_arg", gmi_at_gpa(0x1000, 0x2000)), -EINVAL);
	EXPECT("argument", strcmp(info->arg, "size"), 0);
	EXPECT("valid", info->valid, GMEM_ERR_GPA | GMEM_ERR_SIZE);
	EXPECT("gpa", (int64_t)info->gpa, 0x1000);
	EXPECT("size", (int64_t)info->size, 0x2000);
}

static void a_failed_call(struct gt *t)
{
	const struct gmem_errinfo *info = gmem_errinfo();
	int ret = gmi_error_call(-ENOMEM, "mmap", "no mapping");

	EXPECT("returned", gmi_result("gmem_test_call", ret), -ENOMEM);
	EXPECT("call", strcmp(info->call, "mmap"), 0);
	EXPECT("message", strcmp(info->message, "no mapping (mmap: ENOMEM)"), 0);
}

static void a_missing_feature(struct gt *t)
{
	const struct gmem_errinfo *info = gmem_errinfo();

	gmi_error_feature(3, "none");
	EXPECT("returned", gmi_result("gmem_test_feature", gmi_at_slot(9)), -EOPNOTSUPP);
	EXPECT("valid", info->valid, GMEM_ERR_FEATURE | GMEM_ERR_SLOT);
	EXPECT("feature", info->feature, 3);
	EXPECT("slot", info->slot_id, 9);
}

static void nothing_of_the_last_failure_is_left(struct gt *t)
{
	const struct gmem_errinfo *info = gmem_errinfo();

	a_bad_argument(t);
	fail_plainly();
	EXPECT("argument", !info->arg, true);
	EXPECT("valid", info->valid, 0);
	EXPECT("gpa", (int64_t)info->gpa, 0);
}

static void success_leaves_the_record_alone(struct gt *t)
{
	fail_plainly();
	EXPECT("returned", gmi_result("gmem_test_other", 5), 5);
	EXPECT("op", strcmp(gmem_errinfo()->op, "gmem_test_plain"), 0);
}

/* Whoever fails without a record must not be blamed for an older failure, of the same code or not.
 * */
static void an_old_record_is_not_taken_for_a_new_one(struct gt *t)
{
	const struct gmem_errinfo *info = gmem_errinfo();

	fail_plainly();
	EXPECT("returned", gmi_result("gmem_test_late", -EEXIST), -EEXIST);
	EXPECT("op", strcmp(info->op, "gmem_test_late"), 0);
	EXPECT("message", strcmp(info->message, gmem_strerror(-EEXIST)), 0);
	gmi_error(-EBUSY, "of a step that was undone");
	EXPECT("returned", gmi_result("gmem_test_late", -ENOMEM), -ENOMEM);
	EXPECT("error", info->error, -ENOMEM);
	EXPECT("message", strcmp(info->message, gmem_strerror(-ENOMEM)), 0);
}

static void a_long_message_is_cut(struct gt *t)
{
	char text[1000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	gmi_error_call(-ENOMEM, "mmap", "%s", text);
	EXPECT("length", (int64_t)strlen(gmem_errinfo()->message),
	       (int64_t)sizeof(gmem_errinfo()->message) - 1);
}

static void *fail_elsewhere(void *ret_info)
{
	gmi_result("gmem_test_thread", gmi_error(-EBUSY, "elsewhere"));
	*(const struct gmem_errinfo **)ret_info = gmem_errinfo();
	return NULL;
}

static void each_thread_has_its_own(struct gt *t)
{
	const struct gmem_errinfo *other = NULL;
	pthread_t thread;

	fail_plainly();
	MUST(!pthread_create(&thread, NULL, fail_elsewhere, &other));
	MUST(!pthread_join(thread, NULL));
	EXPECT("another record", other != gmem_errinfo(), true);
	EXPECT("mine", gmem_errinfo()->error, -EEXIST);
}

static void every_code_has_words(struct gt *t)
{
	static const int raised[] = {EINVAL, E2BIG, EOPNOTSUPP, EXDEV,    EEXIST, EBUSY,
				     EAGAIN, EINTR, ENOENT,     ENOSPC,   ENOMEM, EPERM,
				     EACCES, EIO,   ESTALE,     EHWPOISON};
	const char *foreign = gmem_strerror(-ENOTTY);

	for (size_t i = 0; i < GT_COUNT(raised); i++) {
		EXPECT("meaning", strcmp(gmem_strerror(-raised[i]), foreign) != 0, true);
		EXPECT("name", gmi_error_name(-raised[i])[0], 'E');
	}
	EXPECT("success", strcmp(gmem_strerror(0), "success"), 0);
	EXPECT("foreign", strcmp(gmem_strerror(-9999), foreign), 0);
	EXPECT("positive", strcmp(gmem_strerror(EINVAL), foreign), 0);
}

static const struct gt_test tests[] = {
	{"before_any_failure", before_any_failure, .flags = GT_NO_KERNEL},
	{"a_refusal", a_refusal, .flags = GT_NO_KERNEL},
	{"a_bad_argument", a_bad_argument, .flags = GT_NO_KERNEL},
	{"a_failed_call", a_failed_call, .flags = GT_NO_KERNEL},
	{"a_missing_feature", a_missing_feature, .flags = GT_NO_KERNEL},
	{"nothing_of_the_last_failure_is_left", nothing_of_the_last_failure_is_left,
	 .flags = GT_NO_KERNEL},
	{"success_leaves_the_record_alone", success_leaves_the_record_alone, .flags = GT_NO_KERNEL},
	{"an_old_record_is_not_taken_for_a_new_one", an_old_record_is_not_taken_for_a_new_one,
	 .flags = GT_NO_KERNEL},
	{"a_long_message_is_cut", a_long_message_is_cut, .flags = GT_NO_KERNEL},
	{"each_thread_has_its_own", each_thread_has_its_own, .flags = GT_NO_KERNEL},
	{"every_code_has_words", every_code_has_words, .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
