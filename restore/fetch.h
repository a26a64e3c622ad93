/* SPDX-License-Identifier: PostgreSQL */
/*
 * fetch.h: bring one file back. The work behind restore_command, callable by the hook and by an
 * agent alike.
 *
 * The stores are asked in their configured order; the next one is asked as soon as one has
 * failed, is damaged, does not have the file or is slow. What arrives is verified completely
 * before it gets its name.
 */
#ifndef RESTORE_FETCH_H
#define RESTORE_FETCH_H

#include "base/log.h"
#include "catalog/archive.h"
#include "catalog/pgdata.h"

enum fetch_outcome {
    /*
     * Proven: enough stores, each known to hold other objects of this server, answered that they
     * do not have it, and none of them has a later file of its timeline (for a history file: a
     * later history or WAL of that timeline).
     */
    FETCH_ABSENT = 1,
};

struct fetch_request {
    const char *name;    /* %f */
    const char *path;    /* %p */
    int64_t deadline_ms; /* clock_boot_ms() */
};

/*
 * 0: the file is at `path`, byte-exact and verified. FETCH_ABSENT. -1, and nothing is at `path`
 * that was not there before: ERR_CONFIG (bad name, keys), ERR_CORRUPT (what was found does not
 * verify anywhere), ERR_CONFLICT (gap, deleted, nothing of this server at all), ERR_DENIED,
 * ERR_TRANSIENT (not enough stores could say), ERR_LOCAL.
 */
int fetch_file(struct archive *archive, const struct pgdata *pgdata,
               const struct fetch_request *request, struct notices *notices,
               struct err *err) MUST_USE;

#endif
