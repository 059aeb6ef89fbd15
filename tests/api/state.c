/* SPDX-License-Identifier: MIT */
/* Everything that a failed call must leave as it was. */
#include "api.h"

static void read_objects(struct api *api, struct state *state)
{
	GMEM_INIT(gmem_vm_info, vm);
	GMEM_INIT(gmem_file_info, file);

	if (api->vm) {
		MUST(gmem_vm_get_info(api->vm, &vm) == 0);
		state->vm_files = vm.files;
		state->vm_slots = vm.slots_used;
		state->vm_bound = vm.bytes_bound;
	}
	if (api->file) {
		MUST(gmem_file_get_info(api->file, &file) == 0);
		state->file_bound = file.bytes_bound;
	}
}

struct state state_of(struct api *api)
{
	struct state state = {
		.in_place = api->traits.in_place,
		.fds = gt_count_fds(),
		.mappings = gt_count_mappings(),
	};

	read_objects(api, &state);
	state.alive = gt_count_alive(api->t);
	return state;
}

#define SAME(member)                                                                               \
	EXPECT_CASE("state: " #member, what, (int64_t)got->member, (int64_t)want->member)

bool state_expect(const char *what, const struct state *got, const struct state *want,
		  uint32_t flags)
{
	bool same = flags & KEEPS_VCPUS || SAME(fds);

	if (!(flags & KEEPS_VCPUS) && (!got->in_place || !(flags & KEEPS_PROGRESS)))
		same &= SAME(mappings);
	same &= SAME(vm_files);
	same &= SAME(vm_slots);
	same &= SAME(vm_bound);
	same &= SAME(file_bound);
	same &= SAME(alive.vms);
	same &= SAME(alive.files);
	same &= SAME(alive.inodes);
	same &= SAME(alive.slots);
	if (!(flags & KEEPS_PROGRESS))
		same &= SAME(alive.allocated);
	return same;
}
