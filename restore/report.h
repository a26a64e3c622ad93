/* SPDX-License-Identifier: PostgreSQL */
/*
 * report.h: sizes, durations and times as the commands print them.
 */
#ifndef RESTORE_REPORT_H
#define RESTORE_REPORT_H

#include <stddef.h>
#include <stdint.h>

#define REPORT_TEXT_SIZE 40

/* "1.5 GiB". `text` has REPORT_TEXT_SIZE bytes, here and below. Returns text. */
const char *report_size(uint64_t bytes, char *text);

/* "45 s", "12 min", "3 h 20 min", "12 days". A negative one counts as none. */
const char *report_duration(int64_t seconds, char *text);

/* "2026-11-22 15:36:00+00" of seconds since 1970. */
const char *report_time(int64_t seconds, char *text);

#endif
