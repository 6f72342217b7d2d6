#include "base/map.h"
#include "kit/kit.h"

enum { KEYS = 2000 };

/* Random puts and removes against a plain array. */
TEST(map_agrees_with_an_array)
{
    arka_map map = {0};
    static int values[KEYS];
    bool there[KEYS] = {false};
    size_t n = 0;
    for (int step = 0; step < 50000; step++) {
        int k = (int)(kit_random() % KEYS);
        char key[16];
        arka_slice s = {key, (size_t)snprintf(key, sizeof key, "key%d", k)};
        if (kit_random() % 3 != 0) {
            assert_true(arka_map_put(&map, s, &values[k]));
            n += !there[k];
            there[k] = true;
        } else {
            assert_ptr_equal(arka_map_remove(&map, s), there[k] ? &values[k] : NULL);
            n -= there[k];
            there[k] = false;
        }
        assert_int_equal(map.n, n);
        assert_ptr_equal(arka_map_get(&map, s), there[k] ? &values[k] : NULL);
    }
    size_t seen = 0, at = 0;
    while (arka_map_next(&map, &at) != NULL)
        seen++;
    assert_int_equal(seen, n);
    arka_map_fini(&map);
}

TEST(a_reserved_key_is_put_without_memory)
{
    arka_map map = {0};
    int v = 1;
    for (int i = 0; i < 100; i++) {
        char key[16];
        arka_slice s = {key, (size_t)snprintf(key, sizeof key, "key%d", i)};
        assert_true(arka_map_reserve(&map, s));
        assert_null(arka_map_get(&map, s));
        size_t at = 0, seen = 0;
        while (arka_map_next(&map, &at) != NULL)
            seen++;
        assert_int_equal(seen, i);
        kit_fail_allocation(1, true);
        bool put = arka_map_put(&map, s, &v), other = arka_map_put(&map, ARKA_SLICE("new"), &v);
        kit_fail_allocation(0, false);
        assert_true(put);
        assert_false(other);
        assert_ptr_equal(arka_map_get(&map, s), &v);
    }
    assert_true(arka_map_reserve(&map, ARKA_SLICE("key7"))); /* keeps what is there */
    assert_ptr_equal(arka_map_get(&map, ARKA_SLICE("key7")), &v);
    assert_true(arka_map_reserve(&map, ARKA_SLICE("gone")));
    assert_null(arka_map_remove(&map, ARKA_SLICE("gone")));
    assert_int_equal(map.n, 100);
    arka_map_fini(&map);
}
