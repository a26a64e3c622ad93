/* SPDX-License-Identifier: PostgreSQL */
/*
 * spool.h: where the agent keeps files without a name until somebody asks for them.
 *
 * By default that is the file system of pg_wal, so that the hook can link them to their place. A
 * file system that has no such files, and `spool_dir` if one is configured, gets files that have
 * lost their name; the hook copies those from another file system. Never anything in pg_wal that
 * has a name.
 */
#ifndef RESTORE_SPOOL_H
#define RESTORE_SPOOL_H

#include "catalog/pgdata.h"
#include "restore/landing.h"

#define SPOOL_RESERVE ((uint64_t)1 << 30)

struct spool_place {
    struct landing landing; /* first member */
    int directory;          /* -1: there is none */
    bool nameless;          /* only files that never had a name */
};

struct spool {
    struct spool_place ahead; /* for files nobody has asked for yet */
    struct spool_place asked; /* for one that is waited for, when the other place has no room */
    uint64_t reserve;
};

#define SPOOL_INIT ((struct spool){.ahead = {.directory = -1}, .asked = {.directory = -1}})

struct spool_options {
    const struct pgdata *pgdata;
    const char *spool_dir;   /* NULL: pg_wal's file system */
    const char *runtime_dir; /* where pg_wal cannot have such files; NULL: no other place */
    uint64_t reserve;        /* room that stays free at least; SPOOL_RESERVE */
};

/* The spool must stay where it is until spool_done(). 0 or -1: ERR_CONFIG (spool_dir), ERR_LOCAL.
 */
int spool_open(const struct spool_options *options, struct spool *ret, struct err *err) MUST_USE;

/*
 * May that many bytes more be kept ahead of time? Not if less than `reserve` would be left to
 * others, or less than 5 % of the file system (at most 16 GiB).
 */
bool spool_has_room(const struct spool *spool, uint64_t bytes);

void spool_done(struct spool *spool);

DEFINE_CLEANUP(spool, struct spool, spool_done);

#endif
