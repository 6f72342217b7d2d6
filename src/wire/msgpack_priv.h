/** Shared by the msgpack_*.c files: the decoder's state and its parts. Not for other folders. */
#ifndef ARKA_WIRE_MSGPACK_PRIV_H
#define ARKA_WIRE_MSGPACK_PRIV_H

#include "base/buf.h"
#include "base/map.h"
#include "base/utf8.h"
#include "columnar/block.h"
#include "columnar/rows.h"
#include "wire/msgpack.h"
#include "wire/msgpack_read.h"
#include "wire/names.h"

enum {
    ARKA_MSGPACK_MAX_COLUMNS = 4096,        /* of one measurement in one body */
    ARKA_MSGPACK_MAX_GROUP_COLUMNS = 65536, /* of all row maps in one body together */
    ARKA_MSGPACK_MAX_NAME = 255,
    ARKA_MSGPACK_MAX_DEPTH = 128, /* what options.max_depth may ask for */
};

/** A row map's value, checked and ready to be put. */
typedef struct arka_msgpack_cell {
    int column;               /* of the group, or -1: a new one, called … */
    size_t name_at, name_len; /* … in decoder.text */
    bool tag;
    arka_msgpack_kind kind; /* BOOL, INT, FLOAT or TEXT */
    union {
        bool boolean;
        int64_t i64;
        double f64;
        struct {
            arka_slice text; /* in the body; or data is NULL and it stands … */
            size_t text_at;  /* … in decoder.text */
        };
    };
} arka_msgpack_cell;

/** The row maps of one measurement, gathered over the whole body. */
typedef struct arka_msgpack_group {
    arka_slice measurement; /* in the writes' arena */
    arka_rows *rows;
    int64_t member;         /* the first */
    int64_t attempt;        /* row maps so far, refused ones included */
    int64_t n_cells;        /* rows x columns, as of the last row */
    ARKA_VEC(int64_t) seen; /* per column: the last attempt that had it */
} arka_msgpack_group;

typedef struct arka_msgpack_decoder {
    arka_msgpack_reader in;
    arka_msgpack_options options; /* no zeros left */
    arka_writes *out;
    arka_error why;       /* what is wrong with the member at hand */
    arka_error first_why; /* with the first that was refused */
    int64_t first_bad;    /* its index */
    int64_t n_rows;       /* of good members */
    size_t memory_bytes;  /* of what is in `out` */
    arka_buf text;        /* text made from other things than strings */
    ARKA_VEC(arka_msgpack_cell) cells;
    ARKA_VEC(arka_msgpack_group) groups;
    arka_map group_by_name; /* index + 1 */
    size_t last_group;
    arka_map new_names; /* of the row map at hand: folded name → index of its cell + 1 */
    int64_t n_cells, n_group_columns;
} arka_msgpack_decoder;

/** A row map as it was found: positions of the values, NULL where there is none. */
typedef struct arka_msgpack_record {
    arka_slice measurement; /* not checked; data is NULL while there was no `m` */
    char made[48];          /* "measurement_7" */
    const uint8_t *t, *h, *tags, *fields, *f;
} arka_msgpack_record;

/** A name for a sentence: valid UTF-8 and short. */
static inline arka_slice arka_msgpack__shown(arka_slice name)
{
    size_t n = name.len < 64 ? name.len : 64;
    return (arka_slice){name.data, arka_utf8_check(name.data, n)};
}

/**
 * A cell that is no string, appended as text: numbers, true and false, timestamps as RFC 3339,
 * arrays and maps as JSON (`r` stands behind the header and moves past the content).
 * *null: nil, NaN or infinity, nothing appended. ARKA_INPUT: 2^63 and more, nested deeper than
 * max_depth, an extension, bytes that are not UTF-8. ARKA_NOMEM.
 */
ARKA_MUST_USE arka_status arka_msgpack__text(arka_msgpack_reader *r, const arka_msgpack_token *t,
                                             int max_depth, arka_buf *out, bool *null,
                                             arka_error *err);

/** "integer … does not fit BIGINT". */
arka_status arka_msgpack__too_large(uint64_t v, arka_error *err);

/**
 * One array of `n` elements, which the reader stands at, as the next column of `block`. A column of
 * nothing but nils has no type and is left out. ARKA_INPUT names column and row.
 */
ARKA_MUST_USE arka_status arka_msgpack__column(arka_msgpack_decoder *dec, arka_block *block,
                                               arka_slice name, int64_t n, arka_error *err);

/** The value of `columns`, which the reader stands at, as a batch. */
ARKA_MUST_USE arka_status arka_msgpack__columns(arka_msgpack_decoder *dec, arka_batch **out,
                                                arka_error *err);

/** One row map into its group. ARKA_INPUT: refused, and it left no trace. */
ARKA_MUST_USE arka_status arka_msgpack__row(arka_msgpack_decoder *dec,
                                            const arka_msgpack_record *record, int64_t member,
                                            arka_error *err);
/** The group of that measurement, made if need be. Valid until the next call. */
ARKA_MUST_USE arka_status arka_msgpack__find_group(arka_msgpack_decoder *dec,
                                                   arka_slice measurement, int64_t member,
                                                   arka_msgpack_group **out, arka_error *err);
/** May the group's next row add that many columns? ARKA_LIMIT. */
ARKA_MUST_USE arka_status arka_msgpack__check_group(arka_msgpack_decoder *dec,
                                                    arka_msgpack_group *g, int n_new,
                                                    arka_error *err);
/** The groups as writes. */
ARKA_MUST_USE arka_status arka_msgpack__seal_groups(arka_msgpack_decoder *dec, arka_error *err);
void arka_msgpack__free_groups(arka_msgpack_decoder *dec);

/** May `n` more rows come? ARKA_LIMIT. */
ARKA_MUST_USE arka_status arka_msgpack__check_rows(const arka_msgpack_decoder *dec, int64_t n,
                                                   arka_error *err);
/** Takes `batch` whatever happens. `measurement` is in the arena. */
ARKA_MUST_USE arka_status arka_msgpack__add_write(arka_msgpack_decoder *dec, arka_slice measurement,
                                                  arka_batch *take_batch, int64_t member,
                                                  arka_error *err);

#endif
