/**
 * Arrow's C data interface: batches handed to, and taken from, other libraries of the same process
 * as pointers. The structs are its ABI (Arrow, "The Arrow C data interface", "Structure
 * definitions").
 *
 * Its rule is kept: whoever holds a struct whose `release` is not NULL calls it once; moving a
 * struct is copying its bytes and setting `release` of the source to NULL.
 */
#ifndef ARKA_COLUMNAR_CDATA_H
#define ARKA_COLUMNAR_CDATA_H

#include "columnar/batch.h"

/* The guard's name is the interface's: several libraries may declare the same structs. */
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE           2
#define ARROW_FLAG_MAP_KEYS_SORTED    4

struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif

/**
 * The batch as a struct array, its columns the children: nothing is copied, each array holds a
 * reference of its own on the batch (a consumer may move a child out). *out is written only on
 * success; release it from any thread. ARKA_NOMEM.
 */
ARKA_MUST_USE arka_status arka_cdata_export_batch(arka_batch *batch, struct ArrowArray *out,
                                                  arka_error *err);
/** The type of that array: a struct of the columns, tags marked by metadata arka:tag = 1. */
ARKA_MUST_USE arka_status arka_cdata_export_schema(arka_batch *batch, struct ArrowSchema *out,
                                                   arka_error *err);

/**
 * A batch of ours from a struct array and its type, copied and converted as from an IPC stream
 * (docs/formats/arrow.md). Both are borrowed: the caller still releases them. At least one row.
 * The interface gives no buffer lengths, so these are the producer's word; types, offsets, texts
 * and indices are checked. Without a column "time" one is added with now_us in each row.
 * ARKA_INPUT names the column; ARKA_LIMIT over 2^31 - 1 bytes of text in a column; ARKA_NOMEM.
 */
ARKA_MUST_USE arka_status arka_cdata_import(const struct ArrowArray *array,
                                            const struct ArrowSchema *schema, int64_t now_us,
                                            arka_batch **out, arka_error *err);

#endif
