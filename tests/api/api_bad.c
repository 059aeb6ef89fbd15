/* SPDX-License-Identifier: MIT */
/* Every bad argument: its code before any system call, and a record that names the argument. */
#include "api.h"

/* The calls below take one struct apart from its default; this makes it where it is written. */
#define CTX_OPTS(...)  (&(struct gmem_ctx_opts){.sz = sizeof(struct gmem_ctx_opts), __VA_ARGS__})
#define VM_OPTS(...)   (&(struct gmem_vm_opts){.sz = sizeof(struct gmem_vm_opts), __VA_ARGS__})
#define FILE_OPTS(...) (&(struct gmem_file_opts){.sz = sizeof(struct gmem_file_opts), __VA_ARGS__})
#define SLOT_OPTS(...) (&(struct gmem_slot_opts){.sz = sizeof(struct gmem_slot_opts), __VA_ARGS__})

#define LINK_OPTS(...) (&(struct gmem_link_opts){.sz = sizeof(struct gmem_link_opts), __VA_ARGS__})
#define REPLACE_OPTS(...)                                                                          \
	(&(struct gmem_replace_opts){.sz = sizeof(struct gmem_replace_opts), __VA_ARGS__})

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

static int link_file(struct api *a, const struct gmem_link_opts *opts)
{
	return gmem_file_link(a->other_vm, a->file, opts, &file);
}

static int replace(struct api *a, const struct gmem_replace_opts *opts)
{
	return gmem_vm_replace(a->vm, opts, &vm, NULL);
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

#define LINK_CASES(X)                                                                              \
	X(link_dst, -EINVAL, "dst", gmem_file_link(NULL, a->file, NULL, &file))                    \
	X(link_src, -EINVAL, "src", gmem_file_link(a->other_vm, NULL, NULL, &file))                \
	X(link_ret, -EINVAL, "ret_file", gmem_file_link(a->other_vm, a->file, NULL, NULL))         \
	X(link_denied, -EINVAL, "denied", link_file(a, LINK_OPTS(.denied = 16)))                   \
	X(link_mechanism, -EINVAL, "mechanism", link_file(a, LINK_OPTS(.mechanism = 3)))           \
	X(link_flags, -EINVAL, "file_flags",                                                       \
	  link_file(a, LINK_OPTS(.file_flags = GMEM_FILE_MMAP)))                                   \
	X(link_long, -E2BIG, "sz", link_file(a, longer(sizeof(struct gmem_link_opts))))            \
	X(link_fd_dst, -EINVAL, "dst", gmem_file_link_fd(NULL, 0, NULL, &file))                    \
	X(link_fd_fd, -EINVAL, "fd", gmem_file_link_fd(a->vm, -1, NULL, &file))                    \
	X(link_fd_ret, -EINVAL, "ret_file", gmem_file_link_fd(a->vm, 0, NULL, NULL))               \
	X(link_fd_denied, -EINVAL, "denied",                                                       \
	  gmem_file_link_fd(a->vm, 0, LINK_OPTS(.denied = 16), &file))                             \
	X(link_fd_flags, -EINVAL, "file_flags",                                                    \
	  gmem_file_link_fd(a->vm, 0, LINK_OPTS(.file_flags = 4), &file))                          \
	X(link_fd_alone, -EINVAL, "file_flags",                                                    \
	  gmem_file_link_fd(a->vm, 0, LINK_OPTS(.file_flags = GMEM_FILE_INIT_SHARED), &file))      \
	X(file_find_vm, -EINVAL, "vm", gmem_file_find(NULL, a->file, &file))                       \
	X(file_find_like, -EINVAL, "like", gmem_file_find(a->vm, NULL, &file))                     \
	X(file_find_ret, -EINVAL, "ret_file", gmem_file_find(a->vm, a->file, NULL))                \
	X(donate_from, -EINVAL, "from", gmem_file_donate(NULL, a->file))                           \
	X(donate_to, -EINVAL, "to", gmem_file_donate(a->file, NULL))                               \
	X(donate_others, -EXDEV, NULL, gmem_file_donate(a->file, a->other_file))                   \
	X(donate_itself, -EXDEV, NULL, gmem_file_donate(a->file, a->file))                         \
	X(file_describe_null, -EINVAL, "file",                                                     \
	  gmem_file_describe(NULL, INFO(gmem_file_description)))                                   \
	X(file_describe_ret, -EINVAL, "ret_info", gmem_file_describe(a->file, NULL))               \
	X(file_describe_long, -E2BIG, "sz",                                                        \
	  gmem_file_describe(a->file, longer(sizeof(struct gmem_file_description))))               \
	X(replace_old, -EINVAL, "old", gmem_vm_replace(NULL, NULL, &vm, NULL))                     \
	X(replace_ret, -EINVAL, "ret_vm", gmem_vm_replace(a->vm, NULL, NULL, NULL))                \
	X(replace_contents, -EINVAL, "contents", replace(a, REPLACE_OPTS(.contents = 4)))          \
	X(replace_attributes, -EINVAL, "attributes", replace(a, REPLACE_OPTS(.attributes = 3)))    \
	X(replace_mechanism, -EINVAL, "mechanism", replace(a, REPLACE_OPTS(.mechanism = 3)))       \
	X(replace_padding, -EINVAL, "padding", replace(a, REPLACE_OPTS(.padding = 1)))             \
	X(replace_itself, -EINVAL, "vm", replace(a, REPLACE_OPTS(.vm = a->vm)))                    \
	X(replace_long, -E2BIG, "sz", replace(a, longer(sizeof(struct gmem_replace_opts))))        \
	X(replace_info, -E2BIG, "sz",                                                              \
	  gmem_vm_replace(a->vm, NULL, &vm, longer(sizeof(struct gmem_replace_info))))             \
	X(prepare_old, -EINVAL, "old", gmem_vm_prepare(NULL, NULL, &vm, NULL))                     \
	X(prepare_contents, -EINVAL, "contents",                                                   \
	  gmem_vm_prepare(a->vm, REPLACE_OPTS(.contents = 4), &vm, NULL))                          \
	X(unbind_all_null, -EINVAL, "vm", gmem_vm_unbind_all(NULL))                                \
	X(move_dst, -EINVAL, "dst", gmem_vm_move_context(NULL, a->vm))                             \
	X(move_src, -EINVAL, "src", gmem_vm_move_context(a->vm, NULL))                             \
	X(move_itself, -EINVAL, "dst", gmem_vm_move_context(a->vm, a->vm))                         \
	X(mirror_helper, -EINVAL, "helper", gmem_vm_mirror(NULL, a->vm))                           \
	X(mirror_vm, -EINVAL, "vm", gmem_vm_mirror(a->vm, NULL))                                   \
	X(mirror_itself, -EINVAL, "helper", gmem_vm_mirror(a->vm, a->vm))

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

#define CONVERT_OPTS(...)                                                                          \
	(&(struct gmem_convert_opts){.sz = sizeof(struct gmem_convert_opts), __VA_ARGS__})
#define LISTENER_OPTS(...)                                                                         \
	(&(struct gmem_listener_opts){                                                             \
		.sz = sizeof(struct gmem_listener_opts), .map = tell, .unmap = tell, __VA_ARGS__})
#define HALF_LISTENER(...)                                                                         \
	(&(struct gmem_listener_opts){.sz = sizeof(struct gmem_listener_opts), __VA_ARGS__})
#define EXIT(...)    (&(struct gmem_exit){.sz = sizeof(struct gmem_exit), __VA_ARGS__})
#define REQUEST(...) (&(struct gmem_conversion){__VA_ARGS__})

static int tell(void *user, const struct gmem_listener_range *range)
{
	(void)user;
	(void)range;
	return 0;
}

static struct gmem_listener *listener;
static struct gmi_kvm_run run_page;

static int convert(struct api *a, uint64_t gpa, uint64_t size, uint32_t to,
		   const struct gmem_convert_opts *opts)
{
	return gmem_convert(a->vm, gpa, size, to, opts, NULL);
}

static int batch(struct api *a, const struct gmem_conversion *requests, size_t count,
		 const struct gmem_convert_opts *opts)
{
	return gmem_convert_batch(a->vm, requests, count, opts, NULL);
}

static int listen(struct api *a, const struct gmem_listener_opts *opts)
{
	return gmem_listener_add(a->vm, opts, &listener);
}

static int handle(struct api *a, int run_error, struct gmem_exit *exit)
{
	return gmem_exit_handle(a->vm, &run_page, run_error, exit);
}

/* A fault as the kernel would never describe one. */
static int handle_fault(struct api *a, uint64_t gpa, uint64_t size, uint64_t flags)
{
	run_page.exit_reason = GMI_KVM_EXIT_MEMORY_FAULT;
	run_page.memory_fault.gpa = gpa;
	run_page.memory_fault.size = size;
	run_page.memory_fault.flags = flags;
	return handle(a, -EFAULT, EXIT());
}

/* The second of two is bad: the first must not take effect. */
static const struct gmem_conversion two_requests[] = {
	{.gpa = API_GPA, .size = GT_PAGE, .to = GMEM_PRIVATE},
	{.gpa = API_GPA + GT_PAGE, .size = GT_PAGE, .to = GMEM_MIXED},
};
static const struct gmem_conversion huge_requests[] = {
	{.gpa = 0, .size = UINT64_C(1) << 52, .to = GMEM_PRIVATE},
	{.gpa = 0, .size = GT_PAGE, .to = GMEM_PRIVATE},
};

#define LIMIT (UINT64_C(1) << 52) /* guest addresses have no more bits */

#define ATTR_CASES(X)                                                                              \
	X(convert_null, -EINVAL, "vm",                                                             \
	  gmem_convert(NULL, API_GPA, GT_PAGE, GMEM_PRIVATE, NULL, NULL))                          \
	X(convert_gpa, -EINVAL, "gpa", convert(a, API_GPA + 1, GT_PAGE, GMEM_PRIVATE, NULL))       \
	X(convert_size_0, -EINVAL, "size", convert(a, API_GPA, 0, GMEM_PRIVATE, NULL))             \
	X(convert_size, -EINVAL, "size", convert(a, API_GPA, GT_PAGE + 8, GMEM_PRIVATE, NULL))     \
	X(convert_wraps, -EINVAL, "size", convert(a, TOP, 2 * GT_PAGE, GMEM_PRIVATE, NULL))        \
	X(convert_to_2_64, -EINVAL, "size", convert(a, TOP, GT_PAGE, GMEM_PRIVATE, NULL))          \
	X(convert_beyond, -EINVAL, "size", convert(a, LIMIT, GT_PAGE, GMEM_PRIVATE, NULL))         \
	X(convert_over_limit, -EINVAL, "size",                                                     \
	  convert(a, LIMIT - GT_PAGE, 2 * GT_PAGE, GMEM_PRIVATE, NULL))                            \
	X(convert_to, -EINVAL, "to", convert(a, API_GPA, GT_PAGE, GMEM_MIXED, NULL))               \
	X(convert_to_any, -EINVAL, "to", convert(a, API_GPA, GT_PAGE, UINT32_MAX, NULL))           \
	X(convert_flags, -EINVAL, "flags",                                                         \
	  convert(a, API_GPA, GT_PAGE, GMEM_PRIVATE, CONVERT_OPTS(.flags = 1u << 3)))              \
	X(convert_discard, -EINVAL, "discard",                                                     \
	  convert(a, API_GPA, GT_PAGE, GMEM_PRIVATE, CONVERT_OPTS(.discard = 3)))                  \
	X(convert_slice, -EINVAL, "slice",                                                         \
	  convert(a, API_GPA, GT_PAGE, GMEM_PRIVATE, CONVERT_OPTS(.slice = 4097)))                 \
	X(convert_vcpu, -EINVAL, "vcpu_fd",                                                        \
	  convert(a, API_GPA, GT_PAGE, GMEM_PRIVATE,                                               \
		  CONVERT_OPTS(.flags = GMEM_CONVERT_PRE_FAULT, .vcpu_fd = -1)))                   \
	X(convert_no_sz, -EINVAL, "sz",                                                            \
	  convert(a, API_GPA, GT_PAGE, GMEM_PRIVATE, &(struct gmem_convert_opts){0}))              \
	X(convert_long, -E2BIG, "sz",                                                              \
	  convert(a, API_GPA, GT_PAGE, GMEM_PRIVATE, longer(sizeof(struct gmem_convert_opts))))    \
	X(convert_unbound, -ENOENT, NULL, convert(a, FREE, GT_PAGE, GMEM_PRIVATE, NULL))           \
	X(convert_partly, -ENOENT, NULL, convert(a, API_GPA, 5 * GT_PAGE, GMEM_PRIVATE, NULL))     \
	X(convert_before, -ENOENT, NULL,                                                           \
	  convert(a, API_GPA - GT_PAGE, 2 * GT_PAGE, GMEM_PRIVATE, NULL))                          \
	X(batch_null, -EINVAL, "vm", gmem_convert_batch(NULL, two_requests, 1, NULL, NULL))        \
	X(batch_requests, -EINVAL, "requests", batch(a, NULL, 1, NULL))                            \
	X(batch_second, -EINVAL, "to", batch(a, two_requests, 2, NULL))                            \
	X(batch_padding, -EINVAL, "padding",                                                       \
	  batch(a, REQUEST(.gpa = API_GPA, .size = GT_PAGE, .to = GMEM_PRIVATE, .padding = 1), 1,  \
		NULL))                                                                             \
	X(batch_gpa, -EINVAL, "gpa",                                                               \
	  batch(a, REQUEST(.gpa = 1, .size = GT_PAGE, .to = GMEM_PRIVATE), 1, NULL))               \
	X(batch_size, -EINVAL, "size", batch(a, REQUEST(.to = GMEM_PRIVATE), 1, NULL))             \
	X(batch_unbound, -ENOENT, NULL, batch(a, huge_requests, 2, NULL))                          \
	X(assume_null, -EINVAL, "vm", gmem_attr_assume(NULL, API_GPA, GT_PAGE, GMEM_PRIVATE))      \
	X(assume_gpa, -EINVAL, "gpa", gmem_attr_assume(a->vm, 8, GT_PAGE, GMEM_PRIVATE))           \
	X(assume_size, -EINVAL, "size", gmem_attr_assume(a->vm, API_GPA, 0, GMEM_PRIVATE))         \
	X(assume_wraps, -EINVAL, "size", gmem_attr_assume(a->vm, TOP, 2 * GT_PAGE, GMEM_PRIVATE))  \
	X(assume_to, -EINVAL, "to", gmem_attr_assume(a->vm, API_GPA, GT_PAGE, 7))                  \
	X(query_null, -EINVAL, "vm", gmem_attr_query(NULL, API_GPA, GT_PAGE))                      \
	X(query_gpa, -EINVAL, "gpa", gmem_attr_query(a->vm, 1, GT_PAGE))                           \
	X(query_size, -EINVAL, "size", gmem_attr_query(a->vm, API_GPA, 0))                         \
	X(query_wraps, -EINVAL, "size", gmem_attr_query(a->vm, TOP, 2 * GT_PAGE))                  \
	X(query_beyond, -EINVAL, "size", gmem_attr_query(a->vm, LIMIT, GT_PAGE))                   \
	X(next_run_null, -EINVAL, "vm",                                                            \
	  gmem_attr_next_run(NULL, 0, GT_PAGE, &(struct gmem_attr_run){0}))                        \
	X(next_run_gpa, -EINVAL, "gpa",                                                            \
	  gmem_attr_next_run(a->vm, 1, 1 + GT_PAGE, &(struct gmem_attr_run){0}))                   \
	X(next_run_order, -EINVAL, "end",                                                          \
	  gmem_attr_next_run(a->vm, GT_PAGE, GT_PAGE, &(struct gmem_attr_run){0}))                 \
	X(next_run_backwards, -EINVAL, "end",                                                      \
	  gmem_attr_next_run(a->vm, GT_PAGE, 0, &(struct gmem_attr_run){0}))                       \
	X(next_run_ret, -EINVAL, "ret_run", gmem_attr_next_run(a->vm, 0, GT_PAGE, NULL))           \
	X(attr_info_null, -EINVAL, "vm", gmem_attr_get_info(NULL, NULL, INFO(gmem_attr_info)))     \
	X(attr_info_ret, -EINVAL, "ret_info", gmem_attr_get_info(a->vm, NULL, NULL))               \
	X(attr_info_slot, -EINVAL, "slot",                                                         \
	  gmem_attr_get_info(a->other_vm, a->slot, INFO(gmem_attr_info)))                          \
	X(attr_info_no_sz, -EINVAL, "sz",                                                          \
	  gmem_attr_get_info(a->vm, NULL, &(struct gmem_attr_info){0}))                            \
	X(attr_info_long, -E2BIG, "sz",                                                            \
	  gmem_attr_get_info(a->vm, NULL, longer(sizeof(struct gmem_attr_info))))                  \
	X(drain_null, -EINVAL, "vm", gmem_discard_drain(NULL, UINT64_MAX, &done))                  \
	X(budget_null, -EINVAL, "vm", gmem_discard_set_budget(NULL, 0))                            \
	X(listener_null, -EINVAL, "vm", gmem_listener_add(NULL, LISTENER_OPTS(), &listener))       \
	X(listener_opts, -EINVAL, "opts", listen(a, NULL))                                         \
	X(listener_ret, -EINVAL, "ret_listener", gmem_listener_add(a->vm, LISTENER_OPTS(), NULL))  \
	X(listener_map, -EINVAL, "map", listen(a, HALF_LISTENER(.unmap = tell)))                   \
	X(listener_unmap, -EINVAL, "unmap", listen(a, HALF_LISTENER(.map = tell)))                 \
	X(listener_block_small, -EINVAL, "max_block", listen(a, LISTENER_OPTS(.max_block = 2048))) \
	X(listener_block, -EINVAL, "max_block",                                                    \
	  listen(a, LISTENER_OPTS(.max_block = 3 * GT_PAGE)))                                      \
	X(listener_no_sz, -EINVAL, "sz", listen(a, &(struct gmem_listener_opts){.map = tell}))     \
	X(listener_long, -E2BIG, "sz", listen(a, longer(sizeof(struct gmem_listener_opts))))       \
	X(handle_null, -EINVAL, "vm", gmem_exit_handle(NULL, &run_page, 0, EXIT()))                \
	X(handle_run, -EINVAL, "run", gmem_exit_handle(a->vm, NULL, 0, EXIT()))                    \
	X(handle_exit, -EINVAL, "exit", handle(a, 0, NULL))                                        \
	X(handle_error, -EINVAL, "run_error", handle(a, EFAULT, EXIT()))                           \
	X(handle_quantum, -EINVAL, "quantum", handle(a, 0, EXIT(.quantum = 1)))                    \
	X(handle_atomic, -EINVAL, "convert",                                                       \
	  handle(a, 0, EXIT(.convert = CONVERT_OPTS(.flags = GMEM_CONVERT_ATOMIC))))               \
	X(handle_unbound, -EINVAL, "convert",                                                      \
	  handle(a, 0, EXIT(.convert = CONVERT_OPTS(.flags = GMEM_CONVERT_UNBOUND))))              \
	X(handle_no_sz, -EINVAL, "sz", handle(a, 0, &(struct gmem_exit){0}))                       \
	X(handle_long, -E2BIG, "sz", handle(a, 0, longer(sizeof(struct gmem_exit))))               \
	X(fault_hole, -ENOENT, NULL,                                                               \
	  handle_fault(a, FREE, GT_PAGE, GMI_KVM_MEMORY_EXIT_FLAG_PRIVATE))                        \
	X(fault_gpa, -ENOENT, NULL,                                                                \
	  handle_fault(a, API_GPA + 1, GT_PAGE, GMI_KVM_MEMORY_EXIT_FLAG_PRIVATE))                 \
	X(fault_size, -ENOENT, NULL,                                                               \
	  handle_fault(a, API_GPA, 0, GMI_KVM_MEMORY_EXIT_FLAG_PRIVATE))                           \
	X(fault_wraps, -ENOENT, NULL,                                                              \
	  handle_fault(a, TOP, 2 * GT_PAGE, GMI_KVM_MEMORY_EXIT_FLAG_PRIVATE))                     \
	X(fault_flags, -EOPNOTSUPP, NULL, handle_fault(a, API_GPA, GT_PAGE, 1))                    \
	X(exit_enable_null, -EINVAL, "vm", gmem_exit_enable(NULL))

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
LINK_CASES(FUNCTION)
FILE_CASES(FUNCTION)
SLOT_CASES(FUNCTION)
ATTR_CASES(FUNCTION)

struct bad_case {
	const char *name;
	int code;
	const char *argument;
	int (*call)(struct api *a);
};

#define ENTRY(name, code, argument, call) {#name, code, argument, bad_##name},

static const struct bad_case ctx_cases[] = {CTX_CASES(ENTRY)};
static const struct bad_case vm_cases[] = {VM_CASES(ENTRY)};
static const struct bad_case link_cases[] = {LINK_CASES(ENTRY)};
static const struct bad_case file_cases[] = {FILE_CASES(ENTRY)};
static const struct bad_case slot_cases[] = {SLOT_CASES(ENTRY)};
static const struct bad_case attr_cases[] = {ATTR_CASES(ENTRY)};

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

static struct traits traits_of(struct gt *t)
{
	struct vm raw;

	vm_open(t, GMEM_VM_DEFAULT, &raw);
	vm_close(&raw);
	return raw.traits;
}

static void run_for(struct gt *t, uint32_t vm_type, const struct bad_case *cases, size_t count)
{
	struct state before, after;
	struct api api;
	size_t i;

	fixture_open(&api, t, vm_type);
	make_slot(&api);
	make_other(&api);
	api.addr = gt_anonymous(t, API_SIZE);
	before = state_of(&api);
	for (i = 0; i < count; i++)
		expect_bad(&api, &cases[i]);
	after = state_of(&api);
	state_expect("all", &after, &before, 0);
	EXPECT("no result written", !ctx && !vm && !file && !slot && !addr && !listener, true);
	fixture_close(&api);
}

static void run(struct gt *t, const struct bad_case *cases, size_t count)
{
	bool any_vm = traits_of(t).generation >= GEN_6_18;

	run_for(t, any_vm ? GMEM_VM_DEFAULT : GMEM_VM_SW_PROTECTED, cases, count);
}

static void bad_ctx(struct gt *t)
{
	run(t, ctx_cases, GT_COUNT(ctx_cases));
}

static void bad_vm(struct gt *t)
{
	run(t, vm_cases, GT_COUNT(vm_cases));
}

static void bad_link(struct gt *t)
{
	run(t, link_cases, GT_COUNT(link_cases));
}

static void bad_file(struct gt *t)
{
	run(t, file_cases, GT_COUNT(file_cases));
}

static void bad_slot(struct gt *t)
{
	run(t, slot_cases, GT_COUNT(slot_cases));
}

static void bad_attr(struct gt *t)
{
	REQUIRE(traits_of(t).types & (1u << GMEM_VM_SW_PROTECTED),
		"VMs with private memory are not offered");
	run_for(t, GMEM_VM_SW_PROTECTED, attr_cases, GT_COUNT(attr_cases));
}

static const struct gt_test tests[] = {
	GT_TEST(bad_ctx),  GT_TEST(bad_vm),   GT_TEST(bad_link),
	GT_TEST(bad_file), GT_TEST(bad_slot), GT_TEST(bad_attr),
};

GT_MAIN(tests)
