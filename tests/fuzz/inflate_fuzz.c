/* Compressed bodies from nowhere: within the limit, the same twice, nothing left behind on failure.
 */
#include <stdlib.h>

#include "wire/inflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const arka_inflate_limits LIMITS = {3 << 20, 100};
    arka_coding coding = arka_coding_detect(data, n);
    arka_buf out = ARKA_BUF_INIT, again = ARKA_BUF_INIT;
    arka_error err = {0};
    arka_status status = arka_inflate(data, n, coding, &LIMITS, &out, &err);
    require(status == ARKA_OK || status == ARKA_INPUT || status == ARKA_LIMIT);
    require(status == ARKA_OK ? out.len <= LIMITS.max_bytes : out.len == 0 && err.msg[0] != 0);
    if (status == ARKA_OK) {
        arka_buf_literal(&again, "before");
        require(arka_inflate(data, n, coding, &LIMITS, &again, NULL) == ARKA_OK);
        require(again.len == out.len + 6);
        require(out.len == 0 || memcmp(again.data + 6, out.data, out.len) == 0);
    }
    arka_buf_fini(&out);
    arka_buf_fini(&again);
    return 0;
}
