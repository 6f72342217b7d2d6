#include "kit/sql.h"

static arka_inspection *look(const char *text)
{
    arka_error err = {0};
    arka_inspection *i;
    ASSERT_OK(arka_inspections_inspect(sql->cache, &sql->instance->sessions[0].parser,
                                       arka_slice_of(text), &i, &err));
    return i;
}

TEST(the_same_text_is_inspected_once)
{
    open_service("cache");
    arka_inspection *a = look("SELECT * FROM cpu"), *b = look("SELECT * FROM cpu");
    arka_inspection *c = look("SELECT * FROM CPU");
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c); /* text is told apart by its bytes */
    arka_inspection_unref(a);
    arka_inspection_unref(b);
    arka_inspection_unref(c);
    close_service();
}

TEST(failures_are_not_kept)
{
    arka_error err = {0};
    arka_inspection *i;
    open_service("failures");
    for (int k = 0; k < 2; k++)
        ASSERT_FAILS(arka_inspections_inspect(sql->cache, &sql->instance->sessions[0].parser,
                                              ARKA_SLICE("DROP TABLE x"), &i, &err),
                     ARKA_FORBIDDEN, "only one SELECT");
    close_service();
}

TEST(the_oldest_make_room)
{
    char text[64];
    open_service("room");
    arka_inspection *kept = look("SELECT 0"), *first = look("SELECT -1");
    for (int k = 1; k < 1100; k++) {
        snprintf(text, sizeof text, "SELECT %d", k);
        arka_inspection_unref(look(text));
        arka_inspection *again = look("SELECT 0"); /* stays young */
        assert_ptr_equal(again, kept);
        arka_inspection_unref(again);
    }
    arka_inspection *anew = look("SELECT -1");
    assert_ptr_not_equal(anew, first);
    arka_inspection_unref(anew);
    arka_inspection_unref(first);
    arka_inspection_unref(kept);
    close_service();
}
