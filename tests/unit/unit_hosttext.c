/* SPDX-License-Identifier: MIT */
/* The texts of /proc and /sys, well-formed and not. */
#include "gmem_test.h"
#include "hosttext.h"

static bool number(const char *text, uint64_t *ret)
{
	return gmi_text_number(text, strlen(text), ret);
}

static void text_number(struct gt *t)
{
	uint64_t value = 7;

	EXPECT("number", number("0", &value), true);
	EXPECT("number", (int64_t)value, 0);
	EXPECT("number", number("1024\n", &value), true);
	EXPECT("number", (int64_t)value, 1024);
	EXPECT("largest", number("18446744073709551615", &value), true);
	EXPECT("largest", value == UINT64_MAX, true);
	value = 7;
	EXPECT("too large", number("18446744073709551616", &value), false);
	EXPECT("word", number("max\n", &value), false);
	EXPECT("negative", number("-1", &value), false);
	EXPECT("empty", number("", &value), false);
	EXPECT("untouched on failure", (int64_t)value, 7);
	EXPECT("not past the end", gmi_text_number("123", 2, &value), true);
	EXPECT("not past the end", (int64_t)value, 12);
}

static void text_list(struct gt *t)
{
	static const struct {
		const char *text;
		bool is_list;
		uint64_t words[2];
	} lists[] = {
		{"0\n", true, {1, 0}},
		{"0-3,8\n", true, {0x10f, 0}},
		{"62-65", true, {UINT64_C(3) << 62, 3}},
		{"0-127", true, {UINT64_MAX, UINT64_MAX}},
		{"\n", true, {0, 0}},
		{"", true, {0, 0}},
		{"128", false, {0, 0}},
		{"3-1", false, {0, 0}},
		{"1-", false, {0, 0}},
		{"-1", false, {0, 0}},
		{"1;2", false, {0, 0}},
		{"x", false, {0, 0}},
		{"0-18446744073709551615", false, {0, 0}},
		{"0-99999999999999999999", false, {0, 0}},
	};
	uint64_t words[2];

	for (size_t i = 0; i < GT_COUNT(lists); i++) {
		EXPECT_CASE("list", lists[i].text,
			    gmi_text_list(lists[i].text, strlen(lists[i].text), words, 2),
			    lists[i].is_list);
		if (lists[i].is_list)
			EXPECT_CASE("bits", lists[i].text,
				    memcmp(words, lists[i].words, sizeof(words)), 0);
	}
}

static void text_bits(struct gt *t)
{
	const uint64_t words[2] = {UINT64_C(1) << 63, 1};
	uint64_t index = 0;

	EXPECT("set", gmi_bit_is_set(words, 2, 63), true);
	EXPECT("clear", gmi_bit_is_set(words, 2, 62), false);
	EXPECT("beyond", gmi_bit_is_set(words, 2, 128), false);
	EXPECT("next", gmi_bit_next(words, 2, 0, &index), true);
	EXPECT("next", (int64_t)index, 63);
	EXPECT("next", gmi_bit_next(words, 2, 64, &index), true);
	EXPECT("next", (int64_t)index, 64);
	EXPECT("none", gmi_bit_next(words, 2, 65, &index), false);
	EXPECT("none", gmi_bit_next(words, 2, 1000, &index), false);
}

static void text_field(struct gt *t)
{
	static const char meminfo[] = "MemTotal:       24683656 kB\nMemFree:\t23238868 kB\nOdd\n"
				      "Node 1 MemFree:   12 kB\nLast: 5";
	const char *rest;
	size_t size;
	uint64_t value = 0;

	EXPECT("field", gmi_text_field(meminfo, strlen(meminfo), "MemFree:", &value), true);
	EXPECT("field", (int64_t)value, 23238868);
	EXPECT("field", gmi_text_field(meminfo, strlen(meminfo), "Node 1 MemFree:", &value), true);
	EXPECT("field", (int64_t)value, 12);
	EXPECT("field", gmi_text_field(meminfo, strlen(meminfo), "Last:", &value), true);
	EXPECT("field", (int64_t)value, 5);
	EXPECT("no number", gmi_text_field(meminfo, strlen(meminfo), "Odd", &value), false);
	EXPECT("inside a line", gmi_text_field(meminfo, strlen(meminfo), "Total:", &value), false);
	EXPECT("cut short", gmi_text_field(meminfo, 5, "MemTotal:", &value), false);
	EXPECT("line", gmi_text_line(meminfo, strlen(meminfo), "MemTotal:", &rest, &size), true);
	EXPECT("line", (int64_t)size, (int64_t)strlen("24683656 kB"));
}

static void text_sizes(struct gt *t)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = {
		{0, "0"},
		{1023, "1023"},
		{4096, "4K"},
		{UINT64_C(1) << 21, "2M"},
		{UINT64_C(1) << 30, "1G"},
		{UINT64_C(3) << 29, "1.5G"},
		{(UINT64_C(1) << 30) - 1, "1023.9M"},
		{UINT64_C(1536) << 30, "1.5T"},
		{UINT64_MAX, "15.9E"},
	};

	for (size_t i = 0; i < GT_COUNT(sizes); i++)
		EXPECT_CASE("size", sizes[i].text,
			    strcmp(gmi_size_text(sizes[i].bytes).text, sizes[i].text), 0);
}

static const struct gt_test tests[] = {
	{"text_number", text_number, .flags = GT_NO_KERNEL},
	{"text_list", text_list, .flags = GT_NO_KERNEL},
	{"text_bits", text_bits, .flags = GT_NO_KERNEL},
	{"text_field", text_field, .flags = GT_NO_KERNEL},
	{"text_sizes", text_sizes, .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
