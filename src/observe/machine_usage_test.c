#include "observe/machine_usage.h"

#include "kit/kit.h"

TEST(processors_memory_and_load_are_read)
{
    arka_machine_usage u = {0};
    arka_machine_parse_stat(ARKA_SLICE("cpu  100 5 50 800 20 1 2 3 7 8\ncpu0 1 1 1 1\n"), &u);
    assert_int_equal(u.all_ticks, 981);
    assert_int_equal(u.busy_ticks, 161);
    arka_machine_parse_meminfo(ARKA_SLICE("MemTotal:       16 kB\nMemFree:  1 kB\n"
                                          "MemAvailable:    9 kB\n"),
                               &u);
    assert_int_equal(u.memory_bytes, 16 << 10);
    assert_int_equal(u.available_bytes, 9 << 10);
    arka_machine_parse_loadavg(ARKA_SLICE("0.50 1.25 2.00 3/417 12345\n"), &u);
    assert_true(u.load[0] == 0.5 && u.load[1] == 1.25 && u.load[2] == 2);
    assert_int_equal(u.n_processes, 417);
}

TEST(bytes_of_interfaces_add_up_without_the_loopback)
{
    arka_machine_usage u = {0};
    arka_machine_parse_net(
        ARKA_SLICE("Inter-|   Receive                                                |  Transmit\n"
                   " face |bytes    packets errs drop fifo frame compressed multicast|bytes ...\n"
                   "    lo: 999 9 0 0 0 0 0 0 999 9 0 0 0 0 0 0\n"
                   "  eth0:1000 1 2 3 4 5 6 7 2000 1 0 0 0 0 0 0\n"
                   "  eth1: 10 1 2 3 4 5 6 7 20 1 0 0 0 0 0 0\n"),
        &u);
    assert_int_equal(u.received_bytes, 1010);
    assert_int_equal(u.sent_bytes, 2020);
}

TEST(the_process_io_is_read)
{
    arka_machine_usage u = {0};
    arka_machine_parse_io(ARKA_SLICE("rchar: 10\nwchar: 20\nsyscr: 3\nsyscw: 4\nread_bytes: 0\n"),
                          &u);
    assert_int_equal(u.read_bytes, 10);
    assert_int_equal(u.write_bytes, 20);
    assert_int_equal(u.reads, 3);
    assert_int_equal(u.writes, 4);
}

TEST(what_a_text_does_not_say_is_unknown)
{
    arka_machine_usage u = {.all_ticks = -1, .load = {-1, -1, -1}, .n_processes = -1};
    arka_machine_parse_stat(ARKA_SLICE("intr 5\n"), &u);
    arka_machine_parse_meminfo(ARKA_SLICE("garbage"), &u);
    arka_machine_parse_loadavg(ARKA_SLICE(""), &u);
    arka_machine_parse_io(ARKA_SLICE("rchar:\n"), &u);
    assert_int_equal(u.all_ticks, -1);
    assert_int_equal(u.memory_bytes, -1);
    assert_int_equal(u.n_processes, -1);
    assert_int_equal(u.read_bytes, -1);
}

TEST(this_machine_tells)
{
    arka_machine_usage u;
    arka_machine_usage_get(&u);
    assert_true(u.all_ticks >= u.busy_ticks && u.busy_ticks > 0);
    assert_true(u.memory_bytes >= u.available_bytes && u.available_bytes > 0);
    assert_true(u.load[0] >= 0 && u.n_processes > 0);
}
