/* MessagePack write bodies from nowhere, against the tree library. */
#include "msgpack_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    check_body(data, n);
    return 0;
}
