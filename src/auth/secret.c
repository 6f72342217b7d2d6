#include "auth/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base64.h"
#include "base/number.h"
#include "os/file.h"

enum { SALT = 16, ITERATIONS = 600000, MAX_ITERATIONS = 10000000 };

static const char FAST[] = "$sha256$";
static const char SLOW[] = "$pbkdf2-sha256$";

void arka_secret_wipe(void *bytes, size_t n)
{
    OPENSSL_cleanse(bytes, n);
}

arka_status arka_secret_generate(char out[ARKA_SECRET_TEXT], arka_error *err)
{
    char bytes[32];
    arka_buf text = ARKA_BUF_INIT;
    arka_random_bytes(bytes, sizeof bytes);
    arka_base64_encode_url(&text, (arka_slice){bytes, sizeof bytes});
    arka_secret_wipe(bytes, sizeof bytes);
    if (text.failed)
        return arka_fail_nomem(err, "a token", (size_t)ARKA_SECRET_TEXT);
    memcpy(out, text.data, text.len);
    out[text.len] = 0;
    arka_secret_wipe(text.data, text.len);
    arka_buf_fini(&text);
    return ARKA_OK;
}

/* iterations 0: the fast one */
static arka_status derive(arka_slice token, arka_slice salt, int64_t iterations,
                          unsigned char out[ARKA_DIGEST], arka_error *err)
{
    unsigned n = ARKA_DIGEST;
    const unsigned char *s = (const unsigned char *)salt.data;
    bool done = iterations > 0
                    ? PKCS5_PBKDF2_HMAC(token.data, (int)token.len, s, (int)salt.len,
                                        (int)iterations, EVP_sha256(), ARKA_DIGEST, out) == 1
                    : HMAC(EVP_sha256(), salt.data, (int)salt.len,
                           (const unsigned char *)token.data, token.len, out, &n) != NULL;
    return done ? ARKA_OK : arka_fail(err, ARKA_INTERNAL, "libcrypto cannot hash a token");
}

static arka_status put_hash(arka_slice token, arka_slice salt, int64_t iterations, arka_buf *out,
                            arka_error *err)
{
    char hash[ARKA_DIGEST];
    ARKA_TRY(derive(token, salt, iterations, (unsigned char *)hash, err));
    if (iterations > 0)
        arka_buf_printf(out, "%s%lld$", SLOW, (long long)iterations);
    else
        arka_buf_text(out, FAST);
    arka_base64_encode(out, salt);
    arka_buf_byte(out, '$');
    arka_base64_encode(out, (arka_slice){hash, sizeof hash});
    return out->failed ? arka_fail_nomem(err, "a token's hash", out->len) : ARKA_OK;
}

arka_status arka_secret_hash(arka_slice token, bool chosen, arka_buf *out, arka_error *err)
{
    char salt[SALT];
    arka_random_bytes(salt, sizeof salt);
    return put_hash(token, (arka_slice){salt, sizeof salt}, chosen ? ITERATIONS : 0, out, err);
}

static bool begins_with(arka_slice text, const char *with)
{
    return text.len >= strlen(with) && memcmp(text.data, with, strlen(with)) == 0;
}

bool arka_secret_is_slow(arka_slice hash)
{
    return begins_with(hash, SLOW);
}

/* The piece of *rest up to the next '$' or the end. */
static arka_slice take_piece(arka_slice *rest)
{
    const char *mark = rest->len ? memchr(rest->data, '$', rest->len) : NULL;
    arka_slice piece = {rest->data, mark ? (size_t)(mark - rest->data) : rest->len};
    size_t n = piece.len + (mark != NULL);
    *rest = (arka_slice){rest->data + n, rest->len - n};
    return piece;
}

static bool read_hash(arka_slice hash, int64_t *iterations, arka_buf *salt, arka_buf *digest)
{
    bool slow = arka_secret_is_slow(hash);
    if (!slow && !begins_with(hash, FAST))
        return false;
    size_t n = strlen(slow ? SLOW : FAST);
    arka_slice rest = {hash.data + n, hash.len - n};
    arka_slice count = slow ? take_piece(&rest) : ARKA_SLICE("0");
    arka_slice salt_text = take_piece(&rest);
    return arka_parse_i64(count.data, count.len, iterations) && *iterations >= slow &&
           *iterations <= MAX_ITERATIONS && arka_base64_decode(salt, salt_text) && salt->len > 0 &&
           arka_base64_decode(digest, rest) && digest->len == ARKA_DIGEST;
}

arka_status arka_secret_verify(arka_slice token, arka_slice hash, bool *same, arka_error *err)
{
    ARKA_AUTO_VALUE(arka_buf) salt = ARKA_BUF_INIT;
    ARKA_AUTO_VALUE(arka_buf) digest = ARKA_BUF_INIT;
    unsigned char found[ARKA_DIGEST];
    int64_t iterations;
    *same = false;
    if (!read_hash(hash, &iterations, &salt, &digest))
        return salt.failed || digest.failed
                   ? arka_fail_nomem(err, "a token's hash", hash.len)
                   : arka_fail(err, ARKA_CORRUPT, "a stored token's hash is not readable");
    ARKA_TRY(derive(token, (arka_slice){salt.data, salt.len}, iterations, found, err));
    *same = CRYPTO_memcmp(found, digest.data, ARKA_DIGEST) == 0;
    return ARKA_OK;
}

/* ---- digests ---- */

struct arka_digester {
    EVP_MD *sha256; /* looked up once: each EVP_sha256() is looked up anew by every use */
    EVP_MD_CTX *context;
};

arka_status arka_digester_new(arka_digester **out, arka_error *err)
{
    arka_digester *d = arka_calloc(1, sizeof *d);
    if (d == NULL)
        return arka_fail_nomem(err, "a digest", sizeof *d);
    d->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    d->context = EVP_MD_CTX_new();
    if (d->sha256 == NULL || d->context == NULL) {
        arka_digester_free(d);
        return arka_fail(err, ARKA_INTERNAL, "libcrypto has no SHA-256");
    }
    *out = d;
    return ARKA_OK;
}

void arka_digester_free(arka_digester *d)
{
    if (d == NULL)
        return;
    EVP_MD_CTX_free(d->context);
    EVP_MD_free(d->sha256);
    arka_free(d);
}

bool arka_digester_run(arka_digester *d, arka_slice token, unsigned char out[ARKA_DIGEST])
{
    return EVP_DigestInit_ex2(d->context, d->sha256, NULL) == 1 &&
           EVP_DigestUpdate(d->context, token.data, token.len) == 1 &&
           EVP_DigestFinal_ex(d->context, out, NULL) == 1;
}

void arka_secret_prefix(const unsigned char digest[ARKA_DIGEST], bool chosen,
                        char out[ARKA_PREFIX_TEXT])
{
    static const char DIGITS[] = "0123456789abcdef";
    int n = chosen ? ARKA_PREFIX_CHOSEN : ARKA_PREFIX_GENERATED;
    for (int i = 0; i < n; i++)
        out[i] = DIGITS[digest[i / 2] >> (i % 2 ? 0 : 4) & 15];
    out[n] = 0;
}
