/* SPDX-License-Identifier: PostgreSQL */
#include "restore/fetcher.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "restore/fetcher_parts.h"

/* ---- errands ---- */

struct errand *
fetcher_begin(struct fetcher *fetcher, const struct wal_name *wal, enum errand_state state,
              int64_t deadline_ms, struct err *err)
{
    AUTO(ptr) struct errand *errand = calloc(1, sizeof(*errand));
    struct errand **at = &fetcher->errands;

    if (errand == NULL) {
        (void)err_memory(err, "fetch");
        return NULL;
    }
    notice_log_init(&errand->notices);
    struct fetch_task_options options = {
        .archive = fetcher->options.archive,
        .pgdata = fetcher->options.pgdata,
        .workers = fetcher->options.workers,
        .owner = fetcher,
        .landing = &fetcher->spool.ahead.landing,
        .notices = &errand->notices.notices,
        .patience = &fetcher->patience,
        .name = wal->text,
        .deadline_ms = deadline_ms,
        .ahead = state == ERRAND_AHEAD,
        .doubted = ahead_doubts(fetcher, wal),
    };
    options.at_once = options.doubted && !ahead_is_standby(fetcher);
    if (fetch_task_new(&options, &errand->task, err) < 0)
        return NULL;
    errand->state = state;
    errand->wal = *wal;
    errand->is_segment = wal->kind == WAL_NAME_SEGMENT;
    if (errand->is_segment && fetcher->sight.segment_size != 0)
        errand->number = wal_name_segment_number(wal, (uint32_t)fetcher->sight.segment_size);
    errand->file = NEWFILE_INIT;
    errand->deadline_ms = deadline_ms;
    while (*at != NULL)
        at = &(*at)->next;
    *at = errand;
    return TAKE_PTR(errand);
}

static void
release(struct fetcher *fetcher, struct errand *errand)
{
    for (struct errand **at = &fetcher->errands; *at != NULL; at = &(*at)->next)
        if (*at == errand) {
            *at = errand->next;
            break;
        }
    fetch_task_free(errand->task);
    newfile_done(&errand->file);
    notice_log_done(&errand->notices);
    free(errand);
}

void
fetcher_drop(struct fetcher *fetcher, struct errand *errand)
{
    if (errand->task != NULL && fetch_task_at_work(errand->task))
        errand->state = ERRAND_DROPPED;
    else
        release(fetcher, errand);
}

void
fetcher_drop_ahead(struct fetcher *fetcher)
{
    struct errand *next = NULL;

    for (struct errand *errand = fetcher->errands; errand != NULL; errand = next) {
        next = errand->next;
        if (errand->state == ERRAND_AHEAD || errand->state == ERRAND_READY)
            fetcher_drop(fetcher, errand);
    }
}

struct errand *
fetcher_find(struct fetcher *fetcher, const char *name)
{
    for (struct errand *errand = fetcher->errands; errand != NULL; errand = errand->next)
        if ((errand->state == ERRAND_AHEAD || errand->state == ERRAND_READY) &&
            strcmp(errand->wal.text, name) == 0)
            return errand;
    return NULL;
}

/* ---- answers ---- */

/* A place at the end of the queue; NULL: out of memory. */
static struct answer *
new_answer(struct fetcher *fetcher, uint64_t ticket)
{
    struct told *told = calloc(1, sizeof(*told));
    struct told **at = &fetcher->told;

    if (told == NULL)
        return NULL;
    answer_init(&told->answer, ticket);
    while (*at != NULL)
        at = &(*at)->next;
    *at = told;
    return &told->answer;
}

static void
note_failure(struct fetcher *fetcher, const struct err *err)
{
    size_t size = strnlen(err->text, sizeof(fetcher->status.last_error) - 1);

    memcpy(fetcher->status.last_error, err->text, size);
    fetcher->status.last_error[size] = '\0';
    fetcher->status.last_error_us = clock_real_us();
}

static void
note_served(struct fetcher *fetcher, const struct errand *errand, bool ahead)
{
    fetcher->status.served++;
    fetcher->status.served_ahead += ahead;
    memcpy(fetcher->status.last, errand->wal.text, sizeof(fetcher->status.last));
    fetcher->status.last_us = clock_real_us();
    if (errand->is_segment)
        ahead_served(fetcher, errand);
}

/* Answer with what the errand brought, and end it. 0 or -1 (out of memory). */
static int
give(struct fetcher *fetcher, struct errand *errand, uint64_t ticket, bool ahead)
{
    struct answer *answer = new_answer(fetcher, ticket);

    if (answer == NULL)
        return -1;
    answer->notices = errand->notices;
    notice_log_init(&errand->notices);
    answer->file = take_fd(&errand->file.fd);
    note_served(fetcher, errand, ahead);
    release(fetcher, errand);
    return 0;
}

/* ---- an errand somebody waits for has ended ---- */

/* What lies ahead may be what fills the disk: without it, and elsewhere, there may be room. */
static bool
try_elsewhere(struct fetcher *fetcher, struct errand *errand, const struct err *why)
{
    struct err err = ERR_INIT;
    struct fetch_task *task = NULL;

    if (why->kind != ERR_LOCAL || errand->again || clock_boot_ms() >= errand->deadline_ms)
        return false;
    ahead_pause(fetcher, true);
    fetcher_drop_ahead(fetcher);
    struct fetch_task_options options = {
        .archive = fetcher->options.archive,
        .pgdata = fetcher->options.pgdata,
        .workers = fetcher->options.workers,
        .owner = fetcher,
        .landing = &fetcher->spool.asked.landing,
        .notices = &errand->notices.notices,
        .patience = &fetcher->patience,
        .name = errand->wal.text,
        .deadline_ms = errand->deadline_ms,
    };
    if (fetch_task_new(&options, &task, &err) < 0)
        return false;
    fetch_task_free(errand->task);
    errand->task = task;
    errand->again = true;
    return true;
}

static void
finish_asked(struct fetcher *fetcher, struct errand *errand)
{
    struct err err = ERR_INIT;
    int rc = fetch_task_result(errand->task, &err);

    if (rc == 0) {
        if (fetch_task_history(errand->task) != NULL)
            ahead_learn(fetcher, fetch_task_history(errand->task));
        if (errand->file.fd < 0)
            errand->file = fetch_task_take_file(errand->task);
        if (give(fetcher, errand, errand->ticket, false) == 0)
            return;
        rc = err_memory(&err, "answer");
    }
    if (rc < 0 && try_elsewhere(fetcher, errand, &err))
        return;

    struct answer *answer = new_answer(fetcher, errand->ticket);
    if (answer == NULL)
        return; /* once more at the next occasion */
    answer->rc = rc;
    answer->err = err;
    answer->notices = errand->notices;
    notice_log_init(&errand->notices);
    if (rc < 0)
        note_failure(fetcher, &err);
    if (rc == FETCH_ABSENT && errand->is_segment)
        ahead_absent(fetcher, errand);
    fetcher_drop(fetcher, errand);
}

/* ---- the fetcher ---- */

int
fetcher_new(const struct fetcher_options *options, struct fetcher **ret_fetcher, struct err *err)
{
    AUTO(fetcher) struct fetcher *fetcher = calloc(1, sizeof(*fetcher));
    struct spool_options places = {
        .pgdata = options->pgdata,
        .spool_dir = options->spool_dir,
        .runtime_dir = options->runtime_dir,
        .reserve = options->spool_reserve == 0 ? SPOOL_RESERVE : options->spool_reserve,
    };

    if (fetcher == NULL)
        return err_memory(err, "fetcher");
    fetcher->options = *options;
    fetcher->spool = SPOOL_INIT;
    fetcher->system_id = options->pgdata->system_id;
    ahead_init(fetcher);
    if (spool_open(&places, &fetcher->spool, err) < 0)
        return -1;
    *ret_fetcher = TAKE_PTR(fetcher);
    return 0;
}

/* The data directory may have become another server's: then nothing of the old one is of use. */
static void
check_server(struct fetcher *fetcher)
{
    const struct pgdata *pgdata = fetcher->options.pgdata;
    uint64_t segment_size = pgdata->has_control ? pgdata->control.segment_size : 0;

    if (pgdata->system_id == fetcher->system_id && segment_size == fetcher->sight.segment_size)
        return;
    fetcher_drop_ahead(fetcher);
    ahead_done(fetcher);
    ahead_init(fetcher);
    fetcher->system_id = pgdata->system_id;
}

static int
refuse(struct fetcher *fetcher, uint64_t ticket, const struct err *why, struct err *err)
{
    struct answer *answer = new_answer(fetcher, ticket);

    if (answer == NULL)
        return err_memory(err, "answer");
    answer->rc = -1;
    answer->err = *why;
    note_failure(fetcher, why);
    return 0;
}

/* Fetch it for whoever asks; what is under way already is taken over. */
static int
ask(struct fetcher *fetcher, uint64_t ticket, const struct wal_name *wal, int64_t deadline_ms,
    struct err *err)
{
    struct errand *errand = fetcher_find(fetcher, wal->text);

    if (errand != NULL && errand->state == ERRAND_READY) {
        if (give(fetcher, errand, ticket, true) < 0)
            return err_memory(err, "answer");
        return 0;
    }
    if (errand != NULL) {
        fetch_task_press(errand->task, deadline_ms, &errand->notices.notices);
        errand->state = ERRAND_ASKED;
        errand->deadline_ms = deadline_ms;
    } else {
        errand = fetcher_begin(fetcher, wal, ERRAND_ASKED, deadline_ms, err);
    }
    if (errand == NULL)
        return -1;
    errand->ticket = ticket;
    if (errand->is_segment)
        ahead_waited(fetcher);
    return 0;
}

int
fetcher_ask(struct fetcher *fetcher, uint64_t ticket, const char *name, int64_t deadline_ms,
            struct err *err)
{
    struct err why = ERR_INIT;
    struct wal_name wal;

    if (fetch_task_read_name(name, &wal, &why) < 0)
        return refuse(fetcher, ticket, &why, err);
    check_server(fetcher);
    if (wal.kind == WAL_NAME_SEGMENT)
        ahead_asked(fetcher, &wal);
    else if (wal.kind == WAL_NAME_HISTORY)
        ahead_foresee(fetcher);
    return ask(fetcher, ticket, &wal, deadline_ms, err);
}

void
fetcher_withdraw(struct fetcher *fetcher, uint64_t ticket)
{
    struct errand *next = NULL;

    for (struct errand *errand = fetcher->errands; errand != NULL; errand = next) {
        next = errand->next;
        if (errand->state == ERRAND_ASKED && errand->ticket == ticket)
            fetcher_drop(fetcher, errand);
    }
    for (struct told **at = &fetcher->told; *at != NULL;) {
        struct told *told = *at;

        if (told->answer.ticket != ticket) {
            at = &told->next;
            continue;
        }
        *at = told->next;
        answer_done(&told->answer);
        free(told);
    }
}

static void
take_work(struct fetcher *fetcher)
{
    struct work *work = NULL;

    while ((work = workers_take(fetcher->options.workers, fetcher)) != NULL)
        (void)fetch_task_work_done(work);
}

static void
advance_errand(struct fetcher *fetcher, struct errand *errand)
{
    switch (errand->state) {
    case ERRAND_ASKED:
        if (fetch_task_advance(errand->task))
            finish_asked(fetcher, errand);
        break;
    case ERRAND_AHEAD:
        if (fetch_task_advance(errand->task))
            ahead_ended(fetcher, errand);
        break;
    case ERRAND_DROPPED:
        if (!fetch_task_at_work(errand->task))
            release(fetcher, errand);
        break;
    case ERRAND_READY:
        break;
    }
}

/* The first errand of this kind that had no turn yet, or NULL. */
static struct errand *
next_turn(struct fetcher *fetcher, bool asked)
{
    for (struct errand *errand = fetcher->errands; errand != NULL; errand = errand->next)
        if (errand->turn != fetcher->turn && (errand->state == ERRAND_ASKED) == asked)
            return errand;
    return NULL;
}

void
fetcher_advance(struct fetcher *fetcher)
{
    struct errand *errand = NULL;

    take_work(fetcher);
    fetcher->turn++;
    /* What ends may drop others, so each is looked for anew; those asked for come first. */
    while ((errand = next_turn(fetcher, true)) != NULL ||
           (errand = next_turn(fetcher, false)) != NULL) {
        errand->turn = fetcher->turn;
        advance_errand(fetcher, errand);
    }
    ahead_advance(fetcher);
}

bool
fetcher_take_answer(struct fetcher *fetcher, struct answer *ret)
{
    struct told *told = fetcher->told;

    if (told == NULL)
        return false;
    fetcher->told = told->next;
    *ret = told->answer;
    free(told);
    return true;
}

int64_t
fetcher_due_ms(const struct fetcher *fetcher)
{
    int64_t due_ms = fetcher->told != NULL ? 0 : ahead_due_ms(fetcher);

    for (const struct errand *errand = fetcher->errands; errand != NULL; errand = errand->next)
        if (errand->state == ERRAND_ASKED || errand->state == ERRAND_AHEAD)
            due_ms = MIN_OF(due_ms, fetch_task_due_ms(errand->task));
    return due_ms;
}

bool
fetcher_idle(const struct fetcher *fetcher)
{
    for (const struct errand *errand = fetcher->errands; errand != NULL; errand = errand->next)
        if (errand->state != ERRAND_READY)
            return false;
    return fetcher->told == NULL;
}

void
fetcher_status(const struct fetcher *fetcher, struct fetcher_status *ret)
{
    *ret = fetcher->status;
    for (const struct errand *errand = fetcher->errands; errand != NULL; errand = errand->next) {
        if (errand->state == ERRAND_READY) {
            ret->ready++;
            ret->ready_bytes += errand->file_size;
        } else {
            ret->in_flight++;
        }
    }
}

void
fetcher_free(struct fetcher *fetcher)
{
    struct answer answer;

    if (fetcher == NULL)
        return;
    if (fetcher->options.workers != NULL)
        workers_cancel(fetcher->options.workers, fetcher);
    while (fetcher->errands != NULL)
        release(fetcher, fetcher->errands);
    while (fetcher_take_answer(fetcher, &answer))
        answer_done(&answer);
    ahead_done(fetcher);
    spool_done(&fetcher->spool);
    free(fetcher);
}
