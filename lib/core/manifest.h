/* SPDX-License-Identifier: MIT */
/* The manifest of a hand-over: what a VM is made of, as bytes that another process may have written. */
#ifndef GMI_MANIFEST_H
#define GMI_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include <libgmem/types.h>

/**
 * DOC: The format
 *
 * All numbers are little-endian. A manifest is a header, records, and a check:
 *
 *   header   u64 magic, u32 version, u32 records, u64 bytes of the whole, u64 0
 *   record   u32 type, u32 flags, u64 bytes of the body, the body, zeros up to a multiple of 8
 *   check    u64 CRC-64/XZ of all before it
 *
 * A reader skips records of a type that it does not know, unless GMI_RECORD_MANDATORY is set. A body
 * that is longer than the reader knows is accepted where the rest is zero, as with public structs. A
 * change that old readers must not accept is a mandatory record or a new version.
 *
 * The check is against accidents (a bug, a truncated message). It is no signature and need not be
 * one: who could change the bytes could change the check too, so the peer is known by its
 * credentials, and what the manifest says is compared with the descriptors that came along.
 */

#define GMI_MANIFEST_MAGIC   UINT64_C(0x646e61686d656d67) /* "gmemhand" */
#define GMI_MANIFEST_VERSION 1u

/* What a reader accepts at most. */
#define GMI_MANIFEST_SIZE_MAX   (UINT64_C(64) << 20)
#define GMI_MANIFEST_INODES_MAX 4096u
#define GMI_MANIFEST_SLOTS_MAX  65536u
#define GMI_MANIFEST_BLOBS_MAX  1024u
#define GMI_MANIFEST_LISTS_MAX  (GMI_MANIFEST_INODES_MAX + 8u)

#define GMI_BLOB_NAME_SIZE 64u

/* No file, no host memory, no descriptor. */
#define GMI_MANIFEST_NONE UINT32_MAX

#define GMI_RECORD_MANDATORY (UINT32_C(1) << 0)

/* Numbers are never reused. */
enum gmi_record {
	GMI_RECORD_VM = 1,
	GMI_RECORD_INODE = 2,
	GMI_RECORD_NUMA = 3,
	GMI_RECORD_FILE = 4,
	GMI_RECORD_SLOT = 5,
	GMI_RECORD_RUNS = 6,
	GMI_RECORD_BLOB = 7,
	GMI_RECORD_CONTEXT = 8,
	GMI_RECORD_COUNT
};

/* @mechanism is an enum gmi_mechanism; @fds counts the descriptors that come along. */
struct gmi_manifest_vm {
	uint32_t type;
	uint32_t mechanism;
	uint32_t address_spaces;
	uint32_t fds;
	uint64_t rfc; /* GMEM_RFC_… of the context */
	char release[64];
};

enum gmi_inode_kind {
	GMI_INODE_GUEST = 0, /* guest_memfd */
	GMI_INODE_HOST = 1,  /* a file that host memory is a shared mapping of */
	GMI_INODE_KINDS
};

#define GMI_NUMA_WORDS 16u

struct gmi_manifest_inode {
	uint32_t kind;
	uint32_t fd; /* index among the descriptors that come along */
	uint64_t dev;
	uint64_t ino;
	uint64_t size;
	uint64_t flags;     /* GMEM_FILE_… */
	uint64_t raw_flags; /* of the kernel */
	uint64_t page_size;
	uint32_t numa_mode;  /* enum gmem_numa_mode: a fact of the inode, for who wants to know */
	uint32_t numa_words; /* used of @nodes */
	uint64_t nodes[GMI_NUMA_WORDS];
};

/* One VM's view of an inode. */
struct gmi_manifest_file {
	uint32_t inode;
	uint32_t flags; /* 0 */
};

struct gmi_manifest_slot {
	uint64_t gpa;
	uint64_t size;
	uint64_t offset;      /* in the file */
	uint64_t host_offset; /* in @host */
	uint64_t backing_page;
	uint32_t id;
	uint32_t flags; /* GMEM_SLOT_… */
	uint32_t address_space;
	uint32_t file; /* index, or GMI_MANIFEST_NONE */
	uint32_t host; /* index of an inode, or GMI_MANIFEST_NONE */
	uint32_t padding;
};

enum gmi_runs_kind {
	GMI_RUNS_VM = 0,     /* by guest address: private or shared */
	GMI_RUNS_INODE = 1,  /* by offset in inode @index */
	GMI_RUNS_WISHED = 2, /* in place, by guest address: private where a state is wished */
	GMI_RUNS_KINDS
};

/*
 * Runs from 0 on, of unlike neighbours: each is its pages, seven bits a byte, the lowest first, the
 * top bit set where more follow. The states alternate, beginning with @first.
 */
struct gmi_manifest_runs {
	uint32_t kind;
	uint32_t index;
	uint64_t count;
	uint32_t first;
	uint32_t padding;
	const uint8_t *bytes;
	size_t size;
};

struct gmi_manifest_blob {
	char name[GMI_BLOB_NAME_SIZE];
	const uint8_t *data;
	uint64_t size;
};

/* What a reader gives. Runs and blobs lie in the bytes that were read. */
struct gmi_manifest {
	const struct gmem_allocator *allocator;
	bool has_vm;
	bool has_context;    /* which is to be moved from the VM of ... */
	uint32_t context_fd; /* ... this descriptor that comes along */
	struct gmi_manifest_vm vm;
	struct gmi_manifest_inode *inodes;
	struct gmi_manifest_file *files;
	struct gmi_manifest_slot *slots;
	struct gmi_manifest_runs *runs;
	struct gmi_manifest_blob *blobs;
	uint32_t inode_count;
	uint32_t file_count;
	uint32_t slot_count;
	uint32_t runs_count;
	uint32_t blob_count;
};

/*
 * Reads hostile bytes. What it accepts is true of itself: numbers in range, indexes that exist,
 * descriptors each used once, ranges inside their inode. 0; -EPROTO or -EOPNOTSUPP (something newer and
 * mandatory) with a record; -ENOMEM with a record.
 */
int gmi_manifest_read(const struct gmem_allocator *allocator, const uint8_t *bytes, size_t size,
		      struct gmi_manifest *ret_manifest);
void gmi_manifest_clear(struct gmi_manifest *manifest);

/* manifest_check.c: what no single record shows. Codes as above. */
int gmi_manifest_check(const struct gmi_manifest *manifest);

/* manifest_runs.c: a walk over packed runs, which were checked or not. */
struct gmi_runs_cursor {
	const uint8_t *at;
	size_t left;
	uint64_t start; /* of the run that was read last, in bytes */
	uint64_t size;
	uint32_t state;
	bool begun;
};

void gmi_runs_begin(const struct gmi_manifest_runs *runs, struct gmi_runs_cursor *ret_cursor);

/* 1 with a run, 0 at the end, -EPROTO without a record where the bytes are no runs. */
int gmi_runs_next(struct gmi_runs_cursor *cursor);

/* What is being written; once memory was short, @failed, and nothing more is added. */
struct gmi_manifest_writer {
	const struct gmem_allocator *allocator;
	uint8_t *bytes;
	size_t size;
	size_t capacity;
	uint32_t records;
	bool failed;
};

void gmi_manifest_begin(struct gmi_manifest_writer *writer, const struct gmem_allocator *allocator);
void gmi_manifest_put_vm(struct gmi_manifest_writer *writer, const struct gmi_manifest_vm *vm);
void gmi_manifest_put_inode(struct gmi_manifest_writer *writer,
			    const struct gmi_manifest_inode *inode);
void gmi_manifest_put_numa(struct gmi_manifest_writer *writer, uint32_t inode,
			   const struct gmi_manifest_inode *facts);
void gmi_manifest_put_file(struct gmi_manifest_writer *writer,
			   const struct gmi_manifest_file *file);
void gmi_manifest_put_slot(struct gmi_manifest_writer *writer,
			   const struct gmi_manifest_slot *slot);
void gmi_manifest_put_context(struct gmi_manifest_writer *writer, uint32_t fd);
void gmi_manifest_put_blob(struct gmi_manifest_writer *writer, const char *name, const void *data,
			   uint64_t size);

/* A list of runs: begin, one call a run, end. */
struct gmi_runs_writer {
	struct gmi_manifest_writer *writer;
	size_t record;
	uint64_t count;
	uint32_t first;
};

void gmi_runs_open(struct gmi_runs_writer *runs, struct gmi_manifest_writer *writer, uint32_t kind,
		   uint32_t index);
void gmi_runs_put(struct gmi_runs_writer *runs, uint64_t size, uint32_t state);
void gmi_runs_close(struct gmi_runs_writer *runs);

/* 0, -ENOMEM or -EFBIG (beyond GMI_MANIFEST_SIZE_MAX) without a record. The bytes are the caller's
 * to free, on failure too. */
int gmi_manifest_end(struct gmi_manifest_writer *writer);

#endif
