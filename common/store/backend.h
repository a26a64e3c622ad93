/* SPDX-License-Identifier: PostgreSQL */
/*
 * backend.h: between store.c and the kinds of store. Private to common/store.
 *
 * store.c checks names, makes the task and hands it to the backend's start(). A backend ends
 * a task exactly once, with task_end() or task_fail(), from within start() or from the loop.
 */
#ifndef STORE_BACKEND_H
#define STORE_BACKEND_H

#include "store/store.h"

#define STORE_SPANS_MAX 4

enum task_kind {
    TASK_PUT,
    TASK_GET,
    TASK_LIST,
    TASK_DELETE,
};

struct store_ops {
    bool creates_exclusively; /* store_creates_exclusively() */
    /* Begin the request. 0: it is under way or has ended. -1: nothing was begun (ERR_INTERNAL). */
    int (*start)(struct store_task *task, struct err *err);
    /* The task is given up while under way: release what is in task->backend. May be NULL. */
    void (*abandon)(struct store_task *task);
    /* task->wake_ms has come (and was cleared). NULL for a backend that never sets it. */
    void (*wake)(struct store_task *task);
    /* store_expect_absence(). May be NULL. */
    void (*expect_absence)(struct store *store);
    /* Release the place and the store itself; store.c has released the name. */
    void (*close)(struct store *store);
};

/* First member of every backend's own struct. */
struct store {
    const struct store_ops *ops;
    struct store_loop *loop;
    char *name;  /* set by store_open() */
    char *place; /* set by the backend, malloc()ed */
    bool clock_taken; /* store_clock_taken(): not told yet */
    int64_t clock_ours_us;
    int64_t clock_theirs_us;
};

struct store_task {
    struct store *store;
    enum task_kind kind;
    char name[STORE_NAME_MAX + 1];        /* of the object; list: the prefix */
    char start_after[STORE_NAME_MAX + 1]; /* list; empty: from the first */
    uint32_t max;                         /* list */
    struct span spans[STORE_SPANS_MAX];   /* put */
    size_t n_spans;
    struct store_range range; /* get */
    struct store_limits limits;
    int64_t started_ms;
    int64_t wake_ms; /* clock_boot_ms() to be woken at; 0: not */
    unsigned attempts;

    bool ended;
    int outcome;    /* 0, a store_outcome, or -1 */
    struct err err; /* why it failed; while under way: why the last attempt did, or empty */
    struct buf body;
    struct store_page page; /* entries and names live in page_memory */
    struct buf page_memory;
    size_t page_last; /* where the name added last begins */
    bool skew_known;
    int64_t skew_s;
    char deletion[STORE_DELETION_SIZE]; /* STORE_DELETED: what is known of it */
    struct store_sending sending;

    void *backend;           /* what the backend needs while the task is under way */
    struct store_task *next; /* the loop's list of tasks under way */
};

/* End a task with 0 or a named outcome. */
void task_end(struct store_task *task, int outcome);

/* End a task as failed, with what is in *err; the store's name is put in front. */
void task_fail(struct store_task *task, const struct err *err);

/* What a store may tell of a delete marker that hides the object; "" and 0: nothing. */
void task_note_deletion(struct store_task *task, const char *version_id, int64_t date_s);

/* What a failure of this task is called: `could not read "wal/x"`. Returns ret_text. */
#define TASK_TEXT_SIZE (STORE_NAME_MAX + 64)
const char *task_text(const struct store_task *task, char *ret_text);

/*
 * Collect a page: names in byte order, relative to the root. A name that store.h does not allow
 * is none of ours and is left out. Returns 0 or -1 (ERR_INTERNAL, or ERR_CORRUPT when a name
 * does not sort after the one before, lies outside the prefix or is one more than was asked for).
 * task_page_reset() forgets what was collected, for another attempt.
 */
void task_page_reset(struct store_task *task);
int task_page_add(struct store_task *task, const char *name, size_t length, uint64_t size,
                  struct err *err) MUST_USE;
int task_page_finish(struct store_task *task, bool more, struct err *err) MUST_USE;

/* The kinds of store. Each checks the part of the configuration that concerns it. */
int dir_open(struct store_loop *loop, const struct store_config *config, struct store **ret_store,
             struct err *err) MUST_USE;
int s3_open(struct store_loop *loop, const struct store_config *config, struct store **ret_store,
            struct err *err) MUST_USE;

#endif
