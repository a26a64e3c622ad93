/* SPDX-License-Identifier: PostgreSQL */
/*
 * restore_report.h: what seawall restore says, to a person or as JSON events, one a line.
 */
#ifndef RESTORE_RESTORE_REPORT_H
#define RESTORE_RESTORE_REPORT_H

#include "base/progress.h"
#include "restore/restore.h"

struct restore_report {
    struct restore_watch watch; /* to be handed to restore_run(); the first member */
    const struct restore_request *request;
    bool as_json;
    struct progress progress;
    int64_t started_ms;
    int64_t event_ms; /* of the last event */
};

/* Print the plan. 0 or -1 (ERR_LOCAL: standard output). */
int restore_report_begin(struct restore_report *report, const struct archive *archive,
                         const struct restore_request *request, bool as_json,
                         struct err *err) MUST_USE;

/*
 * The end. With a result: what was restored, how to start the server and what it will do. NULL: it
 * failed, and only the progress line is taken away. 0 or -1.
 */
int restore_report_end(struct restore_report *report, const struct restore_result *result,
                       struct err *err) MUST_USE;

#endif
