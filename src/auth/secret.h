/**
 * What is kept of a token, and how one is compared with it; the only file with cryptography in it.
 * Any thread.
 *
 * A token that we generated has 256 random bits: nobody can try them all, so a fast hash keeps it
 * as safe as a slow one: `$sha256$SALT$HASH`, HMAC-SHA-256 with the salt as key. A value that a
 * person chose may be among those that are worth trying: `$pbkdf2-sha256$600000$SALT$HASH`, which
 * takes a tenth of a second or more. Salt and hash are base64.
 */
#ifndef ARKA_AUTH_SECRET_H
#define ARKA_AUTH_SECRET_H

#include "base/buf.h"
#include "base/status.h"

enum {
    ARKA_SECRET_TEXT = 44, /* of a generated token: 43 characters of URL-safe base64 and a NUL */
    ARKA_DIGEST = 32,
};

/** 32 bytes nobody can guess. ARKA_NOMEM. */
ARKA_MUST_USE arka_status arka_secret_generate(char out[ARKA_SECRET_TEXT], arka_error *err);

/** Append the hash that is to be stored. */
ARKA_MUST_USE arka_status arka_secret_hash(arka_slice token, bool chosen, arka_buf *out,
                                           arka_error *err);
/** Does a comparison with it take long? */
bool arka_secret_is_slow(arka_slice hash);
/** In a time that does not depend on where they differ. ARKA_CORRUPT: it is no hash of ours. */
ARKA_MUST_USE arka_status arka_secret_verify(arka_slice token, arka_slice hash, bool *same,
                                             arka_error *err);

/** SHA-256, for tables in memory. One that is used again and again by one thread at a time. */
typedef struct arka_digester arka_digester;
ARKA_MUST_USE arka_status arka_digester_new(arka_digester **out, arka_error *err);
void arka_digester_free(arka_digester *digester); /* NULL is fine */
/** False: libcrypto has failed. */
bool arka_digester_run(arka_digester *digester, arka_slice token, unsigned char out[ARKA_DIGEST]);

/**
 * By what a token's row is found: the first hexadecimal digits of SHA-256(token). Of a generated
 * token 16, which leaves 192 bits to guess. Of a chosen value one: who has stolen the file can see
 * by the prefix, for the price of one SHA-256, that a guess is wrong, and pays for the slow hash
 * only where it fits. One digit makes guessing 16 times cheaper, which the iterations are for;
 * eight would make it as cheap as if there were none. In return a wrong token costs a slow
 * comparison with one in 16 of the chosen values, of which there are few.
 */
enum { ARKA_PREFIX_TEXT = 17, ARKA_PREFIX_GENERATED = 16, ARKA_PREFIX_CHOSEN = 1 };
void arka_secret_prefix(const unsigned char digest[ARKA_DIGEST], bool chosen,
                        char out[ARKA_PREFIX_TEXT]);

/** Overwrite it, which no compiler leaves out. */
void arka_secret_wipe(void *bytes, size_t n);

#endif
