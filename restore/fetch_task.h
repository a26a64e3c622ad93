/* SPDX-License-Identifier: PostgreSQL */
/*
 * fetch_task.h: one file on its way back, without ever waiting.
 *
 * The rules are those of fetch.h; here they are driven from outside: fetch_task_advance() takes up
 * what the loop and the workers have brought and begins what comes next. What arrives is decoded
 * and verified by a worker, or, without workers, in fetch_task_advance().
 *
 * A file can be fetched before anybody asked for it. Such a task (`ahead`) goes through the stores
 * once, proves nothing and waits for nothing; fetch_task_press() makes it one that somebody waits
 * for. No store's word from before that moment counts for an absence.
 */
#ifndef RESTORE_FETCH_TASK_H
#define RESTORE_FETCH_TASK_H

#include "base/log.h"
#include "base/workers.h"
#include "restore/fetch.h"
#include "restore/landing.h"
#include "wal/wal_history.h"

enum fetch_task_outcome {
    /* beside FETCH_ABSENT; of a task `ahead` only: no store has it just now. Proves nothing. */
    FETCH_NOT_FOUND = 2,
};

struct fetch_task; /* opaque */

/*
 * What a number of fetches have learnt of stores that are asked whether they have the same content:
 * all zero in the beginning.
 */
struct fetch_patience {
    int64_t slow_until_ms[SETTINGS_STORES_MAX]; /* took too long: not waited for before this */
    int64_t wary_until_ms;                      /* stores disagreed: until this there is time */
};

struct fetch_task_options {
    struct archive *archive;     /* borrowed, with its loop */
    const struct pgdata *pgdata; /* copied; its directory is borrowed */
    struct workers *workers;     /* borrowed; NULL: none */
    void *owner;                 /* of the work, for workers_take() */
    struct landing *landing;     /* borrowed until the task is freed */
    struct notices *notices;     /* borrowed */
    struct fetch_patience *patience; /* borrowed; NULL: this fetch is alone */
    const char *name;            /* %f */
    int64_t deadline_ms;
    bool ahead;
    bool doubted; /* it is probably not there: evidence is asked for together with the file */
    bool at_once; /* doubted, and somebody is in a hurry: all stores are asked at the same time */
};

/* Read %f by the grammar of wal_name.h. 0 or -1 (ERR_CONFIG). */
int fetch_task_read_name(const char *text, struct wal_name *ret, struct err *err) MUST_USE;

/* Nothing is begun before the first fetch_task_advance(). 0 or -1: ERR_CONFIG (bad name). */
int fetch_task_new(const struct fetch_task_options *options, struct fetch_task **ret_task,
                   struct err *err) MUST_USE;

/* True: the task has ended, and fetch_task_result() tells how. */
bool fetch_task_advance(struct fetch_task *task);

/* When fetch_task_advance() must be called again at the latest, whatever loop and workers do. */
int64_t fetch_task_due_ms(const struct fetch_task *task);

/* Is the object on its way? Not when it is verified, or compared with other stores'. */
bool fetch_task_loads(const struct fetch_task *task);

/* Are requests of this task under way? If not, it waits for its time or for a worker. */
bool fetch_task_asks(const struct fetch_task *task);

/* Somebody waits from now on. Only for a task `ahead` that has not ended. */
void fetch_task_press(struct fetch_task *task, int64_t deadline_ms, struct notices *notices);

/* 0: there is a file to be taken. FETCH_ABSENT, FETCH_NOT_FOUND, or -1 as of fetch_file(). */
int fetch_task_result(const struct fetch_task *task, struct err *err) MUST_USE;

/* The verified file, at offset 0. */
struct newfile fetch_task_take_file(struct fetch_task *task);
uint64_t fetch_task_file_size(const struct fetch_task *task);

/* A history file's content, or NULL; the task's. */
const struct wal_history *fetch_task_history(const struct fetch_task *task);

const struct wal_name *fetch_task_name(const struct fetch_task *task);

/* "could not restore X: X from store Y": for a failure after the task's end. Returns -1. */
int fetch_task_wrap(const struct fetch_task *task, struct err *err);

/* Bytes of objects the task holds in memory just now. */
size_t fetch_task_memory(const struct fetch_task *task);

/* How large the object was that was verified last; 0: none was. */
size_t fetch_task_object_size(const struct fetch_task *task);

/* workers_take() gave this work back: its task may go on. Returns the task. */
struct fetch_task *fetch_task_work_done(struct work *work);

/*
 * Is the task's work with the workers? It may even have ended (too late), but must not be freed
 * before fetch_task_work_done(), or workers_cancel() of its owner.
 */
bool fetch_task_at_work(const struct fetch_task *task);

/* NULL is fine. */
void fetch_task_free(struct fetch_task *task);

DEFINE_POINTER_CLEANUP(fetch_task, struct fetch_task, fetch_task_free);

#endif
