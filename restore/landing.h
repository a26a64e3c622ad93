/* SPDX-License-Identifier: PostgreSQL */
/*
 * landing.h: where a file is made that an object is decoded into, and how it gets its name.
 */
#ifndef RESTORE_LANDING_H
#define RESTORE_LANDING_H

#include "base/arrival.h"
#include "base/fs.h"
#include "wal/wal_name.h"

struct landing {
    /* Make an empty file, 0600. Whoever decodes calls it, perhaps a worker. 0 or -1. */
    int (*create)(struct landing *landing, struct newfile *ret_file, struct err *err);
};

/* In the directory of the path the file is to have: restore_command's %p. */
struct landing_beside {
    struct landing landing; /* first member */
    const char *path;       /* borrowed */
    bool orphan_at_start;   /* as in arrival.h */
    struct arrival arrival; /* open once there was something to put into it */
};

void landing_beside_init(struct landing_beside *beside, const char *path);

/*
 * Give the file its name, replacing what stood there; just before, make sure that the server that
 * asked still lives (`wal` is for the message). The newfile is empty afterwards. 0 or -1
 * (ERR_LOCAL, ERR_INTERNAL).
 */
int landing_beside_commit(struct landing_beside *beside, struct newfile *file,
                          const struct wal_name *wal, struct err *err) MUST_USE;

void landing_beside_done(struct landing_beside *beside);

DEFINE_CLEANUP(landing_beside, struct landing_beside, landing_beside_done);

#endif
