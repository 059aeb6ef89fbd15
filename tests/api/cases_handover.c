/* SPDX-License-Identifier: MIT */
/* handover.h: a VM goes from one context to another, both sides in one thread. */
#include <sys/socket.h>
#include <unistd.h>

#include "api.h"

#define ROUNDS_MAX 40

struct pair {
	int sockets[2];
	struct gmem_handover *source, *target;
};

/* What another process would have known long before. */
static void bound(struct api *api)
{
	make_slot(api);
	MUST(gmem_has_feature(api->ctx, api->vm_type, GMEM_FEATURE_LINK) >= 0);
	MUST(gmem_has_feature(api->ctx, api->vm_type, GMEM_FEATURE_HVA_VIEW) >= 0);
}

static void linkable(struct api *api)
{
	api->rfc = GMEM_RFC_LINK;
	bound(api);
	MUST(gmem_convert(api->vm, API_GPA, GT_PAGE, GMEM_PRIVATE, NULL, NULL) == 0);
}

static int begin(struct api *api, struct pair *pair)
{
	GMEM_INIT(gmem_handover_opts, opts);
	int ret;

	opts.flags = GMEM_HANDOVER_PEER_UID;
	opts.uid = getuid();
	ret = gmem_handover_send_begin(api->vm, pair->sockets[0], &opts, &pair->source);
	if (!ret)
		ret = gmem_handover_add_blob(pair->source, "state", "of devices", 10);
	if (!ret)
		ret = gmem_handover_recv_begin(api->ctx, pair->sockets[1], &opts, &pair->target);
	return ret;
}

static void hang_up(struct pair *pair, int side)
{
	if (pair->sockets[side] >= 0)
		close(pair->sockets[side]);
	pair->sockets[side] = -1;
}

static uint32_t owner_of(struct gmem_handover *handover)
{
	GMEM_INIT(gmem_handover_info, info);

	MUST(gmem_handover_get_info(handover, &info) == 0);
	return info.owner;
}

/*
 * A side that failed goes away, so that the other learns; then there is one owner or the other. Where
 * nothing can be received any more the source never learns, and cannot reclaim.
 */
static int run(struct pair *pair)
{
	int source = 0, target = 0;

	for (int i = 0; i < ROUNDS_MAX && source >= 0 && target == GMEM_HANDOVER_WAIT; i++) {
		source = gmem_handover_step(pair->source);
		target = gmem_handover_step(pair->target);
	}
	if (source < 0 && target == GMEM_HANDOVER_WAIT) {
		pair->source = gmem_handover_unref(pair->source);
		hang_up(pair, 0);
		target = gmem_handover_step(pair->target);
	}
	if (target == GMEM_HANDOVER_DONE)
		return 0;
	pair->target = gmem_handover_unref(pair->target);
	hang_up(pair, 1);
	for (int i = 0; i < ROUNDS_MAX && pair->source && source >= 0; i++)
		source = gmem_handover_step(pair->source);
	if (pair->source && owner_of(pair->source) != GMEM_HANDOVER_SELF)
		gmem_handover_reclaim(pair->source);
	return gmem_errinfo()->error;
}

static int take(struct api *api, struct pair *pair)
{
	GMEM_INIT(gmem_slot_info, info);
	int ret = gmem_handover_take(pair->target, &api->other_vm);

	if (!ret && gmem_slot_lookup(api->other_vm, 0, API_GPA, &info) == 0)
		api->other_slot = info.slot;
	return ret;
}

static int hand_over(struct api *api)
{
	struct pair pair = {.sockets = {-1, -1}};
	int ret;

	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.sockets) == 0);
	ret = begin(api, &pair);
	if (!ret)
		ret = run(&pair);
	if (!ret)
		ret = take(api, &pair);
	gmem_handover_unref(pair.source);
	gmem_handover_unref(pair.target);
	hang_up(&pair, 0);
	hang_up(&pair, 1);
	return ret;
}

static void check_taken(struct api *api)
{
	GMEM_INIT(gmem_vm_info, info);

	EXPECT("bound", api->other_slot != NULL, true);
	EXPECT("info", gmem_vm_get_info(api->other_vm, &info), 0);
	EXPECT("slots", info.slots_used, 1);
	EXPECT("files", info.files, 1);
	EXPECT("given away", gmem_file_punch(api->file, 0, GT_PAGE), -ESTALE);
}

static void check_private(struct api *api)
{
	check_taken(api);
	EXPECT("private", gmem_attr_query(api->other_vm, API_GPA, GT_PAGE), GMEM_PRIVATE);
	EXPECT("shared", gmem_attr_query(api->other_vm, API_GPA + GT_PAGE, GT_PAGE), GMEM_SHARED);
}

const struct api_case api_cases_handover[] = {
	{"handover_view", NEEDS_VIEW, 0, bound, hand_over, check_taken},
	{"handover_link", NEEDS_LINK | NEEDS_PRIVATE, 0, linkable, hand_over, check_private},
};

const size_t api_count_handover = GT_COUNT(api_cases_handover);
