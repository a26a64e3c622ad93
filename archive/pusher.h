/* SPDX-License-Identifier: PostgreSQL */
/*
 * pusher.h: the agent's push half: archives what is asked for, and what will be asked for next.
 *
 * A hook asks for one file and waits. The pusher also reads archive_status/ (never writes there)
 * and works ahead in the order in which PostgreSQL will ask: files are read, packed by the workers
 * and sent to all stores, several at a time, so that the next request finds its answer ready. A
 * file counts as archived when `acknowledge` stores hold it; the other stores are completed behind
 * the answer, and what they lack is told by pusher_status().
 *
 * An answer prepared ahead is for one file at one moment (device, inode, size, times of change and
 * of status change): if any of them differs when the hook asks, the work is done again.
 *
 * Memory: packed objects under way hold at most options.memory_max bytes together, or one object
 * if that one is larger; nothing grows with the backlog.
 */
#ifndef ARCHIVE_PUSHER_H
#define ARCHIVE_PUSHER_H

#include "base/answer.h"
#include "base/workers.h"
#include "catalog/archive.h"
#include "catalog/pgdata.h"

struct pusher; /* opaque */

struct pusher_options {
    struct archive *archive;   /* opened with ARCHIVE_WRITE; borrowed, with its loop */
    struct workers *workers;   /* borrowed */
    const struct pgdata *pgdata; /* the working directory is the data directory; borrowed */
    size_t memory_max;
    bool work_ahead;
    struct notices *trace; /* LOG_DEBUG: what becomes of each file, and when; or NULL. Borrowed */
};

int pusher_new(const struct pusher_options *options, struct pusher **ret_pusher,
               struct err *err) MUST_USE;

/*
 * Somebody asks for `path` (%p). The answer comes once from pusher_take_answer(), by the deadline.
 * 0 or -1 (ERR_INTERNAL: there will be no answer).
 */
int pusher_ask(struct pusher *pusher, uint64_t ticket, const char *path, int64_t deadline_ms,
               struct err *err) MUST_USE;

/* The asker has gone. The work may go on. */
void pusher_withdraw(struct pusher *pusher, uint64_t ticket);

/* Take up what loop and workers have brought, begin what can begin. Never waits. */
void pusher_advance(struct pusher *pusher);

/* The next answer; false: none is ready. The caller answer_done()s it. */
bool pusher_take_answer(struct pusher *pusher, struct answer *ret);

/* When pusher_advance() must be called again at the latest (clock_boot_ms()). */
int64_t pusher_due_ms(const struct pusher *pusher);

/* Nothing is under way and nobody waits. */
bool pusher_idle(const struct pusher *pusher);

struct pusher_lag {
    uint64_t files;               /* archived, but not in this store */
    char oldest[WAL_NAME_SIZE];   /* "" if none */
    int64_t since_us;             /* when the oldest was acknowledged by the others; wall clock */
    char error[256];              /* why, "" if it is only under way */
    char conflict[256];           /* the last file that it has other content of, and more; or "" */
};

struct pusher_status {
    size_t ready;        /* files waiting in archive_status, up to a ceiling */
    bool ready_more;     /* there are more than that */
    char oldest_ready[WAL_NAME_SIZE];
    int64_t oldest_ready_us;
    size_t in_flight;
    size_t window;       /* how many may be in flight just now */
    size_t memory;       /* bytes of packed objects held */
    uint64_t archived;   /* files since the start */
    uint64_t archived_bytes;
    uint64_t stored_bytes;
    char last[WAL_NAME_SIZE];
    int64_t last_us;
    char last_error[256];
    int64_t last_error_us;
    struct pusher_lag stores[SETTINGS_STORES_MAX]; /* as in the archive */
};

void pusher_status(const struct pusher *pusher, struct pusher_status *ret);

/* Abandons what is under way. NULL is fine. */
void pusher_free(struct pusher *pusher);

DEFINE_POINTER_CLEANUP(pusher, struct pusher, pusher_free);

#endif
