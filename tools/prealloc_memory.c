/* SPDX-License-Identifier: MIT */
/* "gmemctl prealloc": makes files for the plan, gets them ready and tells how it goes. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "prealloc_tool.h"
#include "size.h"
#include "uapi_mm.h"

#define FILES_MAX   (3 * (NODES_MAX + 1))
#define BAR_WIDTH   30
#define NODE_WORDS  16
#define NS_PER_LINE UINT64_C(1000000000)

/* Memory of one file of the plan: guest_memfd for ordinary pages, a memfd of hugetlbfs for huge ones. */
struct memory {
	struct gmem_file *file;
	int fd; /* -1 where it is @file's */
};

struct run {
	const struct prealloc_options *options;
	const struct probe_kernel *kernel;
	struct gmem_ctx *ctx;
	struct gmem_vm *vm;
	struct gmem_prealloc *job;
	struct memory memory[FILES_MAX];
	size_t file_count;
	bool is_terminal;
};

/* What a signal handler needs. */
static struct gmem_prealloc *signalled_job;
static volatile sig_atomic_t is_signalled;

static void on_signal(int number)
{
	is_signalled = 1;
	gmem_prealloc_cancel(signalled_job);
}

static void catch_signals(struct gmem_prealloc *job)
{
	struct sigaction action = {.sa_handler = on_signal};

	signalled_job = job;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

static int complain_record(void)
{
	complain("%s", gmem_errinfo()->message);
	return -1;
}

static int make_huge(struct run *run, const struct gmem_layout_file *file, struct memory *memory)
{
	uint32_t flags = GMI_MFD_HUGETLB | (uint32_t)__builtin_ctzll(file->page_size)
						   << GMI_MFD_HUGE_SHIFT;
	int err;

	memory->fd = run->kernel->sys->memfd(run->kernel->user, "gmemctl", flags);
	err = memory->fd < 0
		      ? memory->fd
		      : run->kernel->sys->ftruncate(run->kernel->user, memory->fd, file->size);
	if (err < 0)
		complain("no memfd of %s in pages of %s: %s", size_text(file->size).text,
			 size_text(file->page_size).text, strerror(-err));
	return err < 0 ? -1 : 0;
}

static int make_file(struct run *run, const struct gmem_layout_file *file, struct memory *memory)
{
	GMEM_INIT(gmem_file_opts, opts);

	memory->fd = -1;
	if (file->page_size > GMEM_PAGE_SIZE)
		return make_huge(run, file, memory);
	if (gmem_has_feature(run->ctx, GMEM_VM_DEFAULT, GMEM_FEATURE_INIT_SHARED) == 1)
		opts.flags = GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED;
	if (gmem_file_create(run->vm, file->size, &opts, &memory->file) < 0)
		return complain_record();
	return 0;
}

static int make_files(struct run *run, const struct gmem_layout *layout)
{
	GMEM_INIT(gmem_layout_file, file);
	int err = 0;

	for (size_t i = 0; !err && i < FILES_MAX && !gmem_layout_get_file(layout, i, &file); i++) {
		err = make_file(run, &file, &run->memory[i]);
		run->file_count = i + 1;
	}
	return err;
}

static int add_range(struct run *run, const struct gmem_layout_range *planned)
{
	const struct memory *memory = &run->memory[planned->file];
	GMEM_INIT(gmem_prealloc_range, range);
	uint64_t nodes[NODE_WORDS] = {0};

	range.file = memory->file;
	range.fd = memory->fd;
	range.flags = memory->file ? 0 : GMEM_PREALLOC_FD;
	range.offset = planned->offset;
	range.size = planned->size;
	range.node = GMEM_NODE_ANY;
	if (planned->node != GMEM_NODE_ANY) {
		nodes[planned->node / 64] = UINT64_C(1) << planned->node % 64;
		range.numa_mode = GMEM_NUMA_BIND;
		range.nodes = nodes;
		range.node_words = NODE_WORDS;
	}
	return gmem_prealloc_add(run->job, &range) < 0 ? complain_record() : 0;
}

static int add_ranges(struct run *run, const struct gmem_layout *layout)
{
	GMEM_INIT(gmem_layout_range, range);
	int err = 0;

	for (size_t i = 0; !err && !gmem_layout_get_range(layout, i, &range); i++)
		err = add_range(run, &range);
	return err;
}

static void print_left(const struct gmem_prealloc_info *info, char *text, size_t size)
{
	if (info->left_ns == UINT64_MAX)
		snprintf(text, size, "time left unknown");
	else
		snprintf(text, size, "%.1f s left", (double)info->left_ns / 1e9);
}

static void print_bar(const struct gmem_prealloc_info *info, const char *left)
{
	int filled = (int)((double)info->done / (double)info->total * BAR_WIDTH);
	char bar[BAR_WIDTH + 1];

	memset(bar, '.', BAR_WIDTH);
	memset(bar, '#', (size_t)filled);
	bar[BAR_WIDTH] = '\0';
	fprintf(stderr, "\r[%s] %s of %s  %s/s  %s  %" PRIu32 " workers    ", bar,
		size_text(info->done).text, size_text(info->total).text, size_text(info->rate).text,
		left, info->workers);
}

/* A bar that redraws itself on a terminal, a line now and then elsewhere. */
static int show_progress(void *user, const struct gmem_prealloc_info *info)
{
	const struct run *run = user;
	char left[48];

	print_left(info, left, sizeof(left));
	if (run->is_terminal)
		print_bar(info, left);
	else if (info->state != GMEM_PREALLOC_OVER)
		fprintf(stderr, "%s of %s, %s/s, %s\n", size_text(info->done).text,
			size_text(info->total).text, size_text(info->rate).text, left);
	if (run->is_terminal && info->state == GMEM_PREALLOC_OVER)
		fprintf(stderr, "\n");
	return 0;
}

static int make_job(struct run *run)
{
	GMEM_INIT(gmem_prealloc_opts, opts);

	opts.mode = run->options->mode;
	opts.flags = run->options->keep ? 0 : GMEM_PREALLOC_UNDO;
	opts.workers = run->options->workers;
	opts.timeout_ns = run->options->seconds * UINT64_C(1000000000);
	opts.progress = show_progress;
	opts.progress_user = run;
	opts.progress_ns = run->is_terminal ? 0 : NS_PER_LINE;
	return gmem_prealloc_create(run->ctx, &opts, &run->job) < 0 ? complain_record() : 0;
}

/* What to do about it, where there is something. */
static void explain(const struct prealloc_options *options, int err)
{
	if (err == -ENOSPC && !options->grow)
		complain("add pages to the pool: --grow here, or gmemctl hugepages --need");
	else if (err == -ENOMEM)
		complain("ask for less, or make room; reclaimable memory counts as room already");
	else if (err == -ETIMEDOUT)
		complain("give it more than --timeout %u", options->seconds);
	else if (err == -EOPNOTSUPP && options->mode == GMEM_PREALLOC_READY)
		complain("--mode reserve does without the host's access");
}

static int report(const struct run *run, int err, uint64_t done)
{
	const char *what = run->options->mode == GMEM_PREALLOC_READY ? "ready" : "reserved";
	GMEM_INIT(gmem_prealloc_info, info);

	gmem_prealloc_get_info(run->job, &info);
	if (err) {
		complain("%s", gmem_errinfo()->message);
		explain(run->options, err);
		if (run->options->keep)
			complain("%s of %s are there", size_text(done).text,
				 size_text(info.total).text);
		return STATUS_FAILED;
	}
	printf("%s %s in %.2f s: %s/s by %" PRIu32 " worker%s\n", size_text(info.total).text, what,
	       (double)info.elapsed_ns / 1e9, size_text(info.rate).text, info.workers_max,
	       info.workers_max == 1 ? "" : "s");
	return STATUS_OK;
}

/* The memory lives as long as this process. */
static void hold(void)
{
	printf("holding it; end with Ctrl-C\n");
	fflush(stdout);
	while (!is_signalled)
		sleep(1);
}

static int get_ready(struct run *run, const struct gmem_layout *layout)
{
	uint64_t done = 0;
	int err, status;

	if (make_files(run, layout) || make_job(run))
		return STATUS_FAILED;
	if (add_ranges(run, layout)) {
		explain(run->options, gmem_errinfo()->error);
		return STATUS_FAILED;
	}
	catch_signals(run->job);
	err = gmem_prealloc_run(run->job, &done);
	status = report(run, err, done);
	if (run->options->hold && (status == STATUS_OK || run->options->keep))
		hold();
	return status;
}

static void drop(struct run *run)
{
	signalled_job = NULL;
	gmem_prealloc_unref(run->job);
	for (size_t i = 0; i < run->file_count; i++) {
		gmem_file_unref(run->memory[i].file);
		if (run->memory[i].fd >= 0)
			run->kernel->sys->close(run->kernel->user, run->memory[i].fd);
	}
	gmem_vm_unref(run->vm);
	gmem_ctx_unref(run->ctx);
}

struct gmem_ctx *prealloc_open(const struct probe_kernel *kernel)
{
	GMEM_INIT(gmem_ctx_opts, opts);
	struct gmem_ctx *ctx = NULL;

	opts.sys = kernel->sys;
	opts.sys_user = kernel->user;
	if (gmem_ctx_create(&opts, &ctx) < 0)
		complain("cannot use KVM: %s", gmem_errinfo()->message);
	return ctx;
}

int prealloc_memory(const struct prealloc_options *options, const struct probe_kernel *kernel,
		    const struct gmem_layout *layout)
{
	struct run *run = calloc(1, sizeof(*run));
	int status = STATUS_FAILED;

	if (!run) {
		complain("out of memory");
		return STATUS_FAILED;
	}
	run->options = options;
	run->kernel = kernel;
	run->is_terminal = isatty(STDERR_FILENO);
	run->ctx = prealloc_open(kernel);
	if (run->ctx && gmem_vm_create(run->ctx, GMEM_VM_DEFAULT, NULL, &run->vm) < 0)
		complain_record();
	if (run->vm)
		status = get_ready(run, layout);
	drop(run);
	free(run);
	return status;
}
