/* SPDX-License-Identifier: PostgreSQL */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#include "base/macros.h"
#include "base/process.h"

int64_t
clock_boot_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
clock_real_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
clock_real_of(int64_t boot_ms)
{
    int64_t age_ms = clock_boot_ms() - boot_ms;

    return boot_ms == 0 ? 0 : MAX_OF(clock_real_us() - age_ms * 1000, (int64_t)1);
}

void
clock_sleep_until(int64_t boot_ms)
{
    for (;;) {
        int64_t left = boot_ms - clock_boot_ms();

        if (left <= 0 || process_stop_requested())
            return;
        /* Short naps: a signal that came just before nanosleep() must not be slept through. */
        left = MIN_OF(left, 100);
        struct timespec nap = {.tv_sec = 0, .tv_nsec = (long)left * 1000000};
        (void)nanosleep(&nap, NULL);
    }
}

/* Howard Hinnant's "days_from_civil" (chrono-compatible low-level date algorithms). */
int64_t
clock_days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

void
clock_civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
    *month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    *year = yoe + era * 400 + (*month <= 2);
}

const char *
clock_text(int64_t real_us, char *text)
{
    int64_t seconds = real_us / 1000000 - (real_us % 1000000 < 0);
    int64_t days = seconds / 86400 - (seconds % 86400 < 0);
    int64_t rest = seconds - days * 86400;
    int64_t year = 0;
    unsigned month = 0;
    unsigned day = 0;

    clock_civil_from_days(days, &year, &month, &day);
    (void)snprintf(text, CLOCK_TEXT_SIZE, "%04lld-%02u-%02uT%02lld:%02lld:%02lldZ", (long long)year,
                   month, day, (long long)(rest / 3600), (long long)(rest / 60 % 60),
                   (long long)(rest % 60));
    return text;
}
