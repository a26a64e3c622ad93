/* SPDX-License-Identifier: PostgreSQL */
/*
 * restore.h: a backup becomes a data directory that recovers to a target.
 *
 * Order is what makes it safe: a marker first; then the files; the recovery settings; all of it on
 * disk; global/pg_control last, without which no server starts; then the marker goes.
 */
#ifndef RESTORE_RESTORE_H
#define RESTORE_RESTORE_H

#include "restore/plan.h"
#include "restore/restore_parts.h"
#include "restore/restore_settings.h"

/* --tablespace OID=DIR */
struct restore_mapping {
    uint32_t oid;
    const char *path;
};

struct restore_request {
    const struct plan *plan;
    const struct backup_complete *complete;
    const char *directory;
    const struct restore_mapping *mappings;
    size_t n_mappings;
    enum restore_action action;
    const char *fetch_program; /* absolute path of seawall-fetch */
    int64_t patience_ms;       /* how long stores that are away are asked for each object */
    struct restore_watch *watch; /* or NULL */
};

struct restore_result {
    char *path; /* owned: the data directory, absolute */
    bool has_postgresql_conf;
    uint64_t n_files;
    uint64_t n_bytes;
};

/* "16384=/srv/ts", as a mapping whose path points into `text`. 0 or -1 (ERR_CONFIG). */
int restore_mapping_parse(const char *text, struct restore_mapping *ret, struct err *err) MUST_USE;

/*
 * 0: the directory is complete and durable. -1: ERR_CONFIG (mappings), ERR_LOCAL (directories,
 * disk), or as restore_files_run(). If anything was written the hint says what is to be removed;
 * nothing of it can be started.
 */
int restore_run(struct archive *archive, const struct restore_request *request,
                struct notices *notices, struct restore_result *ret_result,
                struct err *err) MUST_USE;

void restore_result_done(struct restore_result *result);

DEFINE_CLEANUP(restore_result, struct restore_result, restore_result_done);

#endif
