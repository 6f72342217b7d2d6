#include "auth/token_json.h"

#include "base/civil.h"
#include "base/json.h"

static void put_words(arka_buf *out, arka_slice list)
{
    arka_slice word;
    const char *comma = "";
    arka_buf_byte(out, '[');
    while (list.len > 0 && arka_word_next(&list, &word)) {
        arka_buf_text(out, comma);
        arka_json_string_repaired(out, word);
        comma = ",";
    }
    arka_buf_byte(out, ']');
}

void arka_rights_json(arka_buf *out, arka_rights rights)
{
    arka_buf text = ARKA_BUF_INIT;
    arka_rights_text(rights, &text);
    out->failed |= text.failed;
    put_words(out, (arka_slice){text.data, text.len});
    arka_buf_fini(&text);
}

static void put_time(arka_buf *out, const char *name, int64_t us)
{
    char text[ARKA_TIME_TEXT];
    if (us == 0)
        arka_buf_printf(out, ",\"%s\":null", name);
    else
        arka_buf_printf(out, ",\"%s\":\"%.*s\"", name, (int)arka_format_time(text, us), text);
}

void arka_token_json_members(arka_buf *out, const arka_token_info *info)
{
    arka_buf_printf(out, "\"id\":%lld,\"name\":", (long long)info->id);
    arka_json_string_repaired(out, arka_slice_of(info->name));
    arka_buf_literal(out, ",\"description\":");
    if (*info->description == 0)
        arka_buf_literal(out, "null");
    else
        arka_json_string_repaired(out, arka_slice_of(info->description));
    put_time(out, "created_at", info->created_us);
    put_time(out, "last_used_at", info->last_used_us);
    arka_buf_printf(out, ",\"enabled\":%s,\"permissions\":", info->enabled ? "true" : "false");
    arka_rights_json(out, info->rights);
    put_time(out, "expires_at", info->expires_us);
    arka_buf_literal(out, ",\"scope\":");
    put_words(out, arka_slice_of(info->scope));
    arka_buf_printf(out, ",\"max_priority\":\"%s\"", arka_priority_name(info->max_priority));
}
