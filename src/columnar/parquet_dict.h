/** Dictionaries: the distinct values of a column chunk, numbered as they are first met. */
#ifndef ARKA_COLUMNAR_PARQUET_DICT_H
#define ARKA_COLUMNAR_PARQUET_DICT_H

#include "base/slice.h"
#include "base/vec.h"

typedef enum dict_answer {
    DICT_FITS,
    DICT_TOO_LARGE, /* more distinct values than are worth it; the dictionary is of no use */
    DICT_NOMEM,
} dict_answer;

typedef struct dict_entry {
    uint64_t a, b; /* the value, or what tells it apart (parquet_dict.c) */
    uint32_t len;
    uint32_t index_and_1; /* 0: empty */
} dict_entry;

/** Zero-initialised is empty; built again and again, it keeps its memory. */
typedef struct arka_dict {
    ARKA_VEC(dict_entry) table; /* cap is what was reserved, n a power of two */
    uint32_t n;                 /* distinct values */
    ARKA_VEC(uint64_t) words;   /* them, by index: of a dictionary of words */
    ARKA_VEC(arka_slice) texts; /* of one of texts, borrowed from the input */
    size_t text_bytes;          /* of them */
    size_t input_bytes;         /* of all input texts */
    ARKA_VEC(uint32_t) indexes; /* of each input value */
} arka_dict;

void arka_dict_fini(arka_dict *dict);

/** 8-byte values, told apart by their bits: so -0.0 and 0.0 stay two, and each NaN itself. */
dict_answer arka_dict__words(arka_dict *dict, const uint64_t *values, int64_t n);
dict_answer arka_dict__texts(arka_dict *dict, const arka_slice *values, int64_t n);

#endif
