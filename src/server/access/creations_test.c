#include "server/access/creations.h"

#include <netinet/in.h>

#include "kit/kit.h"

static struct sockaddr_in v4(uint32_t address)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
}

static int take(arka_creations *c, uint32_t address, int64_t seconds, int64_t ns)
{
    struct sockaddr_in from = v4(address);
    return arka_creations_take(c, (const struct sockaddr *)&from,
                               (arka_mono){seconds * 1000000000 + ns});
}

TEST(ten_in_any_minute_from_one_address)
{
    static arka_creations c;
    arka_creations_init(&c);
    for (int i = 0; i < 10; i++)
        assert_int_equal(take(&c, 1, 100 + i, 0), 0);
    assert_int_equal(take(&c, 1, 110, 0), 50); /* the first was at 100 */
    assert_int_equal(take(&c, 1, 159, 1), 1);
    assert_int_equal(take(&c, 2, 110, 0), 0); /* somebody else */
    assert_int_equal(take(&c, 1, 160, 0), 0);
    assert_int_equal(take(&c, 1, 160, 5), 1);
    assert_int_equal(take(&c, 1, 161, 5), 0);
    struct sockaddr_in from = v4(1);
    arka_creations_undo(&c, (const struct sockaddr *)&from, (arka_mono){INT64_C(161000000005)});
    assert_int_equal(take(&c, 1, 161, 6), 0);
    assert_int_equal(take(&c, 1, 161, 7), 1);
    arka_creations_fini(&c);
}

TEST(an_address_is_the_same_on_both_kinds_of_socket)
{
    static arka_creations c;
    arka_creations_init(&c);
    for (int i = 0; i < 10; i++)
        assert_int_equal(take(&c, 0x7f000001, 100, i), 0);
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6};
    memcpy(&mapped.sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
    assert_int_equal(arka_creations_take(&c, (const struct sockaddr *)&mapped,
                                         (arka_mono){INT64_C(100000000099)}),
                     60);
    assert_int_equal(arka_creations_take(&c, NULL, (arka_mono){INT64_C(100000000099)}), 0);
    arka_creations_fini(&c);
}

TEST(many_addresses_forget_the_oldest)
{
    static arka_creations c;
    arka_creations_init(&c);
    for (int i = 0; i < 10; i++)
        assert_int_equal(take(&c, 1, 100, i), 0);
    for (uint32_t a = 2; a <= ARKA_CREATION_ADDRESSES; a++)
        assert_int_equal(take(&c, a, 101, a), 0);
    assert_int_equal(take(&c, 1, 102, 0), 58);
    assert_int_equal(take(&c, 100000, 102, 0), 0);
    assert_int_equal(take(&c, 1, 102, 0), 0);
    arka_creations_fini(&c);
}
