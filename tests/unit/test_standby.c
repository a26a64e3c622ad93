/* SPDX-License-Identifier: PostgreSQL */
#include "restore/standby.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"

static const enum settings_standby_on_error choices[] = {
    SETTINGS_STANDBY_CONTINUE, SETTINGS_STANDBY_WAIT, SETTINGS_STANDBY_STOP,
};

static const enum err_kind kinds[] = {
    ERR_NONE,   ERR_TRANSIENT, ERR_DENIED,  ERR_CONFLICT,
    ERR_LOCAL,  ERR_CONFIG,    ERR_CORRUPT, ERR_INTERNAL,
};

static void
a_primary_is_never_told_1_in_doubt(void **state UNUSED)
{
    struct pgdata primary = PGDATA_INIT;

    for (size_t c = 0; c < ARRAY_SIZE(choices); c++)
        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
            struct settings settings = {.standby_on_error = choices[c]};

            assert_false(standby_softens(&settings, &primary, kinds[k]));
        }
}

static void
a_standby_is_told_1_in_doubt_unless_it_is_to_stop(void **state UNUSED)
{
    struct pgdata standby = PGDATA_INIT;

    standby.standby = true;
    for (size_t c = 0; c < ARRAY_SIZE(choices); c++)
        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
            struct settings settings = {.standby_on_error = choices[c]};
            bool doubt = kinds[k] == ERR_TRANSIENT || kinds[k] == ERR_CORRUPT ||
                         kinds[k] == ERR_CONFLICT || kinds[k] == ERR_LOCAL;

            assert_int_equal(standby_softens(&settings, &standby, kinds[k]),
                             doubt && choices[c] != SETTINGS_STANDBY_STOP);
        }
}

static void
only_a_standby_that_continues_is_answered_sooner(void **state UNUSED)
{
    static const struct {
        bool standby;
        enum settings_standby_on_error choice;
        int64_t timeout_s;
        int64_t deadline_ms;
    } cases[] = {
        {false, SETTINGS_STANDBY_CONTINUE, 120, 121000},
        {true, SETTINGS_STANDBY_CONTINUE, 120, 11000},
        {true, SETTINGS_STANDBY_CONTINUE, 5, 6000},
        {true, SETTINGS_STANDBY_WAIT, 120, 121000},
        {true, SETTINGS_STANDBY_STOP, 120, 121000},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct settings settings = {.standby_on_error = cases[i].choice,
                                    .fetch_timeout = cases[i].timeout_s};
        struct pgdata pgdata = PGDATA_INIT;

        pgdata.standby = cases[i].standby;
        assert_int_equal(standby_fetch_deadline(&settings, &pgdata, 1000), cases[i].deadline_ms);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_primary_is_never_told_1_in_doubt),
        cmocka_unit_test(a_standby_is_told_1_in_doubt_unless_it_is_to_stop),
        cmocka_unit_test(only_a_standby_that_continues_is_answered_sooner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
