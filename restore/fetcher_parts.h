/* SPDX-License-Identifier: PostgreSQL */
/*
 * fetcher_parts.h: between fetcher.c and fetcher_ahead.c. Private to them.
 */
#ifndef RESTORE_FETCHER_PARTS_H
#define RESTORE_FETCHER_PARTS_H

#include "restore/fetch_task.h"
#include "restore/fetcher.h"
#include "restore/flights.h"
#include "restore/spool.h"
#include "restore/wal_route.h"

#define AHEAD_SIZES 8

enum errand_state {
    ERRAND_ASKED,   /* somebody waits for it */
    ERRAND_AHEAD,   /* under way, and nobody asked yet */
    ERRAND_READY,   /* its file lies in the spool */
    ERRAND_DROPPED, /* a worker still has it */
};

/* One file. */
struct errand {
    struct errand *next;
    enum errand_state state;
    uint64_t turn;           /* of the fetcher, in which it was advanced last */
    struct fetch_task *task; /* NULL: ready */
    struct wal_name wal;
    bool is_segment;
    uint64_t number; /* of the segment */
    struct notice_log notices;
    struct newfile file; /* ERRAND_READY */
    uint64_t file_size;

    uint64_t ticket; /* ERRAND_ASKED */
    int64_t deadline_ms;
    bool again; /* after a full disk: in the other place */
};

/* An answer nobody took yet. */
struct told {
    struct told *next;
    struct answer answer;
};

/* How far to look ahead, and where to stop. */
struct foresight {
    struct wal_route route;
    uint64_t segment_size; /* 0: not known */
    bool started;          /* a segment was asked for */
    uint64_t position;     /* the last one asked for */
    unsigned backward;     /* how often in a row it went back */
    size_t window;         /* how many segments behind the position */
    struct flights flights;
    bool has_end;
    uint64_t end; /* nobody had this one when it was last looked for */
    bool has_last;
    struct wal_name last; /* was given out last, */
    uint64_t last_number;
    unsigned again;          /* so often it was fetched once more, for the end of recovery */
    int64_t paused_until_ms; /* stores or disk failed */
    unsigned failures;
    int64_t asked_ms;          /* the last time a segment was asked for */
    size_t sizes[AHEAD_SIZES]; /* of the last objects */
    size_t n_sizes;
    bool near; /* the stores are to be told, once a question, that the end is near */
    bool more; /* the next one can be begun at once */
};

struct fetcher {
    struct fetcher_options options;
    struct spool spool;
    struct errand *errands; /* in the order of their beginning */
    struct told *told;      /* first in, first out */
    uint64_t system_id;     /* all of this is of this server */
    uint64_t turn;
    struct foresight sight;
    struct fetch_patience patience;
    struct fetcher_status status; /* what is counted */
};

/* Begin an errand in this state. NULL with *err. */
struct errand *fetcher_begin(struct fetcher *fetcher, const struct wal_name *wal,
                             enum errand_state state, int64_t deadline_ms, struct err *err);

/* Give it up; the errand is gone, or lives until its worker has ended. */
void fetcher_drop(struct fetcher *fetcher, struct errand *errand);

void fetcher_drop_ahead(struct fetcher *fetcher);

/* What is ready, or under way ahead of time, under this name. NULL: nothing. */
struct errand *fetcher_find(struct fetcher *fetcher, const char *name);

/* ---- fetcher_ahead.c ---- */

void ahead_init(struct fetcher *fetcher);
void ahead_done(struct fetcher *fetcher);

/* Somebody asks for a history file: perhaps it is known already where recovery will begin. */
void ahead_foresee(struct fetcher *fetcher);

/* Somebody asks for this segment. */
void ahead_asked(struct fetcher *fetcher, const struct wal_name *wal);

/* Does what is known say that there is no such segment? It is to be asked for all the same. */
bool ahead_doubts(const struct fetcher *fetcher, const struct wal_name *wal);

/* A standby asks for what is not there again and again; a recovery ends with it. */
bool ahead_is_standby(const struct fetcher *fetcher);

/* It is not there yet, and somebody waits. */
void ahead_waited(struct fetcher *fetcher);

/* It was given out; it does not exist. */
void ahead_served(struct fetcher *fetcher, const struct errand *errand);
void ahead_absent(struct fetcher *fetcher, const struct errand *errand);

/* A history file was fetched. */
void ahead_learn(struct fetcher *fetcher, const struct wal_history *history);

/* An errand nobody asked for has ended: it is ready, or gone. */
void ahead_ended(struct fetcher *fetcher, struct errand *errand);

/* The disk is full, or the stores do not answer. */
void ahead_pause(struct fetcher *fetcher, bool disk);

/* Begin at most one; see to the limits. */
void ahead_advance(struct fetcher *fetcher);
int64_t ahead_due_ms(const struct fetcher *fetcher);

#endif
