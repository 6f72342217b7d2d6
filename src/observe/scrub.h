/** Credentials out of text that is going to be seen. Any thread. */
#ifndef ARKA_OBSERVE_SCRUB_H
#define ARKA_OBSERVE_SCRUB_H

#include <stddef.h>

/**
 * Replace by "***", in place: what follows the words Bearer, Basic and Token (one word; of these
 * two only a long one), the names "p=", "token=", "password=", "secret=" and "api_key=" (up to what
 * ends a value), and "authorization:" and "x-api-key:" (to the end of the line or the next quote),
 * in any case; and each word that is made like a token of ours. `text` is NUL-terminated in `cap`
 * bytes. Returns its new length; what would not fit is left out at its end.
 */
size_t arka_scrub(char *text, size_t len, size_t cap);

#endif
