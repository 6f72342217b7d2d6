/* The log's text of idempotency keys: read line by line; what is read is written and read again. */
#include "engine/request_text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const arka_request_line *line)
{
    arka_buf text = ARKA_BUF_INIT;
    arka_request_line again;
    arka_request_line_write(&text, line->database, line->key, line->lsn, line->answer);
    arka_slice rest = {text.data, text.len};
    ARKA_CHECK(text.len <= arka_request_line_room(line->database, line->key, line->answer));
    ARKA_CHECK(arka_request_line_read(&rest, &again, NULL) == ARKA_OK && rest.len == 0);
    ARKA_CHECK(again.lsn == line->lsn && arka_slice_eq(again.database, line->database) &&
               arka_slice_eq(again.key, line->key) && arka_slice_eq(again.answer, line->answer));
    arka_buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arka_slice rest = {(const char *)data, size};
    arka_request_line line;
    arka_error err = {0};
    while (rest.len > 0 && arka_request_line_read(&rest, &line, &err) == ARKA_OK)
        check_again(&line);
    ARKA_CHECK(rest.len == 0 || err.code == ARKA_CORRUPT);
    return 0;
}
