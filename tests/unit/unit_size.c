/* SPDX-License-Identifier: MIT */
/* Sizes as people write them, to gmemctl. */
#include "gmem_test.h"
#include "size.h"

#define K UINT64_C(1024)
#define M (K * K)
#define G (M * K)
#define T (G * K)

static void parse(struct gt *t)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} right[] = {
		{"0", 0},
		{"4096", 4096},
		{"4096B", 4096},
		{"512M", 512 * M},
		{"512m", 512 * M},
		{"64G", 64 * G},
		{"64GB", 64 * G},
		{"64GiB", 64 * G},
		{"1T", T},
		{"1.5T", T + T / 2},
		{"0.5G", 512 * M},
		{"3.25K", 3 * K + 256},
		{"2P", 2048 * T},
		{"15E", UINT64_C(15) << 60},
		{"18446744073709551615", UINT64_MAX},
	};
	static const char *const wrong[] = {
		"",
		"M",
		"-1",
		"+1",
		" 1G",
		"1G ",
		"1 G",
		"1X",
		"1GX",
		"1Gi",
		"1iB",
		"1..5G",
		"1.G",
		".5G",
		"1,5G",
		"0x10",
		"1.3",
		"1.3K",
		"16E",
		"1e9",
		"18446744073709551616",
		"17179869184G",
	};
	uint64_t bytes;

	for (size_t i = 0; i < GT_COUNT(right); i++) {
		bytes = 7;
		EXPECT_CASE("a size", right[i].text, size_parse(right[i].text, &bytes), true);
		EXPECT_CASE("bytes", right[i].text, (int64_t)bytes, (int64_t)right[i].bytes);
	}
	for (size_t i = 0; i < GT_COUNT(wrong); i++) {
		bytes = 7;
		EXPECT_CASE("no size", wrong[i], size_parse(wrong[i], &bytes), false);
		EXPECT_CASE("untouched", wrong[i], (int64_t)bytes, 7);
	}
}

static void text(struct gt *t)
{
	EXPECT("bytes", strcmp(size_text(1023).text, "1023"), 0);
	EXPECT("whole", strcmp(size_text(64 * G).text, "64G"), 0);
	EXPECT("a half", strcmp(size_text(T + T / 2).text, "1.5T"), 0);
	EXPECT("largest", strcmp(size_text(UINT64_MAX).text, "16.0E"), 0);
}

static const struct gt_test tests[] = {
	{"parse", parse, .flags = GT_NO_KERNEL},
	{"text", text, .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
