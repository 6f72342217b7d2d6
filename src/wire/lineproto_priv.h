/**
 * Shared by lineproto*.c alone: what the parser of one request remembers.
 *
 * The speed comes from guessing. Lines of one body resemble each other: the same series come round
 * in the same order, with the same field keys in the same order. So each head (measurement and
 * tags, as written) points to the head that followed it last time, each field key to the key that
 * followed it, and where the bytes agree nothing is parsed, looked up or checked again.
 */
#ifndef ARKA_WIRE_LINEPROTO_PRIV_H
#define ARKA_WIRE_LINEPROTO_PRIV_H

#include "base/buf.h"
#include "base/map.h"
#include "columnar/rows.h"
#include "wire/lineproto.h"
#include "wire/lineproto_scan.h"

/** What the parser knows of a column; at the same index as in the measurement's rows. */
typedef struct lp_column {
    arka_type type;     /* the table's, or that of the values stored so far; NONE: neither */
    unsigned char fits; /* bit 1 << lp_kind: a value of that kind can be stored */
    bool tag;           /* in the table, in a stored line or in the line at hand */
    int aside;          /* column "<name>_value", where fields go while `tag`; -1: not made yet */
    uint64_t line;      /* the last line that named it, to find repeated keys */
    uint32_t cell;      /* where in that line's cells, if a field did */
} lp_column;

/** A field key as it is written, escapes and all. */
typedef struct lp_field lp_field;
struct lp_field {
    arka_slice raw; /* in the body */
    int column;
    lp_field *next; /* the one that followed last time, or NULL */
};

typedef __typeof__(((arka_row_key *)NULL)->cells[0]) lp_tag;

/** A tag key as the last new head of a measurement had it at this place. */
typedef struct lp_tag_key {
    arka_slice raw;
    int column;
} lp_tag_key;

typedef struct lp_measurement {
    arka_slice name;   /* as the first line wrote it, be it a refused one */
    arka_slice stored; /* as the first stored line wrote it; same letters, perhaps another case */
    arka_rows *rows;
    ARKA_VEC(lp_column) columns;
    arka_map fields; /* raw key → lp_field */
    lp_field *first; /* of the latest line */
    ARKA_VEC(lp_tag_key) tag_keys;
    bool tag_keys_changed; /* since `tag_keys_normal` was found out */
    bool tag_keys_normal;  /* they ascend, and each is spelled as its column */
    /*
     * Every row, to be found by series and time: row + 1, 0 is free. Made when a series goes back
     * in time for the first time; until then only its last row can be at the time of a point.
     */
    uint32_t *points;
    size_t points_cap;
} lp_measurement;

/** A measurement and tag set. */
typedef struct lp_series {
    lp_measurement *measurement;
    int64_t last_time; /* the latest; INT64_MIN: no row yet */
    uint32_t last_row; /* the one at last_time */
    bool stored;       /* it has a row, and its columns are marked as tags for good */
    arka_row_key tags; /* none empty; in the body, or in the arena if they had escapes */
} lp_series;

/**
 * One way to write a series: the bytes of a line up to the blank before its fields. Each series
 * has one canonical way: tags ascending by key, none empty, names spelled as at first, and what
 * had escapes escaped again in a way that no two values share. A head that is written like that
 * without any backslash is canonical as it stands.
 */
typedef struct lp_head lp_head;
struct lp_head {
    const char *raw;
    uint32_t len, hash;
    lp_series *series;
    lp_field *first; /* the field key that it went on with last time, or NULL */
    lp_head *next;   /* the head of the line that followed last time, or NULL */
    bool as_written; /* a line that begins with `raw` is of this series */
    bool canonical;
};

typedef struct lp_cell {
    int column;
    lp_value value;
} lp_cell;

typedef struct lp_parser {
    const char *text, *end;
    const arka_lineproto_options *options;
    arka_writes *out;
    arka_error *err;  /* the caller's */
    arka_arena arena; /* what dies with the parser */

    /* The line at hand. */
    const char *line; /* its first byte that is no blank */
    uint64_t line_id;
    arka_slice measurement; /* as far as it is known */
    ARKA_VEC(lp_cell) cells;
    ARKA_VEC(int) marked; /* columns that are tags only if the line is stored */
    arka_error *why;      /* why it is refused; NULL once nobody will read it */
    ARKA_VEC(lp_tag) tags;
    arka_buf scratch;

    /* What the lines before it taught. */
    lp_head *previous;
    lp_head **heads; /* by hash; NULL: free */
    size_t n_heads, heads_cap;
    uint64_t seed; /* of the hash, so that nobody can choose colliding heads */
    ARKA_VEC(lp_measurement *) measurements;
    arka_map by_name;     /* lower-case */
    const char *valid_to; /* from `line` to here the text is UTF-8 */
    size_t memory_left;   /* what columns, rows and measurements may still take, roughly */

    /* Line numbers are counted when somebody asks. */
    const char *counted_to;
    int64_t lines_counted;
} lp_parser;

enum {
    LP_MAX_COLUMNS = 4096,
    LP_MAX_HEAD = 65535,         /* bytes, as in InfluxDB */
    LP_MAX_NAME = 128,           /* bytes of a measurement's (names.h) */
    LP_MEASUREMENT_BYTES = 4096, /* about what one takes before its first row */
    LP_COLUMN_BYTES = 512,
    LP_CELL_BYTES = 9, /* a value and its presence, in every row of every column */
};

/*
 * Where these return a status: ARKA_INPUT refuses the line as unreadable, ARKA_CONFLICT because it
 * does not fit the table (both with p->why set), anything else ends the request (p->err).
 */

/**
 * The head of the line at *s, for when the guess was wrong; moves *s to the blank behind it.
 * Also sets p->measurement.
 */
ARKA_MUST_USE arka_status arka_lp__head(lp_parser *p, const char **s, lp_head **out);
/** Make the columns of a series that has no row yet tags, until the line is stored or refused. */
ARKA_MUST_USE arka_status arka_lp__mark_tags(lp_parser *p, const lp_series *series);
/** The line is refused: what it alone marked is no tag. */
void arka_lp__unmark_tags(lp_parser *p, lp_measurement *m);
/** The column of that name, made if need be. */
ARKA_MUST_USE arka_status arka_lp__column(lp_parser *p, lp_measurement *m, arka_slice name,
                                          int *out);
/** Where a field goes whose column is a tag: the column "<name>_value". */
ARKA_MUST_USE arka_status arka_lp__aside(lp_parser *p, lp_measurement *m, int column, int *out);
/** Is the text from the line's beginning to `to` UTF-8? `to` is at the end of a token. */
bool arka_lp__is_utf8(lp_parser *p, const char *to);
/** Take n bytes of the request's memory; ARKA_LIMIT. */
ARKA_MUST_USE arka_status arka_lp__spend(lp_parser *p, size_t n);
/** `raw` without its escapes (',', '=' and ' '), in the arena if there are any; data NULL: out of
 * memory. */
arka_slice arka_lp__unescape(lp_parser *p, arka_slice raw);

/** Store the cells as a point of the head's series, or into the row that has its time already. */
ARKA_MUST_USE arka_status arka_lp__store(lp_parser *p, const lp_head *head, int64_t time_us);
/** Of a column of that type: which kinds of values it takes (lp_column.fits). */
unsigned char arka_lp__fits(arka_type type);

void arka_lp__measurement_free(lp_measurement *m);

#endif
