/* SPDX-License-Identifier: PostgreSQL */
#include "base/macros.h"
#include "base/retry.h"
#include "cmocka_all.h"

static void
the_wait_lies_between_half_the_base_and_the_doubled_top(void **state UNUSED)
{
    static const uint32_t randoms[] = {0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};

    for (unsigned attempt = 0; attempt < 100; attempt++) {
        int64_t top = attempt < 10 ? (int64_t)RETRY_BASE_MS << attempt : RETRY_CAP_MS;

        top = MIN_OF(top, RETRY_CAP_MS);
        for (size_t i = 0; i < ARRAY_SIZE(randoms); i++) {
            int64_t delay = retry_delay_ms(attempt, randoms[i], 0);

            assert_true(delay >= RETRY_BASE_MS / 2);
            assert_true(delay <= top);
        }
        assert_int_equal(retry_delay_ms(attempt, 0, 0), RETRY_BASE_MS / 2);
        assert_int_equal(retry_delay_ms(attempt, UINT32_MAX, 0), top);
    }
    assert_int_equal(retry_delay_ms(UINT32_MAX, UINT32_MAX, 0), RETRY_CAP_MS);
}

static void
the_server_may_ask_for_a_longer_wait_up_to_the_cap(void **state UNUSED)
{
    assert_int_equal(retry_delay_ms(0, 0, 3000), 3000);
    assert_int_equal(retry_delay_ms(0, 0, INT64_MAX), RETRY_CAP_MS);
    assert_int_equal(retry_delay_ms(9, UINT32_MAX, 1), RETRY_CAP_MS);
    assert_int_equal(retry_delay_ms(0, 0, -5000), RETRY_BASE_MS / 2);
}

static void
random_numbers_differ(void **state UNUSED)
{
    uint32_t first = retry_random();
    unsigned same = 0;

    for (int i = 0; i < 16; i++)
        same += retry_random() == first;
    assert_true(same < 16);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wait_lies_between_half_the_base_and_the_doubled_top),
        cmocka_unit_test(the_server_may_ask_for_a_longer_wait_up_to_the_cap),
        cmocka_unit_test(random_numbers_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
