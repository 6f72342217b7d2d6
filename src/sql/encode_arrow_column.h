/**
 * One column of a record batch, gathered from DuckDB's vectors over many chunks. Shared by the
 * Arrow encoder's files.
 */
#ifndef ARKA_SQL_ENCODE_ARROW_COLUMN_H
#define ARKA_SQL_ENCODE_ARROW_COLUMN_H

#include "base/buf.h"
#include "columnar/arrow.h"
#include "columnar/ipc.h"
#include "sql/encode_type.h"

struct arka_arrow_words;

/** Mirrors the type; the children of a MAP are key and value, without the struct between. */
typedef struct arka_arrow_column {
    const arka_sql_type *type;
    int64_t n, n_nulls;
    arka_buf validity; /* bits; without content while there are no nulls */
    arka_buf values;   /* of a fixed width, bits of BOOL, or int32_t offsets */
    arka_buf bytes;    /* texts */
    arka_buf picked;   /* scratch of lists: uint32_t rows of the child */
    struct arka_arrow_column *children;
    struct arka_arrow_words *words; /* dictionary-encoded: values are int32_t indices into it */
} arka_arrow_column;

/** Rows of a vector: picked[0 .. n), or from … from + n - 1 when picked is NULL. */
typedef struct arka_arrow_rows {
    const uint32_t *picked;
    idx_t from, n;
} arka_arrow_rows;

/** The field that a type becomes (docs/formats/arrow.md, "Query results"). NULL: out of memory. */
const arka_arrow_field *arka_arrow_column_field(const arka_sql_type *type, arka_arena *arena,
                                                arka_arrow_field *out);

/** Cleared memory becomes an empty column; false when out of memory. `words` may be NULL. */
bool arka_arrow_column_init(arka_arrow_column *c, const arka_sql_type *type,
                            struct arka_arrow_words *words, arka_arena *arena);
void arka_arrow_column_fini(arka_arrow_column *c);
/**
 * Append rows. ARKA_LIMIT, without a sentence: texts or lists would pass the 2^31 - 1 bytes or
 * items that a batch can address; then the column holds a part, see truncate. ARKA_INPUT: a time
 * beyond microseconds. Out of memory shows in _failed.
 */
ARKA_MUST_USE arka_status arka_arrow_column_append(arka_arrow_column *c, const arka_sql_vec *v,
                                                   arka_arrow_rows rows, arka_error *err);
/** Back to the first n rows. */
void arka_arrow_column_truncate(arka_arrow_column *c, int64_t n);
bool arka_arrow_column_failed(const arka_arrow_column *c);
/** Bytes of its buffers, and of words not sent yet. */
size_t arka_arrow_column_bytes(const arka_arrow_column *c);

/** Its nodes and buffers, and its children's, appended to arrays that have room; they borrow from
 * c. */
void arka_arrow_column_layout(const arka_arrow_column *c, arka_ipc_columns *out,
                              arka_ipc_node *nodes, arka_ipc_buffer *buffers);
/** The most of them that a type has. */
enum { ARKA_ARROW_NODES_PER_COLUMN = 2, ARKA_ARROW_BUFFERS_PER_COLUMN = 3 };

/** Texts by number, each once: the values of a dictionary. */
typedef struct arka_arrow_words arka_arrow_words;
arka_arrow_words *arka_arrow_words_new(void);
void arka_arrow_words_free(arka_arrow_words *words);
/** The number of a text, new or known; -1 when out of memory (_failed) or past 2^31 - 1 bytes. */
int32_t arka_arrow_words_add(arka_arrow_words *words, arka_slice text);
bool arka_arrow_words_failed(const arka_arrow_words *words);
/** What was added since the dictionary was sent last. */
size_t arka_arrow_words_unsent_bytes(const arka_arrow_words *words);
/**
 * Before a record batch: write the dictionary if it has words that were not sent yet. It is sent
 * whole, since there are readers that refuse deltas; so that this costs little it starts afresh
 * (after = true) once it has grown large.
 */
void arka_arrow_words_send(arka_arrow_words *words, int64_t id, const arka_ipc_options *options,
                           arka_buf *out);
void arka_arrow_words_after_batch(arka_arrow_words *words);

#endif
