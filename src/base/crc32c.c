#include "base/crc32c.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#define FAST        __attribute__((target("sse4.2")))
#define STEP8(c, v) ((uint32_t)_mm_crc32_u64((c), (v)))
#define STEP1(c, v) _mm_crc32_u8((c), (v))
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#define FAST        __attribute__((target("+crc")))
#define STEP8(c, v) __crc32cd((c), (v))
#define STEP1(c, v) __crc32cb((c), (v))
#endif

/* The polynomial 1EDC6F41, lowest power in the highest bit. */
#define POLYNOMIAL 0x82f63b78U

static uint32_t bytewise[8][256]; /* [k][b]: what byte b does to the sum k bytes later */

static uint32_t load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static void make_bytewise(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t c = b;
        for (int bit = 0; bit < 8; bit++)
            c = c & 1 ? c >> 1 ^ POLYNOMIAL : c >> 1;
        bytewise[0][b] = c;
    }
    for (uint32_t b = 0; b < 256; b++)
        for (int k = 1; k < 8; k++)
            bytewise[k][b] = bytewise[k - 1][b] >> 8 ^ bytewise[0][bytewise[k - 1][b] & 0xff];
}

static uint32_t portable(uint32_t c, const uint8_t *p, size_t n)
{
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t a = load32(p) ^ c, b = load32(p + 4);
        c = bytewise[7][a & 0xff] ^ bytewise[6][a >> 8 & 0xff] ^ bytewise[5][a >> 16 & 0xff] ^
            bytewise[4][a >> 24] ^ bytewise[3][b & 0xff] ^ bytewise[2][b >> 8 & 0xff] ^
            bytewise[1][b >> 16 & 0xff] ^ bytewise[0][b >> 24];
    }
    for (; n > 0; n--, p++)
        c = c >> 8 ^ bytewise[0][(c ^ *p) & 0xff];
    return c;
}

#ifdef FAST

/*
 * The instruction takes a word each cycle but answers three cycles later, so three runs of the
 * input are summed side by side and put together: the sum of a run followed by n bytes is its sum
 * times x^(8n).
 */
enum { LONG = 4096, SHORT = 256 };
static uint32_t after_long[4][256], after_short[4][256];
static bool has_instruction;

/* The product of two polynomials. */
static uint32_t times(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (uint32_t bit = UINT32_C(1) << 31; bit != 0; bit >>= 1) {
        if (a & bit)
            product ^= b;
        b = b & 1 ? b >> 1 ^ POLYNOMIAL : b >> 1;
    }
    return product;
}

static void make_after(uint32_t table[4][256], uint32_t n_bytes)
{
    uint32_t shift = UINT32_C(1) << 31, square = UINT32_C(1) << 30; /* x^0, x^1 */
    for (uint32_t power = n_bytes * 8; power != 0; power >>= 1) {
        if (power & 1)
            shift = times(shift, square);
        square = times(square, square);
    }
    for (int k = 0; k < 4; k++)
        for (uint32_t b = 0; b < 256; b++)
            table[k][b] = times(shift, b << 8 * k);
}

static uint32_t after(uint32_t table[4][256], uint32_t c)
{
    return table[0][c & 0xff] ^ table[1][c >> 8 & 0xff] ^ table[2][c >> 16 & 0xff] ^
           table[3][c >> 24];
}

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

FAST static uint32_t three_runs(uint32_t c, const uint8_t *p, size_t run, uint32_t table[4][256])
{
    uint32_t second = 0, third = 0;
    for (const uint8_t *end = p + run; p < end; p += 8) {
        c = STEP8(c, load64(p));
        second = STEP8(second, load64(p + run));
        third = STEP8(third, load64(p + 2 * run));
    }
    return after(table, after(table, c) ^ second) ^ third;
}

FAST static uint32_t fast(uint32_t c, const uint8_t *p, size_t n)
{
    for (; n >= 3 * LONG; n -= 3 * LONG, p += 3 * LONG)
        c = three_runs(c, p, LONG, after_long);
    for (; n >= 3 * SHORT; n -= 3 * SHORT, p += 3 * SHORT)
        c = three_runs(c, p, SHORT, after_short);
    for (; n >= 8; n -= 8, p += 8)
        c = STEP8(c, load64(p));
    for (; n > 0; n--, p++)
        c = STEP1(c, *p);
    return c;
}

#endif

__attribute__((constructor)) static void prepare(void)
{
    make_bytewise();
#ifdef FAST
    make_after(after_long, LONG);
    make_after(after_short, SHORT);
#if defined(__x86_64__)
    __builtin_cpu_init();
    has_instruction = __builtin_cpu_supports("sse4.2");
#else
    has_instruction = (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#endif
#endif
}

uint32_t arka_crc32c_portable(uint32_t crc, const void *bytes, size_t n)
{
    return ~portable(~crc, bytes, n);
}

uint32_t arka_crc32c_more(uint32_t crc, const void *bytes, size_t n)
{
#ifdef FAST
    if (has_instruction)
        return ~fast(~crc, bytes, n);
#endif
    return arka_crc32c_portable(crc, bytes, n);
}

uint32_t arka_crc32c(const void *bytes, size_t n)
{
    return arka_crc32c_more(0, bytes, n);
}
