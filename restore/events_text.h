/* SPDX-License-Identifier: PostgreSQL */
/*
 * events_text.h: incidents for people, as lines and as a picture, and for programs.
 */
#ifndef RESTORE_EVENTS_TEXT_H
#define RESTORE_EVENTS_TEXT_H

#include "base/json.h"
#include "restore/events.h"

#define EVENTS_MARKS_MAX 4096

/* Where incidents lie in time, for the picture. */
struct events_marks {
    struct {
        int64_t time_us;
        enum wal_event_kind kind;
    } items[EVENTS_MARKS_MAX];
    size_t n;
};

/* Column heads; then a line for each incident, on stdout. */
void events_print_head(void);
void events_print(const struct incident *incident);

/* What was read, and what to do next. */
void events_print_summary(const struct events_summary *summary, uint64_t n_incidents);

/* Commits a minute as bars, incidents marked below them; `width` columns. */
void events_print_picture(const struct events_summary *summary, const struct events_marks *marks,
                          int width);

/* As an object of the open array. */
void events_json(const struct incident *incident, struct json *json);

/* As members of the open object. */
void events_json_summary(const struct events_summary *summary, struct json *json);

#endif
