/* SPDX-License-Identifier: PostgreSQL */
/*
 * status.h: seawall status: how archiving and recovery of a data directory go just now.
 *
 * Works whether an agent runs or not: the queue is what archive_status/ says, which belongs to
 * PostgreSQL and is only read; the agent, if there is one, is asked for the rest; the stores are
 * asked on request.
 */
#ifndef AGENT_STATUS_H
#define AGENT_STATUS_H

#include "base/buf.h"
#include "catalog/archive.h"
#include "config/settings.h"
#include "wal/wal_name.h"

#define STATUS_TEXT_SIZE ERR_TEXT_SIZE

/* Times are microseconds since 1970, 0: none. Texts are empty if there is nothing to say. */

struct status_queue {
    uint64_t ready;               /* files PostgreSQL waits to have archived */
    char oldest[WAL_NAME_SIZE];
    int64_t oldest_us;            /* since when it is ready */
    char done[WAL_NAME_SIZE];     /* the last one PostgreSQL knows as archived */
    int64_t done_us;
};

enum status_agent_state {
    STATUS_AGENT_NONE,
    STATUS_AGENT_RUNS,
    STATUS_AGENT_UNKNOWN, /* error says why */
};

struct status_agent {
    enum status_agent_state state;
    char error[STATUS_TEXT_SIZE];
    int64_t pid;
    char version[STATUS_TEXT_SIZE];
    int64_t since_us;
    bool foreground;
    int64_t requests;
    int64_t waiting;
};

struct status_push {
    bool open; /* it has been asked for something */
    int64_t in_flight;
    int64_t window;
    int64_t memory;
    int64_t archived;
    int64_t archived_bytes;
    int64_t stored_bytes;
    char last[STATUS_TEXT_SIZE];
    int64_t last_us;
    char last_error[STATUS_TEXT_SIZE];
    int64_t last_error_us;
};

struct status_fetch {
    bool open;
    int64_t ready;
    int64_t ready_bytes;
    int64_t in_flight;
    int64_t served;
    int64_t served_ahead;
    char last[STATUS_TEXT_SIZE];
    int64_t last_us;
    char last_error[STATUS_TEXT_SIZE];
    int64_t last_error_us;
};

struct status_store {
    const char *name; /* the settings' */
    /* what the agent knows */
    int64_t lag_files;
    char lag_oldest[STATUS_TEXT_SIZE];
    int64_t lag_us;
    char error[STATUS_TEXT_SIZE];
    char conflict[STATUS_TEXT_SIZE]; /* a file that it has other content of; or "" */
    /* what the store itself says */
    bool looked;
    char newest[WAL_NAME_SIZE];
    int64_t newest_us; /* when it was archived */
    char look_error[STATUS_TEXT_SIZE];
};

enum status_verdict {
    STATUS_OK,
    STATUS_FAILING, /* the last attempt failed, and files wait, or stores disagree; still within the
                     * objective */
    STATUS_AWAY,    /* a store did not answer (only when they are asked) */
    STATUS_BEHIND,  /* a file waits, or a store lags, for longer than objectives.rpo */
};

struct status {
    const struct settings *settings;
    const char *pgdata;
    int64_t now_us;
    struct status_queue queue;
    struct status_agent agent;
    struct status_push push;
    struct status_fetch fetch;
    struct status_store stores[SETTINGS_STORES_MAX];
    size_t n_stores;
    enum status_verdict verdict;
    char why[STATUS_TEXT_SIZE]; /* unless it is STATUS_OK */
};

/* "ok", "failing", "away", "behind". */
const char *status_verdict_name(enum status_verdict verdict);

/* Seconds since then; 0 if the clock says it is still to come, or if it is none. */
int64_t status_age_s(const struct status *status, int64_t since_us);

/* Names of the stores, the clock. */
void status_init(struct status *status, const struct settings *settings, const char *pgdata);

/* status_queue.c: read pg_wal/archive_status of the working directory. 0 or -1 (ERR_LOCAL). */
int status_read_queue(struct status *status, struct err *err) MUST_USE;

/* status_agent.c: ask the agent of the working directory. What goes wrong is part of the status. */
void status_ask_agent(struct status *status, const char *runtime_dir);

/* Take over what an agent has answered. 0 or -1 (ERR_CORRUPT). */
int status_take_answer(struct status *status, const void *text, size_t size, struct err *err)
    MUST_USE;

/* status_stores.c: ask every store for its newest segment. What goes wrong is part of the status.
 */
void status_ask_stores(struct status *status, struct archive *archive, uint64_t system_id,
                       int64_t deadline_ms);

/* Judge what has been read. */
void status_judge(struct status *status);

/* ---- printing: 0 or -1 ---- */

/* status_print.c: for a person. */
int status_print(const struct status *status, struct err *err) MUST_USE;

/* status_json.c */
int status_print_json(const struct status *status, struct err *err) MUST_USE;

/* status_prometheus.c: the text exposition format, version 0.0.4. */
int status_prometheus(const struct status *status, struct buf *text, struct err *err) MUST_USE;

#endif
