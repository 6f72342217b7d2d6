#include "base/crc32c.h"

#include "kit/kit.h"

/* Byte by byte and bit by bit, as the polynomial says. */
static uint32_t slow(const uint8_t *p, size_t n)
{
    uint32_t c = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            c = c & 1 ? c >> 1 ^ 0x82f63b78U : c >> 1;
    }
    return ~c;
}

TEST(crc_golden_values)
{
    uint8_t bytes[32] = {0};
    assert_int_equal(arka_crc32c("123456789", 9), 0xe3069283U);
    assert_int_equal(arka_crc32c(NULL, 0), 0);
    /* RFC 3720, B.4: 32 bytes of zeros, of ones, rising, falling */
    assert_int_equal(arka_crc32c(bytes, 32), 0x8a9136aaU);
    memset(bytes, 0xff, 32);
    assert_int_equal(arka_crc32c(bytes, 32), 0x62a8ab43U);
    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = i;
    assert_int_equal(arka_crc32c(bytes, 32), 0x46dd794eU);
    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(31 - i);
    assert_int_equal(arka_crc32c(bytes, 32), 0x113fdb5cU);
}

TEST(crc_instructions_and_tables_agree_at_any_length_and_place)
{
    enum { ROOM = 40000 };
    uint8_t *bytes = malloc(ROOM);
    for (size_t i = 0; i < ROOM; i++)
        bytes[i] = (uint8_t)kit_random();
    for (size_t n = 0; n < 1600; n++)
        assert_int_equal(arka_crc32c(bytes + n % 9, n), slow(bytes + n % 9, n));
    for (int k = 0; k < 300; k++) {
        size_t at = kit_random() % 64, n = kit_random() % (ROOM - 64);
        uint32_t whole = arka_crc32c(bytes + at, n);
        assert_int_equal(whole, arka_crc32c_portable(0, bytes + at, n));
        size_t cut = n == 0 ? 0 : kit_random() % n;
        uint32_t first = arka_crc32c(bytes + at, cut);
        assert_int_equal(whole, arka_crc32c_more(first, bytes + at + cut, n - cut));
        assert_int_equal(whole, arka_crc32c_portable(first, bytes + at + cut, n - cut));
    }
    assert_int_equal(arka_crc32c(bytes, ROOM), slow(bytes, ROOM));
    free(bytes);
}
