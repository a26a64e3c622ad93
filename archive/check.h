/* SPDX-License-Identifier: PostgreSQL */
/*
 * check.h: seawall check: prove that configuration, keys, stores and server work together.
 *
 * Nothing is believed that can be tried: an object is packed and opened again, every store is
 * made to refuse an overwrite, and the server is made to archive a segment, which must arrive.
 * Everything is printed on stdout (check_report.h).
 */
#ifndef ARCHIVE_CHECK_H
#define ARCHIVE_CHECK_H

#include "archive/check_report.h"
#include "catalog/archive.h"

struct check_options {
    const char *config_file; /* as for settings_read() */
    bool as_json;
    bool with_server;
};

/*
 * Run all checks and print them. 0: nothing failed (there may be warnings). -1: *err has the kind
 * of the first failure; ERR_TRANSIENT on a stop request.
 */
int check_run(const struct check_options *options, struct err *err) MUST_USE;

/* ---- the parts ---- */

/* The backstop: what hangs in a system call longer than this ends the run. 0: disarm. */
void check_guard(int64_t after_ms);

/* One store: conditional create, read after write, listing, absence, clock, deletion, space. */
void check_store(struct archive *archive, size_t i, struct check_report *report);

/* The server conninfo leads to, its settings, and one segment on its way into the stores. */
void check_server(struct archive *archive, struct check_report *report);

#endif
