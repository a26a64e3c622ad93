/* SPDX-License-Identifier: PostgreSQL */
/*
 * check_report.h: what seawall check found, one line per check for a person as it comes, or one
 * JSON document at the end.
 *
 * Only the report decides what the verdict is: the first failure's kind speaks for the run.
 */
#ifndef ARCHIVE_CHECK_REPORT_H
#define ARCHIVE_CHECK_REPORT_H

#include "base/json.h"

#define CHECK_GROUP_SIZE 640
#define CHECK_ROWS_MAX 1000 /* far more than eight stores and a server can give */

struct check_report {
    struct json *json; /* borrowed; NULL: lines for a person */
    char group[CHECK_GROUP_SIZE];
    size_t n_groups;
    size_t n_ok;
    size_t n_warnings;
    size_t n_failed;
    enum err_kind first_failure; /* ERR_NONE: none */
};

/* Opens the array of checks. */
void check_report_begin(struct check_report *report, struct json *json);

/* A heading; what follows belongs to it. */
void check_report_group(struct check_report *report, const char *format, ...) PRINTF_LIKE(2, 3);

/* One check: `name` is its short fixed name for programs, the text is for a person. */
void check_report_ok(struct check_report *report, const char *name, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* One check that did not pass: text and hint (if any) of *err. */
void check_report_warning(struct check_report *report, const char *name, const struct err *err);
void check_report_failed(struct check_report *report, const char *name, const struct err *err);

/*
 * The last line, or the document. 0: nothing failed. -1: something did, with the kind of the first
 * failure; or the report could not be written (ERR_LOCAL, ERR_INTERNAL).
 */
int check_report_end(struct check_report *report, struct err *err) MUST_USE;

#endif
