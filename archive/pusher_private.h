/* SPDX-License-Identifier: PostgreSQL */
/*
 * pusher_private.h: what the parts of the pusher share.
 *
 * pusher.c         life, asking and answering
 * pusher_job.c     one file: a worker, the stores, the end
 * pusher_ahead.c   what begins next, and the room for it
 * pusher_heal.c    files that a store lacks
 * pusher_recall.c  those that an agent before this one left behind
 * pusher_status.c  what a person is told
 * pusher_trace.c   ... who wants to know everything
 */
#ifndef ARCHIVE_PUSHER_PRIVATE_H
#define ARCHIVE_PUSHER_PRIVATE_H

#include "archive/copy_object.h"
#include "archive/delivery.h"
#include "archive/lag.h"
#include "archive/pusher.h"
#include "archive/ready.h"
#include "archive/wal_source.h"
#include "archive/window.h"

#define PUSHER_HEALINGS 4 /* files on their way to stores that lack them, at once */

enum job_step {
    JOB_WAITING, /* for room */
    JOB_PACKING, /* a worker has it */
    JOB_SENDING, /* packed; too few stores hold it */
    JOB_LAGGING, /* archived; other stores are still being sent to */
    JOB_STORED,  /* archived; nothing is held but the fact */
    JOB_FAILED,  /* err says why; not tried again before retry_ms unless it is asked for */
};

/* One file at one moment. */
struct job {
    struct work work; /* JOB_PACKING */
    struct pusher *pusher;
    struct job *next;
    char *path;
    struct wal_name wal;
    struct file_mark mark;
    bool marked; /* the file could be seen when the job was made */
    enum job_step step;
    bool dropped;   /* JOB_PACKING: nobody wants what the worker brings */
    bool answered;  /* somebody was told that it is archived */
    uint64_t order; /* jobs are begun in this order */
    size_t memory;  /* held, or reserved for the worker */
    size_t room;    /* JOB_PACKING: for the compressed bytes */
    struct wal_object object;
    struct delivery_object packed;
    struct delivery *delivery;
    uint32_t told; /* stores (bits) whose failure was dealt with after the archiving */
    unsigned vain; /* attempts that the window knows of */
    struct notice_log notices;
    int rc; /* of the worker */
    struct err err;
    int64_t retry_ms;
    int64_t made_ms;
    int64_t begun_ms; /* handed to a worker */
    int64_t packed_ms;
    int64_t archived_ms;
};

struct ask {
    struct ask *next;
    uint64_t ticket;
    int64_t deadline_ms;
    struct wal_name wal;
    struct job *job; /* NULL: not looked at yet */
    char path[];
};

struct reply {
    struct reply *next;
    struct answer answer;
};

/* A file on its way to one store that lacks it: read again, or copied from another store. */
struct healing {
    bool active;
    size_t store;
    struct lag_file file;
    size_t memory;
    struct work work;
    bool packing;
    int rc;
    struct err err;
    struct pusher *pusher;
    char path[WAL_NAME_SIZE + 8]; /* "pg_wal/..." */
    struct notice_log notices;
    struct wal_object object;
    struct delivery_object packed;
    struct delivery *delivery;
    struct copy_object *copy;
    size_t source; /* of the copy */
    uint32_t tried; /* stores that had nothing to copy */
};

struct pusher_store {
    struct lag lag;
    char error[256]; /* why it lags */
    char conflict[256]; /* what it has other content of, told last; "": nothing known */
    bool told;       /* that it lags */
};

struct pusher {
    struct pusher_options options;
    struct archive *archive;
    struct gates *gates;
    struct job *jobs; /* in the order in which PostgreSQL asks, more or less */
    uint64_t next_order;
    struct ask *asks; /* oldest first */
    struct reply *replies;
    struct reply **replies_end;
    size_t memory;
    unsigned permille; /* of a file's size that its compressed bytes will have at most, likely */
    struct window window;
    bool window_full; /* something would have begun with a wider window */
    struct ready ready;
    size_t ready_next; /* the first name nobody has looked at */
    bool ready_wanted;
    int64_t scan_ms; /* not before */
    int64_t made_ms;
    int64_t asked_ms;
    struct pusher_store stores[SETTINGS_STORES_MAX];
    struct healing healings[PUSHER_HEALINGS];
    int64_t heal_ms; /* not before */
    bool recalled;   /* or nothing to recall */
    struct recall *recall;
    bool again;      /* there is more to do at once */
    struct notice_log news; /* for whoever asks next */
    uint64_t archived;
    uint64_t archived_bytes;
    uint64_t stored_bytes;
    struct wal_name last;
    int64_t last_ms;
    char last_error[256];
    int64_t last_error_ms;
};

/* ---- pusher.c ---- */

/* Say a failure to the next one who asks, and to the status. */
void pusher_note_error(struct pusher *pusher, const struct err *err);

/* To the status alone, if it is a conflict: what this store has under the file's name. */
void pusher_note_conflict(struct pusher *pusher, size_t store, const char *file,
                          const struct err *err);

/* A store lacks an archived file. */
void pusher_lag_add(struct pusher *pusher, size_t store, const struct lag_file *file,
                    const struct err *why);

/* ---- pusher_job.c ---- */

/* A job in JOB_WAITING, at the end of the list. NULL: no memory. */
struct job *pusher_job_new(struct pusher *pusher, const char *path, const struct wal_name *wal);

/* The job for this name that counts, or NULL. */
struct job *pusher_job_find(const struct pusher *pusher, const char *name);

/* How much memory a file of this size needs while it is packed, at most. */
size_t pusher_need(uint64_t file_size);

/* How much it is given: what files needed lately and a quarter, so that several find room. */
size_t pusher_need_likely(const struct pusher *pusher, uint64_t file_size);

/* Hand it to a worker. */
void pusher_job_begin(struct job *job);

/* Take up what has come; true if something changed. */
bool pusher_jobs_advance(struct pusher *pusher);

/* Give up what is under way and forget it (at once, or when its worker is done). */
void pusher_job_drop(struct job *job);

/* Free what is held for stores that still lack the object; they lag. */
void pusher_job_shed(struct job *job);

void pusher_jobs_free(struct pusher *pusher);

/* Does somebody wait for it? */
bool pusher_job_asked(const struct job *job);

/* ---- pusher_ahead.c ---- */

/* Begin what can begin; true if something did. */
bool pusher_begin(struct pusher *pusher);

/* When pusher_begin() wants to look into the directory again. */
int64_t pusher_ahead_due_ms(const struct pusher *pusher);

/* ---- pusher_heal.c ---- */

bool pusher_heal(struct pusher *pusher);
bool pusher_healing(const struct pusher *pusher);
void pusher_heal_free(struct pusher *pusher);

/* The finished work of a worker, if it is a healing's. */
bool pusher_heal_take(struct pusher *pusher, struct work *work);

/* ---- pusher_recall.c ---- */

/*
 * What lags is remembered by one agent only. The next one asks every store once, when its gate is
 * open, for the names of the 256 segments before the first that is archived: what one lists and
 * another one does not, that one lacks. A store that refuses to list is left alone.
 */
void pusher_recall_begin(struct pusher *pusher, const struct wal_name *asked);

/* True if something changed. */
bool pusher_recall(struct pusher *pusher);

void pusher_recall_free(struct pusher *pusher);

/* ---- pusher_trace.c ---- */

/* This became of the file: "archived", "dropped". The job is still as it was. */
void pusher_trace(const struct job *job, const char *what);

#endif
