/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup_report.h: what a running backup tells a person or a program.
 *
 * For a person: log lines and a progress line on stderr. With json: one JSON object a line on
 * stdout, {"event": "start" | "progress" | "waiting" | "warning" | "damage" | "complete" |
 * "failed", ...}; warnings are log lines as well.
 */
#ifndef ARCHIVE_BACKUP_REPORT_H
#define ARCHIVE_BACKUP_REPORT_H

#include "base/log.h"
#include "base/progress.h"
#include "catalog/backup_complete.h"

struct backup_report {
    struct notices notices; /* first: its function finds the report by it */
    bool json;
    struct progress progress;
    uint64_t total; /* bytes to read, as far as known; 0: unknown */
    int64_t started_ms;
    int64_t last_event_ms;
    bool broken; /* stdout is gone; events are no longer written */
};

void backup_report_init(struct backup_report *report, bool json);

/* Is anybody told how far it is? */
bool backup_report_shows_progress(const struct backup_report *report);

void backup_report_start(struct backup_report *report, const struct backup_complete *backup);
void backup_report_progress(struct backup_report *report, uint64_t bytes, uint64_t stored_bytes);
void backup_report_waiting(struct backup_report *report, const char *segment, int64_t waited_s);

/* Lists the damage, and says what was stored. 0 or -1 (ERR_LOCAL: the label could not be written).
 */
int backup_report_complete(struct backup_report *report, const struct backup_complete *backup,
                           struct err *err) MUST_USE;
void backup_report_failed(struct backup_report *report, const struct err *why);

#endif
