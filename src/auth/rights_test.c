#include "auth/rights.h"

#include "kit/kit.h"

static void assert_rights(const char *text, arka_rights expected, const char *kept)
{
    arka_error err = {0};
    arka_rights rights = 99;
    arka_buf back = ARKA_BUF_INIT;
    ASSERT_OK(arka_rights_parse(arka_slice_of(text), &rights, &err));
    assert_int_equal(rights, expected);
    arka_rights_text(rights, &back);
    assert_string_equal(arka_buf_cstr(&back), kept);
    arka_buf_fini(&back);
}

TEST(rights_as_a_list_of_words)
{
    assert_rights("", 0, "");
    assert_rights("read", ARKA_MAY_READ, "read");
    assert_rights(" Write , READ ", ARKA_MAY_READ | ARKA_MAY_WRITE, "read,write");
    assert_rights("delete,,delete,", ARKA_MAY_DELETE, "delete");
    assert_rights("admin", ARKA_MAY_ADMIN, "admin");
    arka_error err = {0};
    arka_rights rights;
    ASSERT_FAILS(arka_rights_parse(ARKA_SLICE("read,owner"), &rights, &err), ARKA_INPUT,
                 "permission 'owner' is not read, write, delete or admin");
    ASSERT_FAILS(arka_rights_parse(ARKA_SLICE("read write"), &rights, &err), ARKA_INPUT,
                 "permission 'read write' is not");
}

TEST(an_administrator_may_everything)
{
    assert_true(arka_rights_has(ARKA_MAY_ADMIN, ARKA_MAY_READ));
    assert_true(arka_rights_has(ARKA_MAY_ADMIN, ARKA_MAY_DELETE | ARKA_MAY_WRITE));
    assert_true(arka_rights_has(0, 0));
    assert_false(arka_rights_has(0, ARKA_MAY_READ));
    assert_false(arka_rights_has(ARKA_MAY_READ | ARKA_MAY_WRITE | ARKA_MAY_DELETE, ARKA_MAY_ADMIN));
    assert_false(arka_rights_has(ARKA_MAY_READ, ARKA_MAY_READ | ARKA_MAY_WRITE));
}
