#include "base/map.h"
#include "sql/encode_arrow_column.h"

/* A dictionary past these is dropped after the batch that it served: the next one brings its own.
 */
enum { MAX_WORDS = 1 << 16, MAX_BYTES = 1 << 20 };

struct arka_arrow_words {
    arka_map numbers; /* text to its number + 1 */
    arka_buf offsets; /* int32_t, n + 1 */
    arka_buf bytes;
    int32_t n, n_sent;
    size_t sent_bytes;
    bool sent;   /* at all: readers want one even for a batch of nulls */
    bool failed; /* memory ran out */
};

static void clear(arka_arrow_words *words)
{
    const int32_t zero = 0;
    arka_map_fini(&words->numbers);
    words->numbers = (arka_map){0};
    arka_buf_clear(&words->bytes);
    arka_buf_clear(&words->offsets);
    arka_buf_append(&words->offsets, &zero, sizeof zero);
    words->n = words->n_sent = 0;
    words->sent_bytes = 0;
}

arka_arrow_words *arka_arrow_words_new(void)
{
    arka_arrow_words *words = arka_calloc(1, sizeof *words);
    if (words == NULL)
        return NULL;
    clear(words);
    if (!words->offsets.failed)
        return words;
    arka_arrow_words_free(words);
    return NULL;
}

void arka_arrow_words_free(arka_arrow_words *words)
{
    if (words == NULL)
        return;
    arka_map_fini(&words->numbers);
    arka_buf_fini(&words->offsets);
    arka_buf_fini(&words->bytes);
    arka_free(words);
}

int32_t arka_arrow_words_add(arka_arrow_words *words, arka_slice text)
{
    uintptr_t known = (uintptr_t)arka_map_get(&words->numbers, text);
    if (known != 0)
        return (int32_t)(known - 1);
    if (text.len > INT32_MAX - words->bytes.len || words->n == INT32_MAX)
        return -1;
    size_t old = words->bytes.len;
    int32_t end = (int32_t)(old + text.len);
    arka_buf_append(&words->bytes, text.data, text.len);
    arka_buf_append(&words->offsets, &end, sizeof end);
    words->failed = words->bytes.failed || words->offsets.failed ||
                    !arka_map_put(&words->numbers, text, (void *)(uintptr_t)(words->n + 1));
    return words->failed ? -1 : words->n++;
}

bool arka_arrow_words_failed(const arka_arrow_words *words)
{
    return words->failed;
}

size_t arka_arrow_words_unsent_bytes(const arka_arrow_words *words)
{
    return words->bytes.len - words->sent_bytes +
           (size_t)(words->n - words->n_sent) * sizeof(int32_t);
}

void arka_arrow_words_send(arka_arrow_words *words, int64_t id, const arka_ipc_options *options,
                           arka_buf *out)
{
    if (words->sent && words->n_sent == words->n)
        return;
    arka_ipc_node node = {words->n, 0};
    arka_ipc_buffer buffers[] = {
        {NULL, 0},
        {words->offsets.data, (words->n + 1) * (int64_t)sizeof(int32_t)},
        {words->bytes.data, (int64_t)words->bytes.len},
    };
    arka_ipc_columns values = {words->n, &node, 1, buffers, 3};
    arka_ipc_write_dictionary(id, false, &values, options, out);
    words->n_sent = words->n;
    words->sent_bytes = words->bytes.len;
    words->sent = true;
}

void arka_arrow_words_after_batch(arka_arrow_words *words)
{
    if (words->n > MAX_WORDS || words->bytes.len > MAX_BYTES)
        clear(words);
}
