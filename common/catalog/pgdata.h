/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgdata.h: the data directory a hook works for.
 *
 * PostgreSQL starts its commands with the data directory as working directory. It is
 * recognised by global/pg_control; without it the setting pgdata is taken; without
 * that, the setting system_id says whose WAL it is and nothing else is known.
 */
#ifndef CATALOG_PGDATA_H
#define CATALOG_PGDATA_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "config/settings.h"
#include "wal/pg_control.h"
#include "wal/wal_name.h"
#include "wal/wal_page.h"

struct pgdata {
    int directory;             /* -1: there is none; AT_FDCWD-like use is not allowed */
    bool has_control;
    struct pg_control control; /* if has_control */
    uint64_t system_id;
    bool standby;              /* standby.signal is there */
};

#define PGDATA_INIT ((struct pgdata){.directory = -1})

/*
 * Find it. 0, or -1: ERR_CONFIG (nothing says whose server this is), ERR_LOCAL (unreadable),
 * ERR_CORRUPT (pg_control damaged, or not the system_id the configuration insists on).
 */
int pgdata_open(const struct settings *settings, struct pgdata *ret, struct err *err) MUST_USE;

/*
 * Is this the first page of segment `name` of this server? Everything wal_page_check_segment()
 * checks, and that the same major version wrote WAL and control file. Same results.
 */
int pgdata_check_segment(const struct pgdata *pgdata, const struct wal_page_header *header,
                         const struct wal_name *name, uint64_t file_size,
                         struct err *err) MUST_USE;

/* Does the server's own pg_wal hold this segment, its size right and its first page fitting? */
bool pgdata_has_segment(const struct pgdata *pgdata, const struct wal_name *name);

void pgdata_done(struct pgdata *pgdata);

DEFINE_CLEANUP(pgdata, struct pgdata, pgdata_done);

#endif
