/* SPDX-License-Identifier: PostgreSQL */
/*
 * fetcher.h: the agent's fetch half: brings what is asked for, and what will be asked for next.
 *
 * A hook asks for one file and waits. While segments are asked for one after the other, the fetcher
 * fetches and verifies the following ones ahead, along the history of the timeline that is
 * recovered. What is ready lies in files without a name (fs.h), on the file system of the data
 * directory or in `spool_dir`: nothing of it is ever visible, and nothing remains when the agent is
 * killed. The hook receives the open file and gives it its name.
 *
 * An absence is proven anew each time somebody asks (fetch.h); nothing is remembered of it but a
 * hint where to stop.
 *
 * A file is given out once: from then on the server may write to it. Asked for again, it is fetched
 * again. When the disk is full, or the server's disk has little room left, nothing is kept ahead.
 */
#ifndef RESTORE_FETCHER_H
#define RESTORE_FETCHER_H

#include "base/answer.h"
#include "base/workers.h"
#include "restore/fetch.h"

struct fetcher; /* opaque */

struct fetcher_options {
    struct archive *archive;     /* opened with ARCHIVE_READ; borrowed, with its loop */
    struct workers *workers;     /* borrowed */
    const struct pgdata *pgdata; /* the working directory is the data directory; borrowed */
    uint64_t spool_max;          /* bytes of verified files kept ready or on their way there */
    size_t memory_max;           /* bytes of objects under way, beside the one that is waited for */
    const char *spool_dir;       /* for files; NULL: on the file system of pg_wal. Borrowed */
    const char *runtime_dir;     /* for files where pg_wal's cannot have them. Borrowed; or NULL */
    uint64_t spool_reserve;      /* spool.h; 0: SPOOL_RESERVE */
};

int fetcher_new(const struct fetcher_options *options, struct fetcher **ret_fetcher,
                struct err *err) MUST_USE;

/*
 * Somebody asks for file `name` (%f). The answer comes once from fetcher_take_answer(), by the
 * deadline: rc 0 with an open file, FETCH_ABSENT, or -1. 0 or -1 (ERR_INTERNAL).
 */
int fetcher_ask(struct fetcher *fetcher, uint64_t ticket, const char *name, int64_t deadline_ms,
                struct err *err) MUST_USE;

void fetcher_withdraw(struct fetcher *fetcher, uint64_t ticket);

/* Take up what loop and workers have brought, begin what can begin. Never waits. */
void fetcher_advance(struct fetcher *fetcher);

/* The next answer; false: none is ready. The caller answer_done()s it. */
bool fetcher_take_answer(struct fetcher *fetcher, struct answer *ret);

int64_t fetcher_due_ms(const struct fetcher *fetcher);

/* Nothing is under way and nobody waits; files may lie ready. */
bool fetcher_idle(const struct fetcher *fetcher);

struct fetcher_status {
    size_t ready;
    uint64_t ready_bytes;
    size_t in_flight;
    uint64_t served;       /* files since the start */
    uint64_t served_ahead; /* of them ready when asked for */
    char last[WAL_NAME_SIZE];
    int64_t last_us;
    char last_error[256];
    int64_t last_error_us;
};

void fetcher_status(const struct fetcher *fetcher, struct fetcher_status *ret);

void fetcher_free(struct fetcher *fetcher);

DEFINE_POINTER_CLEANUP(fetcher, struct fetcher, fetcher_free);

#endif
