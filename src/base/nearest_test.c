#include "base/nearest.h"

#include "kit/kit.h"

TEST(distances_count_letters_to_insert_drop_or_change)
{
    assert_int_equal(arka_edit_distance("", ""), 0);
    assert_int_equal(arka_edit_distance("", "abc"), 3);
    assert_int_equal(arka_edit_distance("port", "prot"), 2);
    assert_int_equal(arka_edit_distance("kitten", "sitting"), 3);
    assert_int_equal(arka_edit_distance("same", "same"), 0);
}

TEST(the_nearest_word_within_the_limit_is_found)
{
    static const char *const WORDS[] = {"server.port", NULL, "server.host", "wal.dir"};
    char longer[100];
    memset(longer, 'x', sizeof longer);
    longer[99] = 0;
    assert_string_equal(arka_nearest("server.prot", WORDS, 4, 2), "server.port");
    assert_string_equal(arka_nearest("server.hosts", WORDS, 4, 1), "server.host");
    assert_null(arka_nearest("server.prot", WORDS, 4, 1));
    assert_null(arka_nearest(longer, WORDS, 4, 3));
}
