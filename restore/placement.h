/* SPDX-License-Identifier: PostgreSQL */
/*
 * placement.h: a verified file at its destination, whole or not at all.
 *
 * Decodes an object into a file without a name, verifies it to the end, and only then lets it
 * appear; just before that it makes sure that the server that asked still lives.
 */
#ifndef RESTORE_PLACEMENT_H
#define RESTORE_PLACEMENT_H

#include "base/log.h"
#include "catalog/archive.h"
#include "catalog/pgdata.h"

struct placement {
    const struct archive *archive;
    const struct pgdata *pgdata;
    const struct wal_name *wal;
    const char *object_name;
    const char *path;
    bool orphan_at_start; /* the session's leader was gone before we began */
    struct notices *notices;
};

/*
 * Put the object in `bytes` at its path. 0 or -1: ERR_CORRUPT, ERR_CONFIG (no key opens it),
 * ERR_LOCAL (disk; or the server that asked is gone).
 */
int placement_put(const struct placement *placement, struct span bytes, struct err *err) MUST_USE;

#endif
