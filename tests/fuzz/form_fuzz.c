/* Query strings from nowhere: nothing longer than its text, no NUL, and the first of a name is
 * found. */
#include <stdlib.h>

#include "wire/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    arka_slice text = {(const char *)data, n}, out;
    arka_arena arena = ARKA_ARENA_INIT;
    arka_form form;
    if (arka_form_parse(text, &arena, &form, NULL) == ARKA_OK) {
        size_t total = 0;
        for (size_t i = 0; i < form.n; i++) {
            arka_slice name = form.fields[i].name, value = form.fields[i].value;
            total += name.len + value.len;
            require(name.len == 0 || memchr(name.data, 0, name.len) == NULL);
            require(value.len == 0 || memchr(value.data, 0, value.len) == NULL);
            size_t first = 0;
            while (!arka_slice_eq(form.fields[first].name, name))
                first++;
            char *asked = arka_arena_text(&arena, name);
            if (arka_form_get(&form, asked, &out, NULL) == ARKA_OK)
                require(arka_slice_eq(out, form.fields[first].value));
        }
        require(total <= n);
    }
    if (arka_percent_decode(text, &arena, &out, NULL) == ARKA_OK)
        require(out.len <= n);
    arka_arena_fini(&arena);
    return 0;
}
