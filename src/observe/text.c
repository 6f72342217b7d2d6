#include "observe/text.h"

#include "base/civil.h"
#include "os/file.h"

void arka_text_json_time(arka_buf *out, int64_t us)
{
    char text[ARKA_TIME_TEXT];
    size_t n = arka_format_time(text, us);
    arka_buf_byte(out, '"');
    arka_buf_append(out, text, n);
    arka_buf_byte(out, '"');
}

void arka_text_duration(arka_buf *out, int64_t seconds)
{
    if (seconds >= 3600)
        arka_buf_printf(out, "%lldh", (long long)(seconds / 3600));
    if (seconds >= 60)
        arka_buf_printf(out, "%lldm", (long long)(seconds / 60 % 60));
    arka_buf_printf(out, "%llds", (long long)(seconds % 60));
}

/* xorshift64* seeded once a thread: an id a request must not cost a system call. */
static uint64_t next_random(void)
{
    static _Thread_local uint64_t state;
    while (state == 0)
        arka_random_bytes(&state, sizeof state);
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 2685821657736338717u;
}

void arka_text_uuid(char out[ARKA_UUID_SIZE])
{
    static const char HEX[] = "0123456789abcdef";
    uint8_t bytes[16];
    uint64_t halves[2] = {next_random(), next_random()};
    memcpy(bytes, halves, sizeof bytes);
    bytes[6] = (uint8_t)(0x40 | (bytes[6] & 0x0f));
    bytes[8] = (uint8_t)(0x80 | (bytes[8] & 0x3f));
    size_t at = 0;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        out[at++] = HEX[bytes[i] >> 4];
        out[at++] = HEX[bytes[i] & 15];
    }
    out[at] = 0;
}
