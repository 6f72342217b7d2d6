/* A change of the table of tokens, as one. */
#include "auth/auth_priv.h"

arka_status arka_change__put_rights(arka_rights rights, arka_arena *arena, arka_slice *out,
                                    arka_error *err)
{
    ARKA_AUTO_VALUE(arka_buf) text = ARKA_BUF_INIT;
    arka_rights_text(rights, &text);
    const char *kept = text.failed ? NULL : arka_arena_strndup(arena, text.data, text.len);
    if (kept == NULL)
        return arka_fail_nomem(err, "permissions", text.len);
    *out = arka_slice_of(kept);
    return ARKA_OK;
}

arka_status arka_change__set_secret(arka_token_row *row, arka_slice token, bool chosen,
                                    arka_arena *arena, arka_error *err)
{
    ARKA_AUTO_VALUE(arka_buf) hash = ARKA_BUF_INIT;
    unsigned char digest[ARKA_DIGEST];
    char prefix[ARKA_PREFIX_TEXT];
    arka_digester *digester;
    ARKA_TRY(arka_secret_hash(token, chosen, &hash, err));
    ARKA_TRY(arka_digester_new(&digester, err));
    bool hashed = arka_digester_run(digester, token, digest);
    arka_digester_free(digester);
    if (!hashed)
        return arka_fail(err, ARKA_INTERNAL, "libcrypto cannot hash a token");
    arka_secret_prefix(digest, chosen, prefix);
    row->hash = (arka_slice){arka_arena_strndup(arena, hash.data, hash.len), hash.len};
    row->prefix = arka_slice_of(arka_arena_strndup(arena, prefix, strlen(prefix)));
    return arena->failed ? arka_fail_nomem(err, "a token", hash.len) : ARKA_OK;
}

arka_status arka_change__generate(arka_token_row *row, arka_arena *arena,
                                  char clear[ARKA_TOKEN_TEXT], arka_error *err)
{
    ARKA_TRY(arka_secret_generate(clear, err));
    arka_status status = arka_change__set_secret(row, arka_slice_of(clear), false, arena, err);
    if (status != ARKA_OK)
        arka_token_wipe(clear);
    return status;
}

static arka_status keep_row(arka_arena *arena, const arka_token_row *from, arka_token_row *to,
                            arka_error *err)
{
    arka_slice *const texts[] = {&to->name,        &to->hash,  &to->prefix,      &to->description,
                                 &to->permissions, &to->scope, &to->max_priority};
    *to = *from;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        texts[i]->data = arka_arena_strndup(arena, texts[i]->data, texts[i]->len);
    return arena->failed ? arka_fail_nomem(err, "a token", sizeof *to) : ARKA_OK;
}

arka_status arka_change__take_row(void *context, const arka_token_row *row, arka_error *err)
{
    arka_change *c = context;
    c->found = true;
    return keep_row(&c->arena, row, &c->row, err);
}

arka_status arka_change__begin(arka_change *c, arka_auth *auth, arka_error *err)
{
    *c = (arka_change){.arena = ARKA_ARENA_INIT};
    arka_mutex_lock(&auth->writer_lock);
    arka_status status = arka_tokens_begin(auth->writer, err);
    if (status == ARKA_OK)
        c->auth = auth;
    else
        arka_mutex_unlock(&auth->writer_lock);
    return status;
}

arka_status arka_change__begin_with(arka_change *c, arka_auth *auth, int64_t id, arka_error *err)
{
    ARKA_TRY(arka_change__begin(c, auth, err));
    arka_status status = arka_tokens_by_id(auth->writer, id, arka_change__take_row, c, err);
    if (status == ARKA_OK && !c->found)
        status = arka_fail(err, ARKA_NOTFOUND, "there is no token %lld", (long long)id);
    return status;
}

arka_status arka_change__finish(arka_change *c, arka_status status, arka_error *err)
{
    status = arka_tokens_finish(c->auth->writer, status, err);
    arka_mutex_unlock(&c->auth->writer_lock);
    arka_arena_fini(&c->arena);
    /* also after a failure: nobody knows what of it is on the disk */
    arka_cache_distrust(c->auth->cache);
    return status;
}
