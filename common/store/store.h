/* SPDX-License-Identifier: PostgreSQL */
/*
 * store.h: a place that keeps objects, and what may be asked of it.
 *
 * A store maps names to immutable bytes. There is no overwrite: put creates or
 * says STORE_EXISTS. Every request is a task on a loop; a process has one loop,
 * whatever the number of stores, and no threads. Tasks retry by themselves,
 * within their time budget, what is worth retrying; what comes out is final.
 *
 * The loop is the only thing that waits. It stops early, failing every task
 * with ERR_TRANSIENT, when process_stop_requested() (base/process.h) says so.
 *
 * Names are relative to the store's root, validated by the caller's grammar:
 * 1 to 512 bytes of [A-Za-z0-9._/-], no empty, "." or ".." component. A store
 * refuses any other name with ERR_INTERNAL and sends nothing.
 *
 * Absence is a proof, not a guess. STORE_ABSENT means: the store itself, reached
 * and authenticated, said that it has no object of this name (S3: 404 with code
 * NoSuchKey and no delete marker; directory: ENOENT below an open root). All
 * else is STORE_DELETED or a failure.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define STORE_NAME_MAX 512 /* the longest name that is listed; ours are shorter */

struct store;
struct store_loop;
struct store_task;

enum store_outcome {
    STORE_ABSENT = 1,  /* get, head: proven absent */
    STORE_EXISTS = 2,  /* put: the name is taken; nothing was written */
    STORE_DELETED = 3, /* get, head: was there, and a delete marker now hides it */
};

/* How to reach one store. All strings are borrowed for the call of store_open(). */
struct store_config {
    const char *name;             /* for messages: "paris" */
    const char *url;              /* file:///dir, s3://bucket/root */
    const char *region;           /* s3; NULL: us-east-1 */
    const char *endpoint;         /* s3: https://host[:port]; NULL: Amazon's for the region */
    bool path_style;              /* s3: https://endpoint/bucket/key instead of bucket.endpoint */
    const char *ca_file;          /* s3: trust only these certificates; NULL: the system's */
    const char *access_key_id;    /* s3: static credentials, both or none */
    const char *secret_access_key;
    const char *credentials_file; /* s3: shared credentials file */
    const char *profile;          /* s3: section in it; NULL: $AWS_PROFILE, else "default" */
    bool allow_http;              /* s3: accept an http:// endpoint (loopback, sidecars) */
    uint32_t connect_timeout_ms;  /* per address attempt of one request */
    uint32_t stall_timeout_ms;    /* a transfer slower than 1 KiB/s for this long is given up */
};

/* ---- the loop ---- */

int store_loop_new(struct store_loop **ret_loop, struct err *err) MUST_USE;
void store_loop_free(struct store_loop *loop);

/*
 * Drive all tasks until at least one that was under way has ended, none is under way, or
 * `until_ms` (clock_boot_ms()) has come. 0 or -1 (ERR_INTERNAL, or ERR_TRANSIENT on a stop
 * request).
 */
int store_loop_run(struct store_loop *loop, int64_t until_ms, struct err *err) MUST_USE;

/*
 * Have store_loop_run() also return when one of these descriptors is ready (their revents are then
 * set), and wait for that even while no task is under way. At most 256, for POLLIN and POLLOUT.
 * Borrowed until the next call; NULL and 0 to stop watching. A descriptor of -1 is passed over.
 */
void store_loop_watch(struct store_loop *loop, struct pollfd *descriptors, size_t n);

/* ---- stores ---- */

/* Checks the configuration, opens what is local; S3 makes no connection. ERR_CONFIG, ERR_LOCAL. */
int store_open(struct store_loop *loop, const struct store_config *config,
               struct store **ret_store, struct err *err) MUST_USE;
void store_close(struct store *store);

const char *store_name(const struct store *store);

/* A place for a person: "file:///backup", "s3://bucket/root (https://endpoint)". No secrets. */
const char *store_place(const struct store *store);

/*
 * Is a put exclusive by construction (a directory's link(2))? If not, the store must prove on every
 * use that it honours the condition: some S3 services accept it and overwrite all the same.
 */
bool store_creates_exclusively(const struct store *store);

/*
 * Gets of objects that are probably not there come soon: have connections ready on which their
 * answers can be believed at once. Only a hint; costs nothing where it does not help.
 */
void store_expect_absence(struct store *store);

/* ---- tasks ---- */

/*
 * Start a request. `deadline_ms` (clock_boot_ms()) ends it, retries included; `retry_ms` is how
 * long after its start new attempts may still begin (0: a single attempt). Two corrections are
 * made once each whatever retry_ms says, for without them no later task would do better: an S3
 * store that refuses us is asked again with credentials loaded anew, and one that finds our clock
 * wrong with its own time. Returns 0 and a task that is under way or already ended; the caller
 * frees it. -1: ERR_INTERNAL.
 */
struct store_limits {
    int64_t deadline_ms;
    int64_t retry_ms;
};

/*
 * Create the object if the name is free. The spans' bytes (up to 4 spans) must live until the
 * task has ended. Outcome 0: this store holds exactly these bytes, durably. STORE_EXISTS: it
 * holds something else or the same under this name; also the answer when an earlier attempt of
 * this very task succeeded but its acknowledgement was lost: the caller compares.
 */
int store_start_put(struct store *store, const char *name, const struct span *spans,
                    size_t n_spans, const struct store_limits *limits,
                    struct store_task **ret_task, struct err *err) MUST_USE;

/*
 * Fetch bytes [offset, offset + size) of the object; size 0: all of it from offset 0. More than
 * max_size bytes is ERR_CORRUPT. A range past the object's end gives what is there, perhaps
 * nothing. The length is checked against what the store announced.
 */
enum store_hope {
    STORE_HOPE_NONE,   /* nothing is known */
    STORE_HOPE_ABSENT, /* it is probably not there: ask where that is believed at once */
    STORE_HOPE_GUESS,  /* STORE_ABSENT need not be proven: it may be the answer to something else */
};

struct store_range {
    uint64_t offset;
    uint64_t size;
    uint64_t max_size;
    enum store_hope hope;
};

int store_start_get(struct store *store, const char *name, const struct store_range *range,
                    const struct store_limits *limits, struct store_task **ret_task,
                    struct err *err) MUST_USE;

/*
 * Names below `prefix` (a name's beginning, may be empty), in byte order, that sort after
 * `start_after` (NULL: from the first), at most `max` (1 to 1000). *more in the page says
 * whether there are others behind.
 */
int store_start_list(struct store *store, const char *prefix, const char *start_after,
                     uint32_t max, const struct store_limits *limits,
                     struct store_task **ret_task, struct err *err) MUST_USE;

/* Remove the object; absent is success. For probes and expire only. */
int store_start_delete(struct store *store, const char *name, const struct store_limits *limits,
                       struct store_task **ret_task, struct err *err) MUST_USE;

struct store_entry {
    const char *name; /* relative to the root */
    uint64_t size;
};

struct store_page {
    const struct store_entry *entries;
    size_t n_entries;
    bool more;
};

bool store_task_ended(const struct store_task *task);

/*
 * The result of a task that has ended: 0, a named outcome, or -1 with *err filled (text names
 * the store). ERR_TRANSIENT also for a deadline.
 */
int store_task_result(const struct store_task *task, struct err *err) MUST_USE;

struct store *store_task_store(const struct store_task *task);

/* What a get brought; owned by the task. */
struct span store_task_body(const struct store_task *task);
/* Take it out of the task; the caller releases it with buf_done(). */
struct buf store_task_take_body(struct store_task *task);

/* What a list brought; owned by the task. */
const struct store_page *store_task_page(const struct store_task *task);

/*
 * STORE_DELETED: what hides the object, for messages: `the delete marker "v3" of
 * 2026-11-23T03:00:00Z`, or `a delete marker` where the store tells nothing of it. Owned by the
 * task.
 */
#define STORE_DELETION_SIZE 160
const char *store_task_deletion(const struct store_task *task);

/* The store's clock minus ours, in seconds, if an answer told (S3: Date header). */
bool store_task_clock_skew(const struct store_task *task, int64_t *ret_skew_s);

/*
 * Has the store refused our clock, so that its own is used for requests, since this was asked
 * last? Then both times, microseconds since 1970.
 */
bool store_clock_taken(struct store *store, int64_t *ret_ours_us, int64_t *ret_theirs_us);

/*
 * How the bytes of a put went out: when the first and the last ones were handed to the connection
 * (clock_boot_ms(); 0: not yet), and how many have been, by the latest attempt. A store that has no
 * connection leaves it empty. Valid as long as the task.
 */
struct store_sending {
    int64_t first_ms;
    int64_t last_ms;
    uint64_t bytes;
};

const struct store_sending *store_task_sending(const struct store_task *task);

/* How many attempts it took, for a log that counts retries once. */
unsigned store_task_attempts(const struct store_task *task);

/* Free; a task still under way is abandoned. NULL is fine. */
void store_task_free(struct store_task *task);

DEFINE_POINTER_CLEANUP(store_loop, struct store_loop, store_loop_free);
DEFINE_POINTER_CLEANUP(store, struct store, store_close);
DEFINE_POINTER_CLEANUP(store_task, struct store_task, store_task_free);

/* ---- waiting for one task: start, run the loop, result ---- */

/* Run the loop until this task has ended (its own deadline sees to that); then its result. */
int store_task_wait(struct store_loop *loop, struct store_task *task, struct err *err) MUST_USE;

#endif
