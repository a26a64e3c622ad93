/* SPDX-License-Identifier: PostgreSQL */
/*
 * clock.h: the two clocks. Deadlines run on CLOCK_BOOTTIME, which never jumps
 * and counts suspended time; what is written into objects and requests is
 * CLOCK_REALTIME.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_boot_ms(void);
int64_t clock_real_us(void); /* microseconds since 1970-01-01 UTC */

/*
 * What the wall clock, as it goes now, would have shown at a moment of the other one: so an age
 * stays right when the wall clock was set meanwhile. Never before 1970; 0 (no moment) stays 0.
 */
int64_t clock_real_of(int64_t boot_ms);

/* Sleep until then or until a stop is requested (process.h), whichever is first. */
void clock_sleep_until(int64_t boot_ms);

#define CLOCK_TEXT_SIZE 32

/* "2026-11-22T15:36:00Z"; independent of locale and time zone. `text` has CLOCK_TEXT_SIZE. */
const char *clock_text(int64_t real_us, char *text);

/* Days since 1970-01-01 of a civil date and back (proleptic Gregorian). */
int64_t clock_days_from_civil(int64_t year, unsigned month, unsigned day);
void clock_civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day);

#endif
