/* SPDX-License-Identifier: PostgreSQL */
#include "restore/report.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/macros.h"

#define MINUTE 60
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

const char *
report_size(uint64_t bytes, char *text)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;
    uint64_t whole = bytes;
    uint64_t rest = 0;

    while (whole >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
        rest = whole % 1024;
        whole /= 1024;
        unit++;
    }
    if (unit == 0)
        (void)snprintf(text, REPORT_TEXT_SIZE, "%" PRIu64 " B", whole);
    else
        (void)snprintf(text, REPORT_TEXT_SIZE, "%" PRIu64 ".%" PRIu64 " %s", whole,
                       rest * 10 / 1024, units[unit]);
    return text;
}

const char *
report_duration(int64_t seconds, char *text)
{
    int64_t s = MAX_OF(seconds, 0);

    if (s < 2 * MINUTE)
        (void)snprintf(text, REPORT_TEXT_SIZE, "%" PRId64 " s", s);
    else if (s < 2 * HOUR)
        (void)snprintf(text, REPORT_TEXT_SIZE, "%" PRId64 " min", s / MINUTE);
    else if (s < 2 * DAY)
        (void)snprintf(text, REPORT_TEXT_SIZE, "%" PRId64 " h %" PRId64 " min", s / HOUR,
                       s % HOUR / MINUTE);
    else
        (void)snprintf(text, REPORT_TEXT_SIZE, "%" PRId64 " days", s / DAY);
    return text;
}

const char *
report_time(int64_t seconds, char *text)
{
    char iso[CLOCK_TEXT_SIZE];

    (void)clock_text(seconds * 1000000, iso);
    (void)snprintf(text, REPORT_TEXT_SIZE, "%.10s %.8s+00", iso, iso + 11);
    return text;
}
