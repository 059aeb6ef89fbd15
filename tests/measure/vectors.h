/* SPDX-License-Identifier: MIT */
/* Test vectors: tables, files and hexadecimal text. */
#ifndef GT_VECTORS_H
#define GT_VECTORS_H

#include "gmem_test.h"

struct gmem_measure_error;

#define VECTOR_COLUMNS 24

struct vector_row {
	char *cells[VECTOR_COLUMNS];
};

/* A table of tab-separated values whose first line names the columns. */
struct vector_table {
	char *text;
	char *columns[VECTOR_COLUMNS];
	size_t column_count;
	struct vector_row *rows;
	size_t count;
};

/* A whole file in memory that starts at a page; @data is not NULL even where @size is 0. */
struct vector_file {
	uint8_t *data;
	size_t size;
};

/* The folder of tests/vectors, and that of vectors that are not ours (NULL where it is missing). */
const char *vector_dir(void);
const char *vector_foreign_dir(void);

struct vector_table vector_table_read(const char *dir, const char *name);
/* Of a third party's vectors.json, through tests/vectors/to_tsv.py. */
struct vector_table vector_table_convert(const char *json, const char *table);
void vector_table_free(struct vector_table *table);

/* The cell of a column by its name; NULL for "-". */
const char *vector_cell(const struct vector_table *table, size_t row, const char *column);
uint64_t vector_number(const struct vector_table *table, size_t row, const char *column);

/* False where there is no such file. */
bool vector_file_read(const char *dir, const char *name, struct vector_file *ret_file);
void vector_file_free(struct vector_file *file);

/* Returns the number of bytes; the text is valid and fits. */
size_t vector_unhex(const char *text, uint8_t *bytes, size_t size);
const char *vector_hex(const uint8_t *bytes, size_t size);

/* One counted assertion on a digest. */
void expect_digest(const char *row, const uint8_t *got, size_t size, const char *want);

/* One counted assertion on a return value, and one on a part of the reason. */
void expect_refused(const char *row, int got, int want, const struct gmem_measure_error *error,
		    const char *text);

#endif
