/**
 * The part of TOML 1.0 that our configuration files use: comments, [tables], bare and dotted keys,
 * and values that are strings ("…" with escapes, '…'), integers, floats or booleans. Arrays, inline
 * tables, arrays of tables, multi-line strings, quoted keys and dates are refused by name. Pure.
 */
#ifndef ARKA_CONFIG_TOML_H
#define ARKA_CONFIG_TOML_H

#include "base/arena.h"

typedef enum arka_toml_kind {
    ARKA_TOML_STRING,
    ARKA_TOML_INT,
    ARKA_TOML_FLOAT,
    ARKA_TOML_BOOL,
} arka_toml_kind;

typedef struct arka_toml_value {
    arka_toml_kind kind;
    arka_slice text; /* STRING: decoded, UTF-8 without NUL */
    int64_t i64;
    double f64;
    bool boolean;
    int line; /* from 1 */
} arka_toml_value;

/** "a string", "an integer", … */
const char *arka_toml_kind_name(arka_toml_kind kind);

typedef arka_status (*arka_toml_each)(void *context, arka_slice key, const arka_toml_value *value,
                                      arka_error *err);

/**
 * Call `each` for every key of `text`, in order, with its whole dotted name; names and texts live
 * as long as the arena. Stops when `each` fails. `file` stands in the sentences. ARKA_INPUT naming
 * file and line: what is not TOML, what is not supported, a key or table that comes twice;
 * ARKA_NOMEM.
 */
ARKA_MUST_USE arka_status arka_toml_read(arka_slice text, const char *file, arka_arena *arena,
                                         arka_toml_each each, void *context, arka_error *err);

#endif
