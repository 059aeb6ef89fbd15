/* SPDX-License-Identifier: MIT */
/* Every bad argument: its code before any system call, and a record that names the argument. */
#include "api.h"

/* The calls below take one struct apart from its default; this makes it where it is written. */
#define CTX_OPTS(...)  (&(struct gmem_ctx_opts){.sz = sizeof(struct gmem_ctx_opts), __VA_ARGS__})
#define VM_OPTS(...)   (&(struct gmem_vm_opts){.sz = sizeof(struct gmem_vm_opts), __VA_ARGS__})
#define FILE_OPTS(...) (&(struct gmem_file_opts){.sz = sizeof(struct gmem_file_opts), __VA_ARGS__})
#define SLOT_OPTS(...) (&(struct gmem_slot_opts){.sz = sizeof(struct gmem_slot_opts), __VA_ARGS__})

#define INFO(type) (&(struct type){.sz = sizeof(struct type)})

#define TOP (UINT64_MAX - GT_PAGE + 1)

static const uint64_t some_node[] = {1};
static const uint64_t no_node[] = {0};
static const struct gmem_sys_ops few_ops = {.sz = sizeof(few_ops)};
static const struct gmem_allocator no_alloc = {NULL, NULL, NULL};

/* A struct longer than this build knows, with something behind its known end. */
struct long_struct {
	size_t sz;
	uint8_t bytes[1024];
};

static void *longer(size_t known)
{
	static struct long_struct tail;

	memset(&tail, 0, sizeof(tail));
	tail.sz = known + 8;
	((uint8_t *)&tail)[known + 7] = 1;
	return &tail;
}

/* Where results would be written: never. */
static struct gmem_ctx *ctx;
static struct gmem_vm *vm;
static struct gmem_file *file;
static struct gmem_slot *slot;
static void *addr;
static uint64_t done;

static int vm_create(struct api *a, uint32_t type, const struct gmem_vm_opts *opts)
{
	return gmem_vm_create(a->ctx, type, opts, &vm);
}

static int vm_adopt(struct api *a, int fd, const struct gmem_vm_opts *opts)
{
	return gmem_vm_adopt(a->ctx, fd, a->vm_type, opts, &vm);
}

static int file_create(struct api *a, uint64_t size, const struct gmem_file_opts *opts)
{
	return gmem_file_create(a->vm, size, opts, &file);
}

static int file_adopt(struct api *a, int fd, const struct gmem_file_opts *opts)
{
	return gmem_file_adopt(a->vm, fd, opts, &file);
}

static int slot_bind(struct api *a, uint64_t gpa, uint64_t size, const struct gmem_slot_opts *opts)
{
	return gmem_slot_bind(a->vm, gpa, size, opts, &slot);
}

static int slot_adopt(struct api *a, uint64_t gpa, uint64_t size, struct gmem_slot_opts *opts)
{
	opts->flags |= GMEM_SLOT_ID;
	return gmem_slot_adopt(a->vm, gpa, size, opts, &slot);
}

#define FREE (API_GPA + 64 * GT_PAGE)

/* X(name, code, argument that the record names or NULL, the call) */
#define CTX_CASES(X)                                                                               \
	X(ctx_create_null, -EINVAL, "ret_ctx", gmem_ctx_create(NULL, NULL))                        \
	X(ctx_create_rfc, -EINVAL, "rfc", gmem_ctx_create(CTX_OPTS(.rfc = 1u << 31), &ctx))        \
	X(ctx_create_sys, -EINVAL, "sys", gmem_ctx_create(CTX_OPTS(.sys = &few_ops), &ctx))        \
	X(ctx_create_allocator, -EINVAL, "allocator",                                              \
	  gmem_ctx_create(CTX_OPTS(.allocator = &no_alloc), &ctx))                                 \
	X(ctx_create_long, -E2BIG, "sz",                                                           \
	  gmem_ctx_create(longer(sizeof(struct gmem_ctx_opts)), &ctx))                             \
	X(ctx_create_no_sz, -EINVAL, "sz", gmem_ctx_create(&(struct gmem_ctx_opts){0}, &ctx))      \
	X(ctx_borrow_fd, -EINVAL, "kvm_fd", gmem_ctx_borrow(-1, NULL, &ctx))                       \
	X(ctx_borrow_null, -EINVAL, "ret_ctx", gmem_ctx_borrow(0, NULL, NULL))                     \
	X(ctx_kvm_fd_null, -EINVAL, "ctx", gmem_ctx_kvm_fd(NULL))                                  \
	X(has_vm_type_null, -EINVAL, "ctx", gmem_has_vm_type(NULL, 0))                             \
	X(has_vm_type_unknown, -EINVAL, "vm_type", gmem_has_vm_type(a->ctx, GMEM_VM_TYPE_COUNT))   \
	X(has_feature_null, -EINVAL, "ctx", gmem_has_feature(NULL, 0, 0))                          \
	X(has_feature_type, -EINVAL, "vm_type", gmem_has_feature(a->ctx, UINT32_MAX, 0))           \
	X(has_feature_unknown, -EINVAL, "feature",                                                 \
	  gmem_has_feature(a->ctx, 0, GMEM_FEATURE_COUNT))                                         \
	X(describe_null, -EINVAL, "ctx", gmem_ctx_describe(NULL, 0, 0, INFO(gmem_feature_info)))   \
	X(describe_type, -EINVAL, "vm_type",                                                       \
	  gmem_ctx_describe(a->ctx, 99, 0, INFO(gmem_feature_info)))                               \
	X(describe_unknown, -EINVAL, "feature",                                                    \
	  gmem_ctx_describe(a->ctx, 0, UINT32_MAX, INFO(gmem_feature_info)))                       \
	X(describe_info, -EINVAL, "ret_info", gmem_ctx_describe(a->ctx, 0, 0, NULL))               \
	X(describe_long, -E2BIG, "sz",                                                             \
	  gmem_ctx_describe(a->ctx, 0, 0, longer(sizeof(struct gmem_feature_info))))               \
	X(mechanism_null, -EINVAL, "ctx", gmem_ctx_mechanism(NULL, 0, 0, INFO(gmem_feature_info))) \
	X(mechanism_type, -EINVAL, "vm_type",                                                      \
	  gmem_ctx_mechanism(a->ctx, 99, 0, INFO(gmem_feature_info)))                              \
	X(mechanism_unknown, -EINVAL, "capability",                                                \
	  gmem_ctx_mechanism(a->ctx, 0, GMEM_CAPABILITY_COUNT, INFO(gmem_feature_info)))           \
	X(mechanism_info, -EINVAL, "ret_info", gmem_ctx_mechanism(a->ctx, 0, 0, NULL))

#define VM_CASES(X)                                                                                \
	X(vm_create_null, -EINVAL, "ctx", gmem_vm_create(NULL, 0, NULL, &vm))                      \
	X(vm_create_type, -EINVAL, "vm_type", vm_create(a, GMEM_VM_TYPE_COUNT, NULL))              \
	X(vm_create_ret, -EINVAL, "ret_vm", gmem_vm_create(a->ctx, 0, NULL, NULL))                 \
	X(vm_create_first, -EINVAL, "first_slot",                                                  \
	  vm_create(a, a->vm_type, VM_OPTS(.first_slot = 32764)))                                  \
	X(vm_create_count, -EINVAL, "slot_count",                                                  \
	  vm_create(a, a->vm_type, VM_OPTS(.first_slot = 32763, .slot_count = 2)))                 \
	X(vm_create_wrap, -EINVAL, "slot_count",                                                   \
	  vm_create(a, a->vm_type, VM_OPTS(.first_slot = 2, .slot_count = UINT32_MAX)))            \
	X(vm_create_long, -E2BIG, "sz",                                                            \
	  vm_create(a, a->vm_type, longer(sizeof(struct gmem_vm_opts))))                           \
	X(vm_adopt_null, -EINVAL, "ctx", gmem_vm_adopt(NULL, 0, 0, NULL, &vm))                     \
	X(vm_adopt_fd, -EINVAL, "vm_fd", vm_adopt(a, -1, NULL))                                    \
	X(vm_adopt_type, -EINVAL, "vm_type", gmem_vm_adopt(a->ctx, 0, 77, NULL, &vm))              \
	X(vm_adopt_ret, -EINVAL, "ret_vm", gmem_vm_adopt(a->ctx, 0, 0, NULL, NULL))                \
	X(vm_adopt_first, -EINVAL, "first_slot",                                                   \
	  vm_adopt(a, 0, VM_OPTS(.first_slot = UINT32_MAX)))                                       \
	X(vm_borrow_null, -EINVAL, "ctx", gmem_vm_borrow(NULL, 0, 0, NULL, &vm))                   \
	X(vm_borrow_fd, -EINVAL, "vm_fd", gmem_vm_borrow(a->ctx, -5, a->vm_type, NULL, &vm))       \
	X(vm_fd_null, -EINVAL, "vm", gmem_vm_fd(NULL))                                             \
	X(vm_info_null, -EINVAL, "vm", gmem_vm_get_info(NULL, INFO(gmem_vm_info)))                 \
	X(vm_info_ret, -EINVAL, "ret_info", gmem_vm_get_info(a->vm, NULL))                         \
	X(vm_info_long, -E2BIG, "sz",                                                              \
	  gmem_vm_get_info(a->vm, longer(sizeof(struct gmem_vm_info))))                            \
	X(vm_info_no_sz, -EINVAL, "sz", gmem_vm_get_info(a->vm, &(struct gmem_vm_info){0}))

#define FILE_CASES(X)                                                                              \
	X(file_create_null, -EINVAL, "vm", gmem_file_create(NULL, GT_PAGE, NULL, &file))           \
	X(file_create_ret, -EINVAL, "ret_file", gmem_file_create(a->vm, GT_PAGE, NULL, NULL))      \
	X(file_create_size_0, -EINVAL, "size", file_create(a, 0, NULL))                            \
	X(file_create_size_1, -EINVAL, "size", file_create(a, 1, NULL))                            \
	X(file_create_unaligned, -EINVAL, "size", file_create(a, GT_PAGE + 512, NULL))             \
	X(file_create_signed, -EINVAL, "size", file_create(a, UINT64_C(1) << 63, NULL))            \
	X(file_create_top, -EINVAL, "size", file_create(a, TOP, NULL))                             \
	X(file_create_flags, -EINVAL, "flags", file_create(a, GT_PAGE, FILE_OPTS(.flags = 4)))     \
	X(file_create_all_flags, -EINVAL, "flags",                                                 \
	  file_create(a, GT_PAGE, FILE_OPTS(.flags = UINT64_MAX)))                                 \
	X(file_create_raw, -EINVAL, "raw_flags",                                                   \
	  file_create(a, GT_PAGE, FILE_OPTS(.raw_flags = 1)))                                      \
	X(file_create_shared_alone, -EINVAL, "flags",                                              \
	  file_create(a, GT_PAGE, FILE_OPTS(.flags = GMEM_FILE_INIT_SHARED)))                      \
	X(file_create_mode, -EINVAL, "numa_mode",                                                  \
	  file_create(a, GT_PAGE,                                                                  \
		      FILE_OPTS(.flags = 1, .numa_mode = 9, .node_words = 1, .nodes = some_node))) \
	X(file_create_no_nodes, -EINVAL, "nodes",                                                  \
	  file_create(a, GT_PAGE, FILE_OPTS(.flags = 1, .numa_mode = GMEM_NUMA_BIND)))             \
	X(file_create_empty_nodes, -EINVAL, "nodes",                                               \
	  file_create(a, GT_PAGE,                                                                  \
		      FILE_OPTS(.flags = 1, .numa_mode = GMEM_NUMA_BIND, .node_words = 1,          \
				.nodes = no_node)))                                                \
	X(file_create_null_nodes, -EINVAL, "nodes",                                                \
	  file_create(a, GT_PAGE,                                                                  \
		      FILE_OPTS(.flags = 1, .numa_mode = GMEM_NUMA_BIND, .node_words = 1)))        \
	X(file_create_default_nodes, -EINVAL, "nodes",                                             \
	  file_create(a, GT_PAGE, FILE_OPTS(.flags = 1, .node_words = 1, .nodes = some_node)))     \
	X(file_create_no_mmap, -EINVAL, "numa_mode",                                               \
	  file_create(                                                                             \
		  a, GT_PAGE,                                                                      \
		  FILE_OPTS(.numa_mode = GMEM_NUMA_BIND, .node_words = 1, .nodes = some_node)))    \
	X(file_create_long, -E2BIG, "sz",                                                          \
	  file_create(a, GT_PAGE, longer(sizeof(struct gmem_file_opts))))                          \
	X(file_adopt_null, -EINVAL, "vm", gmem_file_adopt(NULL, 0, NULL, &file))                   \
	X(file_adopt_fd, -EINVAL, "fd", file_adopt(a, -1, NULL))                                   \
	X(file_adopt_ret, -EINVAL, "ret_file", gmem_file_adopt(a->vm, 0, NULL, NULL))              \
	X(file_adopt_flags, -EINVAL, "flags", file_adopt(a, 0, FILE_OPTS(.flags = 8)))             \
	X(file_adopt_policy, -EINVAL, "numa_mode",                                                 \
	  file_adopt(a, 0,                                                                         \
		     FILE_OPTS(.flags = 1, .numa_mode = GMEM_NUMA_BIND, .node_words = 1,           \
			       .nodes = some_node)))                                               \
	X(file_borrow_null, -EINVAL, "vm", gmem_file_borrow(NULL, 0, NULL, &file))                 \
	X(file_borrow_fd, -EINVAL, "fd", gmem_file_borrow(a->vm, -1, NULL, &file))                 \
	X(file_fd_null, -EINVAL, "file", gmem_file_fd(NULL))                                       \
	X(file_info_null, -EINVAL, "file", gmem_file_get_info(NULL, INFO(gmem_file_info)))         \
	X(file_info_ret, -EINVAL, "ret_info", gmem_file_get_info(a->file, NULL))                   \
	X(file_info_long, -E2BIG, "sz",                                                            \
	  gmem_file_get_info(a->file, longer(sizeof(struct gmem_file_info))))                      \
	X(file_map_null, -EINVAL, "file", gmem_file_map(NULL, 0, GT_PAGE, &addr))                  \
	X(file_map_ret, -EINVAL, "ret_addr", gmem_file_map(a->file, 0, GT_PAGE, NULL))             \
	X(file_map_offset, -EINVAL, "offset", gmem_file_map(a->file, 1, GT_PAGE, &addr))           \
	X(file_map_size_0, -EINVAL, "size", gmem_file_map(a->file, 0, 0, &addr))                   \
	X(file_map_size, -EINVAL, "size", gmem_file_map(a->file, 0, GT_PAGE + 1, &addr))           \
	X(file_map_beyond, -EINVAL, "size", gmem_file_map(a->file, GT_PAGE, API_SIZE, &addr))      \
	X(file_map_wraps, -EINVAL, "size", gmem_file_map(a->file, TOP, 2 * GT_PAGE, &addr))        \
	X(file_unmap_null, -EINVAL, "file", gmem_file_unmap(NULL, (void *)GT_PAGE, GT_PAGE))       \
	X(file_unmap_addr, -EINVAL, "addr", gmem_file_unmap(a->file, NULL, GT_PAGE))               \
	X(file_unmap_unaligned, -EINVAL, "addr", gmem_file_unmap(a->file, (void *)4097, GT_PAGE))  \
	X(file_unmap_size, -EINVAL, "size", gmem_file_unmap(a->file, (void *)4096, 0))             \
	X(file_populate_null, -EINVAL, "file", gmem_file_populate(NULL, 0, GT_PAGE, &done))        \
	X(file_populate_offset, -EINVAL, "offset", gmem_file_populate(a->file, 7, GT_PAGE, &done)) \
	X(file_populate_size, -EINVAL, "size", gmem_file_populate(a->file, 0, 0, &done))           \
	X(file_populate_beyond, -EINVAL, "size",                                                   \
	  gmem_file_populate(a->file, 0, API_SIZE + GT_PAGE, &done))                               \
	X(file_populate_wraps, -EINVAL, "size",                                                    \
	  gmem_file_populate(a->file, TOP, 2 * GT_PAGE, &done))                                    \
	X(file_punch_null, -EINVAL, "file", gmem_file_punch(NULL, 0, GT_PAGE))                     \
	X(file_punch_offset, -EINVAL, "offset", gmem_file_punch(a->file, 2048, GT_PAGE))           \
	X(file_punch_size, -EINVAL, "size", gmem_file_punch(a->file, 0, 1))                        \
	X(file_punch_beyond, -EINVAL, "size", gmem_file_punch(a->file, API_SIZE, GT_PAGE))

#define SLOT_CASES(X)                                                                              \
	X(bind_null, -EINVAL, "vm",                                                                \
	  gmem_slot_bind(NULL, FREE, GT_PAGE, SLOT_OPTS(.file = a->file), &slot))                  \
	X(bind_opts, -EINVAL, "opts", slot_bind(a, FREE, GT_PAGE, NULL))                           \
	X(bind_nothing, -EINVAL, "opts", slot_bind(a, FREE, GT_PAGE, SLOT_OPTS(0)))                \
	X(bind_ret, -EINVAL, "ret_slot",                                                           \
	  gmem_slot_bind(a->vm, FREE, GT_PAGE, SLOT_OPTS(.file = a->file), NULL))                  \
	X(bind_gpa, -EINVAL, "gpa", slot_bind(a, FREE + 1, GT_PAGE, SLOT_OPTS(.file = a->file)))   \
	X(bind_size_0, -EINVAL, "size", slot_bind(a, FREE, 0, SLOT_OPTS(.file = a->file)))         \
	X(bind_size, -EINVAL, "size", slot_bind(a, FREE, 4097, SLOT_OPTS(.file = a->file)))        \
	X(bind_wraps, -EINVAL, "size", slot_bind(a, TOP, 2 * GT_PAGE, SLOT_OPTS(.file = a->file))) \
	X(bind_to_2_64, -EINVAL, "size", slot_bind(a, TOP, GT_PAGE, SLOT_OPTS(.file = a->file)))   \
	X(bind_flags, -EINVAL, "flags",                                                            \
	  slot_bind(a, FREE, GT_PAGE, SLOT_OPTS(.file = a->file, .flags = 1u << 31)))              \
	X(bind_out_flags, -EINVAL, "flags",                                                        \
	  slot_bind(a, FREE, GT_PAGE, SLOT_OPTS(.file = a->file, .flags = GMEM_SLOT_ADOPTED)))     \
	X(bind_readonly, -EINVAL, "flags",                                                         \
	  slot_bind(a, FREE, GT_PAGE, SLOT_OPTS(.file = a->file, .flags = GMEM_SLOT_READONLY)))    \
	X(bind_logged, -EINVAL, "flags",                                                           \
	  slot_bind(a, FREE, GT_PAGE, SLOT_OPTS(.file = a->file, .flags = GMEM_SLOT_LOG_DIRTY)))   \
	X(bind_space, -EINVAL, "address_space",                                                    \
	  slot_bind(a, FREE, GT_PAGE, SLOT_OPTS(.file = a->file, .address_space = 2)))             \
	X(bind_padding, -EINVAL, "padding",                                                        \
	  slot_bind(a, FREE, GT_PAGE, SLOT_OPTS(.file = a->file, .padding = 1)))                   \
	X(bind_offset, -EINVAL, "offset",                                                          \
	  slot_bind(a, FREE, GT_PAGE, SLOT_OPTS(.file = a->file, .offset = 1)))                    \
	X(bind_beyond, -EINVAL, "offset",                                                          \
	  slot_bind(a, FREE, GT_PAGE, SLOT_OPTS(.file = a->file, .offset = API_SIZE)))             \
	X(bind_across_end, -EINVAL, "offset",                                                      \
	  slot_bind(a, FREE, API_SIZE, SLOT_OPTS(.file = a->file, .offset = GT_PAGE)))             \
	X(bind_signed_offset, -EINVAL, "offset",                                                   \
	  slot_bind(a, FREE, 4 * GT_PAGE,                                                          \
		    SLOT_OPTS(.file = a->file, .offset = UINT64_C(0x7ffffffffffff000))))           \
	X(bind_top_offset, -EINVAL, "offset",                                                      \
	  slot_bind(a, FREE, 4 * GT_PAGE, SLOT_OPTS(.file = a->file, .offset = TOP)))              \
	X(bind_lone_offset, -EINVAL, "offset",                                                     \
	  slot_bind(a, FREE, GT_PAGE, SLOT_OPTS(.hva = a->addr, .offset = GT_PAGE)))               \
	X(bind_hva, -EINVAL, "hva",                                                                \
	  slot_bind(a, FREE, GT_PAGE, SLOT_OPTS(.hva = (uint8_t *)a->addr + 1)))                   \
	X(bind_hva_wraps, -EINVAL, "hva",                                                          \
	  slot_bind(a, FREE, 2 * GT_PAGE, SLOT_OPTS(.hva = (void *)(uintptr_t)TOP)))               \
	X(bind_hva_unwanted, -EINVAL, "flags",                                                     \
	  slot_bind(a, FREE, GT_PAGE,                                                              \
		    SLOT_OPTS(.file = a->file, .hva = a->addr, .flags = GMEM_SLOT_NO_HVA)))        \
	X(bind_id, -EINVAL, "slot_id",                                                             \
	  slot_bind(a, FREE, GT_PAGE,                                                              \
		    SLOT_OPTS(.hva = a->addr, .flags = GMEM_SLOT_ID, .slot_id = 32764)))           \
	X(bind_foreign, -EXDEV, NULL,                                                              \
	  slot_bind(a, FREE, GT_PAGE, SLOT_OPTS(.file = a->other_file)))                           \
	X(bind_gpa_taken, -EEXIST, NULL,                                                           \
	  slot_bind(a, API_GPA, GT_PAGE, SLOT_OPTS(.file = a->file, .offset = 8 * GT_PAGE)))       \
	X(bind_gpa_around, -EEXIST, NULL,                                                          \
	  slot_bind(a, API_GPA - GT_PAGE, 8 * GT_PAGE, SLOT_OPTS(.hva = a->addr)))                 \
	X(bind_offset_taken, -EEXIST, NULL,                                                        \
	  slot_bind(a, FREE, GT_PAGE, SLOT_OPTS(.file = a->file, .offset = 3 * GT_PAGE)))          \
	X(bind_id_taken, -EBUSY, NULL,                                                             \
	  slot_bind(a, FREE, GT_PAGE,                                                              \
		    SLOT_OPTS(.hva = a->addr, .flags = GMEM_SLOT_ID, .slot_id = taken_id(a))))     \
	X(bind_long, -E2BIG, "sz",                                                                 \
	  slot_bind(a, FREE, GT_PAGE, longer(sizeof(struct gmem_slot_opts))))                      \
	X(adopt_null, -EINVAL, "vm",                                                               \
	  gmem_slot_adopt(NULL, FREE, GT_PAGE, SLOT_OPTS(.hva = a->addr), &slot))                  \
	X(adopt_no_id, -EINVAL, "flags",                                                           \
	  gmem_slot_adopt(a->vm, FREE, GT_PAGE, SLOT_OPTS(.hva = a->addr), &slot))                 \
	X(adopt_gpa, -EINVAL, "gpa", slot_adopt(a, 1, GT_PAGE, SLOT_OPTS(.hva = a->addr)))         \
	X(adopt_size, -EINVAL, "size", slot_adopt(a, FREE, 1, SLOT_OPTS(.hva = a->addr)))          \
	X(adopt_offset, -EINVAL, "offset",                                                         \
	  slot_adopt(a, FREE, GT_PAGE, SLOT_OPTS(.file = a->file, .offset = API_SIZE)))            \
	X(adopt_foreign, -EXDEV, NULL,                                                             \
	  slot_adopt(a, FREE, GT_PAGE, SLOT_OPTS(.file = a->other_file)))                          \
	X(adopt_gpa_taken, -EEXIST, NULL,                                                          \
	  slot_adopt(a, API_GPA, GT_PAGE, SLOT_OPTS(.hva = a->addr, .slot_id = 90)))               \
	X(adopt_id_taken, -EBUSY, NULL,                                                            \
	  slot_adopt(a, FREE, GT_PAGE, SLOT_OPTS(.hva = a->addr, .slot_id = taken_id(a))))         \
	X(unbind_null, -EINVAL, "slot", gmem_slot_unbind(NULL))                                    \
	X(slot_info_null, -EINVAL, "slot", gmem_slot_get_info(NULL, INFO(gmem_slot_info)))         \
	X(slot_info_ret, -EINVAL, "ret_info", gmem_slot_get_info(a->slot, NULL))                   \
	X(slot_info_long, -E2BIG, "sz",                                                            \
	  gmem_slot_get_info(a->slot, longer(sizeof(struct gmem_slot_info))))                      \
	X(lookup_null, -EINVAL, "vm", gmem_slot_lookup(NULL, 0, 0, INFO(gmem_slot_info)))          \
	X(lookup_space, -EINVAL, "address_space",                                                  \
	  gmem_slot_lookup(a->vm, 2, 0, INFO(gmem_slot_info)))                                     \
	X(lookup_info, -EINVAL, "ret_info", gmem_slot_lookup(a->vm, 0, API_GPA, NULL))             \
	X(lookup_nothing, -ENOENT, NULL, gmem_slot_lookup(a->vm, 0, 0, INFO(gmem_slot_info)))      \
	X(next_null, -EINVAL, "vm", gmem_slot_next(NULL, 0, 0, INFO(gmem_slot_info)))              \
	X(next_space, -EINVAL, "address_space",                                                    \
	  gmem_slot_next(a->vm, UINT32_MAX, 0, INFO(gmem_slot_info)))                              \
	X(next_nothing, -ENOENT, NULL, gmem_slot_next(a->vm, 0, FREE, INFO(gmem_slot_info)))

static uint32_t taken_id(struct api *a)
{
	GMEM_INIT(gmem_slot_info, info);

	MUST(gmem_slot_get_info(a->slot, &info) == 0);
	return info.slot_id;
}

#define FUNCTION(name, code, argument, call)                                                       \
	static int bad_##name(struct api *a)                                                       \
	{                                                                                          \
		return call;                                                                       \
	}

CTX_CASES(FUNCTION)
VM_CASES(FUNCTION)
FILE_CASES(FUNCTION)
SLOT_CASES(FUNCTION)

struct bad_case {
	const char *name;
	int code;
	const char *argument;
	int (*call)(struct api *a);
};

#define ENTRY(name, code, argument, call) {#name, code, argument, bad_##name},

static const struct bad_case ctx_cases[] = {CTX_CASES(ENTRY)};
static const struct bad_case vm_cases[] = {VM_CASES(ENTRY)};
static const struct bad_case file_cases[] = {FILE_CASES(ENTRY)};
static const struct bad_case slot_cases[] = {SLOT_CASES(ENTRY)};

static void expect_bad(struct api *a, const struct bad_case *c)
{
	const struct gmem_errinfo *info = gmem_errinfo();
	int ret;

	gmem_shim_reset(a->shim);
	ret = c->call(a);
	EXPECT_CASE("code", c->name, ret, c->code);
	EXPECT_CASE("no system call", c->name, (int64_t)gt_calls(a->shim), 0);
	EXPECT_CASE("record: error", c->name, info->error, c->code);
	EXPECT_CASE("record: op", c->name, info->op && strncmp(info->op, "gmem_", 5) == 0, true);
	EXPECT_CASE("record: message", c->name, info->message[0] != '\0', true);
	EXPECT_CASE("record: no call", c->name, info->call == NULL, true);
	if (!c->argument)
		return;
	if (!EXPECT_CASE("record: argument", c->name,
			 info->arg && strcmp(info->arg, c->argument) == 0, true))
		fprintf(stderr, "  it names %s, not %s\n", info->arg ? info->arg : "none",
			c->argument);
}

static void run(struct gt *t, const struct bad_case *cases, size_t count)
{
	struct traits traits;
	struct state before, after;
	struct api api;
	struct vm raw;
	size_t i;

	vm_open(t, GMEM_VM_DEFAULT, &raw);
	traits = raw.traits;
	vm_close(&raw);
	fixture_open(&api, t,
		     traits.generation >= GEN_6_18 ? GMEM_VM_DEFAULT : GMEM_VM_SW_PROTECTED);
	make_slot(&api);
	make_other(&api);
	api.addr = gt_anonymous(t, API_SIZE);
	before = state_of(&api);
	for (i = 0; i < count; i++)
		expect_bad(&api, &cases[i]);
	after = state_of(&api);
	state_expect("all", &after, &before, 0);
	EXPECT("no result written", !ctx && !vm && !file && !slot && !addr, true);
	fixture_close(&api);
}

static void bad_ctx(struct gt *t)
{
	run(t, ctx_cases, GT_COUNT(ctx_cases));
}

static void bad_vm(struct gt *t)
{
	run(t, vm_cases, GT_COUNT(vm_cases));
}

static void bad_file(struct gt *t)
{
	run(t, file_cases, GT_COUNT(file_cases));
}

static void bad_slot(struct gt *t)
{
	run(t, slot_cases, GT_COUNT(slot_cases));
}

static const struct gt_test tests[] = {
	GT_TEST(bad_ctx),
	GT_TEST(bad_vm),
	GT_TEST(bad_file),
	GT_TEST(bad_slot),
};

GT_MAIN(tests)
