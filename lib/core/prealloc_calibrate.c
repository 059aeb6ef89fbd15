/* SPDX-License-Identifier: MIT */
/* Finds how many workers of a node are worth having, from what they get done. */
#include "prealloc_calibrate.h"

/* Pieces that each worker does while a rate is taken. */
#define WINDOW_PIECES 2

/* Of the rate before, in percent: what half as many must reach, what twice as many must, and what
 * is a loss for certain. */
#define AS_GOOD 96
#define BETTER  110
#define WORSE   80

/* Windows after which a number that was settled is doubted. */
#define DOUBT_EVERY 16

/* Windows in all the work from which on a trial is worth it: at worst it costs the time of one. */
#define WORTH_WINDOWS 16

static uint64_t window_size(uint64_t piece, uint32_t workers)
{
	return piece * workers * WINDOW_PIECES;
}

void gmi_calibrate_begin(struct gmi_calibration *calibration, uint32_t workers, uint64_t piece,
			 uint64_t total, uint64_t now)
{
	*calibration = (struct gmi_calibration){
		.limit = workers,
		.most = workers,
		.is_settled = workers < 2 || total / WORTH_WINDOWS < window_size(piece, workers),
		.piece = piece,
		.window_start = now,
	};
}

static uint64_t rate_of(uint64_t bytes, uint64_t ns)
{
	return ns ? (uint64_t)((double)bytes * 1e9 / (double)ns) : UINT64_MAX;
}

static bool set_limit(struct gmi_calibration *calibration, uint32_t limit)
{
	calibration->limit = limit;
	calibration->skips = true;
	return true;
}

static bool try_half(struct gmi_calibration *calibration, uint64_t rate)
{
	calibration->good_rate = rate;
	calibration->good_limit = calibration->limit;
	calibration->is_trying = calibration->limit > 1;
	calibration->is_settled = !calibration->is_trying;
	return calibration->is_trying && set_limit(calibration, calibration->limit / 2);
}

static uint32_t doubled(const struct gmi_calibration *calibration)
{
	uint32_t limit = calibration->limit;

	return limit < calibration->most / 2 ? 2 * limit : calibration->most;
}

static bool is_at_least(const struct gmi_calibration *calibration, uint64_t rate, uint64_t percent)
{
	return rate >= calibration->good_rate / 100 * percent;
}

static bool judge_try(struct gmi_calibration *calibration, uint64_t rate)
{
	if (!calibration->is_trying || is_at_least(calibration, rate, AS_GOOD))
		return try_half(calibration, rate);
	calibration->is_trying = false;
	calibration->is_settled = true;
	return set_limit(calibration, calibration->good_limit);
}

static bool judge_growth(struct gmi_calibration *calibration, uint64_t rate)
{
	calibration->is_growing = false;
	if (!is_at_least(calibration, rate, BETTER))
		return set_limit(calibration, calibration->good_limit);
	calibration->good_rate = rate;
	calibration->windows = DOUBT_EVERY;
	return false;
}

/* The number stands, unless it loses or its time to be doubted has come. */
static bool judge_settled(struct gmi_calibration *calibration, uint64_t rate)
{
	bool is_worse = !is_at_least(calibration, rate, WORSE);

	calibration->good_rate = rate;
	calibration->good_limit = calibration->limit;
	if (calibration->limit == calibration->most)
		return false;
	if (!is_worse && ++calibration->windows < DOUBT_EVERY)
		return false;
	calibration->windows = 0;
	calibration->is_growing = !is_worse;
	return set_limit(calibration, doubled(calibration));
}

/* What a window's rate means. */
static bool judge(struct gmi_calibration *calibration, uint64_t rate)
{
	if (!calibration->is_settled)
		return judge_try(calibration, rate);
	if (calibration->is_growing)
		return judge_growth(calibration, rate);
	return judge_settled(calibration, rate);
}

bool gmi_calibrate_done(struct gmi_calibration *calibration, uint64_t bytes, uint64_t now)
{
	uint64_t wanted = window_size(calibration->piece, calibration->limit);
	uint64_t rate;

	calibration->window_bytes += bytes;
	if (calibration->window_bytes < wanted)
		return false;
	rate = rate_of(calibration->window_bytes, now - calibration->window_start);
	calibration->window_start = now;
	calibration->window_bytes = 0;
	if (calibration->skips) {
		calibration->skips = false;
		return false;
	}
	return judge(calibration, rate);
}
