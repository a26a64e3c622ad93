/* SPDX-License-Identifier: PostgreSQL */
#include "archive/pusher_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define TOLD_MAX 255 /* characters of an error that a status shows */

/* ---- what is told ---- */

void
pusher_note_error(struct pusher *pusher, const struct err *err)
{
    (void)snprintf(pusher->last_error, sizeof(pusher->last_error), "%.*s", TOLD_MAX,
                   err->text);
    pusher->last_error_ms = clock_boot_ms();
}

void
pusher_note_conflict(struct pusher *pusher, size_t store, const char *file, const struct err *err)
{
    if (err->kind == ERR_CONFLICT)
        (void)snprintf(pusher->stores[store].conflict, sizeof(pusher->stores[store].conflict),
                       "\"%s\": %.*s", file, TOLD_MAX - WAL_NAME_SIZE, err->text);
}

void
pusher_lag_add(struct pusher *pusher, size_t store, const struct lag_file *file,
               const struct err *why)
{
    struct pusher_store *lagging = &pusher->stores[store];

    lag_add(&lagging->lag, file);
    (void)snprintf(lagging->error, sizeof(lagging->error), "%.*s", TOLD_MAX, why->text);
    if (lagging->told)
        return;
    lagging->told = true;
    notice_err(&pusher->news.notices, LOG_WARNING, why,
               "store \"%s\" lags: \"%s\" is not there yet, further files may follow",
               pusher->archive->stores[store].settings->name, file->wal.text);
}

/* ---- life ---- */

int
pusher_new(const struct pusher_options *options, struct pusher **ret_pusher, struct err *err)
{
    AUTO(pusher) struct pusher *pusher = calloc(1, sizeof(*pusher));

    if (pusher == NULL)
        return err_memory(err, "pusher");
    pusher->options = *options;
    pusher->archive = options->archive;
    pusher->replies_end = &pusher->replies;
    pusher->permille = 1000;
    pusher->made_ms = pusher->asked_ms = clock_boot_ms();
    window_init(&pusher->window, pusher->asked_ms);
    notice_log_init(&pusher->news);
    for (size_t i = 0; i < PUSHER_HEALINGS; i++)
        pusher->healings[i].pusher = pusher;
    if (gates_new(options->archive, 0, &pusher->gates, err) < 0)
        return -1;
    *ret_pusher = TAKE_PTR(pusher);
    return 0;
}

void
pusher_free(struct pusher *pusher)
{
    if (pusher == NULL)
        return;
    workers_cancel(pusher->options.workers, pusher);
    for (size_t i = 0; i < PUSHER_HEALINGS; i++)
        pusher->healings[i].packing = false;
    pusher_heal_free(pusher);
    while (pusher->asks != NULL) {
        struct ask *ask = pusher->asks;

        pusher->asks = ask->next;
        free(ask);
    }
    while (pusher->replies != NULL) {
        struct reply *reply = pusher->replies;

        pusher->replies = reply->next;
        answer_done(&reply->answer);
        free(reply);
    }
    pusher_jobs_free(pusher);
    pusher_recall_free(pusher);
    for (size_t i = 0; i < SETTINGS_STORES_MAX; i++)
        lag_done(&pusher->stores[i].lag);
    gates_free(pusher->gates);
    notice_log_done(&pusher->news);
    free(pusher);
}

/* ---- asking ---- */

int
pusher_ask(struct pusher *pusher, uint64_t ticket, const char *path, int64_t deadline_ms,
           struct err *err)
{
    size_t size = strlen(path) + 1;
    struct ask **end = &pusher->asks;
    struct ask *ask = calloc(1, sizeof(*ask) + size);

    if (ask == NULL)
        return err_memory(err, "request");
    ask->ticket = ticket;
    ask->deadline_ms = deadline_ms;
    memcpy(ask->path, path, size);
    while (*end != NULL)
        end = &(*end)->next;
    *end = ask;
    pusher->asked_ms = clock_boot_ms();
    pusher->again = true;
    return 0;
}

static void
unlink_ask(struct pusher *pusher, struct ask *ask)
{
    struct ask **at = &pusher->asks;

    while (*at != ask)
        at = &(*at)->next;
    *at = ask->next;
    free(ask);
}

void
pusher_withdraw(struct pusher *pusher, uint64_t ticket)
{
    struct ask *next = NULL;

    for (struct ask *ask = pusher->asks; ask != NULL; ask = next) {
        next = ask->next;
        if (ask->ticket == ticket)
            unlink_ask(pusher, ask);
    }
}

/* ---- answering ---- */

static bool
reply(struct pusher *pusher, struct ask *ask, const struct err *failure, struct notice_log *notices)
{
    struct reply *reply = calloc(1, sizeof(*reply));

    if (reply == NULL)
        return false; /* tried again with the next pass, until the hook gives up */
    answer_init(&reply->answer, ask->ticket);
    if (failure != NULL) {
        reply->answer.rc = -1;
        reply->answer.err = *failure;
    }
    if (notices != NULL)
        notice_log_flush(notices, &reply->answer.notices.notices);
    notice_log_flush(&pusher->news, &reply->answer.notices.notices);
    *pusher->replies_end = reply;
    pusher->replies_end = &reply->next;
    unlink_ask(pusher, ask);
    return true;
}

/*
 * Find or make the job that answers this. What was archived ahead counts only if the file is still
 * the same one, not touched since.
 */
static bool
attach(struct pusher *pusher, struct ask *ask)
{
    struct err err = ERR_INIT;
    struct file_mark mark;

    if (wal_source_name(ask->path, &ask->wal, &err) < 0)
        return reply(pusher, ask, &err, NULL);
    pusher_recall_begin(pusher, &ask->wal);
    struct job *job = pusher_job_find(pusher, ask->wal.text);
    bool there = file_mark_read(ask->path, &mark);
    if (job == NULL || pusher->ready_next >= pusher->ready.n)
        pusher->ready_wanted = true;
    if (job != NULL && (job->step == JOB_FAILED || !there || !job->marked ||
                        !file_mark_equal(&mark, &job->mark))) {
        pusher_job_drop(job);
        job = NULL;
    }
    if (job == NULL)
        job = pusher_job_new(pusher, ask->path, &ask->wal);
    if (job == NULL) {
        (void)err_memory(&err, "file to archive");
        return reply(pusher, ask, &err, NULL);
    }
    ask->job = job;
    return true;
}

/* The deadline has come: say what is known. */
static void
say_late(const struct ask *ask, struct err *ret)
{
    const struct job *job = ask->job;

    if (job != NULL && job->delivery != NULL &&
        delivery_verdict(job->delivery, NULL, ret) < 0 && ret->kind == ERR_TRANSIENT)
        return;
    (void)err_set(ret, ERR_TRANSIENT, "could not archive \"%s\" in time", ask->path);
}

static bool
settle(struct pusher *pusher, struct ask *ask)
{
    struct job *job = ask->job;
    struct err late = ERR_INIT;

    if (job == NULL)
        return attach(pusher, ask);
    if (job->step == JOB_LAGGING || job->step == JOB_STORED) {
        job->answered = true;
        return reply(pusher, ask, NULL, &job->notices);
    }
    if (job->step == JOB_FAILED)
        return reply(pusher, ask, &job->err, &job->notices);
    if (clock_boot_ms() < ask->deadline_ms)
        return false;
    say_late(ask, &late);
    return reply(pusher, ask, &late, NULL);
}

static bool
settle_all(struct pusher *pusher)
{
    struct ask *next = NULL;
    bool moved = false;

    for (struct ask *ask = pusher->asks; ask != NULL; ask = next) {
        next = ask->next;
        moved = settle(pusher, ask) || moved;
    }
    return moved;
}

bool
pusher_take_answer(struct pusher *pusher, struct answer *ret)
{
    struct reply *reply = pusher->replies;

    if (reply == NULL)
        return false;
    pusher->replies = reply->next;
    if (pusher->replies == NULL)
        pusher->replies_end = &pusher->replies;
    *ret = reply->answer;
    free(reply);
    return true;
}

/* ---- going on ---- */

void
pusher_advance(struct pusher *pusher)
{
    bool moved = gates_advance(pusher->gates);

    moved = pusher_jobs_advance(pusher) || moved;
    moved = settle_all(pusher) || moved;
    moved = pusher_begin(pusher) || moved;
    moved = pusher_recall(pusher) || moved;
    moved = pusher_heal(pusher) || moved;
    pusher->again = moved;
}

int64_t
pusher_due_ms(const struct pusher *pusher)
{
    int64_t due = MIN_OF(gates_due_ms(pusher->gates), pusher_ahead_due_ms(pusher));

    if (pusher->again || pusher->replies != NULL)
        return 0;
    for (const struct ask *ask = pusher->asks; ask != NULL; ask = ask->next)
        due = MIN_OF(due, ask->deadline_ms);
    for (size_t i = 0; i < pusher->archive->n_stores; i++)
        if (pusher->stores[i].lag.files > 0 && pusher->heal_ms > clock_boot_ms())
            due = MIN_OF(due, pusher->heal_ms);
    return due;
}

bool
pusher_idle(const struct pusher *pusher)
{
    if (pusher->asks != NULL || pusher->replies != NULL || pusher_healing(pusher))
        return false;
    for (const struct job *job = pusher->jobs; job != NULL; job = job->next)
        if (job->step != JOB_STORED && job->step != JOB_FAILED)
            return false;
    for (size_t i = 0; i < pusher->archive->n_stores; i++)
        if (pusher->stores[i].lag.files > 0 &&
            gates_state(pusher->gates, i, NULL) == GATE_OPEN)
            return false;
    return true;
}
