#include "server/http/slow.h"

#include "kit/kit.h"

static const arka_slow_limits LIMITS = {
    .idle_ms = 120000,
    .head_ms = 20000,
    .body_ms = 30000,
    .write_ms = 60000,
    .drain_ms = 30000,
    .min_rate = 500,
};

static arka_mono at_s(int64_t s)
{
    return (arka_mono){(1000 + s) * 1000000000};
}

/* The second of the first verdict other than FINE when it is looked at each second; -1: none. */
static int64_t first_complaint(arka_slow *slow, arka_slow_facts (*facts)(int64_t s), int64_t until,
                               arka_slow_verdict *verdict)
{
    for (int64_t s = 1; s <= until; s++) {
        arka_slow_facts now = facts(s);
        *verdict = arka_slow_look(slow, &now, &LIMITS, at_s(s));
        if (*verdict != ARKA_SLOW_FINE)
            return s;
    }
    return -1;
}

static arka_slow entered(arka_slow_stage stage, bool served)
{
    arka_slow slow = {.served = served};
    arka_slow_enter(&slow, stage, at_s(0));
    return slow;
}

static arka_slow_facts silent(int64_t s)
{
    return (arka_slow_facts){.quiet_ms = s * 1000};
}

static arka_slow_facts a_byte_each_ten_seconds(int64_t s)
{
    return (arka_slow_facts){.received = 1 + s / 10, .quiet_ms = s % 10 * 1000};
}

/* Nothing for 30 s, then a byte now and then. */
static arka_slow_facts a_head_after_thirty_seconds(int64_t s)
{
    return (arka_slow_facts){.received = 100 + (s > 30 ? s - 30 : 0),
                             .quiet_ms = s < 30 ? s * 1000 + 5000 : 0};
}

TEST(who_says_nothing_has_the_idle_timeout)
{
    arka_slow_verdict verdict;
    arka_slow fresh = entered(ARKA_SLOW_IDLE, false), kept = entered(ARKA_SLOW_IDLE, true);
    assert_int_equal(first_complaint(&fresh, silent, 500, &verdict), 120);
    assert_int_equal(verdict, ARKA_SLOW_TOO_IDLE);
    assert_int_equal(first_complaint(&kept, silent, 500, &verdict), 120);
    assert_int_equal(verdict, ARKA_SLOW_TOO_IDLE);
}

TEST(a_head_has_its_time_however_its_bytes_are_spread)
{
    arka_slow_verdict verdict;
    arka_slow fresh = entered(ARKA_SLOW_IDLE, false), kept = entered(ARKA_SLOW_IDLE, true);
    assert_int_equal(first_complaint(&fresh, a_byte_each_ten_seconds, 500, &verdict), 20);
    assert_int_equal(verdict, ARKA_SLOW_HEAD);
    assert_int_equal(first_complaint(&kept, a_head_after_thirty_seconds, 500, &verdict), 50);
    assert_int_equal(verdict, ARKA_SLOW_HEAD);
}

static arka_slow_facts at_four_hundred(int64_t s)
{
    return (arka_slow_facts){.received = 400 * s, .acked = 400 * s, .waiting = 1};
}

static arka_slow_facts at_six_hundred(int64_t s)
{
    return (arka_slow_facts){.received = 600 * s, .acked = 600 * s, .waiting = 1};
}

/* A megabyte each 50 s. */
static arka_slow_facts in_bursts(int64_t s)
{
    return (arka_slow_facts){.acked = s / 50 * 1000000, .waiting = 4000000};
}

static arka_slow_facts taken(int64_t s)
{
    return (arka_slow_facts){.acked = 5};
}

static arka_slow_facts stalled(int64_t s)
{
    return (arka_slow_facts){.acked = 5, .received = 5, .waiting = 1000};
}

TEST(a_body_must_come_at_the_least_rate)
{
    arka_slow_verdict verdict;
    arka_slow slow = entered(ARKA_SLOW_BODY, true), fine = slow, none = slow;
    assert_int_equal(first_complaint(&none, stalled, 500, &verdict), 30);
    /* four fifths of each second are paid for: but not the first, whose bytes were never seen */
    assert_int_equal(first_complaint(&slow, at_four_hundred, 500, &verdict), 146);
    assert_int_equal(verdict, ARKA_SLOW_TOO_SLOW);
    assert_int_equal(first_complaint(&fine, at_six_hundred, 5000, &verdict), -1);
}

TEST(an_answer_must_be_taken_when_there_is_something_to_take)
{
    arka_slow_verdict verdict;
    arka_slow slow = entered(ARKA_SLOW_WRITE, true), bursts = slow, waits_for_us = slow;
    assert_int_equal(first_complaint(&slow, stalled, 500, &verdict), 60);
    assert_int_equal(verdict, ARKA_SLOW_TOO_SLOW);
    assert_int_equal(first_complaint(&bursts, in_bursts, 5000, &verdict), -1);
    assert_int_equal(first_complaint(&waits_for_us, taken, 5000, &verdict), -1);
}

TEST(work_has_no_limit_and_draining_a_hard_one)
{
    arka_slow_verdict verdict;
    arka_slow work = entered(ARKA_SLOW_WORK, true), drain = entered(ARKA_SLOW_DRAIN, true);
    assert_int_equal(first_complaint(&work, silent, 5000, &verdict), -1);
    assert_int_equal(first_complaint(&drain, at_six_hundred, 500, &verdict), 30);
}

TEST(time_that_passes_between_two_looks_is_ours_beyond_some_seconds)
{
    arka_slow slow = entered(ARKA_SLOW_BODY, true);
    arka_slow_facts none = {0};
    assert_int_equal(arka_slow_look(&slow, &none, &LIMITS, at_s(1000)), ARKA_SLOW_FINE);
    assert_int_equal(arka_slow_look(&slow, &none, &LIMITS, at_s(2000)), ARKA_SLOW_FINE);
}

TEST(lists_keep_the_order_of_entering)
{
    arka_slow_list idle, busy;
    arka_slow a = {0}, b = {0}, c = {0};
    arka_slow_list_init(&idle);
    arka_slow_list_init(&busy);
    assert_null(arka_slow_first(&idle));
    arka_slow_remove(&a); /* in none */
    arka_slow_move(&idle, &a);
    arka_slow_move(&idle, &b);
    arka_slow_move(&idle, &c);
    arka_slow_move(&busy, &a);
    arka_slow_move(&idle, &a);
    assert_ptr_equal(arka_slow_first(&idle), &b);
    assert_ptr_equal(arka_slow_next(&idle, &b), &c);
    assert_ptr_equal(arka_slow_next(&idle, &c), &a);
    assert_null(arka_slow_next(&idle, &a));
    assert_null(arka_slow_first(&busy));
    arka_slow_remove(&c);
    assert_ptr_equal(arka_slow_next(&idle, &b), &a);
}
