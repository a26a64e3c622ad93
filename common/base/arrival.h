/* SPDX-License-Identifier: PostgreSQL */
/*
 * arrival.h: a verified file comes to the path at which somebody waits for it.
 *
 * Whole or not at all, at every instant; and not when the server that asked has gone meanwhile:
 * the orphan of a killed server must not write RECOVERYXLOG under a new one.
 */
#ifndef BASE_ARRIVAL_H
#define BASE_ARRIVAL_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/err.h"

struct arrival {
    int directory;        /* where it will be; -1: none */
    const char *name;     /* in it; part of the path */
    bool by_server;       /* asked for under a name that a recovering server uses */
    bool orphan_at_start; /* the session's leader had gone before we began */
};

#define ARRIVAL_INIT ((struct arrival){.directory = -1})

/*
 * Open the directory of `path`, which must outlive the arrival, and clean it from what a killed
 * process of ours left. 0 or -1 (ERR_LOCAL).
 */
int arrival_open(const char *path, struct arrival *ret, struct err *err) MUST_USE;

/*
 * Give the open file `fd` (without a name, verified; stays the caller's) its place. A file that
 * stood there is replaced. On another file system it is copied. `what` names it in messages.
 * 0 or -1: ERR_LOCAL (disk; or the server that asked is gone), and what stood there is unchanged.
 */
int arrival_put(const struct arrival *arrival, int fd, const char *what, struct err *err) MUST_USE;

void arrival_done(struct arrival *arrival);

DEFINE_CLEANUP(arrival, struct arrival, arrival_done);

#endif
