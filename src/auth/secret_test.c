#include "auth/secret.h"

#include "kit/kit.h"

static bool fits(const char *token, arka_slice hash)
{
    arka_error err = {0};
    bool same;
    ASSERT_OK(arka_secret_verify(arka_slice_of(token), hash, &same, &err));
    return same;
}

TEST(a_hash_fits_its_token_alone)
{
    arka_error err = {0};
    for (int chosen = 0; chosen < 2; chosen++) {
        arka_buf a = ARKA_BUF_INIT, b = ARKA_BUF_INIT;
        ASSERT_OK(arka_secret_hash(ARKA_SLICE("correct horse"), chosen, &a, &err));
        ASSERT_OK(arka_secret_hash(ARKA_SLICE("correct horse"), chosen, &b, &err));
        arka_slice hash = {a.data, a.len};
        assert_false(arka_slice_eq(hash, (arka_slice){b.data, b.len})); /* salted */
        assert_int_equal(arka_secret_is_slow(hash), chosen);
        assert_int_equal(
            memcmp(a.data, chosen ? "$pbkdf2-sha256$600000$" : "$sha256$", chosen ? 22 : 8), 0);
        assert_null(memmem(a.data, a.len, "horse", 5));
        assert_true(fits("correct horse", hash));
        assert_false(fits("correct horsf", hash));
        assert_false(fits("correct horse ", hash));
        assert_false(fits("", hash));
        arka_buf_fini(&a);
        arka_buf_fini(&b);
    }
}

/* RFC 4231, test case 2; and PBKDF2-HMAC-SHA-256 of RFC 7914, section 11. */
TEST(the_hashes_are_those_of_the_specifications)
{
    assert_true(fits("what do ya want for nothing?",
                     ARKA_SLICE("$sha256$SmVmZQ==$W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=")));
    /* P = "passwd", S = "salt", c = 1: the first 32 of the 64 bytes */
    assert_true(fits("passwd", ARKA_SLICE("$pbkdf2-sha256$1$c2FsdA==$"
                                          "VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw=")));
}

TEST(what_is_no_hash_is_damage)
{
    static const char *const BAD[] = {
        "",
        "secret",
        "$sha256$",
        "$sha256$c2FsdA==$c2hvcnQ=",
        "$sha256$$W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=",
        "$pbkdf2-sha256$0$c2FsdA==$W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=",
        "$pbkdf2-sha256$99999999999$c2FsdA==$W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=",
        "$pbkdf2-sha256$x$c2FsdA==$W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=",
        "$bcrypt$c2FsdA==$W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        arka_error err = {0};
        bool same = true;
        ASSERT_FAILS(arka_secret_verify(ARKA_SLICE("x"), arka_slice_of(BAD[i]), &same, &err),
                     ARKA_CORRUPT, "hash is not readable");
        assert_false(same);
    }
}

TEST(generated_tokens)
{
    arka_error err = {0};
    char a[ARKA_SECRET_TEXT], b[ARKA_SECRET_TEXT];
    ASSERT_OK(arka_secret_generate(a, &err));
    ASSERT_OK(arka_secret_generate(b, &err));
    assert_int_equal(strlen(a), 43);
    assert_int_equal(strspn(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
                     43);
    assert_string_not_equal(a, b);
    arka_secret_wipe(a, sizeof a);
    for (size_t i = 0; i < sizeof a; i++)
        assert_int_equal(a[i], 0);
}

TEST(digests_and_prefixes)
{
    arka_error err = {0};
    arka_digester *d;
    unsigned char digest[ARKA_DIGEST];
    char prefix[ARKA_PREFIX_TEXT];
    ASSERT_OK(arka_digester_new(&d, &err));
    for (int i = 0; i < 2; i++) { /* used again it begins anew */
        assert_true(arka_digester_run(d, ARKA_SLICE("abc"), digest)); /* FIPS 180-2, B.1 */
        assert_memory_equal(digest, "\xba\x78\x16\xbf\x8f\x01\xcf\xea", 8);
    }
    arka_secret_prefix(digest, false, prefix);
    assert_string_equal(prefix, "ba7816bf8f01cfea");
    arka_secret_prefix(digest, true, prefix);
    assert_string_equal(prefix, "b");
    arka_digester_free(d);
}
