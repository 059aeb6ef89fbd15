/* SPDX-License-Identifier: MIT */
/* The arithmetic of preallocation: pieces, and how many workers are worth having. */
#include "gmem_test.h"
#include "prealloc_calibrate.h"
#include "prealloc_split.h"

#define M (UINT64_C(1) << 20)
#define G (UINT64_C(1) << 30)

static void split_piece(struct gt *t)
{
	static const struct {
		uint64_t total, page_size;
		uint32_t workers;
		uint64_t piece;
	} pieces[] = {
		{1024 * G, 4096, 1, 32 * M},    {1024 * G, 4096, 256, 32 * M},
		{1024 * G, 2 * M, 256, 32 * M}, {1024 * G, G, 256, G},
		{G, 4096, 16, 8 * M},           {64 * M, 4096, 2, 4 * M},
		{4096, 4096, 1, 2 * M},         {4096, 4096, 0, 2 * M},
		{16 * M, 4096, 64, 2 * M},
	};

	for (size_t i = 0; i < GT_COUNT(pieces); i++)
		EXPECT("piece",
		       (int64_t)gmi_split_piece(pieces[i].total, pieces[i].page_size,
						pieces[i].workers),
		       (int64_t)pieces[i].piece);
}

/* The pieces of a range follow each other and make up the range. */
static void split_covers(struct gt *t)
{
	static const uint64_t sizes[] = {4096, 2 * M, 2 * M + 4096, 64 * M - 4096, 3 * G};
	struct gmem_range piece;
	uint64_t at;

	for (size_t i = 0; i < GT_COUNT(sizes); i++) {
		at = 0;
		for (uint64_t j = 0; j < gmi_split_count(sizes[i], 2 * M); j++) {
			piece = gmi_split_at(sizes[i], 2 * M, j);
			EXPECT("follows", (int64_t)piece.start, (int64_t)at);
			EXPECT("is not empty", piece.size > 0 && piece.size <= 2 * M, true);
			at += piece.size;
		}
		EXPECT("all of it", (int64_t)at, (int64_t)sizes[i]);
	}
}

static void split_find(struct gt *t)
{
	static const uint64_t firsts[] = {0, 1, 5, 100};
	static const struct {
		uint64_t index;
		size_t at;
	} finds[] = {{0, 0}, {1, 1}, {4, 1}, {5, 2}, {99, 2}, {100, 3}, {1000000, 3}};

	for (size_t i = 0; i < GT_COUNT(finds); i++)
		EXPECT("found", (int64_t)gmi_split_find(firsts, 4, finds[i].index),
		       (int64_t)finds[i].at);
	EXPECT("one run", (int64_t)gmi_split_find(firsts, 1, 7), 0);
}

/* Bytes a second that @workers get done: up to @most together, less where they are in each other's
 * way. */
struct machine {
	uint64_t each;
	uint64_t most;
	unsigned int loss; /* percent that each worker takes from the others' sum */
};

static uint64_t rate_of(const struct machine *machine, uint32_t workers)
{
	uint64_t rate = machine->each * workers;

	rate = rate < machine->most ? rate : machine->most;
	return rate - rate * machine->loss * workers / 100;
}

/* Lets @workers work for a long time, and returns how many are left. */
static uint32_t settle(const struct machine *machine, uint32_t workers)
{
	struct gmi_calibration calibration;
	uint64_t now = 1000000000;

	gmi_calibrate_begin(&calibration, workers, 32 * M, 1024 * G, now);
	for (int i = 0; i < 20000; i++) {
		now += 32 * M * 1000 / (rate_of(machine, calibration.limit) / 1000000);
		gmi_calibrate_done(&calibration, 32 * M, now);
		EXPECT("never none, never more than there are",
		       calibration.limit >= 1 && calibration.limit <= workers, true);
	}
	EXPECT("has settled", calibration.is_settled, true);
	return calibration.good_limit;
}

static void calibrate_settles(struct gt *t)
{
	const struct machine scales = {10 * G, 1000000 * G, 0};
	const struct machine saturates = {10 * G, 100 * G, 0};
	const struct machine serial = {10 * G, 10 * G, 0};
	const struct machine fights = {10 * G, 40 * G, 1};

	EXPECT("one", settle(&scales, 1), 1);
	EXPECT("all help", settle(&scales, 64), 64);
	EXPECT("an odd number", settle(&scales, 7), 7);
	EXPECT("ten do, sixteen are the next power", settle(&saturates, 64), 16);
	EXPECT("one does it all", settle(&serial, 64), 1);
	EXPECT("fewer are faster", settle(&fights, 64), 4);
}

/* Noise at the wrong moment lays off too many: the loss shows, and they come back. */
static void calibrate_recovers(struct gt *t)
{
	const struct machine scales = {10 * G, 1000000 * G, 0};
	struct gmi_calibration calibration;
	uint64_t now = 1000000000;

	gmi_calibrate_begin(&calibration, 8, 32 * M, 1024 * G, now);
	for (int i = 0; i < 16; i++) {
		now += 80 * 1000000;
		gmi_calibrate_done(&calibration, 32 * M, now);
	}
	for (int i = 0; i < 24; i++) {
		now += 1000000;
		gmi_calibrate_done(&calibration, 32 * M, now);
	}
	EXPECT("was misled", calibration.limit < 8, true);
	for (int i = 0; i < 2000; i++) {
		now += 32 * M * 1000 / (rate_of(&scales, calibration.limit) / 1000000);
		gmi_calibrate_done(&calibration, 32 * M, now);
	}
	EXPECT("has recovered", calibration.limit, 8);
}

/* A trial costs time, which little work does not give back. */
static void calibrate_little(struct gt *t)
{
	struct gmi_calibration calibration;
	uint64_t now = 1000000000;

	gmi_calibrate_begin(&calibration, 8, 32 * M, 4 * G, now);
	for (int i = 0; i < 128; i++) {
		now += 1000000;
		EXPECT("all stay", gmi_calibrate_done(&calibration, 32 * M, now), false);
	}
	EXPECT("all stay", calibration.limit, 8);
	gmi_calibrate_begin(&calibration, 8, 32 * M, 8 * G, now);
	EXPECT("enough for a trial", calibration.is_settled, false);
}

static const struct gt_test tests[] = {
	{"split_piece", split_piece, .flags = GT_NO_KERNEL},
	{"split_covers", split_covers, .flags = GT_NO_KERNEL},
	{"split_find", split_find, .flags = GT_NO_KERNEL},
	{"calibrate_settles", calibrate_settles, .flags = GT_NO_KERNEL},
	{"calibrate_little", calibrate_little, .flags = GT_NO_KERNEL},
	{"calibrate_recovers", calibrate_recovers, .flags = GT_NO_KERNEL},
};

GT_MAIN(tests)
