/**
 * SQL cut into tokens, by the rules of DuckDB's (PostgreSQL's) scanner: comments (nested ones too),
 * '…', E'…', $tag$…$tag$ and "…". For the few things that are decided before DuckDB's parser sees a
 * text; what is allowed is never decided here. Private to sql/.
 */
#ifndef ARKA_SQL_LEXER_H
#define ARKA_SQL_LEXER_H

#include "base/slice.h"

typedef enum arka_token_kind {
    ARKA_TOKEN_END,
    ARKA_TOKEN_WORD,   /* a keyword or an identifier without quotes */
    ARKA_TOKEN_QUOTED, /* "…" */
    ARKA_TOKEN_STRING, /* '…' in any of its forms, $$…$$ */
    ARKA_TOKEN_NUMBER,
    ARKA_TOKEN_SIGN,   /* any other single byte */
    ARKA_TOKEN_BROKEN, /* a quote or comment that never ends; reaches to the end */
} arka_token_kind;

typedef struct arka_token {
    arka_token_kind kind;
    size_t at;       /* of its first byte in the text */
    arka_slice text; /* with its quotes */
} arka_token;

typedef struct arka_lexer {
    arka_slice text;
    size_t at;
} arka_lexer;

/** The next token; END again and again at the end. */
arka_token arka_lexer_next(arka_lexer *lexer);
/** Is it this word (written in lower case), whatever its case? */
bool arka_token_is_word(arka_token token, const char *word);
bool arka_token_is_sign(arka_token token, char sign);

#endif
