#include "auth/rights.h"

#include <strings.h>

static const struct {
    const char *name;
    arka_rights right;
} RIGHTS[] = {
    {"read", ARKA_MAY_READ},
    {"write", ARKA_MAY_WRITE},
    {"delete", ARKA_MAY_DELETE},
    {"admin", ARKA_MAY_ADMIN},
};
enum { N_RIGHTS = sizeof RIGHTS / sizeof *RIGHTS };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool arka_word_next(arka_slice *rest, arka_slice *word)
{
    if (rest->data == NULL)
        return false;
    const char *comma = rest->len ? memchr(rest->data, ',', rest->len) : NULL;
    arka_slice w = {rest->data, comma ? (size_t)(comma - rest->data) : rest->len};
    *rest = comma ? (arka_slice){comma + 1, rest->len - w.len - 1} : (arka_slice){NULL, 0};
    while (w.len > 0 && is_blank(w.data[0]))
        w.data++, w.len--;
    while (w.len > 0 && is_blank(w.data[w.len - 1]))
        w.len--;
    *word = w;
    return true;
}

static arka_rights right_of(arka_slice word)
{
    for (int i = 0; i < N_RIGHTS; i++)
        if (word.len == strlen(RIGHTS[i].name) &&
            strncasecmp(word.data, RIGHTS[i].name, word.len) == 0)
            return RIGHTS[i].right;
    return 0;
}

arka_status arka_rights_parse(arka_slice text, arka_rights *out, arka_error *err)
{
    arka_slice word;
    *out = 0;
    while (arka_word_next(&text, &word)) {
        arka_rights right = right_of(word);
        if (word.len > 0 && right == 0)
            return arka_fail(err, ARKA_INPUT,
                             "permission '%.*s' is not read, write, delete or admin",
                             word.len > 40 ? 40 : (int)word.len, word.data);
        *out |= right;
    }
    return ARKA_OK;
}

void arka_rights_text(arka_rights rights, arka_buf *out)
{
    const char *comma = "";
    for (int i = 0; i < N_RIGHTS; i++)
        if (rights & RIGHTS[i].right) {
            arka_buf_printf(out, "%s%s", comma, RIGHTS[i].name);
            comma = ",";
        }
}

const char *arka_right_name(arka_rights right)
{
    for (int i = 0; i < N_RIGHTS; i++)
        if (right == RIGHTS[i].right)
            return RIGHTS[i].name;
    return "any";
}
