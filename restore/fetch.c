/* SPDX-License-Identifier: PostgreSQL */
#include "restore/fetch.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/process.h"
#include "base/retry.h"
#include "restore/absence.h"
#include "restore/placement.h"

#define HEDGE_MS 3000          /* ask the next store as well when one takes longer */
#define ROUND_RETRY_MS 1500    /* within a round a store retries this long if there are others */
#define GAP_LOOKS 2            /* a gap is believed when it is still there at the second look */
#define GAP_WAIT_MS 1000
#define EVENTUAL_WAIT_MS 2000  /* stores that may answer from the past are asked twice */

enum answer {
    ANSWER_NONE,    /* not asked in this round */
    ANSWER_PENDING, /* asked */
    ANSWER_ABSENT,
    ANSWER_BAD,     /* has it, damaged or not authentic: asking again is of no use */
    ANSWER_FAILED,
};

struct source {
    struct store *store; /* NULL: could not be opened (yet) */
    enum answer answer;
    struct store_task *task;
    struct err err; /* ANSWER_BAD, ANSWER_FAILED */
    enum err_kind noticed; /* what was last said about it */
};

struct fetch {
    struct archive *archive;
    const struct pgdata *pgdata;
    const struct fetch_request *request;
    struct notices *notices;
    struct object_owner owner;
    struct wal_name wal;
    char object_name[OBJECT_NAME_SIZE];
    bool orphan_at_start;
    struct source sources[SETTINGS_STORES_MAX];
    size_t n_sources;
    unsigned gap_looks;
};

enum round_outcome {
    ROUND_PLACED = 1, /* the file is in place */
    ROUND_ABSENT = 2, /* proven */
    ROUND_AGAIN = 3,  /* nothing decided, and asking again may help */
};

static bool
time_left(const struct fetch *fetch)
{
    return clock_boot_ms() < fetch->request->deadline_ms && process_stop_requested() == 0;
}

static uint64_t
largest_object(const struct fetch *fetch)
{
    uint64_t size = MIB;

    if (fetch->wal.kind == WAL_NAME_SEGMENT || fetch->wal.kind == WAL_NAME_PARTIAL)
        size =
            fetch->pgdata->has_control ? fetch->pgdata->control.segment_size : WAL_SEGMENT_SIZE_MAX;
    return object_size_bound(size);
}

static void
ask(struct fetch *fetch, struct source *source)
{
    struct store_range whole = {.max_size = largest_object(fetch)};
    int64_t left = fetch->request->deadline_ms - clock_boot_ms();
    struct store_limits limits = {
        .deadline_ms = fetch->request->deadline_ms,
        .retry_ms = fetch->n_sources > 1 ? MIN_OF(left, (int64_t)ROUND_RETRY_MS) : left,
    };

    const struct err *open_err = &fetch->archive->stores[source - fetch->sources].open_err;

    source->answer = ANSWER_PENDING;
    if (source->store == NULL) {
        source->answer = ANSWER_FAILED;
        source->err = *open_err;
        return;
    }
    store_task_free(source->task);
    source->task = NULL;
    if (store_start_get(source->store, fetch->object_name, &whole, &limits, &source->task,
                        &source->err) < 0)
        source->answer = ANSWER_FAILED;
}

static void
answer_deleted(const struct fetch *fetch, struct source *source)
{
    source->answer = ANSWER_BAD;
    (void)err_set(&source->err, ERR_CONFLICT,
                  "store \"%s\": \"%s\" was deleted: a delete marker hides it",
                  store_name(source->store), fetch->object_name);
    (void)err_hint(&source->err, "Find out who deleted it; removing the delete marker in the "
                                 "bucket brings it back.");
}

/* The store's get has ended. True if the file is in place now. */
static bool
take_answer(struct fetch *fetch, struct source *source)
{
    struct placement placement = {
        .archive = fetch->archive,
        .pgdata = fetch->pgdata,
        .wal = &fetch->wal,
        .object_name = fetch->object_name,
        .path = fetch->request->path,
        .orphan_at_start = fetch->orphan_at_start,
        .notices = fetch->notices,
    };
    int rc = store_task_result(source->task, &source->err);

    if (rc == STORE_ABSENT) {
        source->answer = ANSWER_ABSENT;
    } else if (rc == STORE_DELETED) {
        answer_deleted(fetch, source);
    } else if (rc != 0) {
        bool bad = source->err.kind == ERR_CORRUPT || source->err.kind == ERR_CONFLICT;

        source->answer = bad ? ANSWER_BAD : ANSWER_FAILED;
    } else if (placement_put(&placement, store_task_body(source->task), &source->err) == 0) {
        return true;
    } else {
        (void)err_wrap(&source->err, "\"%s\" from store \"%s\"", fetch->wal.text,
                       store_name(source->store));
        source->answer = source->err.kind == ERR_LOCAL ? ANSWER_FAILED : ANSWER_BAD;
    }
    /* What it brought is of no use; the memory is. */
    store_task_free(source->task);
    source->task = NULL;
    return false;
}

static struct source *
next_unasked(struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->n_sources; i++)
        if (fetch->sources[i].answer == ANSWER_NONE)
            return &fetch->sources[i];
    return NULL;
}

static size_t
count(const struct fetch *fetch, enum answer answer)
{
    size_t n = 0;

    for (size_t i = 0; i < fetch->n_sources; i++)
        n += fetch->sources[i].answer == answer;
    return n;
}

/* The first source whose request has ended, or NULL. */
static struct source *
next_ended(struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->n_sources; i++)
        if (fetch->sources[i].answer == ANSWER_PENDING && fetch->sources[i].task != NULL &&
            store_task_ended(fetch->sources[i].task))
            return &fetch->sources[i];
    return NULL;
}

/* A store that fails in every round for the same reason is news once. */
static void
notice_answer(const struct fetch *fetch, struct source *source)
{
    if (source->answer != ANSWER_BAD && source->answer != ANSWER_FAILED)
        return;
    if (source->noticed != source->err.kind)
        notice_err(fetch->notices, LOG_WARNING, &source->err, "could not restore \"%s\"",
                   fetch->wal.text);
    source->noticed = source->err.kind;
}

/*
 * Ask one store after the other, the next one when the last has answered in vain or is slow.
 * ROUND_PLACED, 0 (every store has answered), or -1 (the file could not be put in place, or a
 * stop request; the sources tell).
 */
static int
ask_all(struct fetch *fetch, struct err *err)
{
    struct source *source = next_unasked(fetch);
    int64_t hedge_ms = clock_boot_ms() + HEDGE_MS;

    if (source != NULL)
        ask(fetch, source);
    while (count(fetch, ANSWER_PENDING) + count(fetch, ANSWER_NONE) > 0) {
        struct source *ended = next_ended(fetch);
        bool slow = clock_boot_ms() >= hedge_ms;

        if (ended != NULL) {
            if (take_answer(fetch, ended))
                return ROUND_PLACED;
            if (ended->err.kind == ERR_LOCAL && ended->answer == ANSWER_FAILED)
                return -1;
            notice_answer(fetch, ended);
        }
        if (slow || count(fetch, ANSWER_PENDING) == 0) {
            source = next_unasked(fetch);
            if (source != NULL)
                ask(fetch, source);
            hedge_ms = clock_boot_ms() + HEDGE_MS;
        } else if (ended == NULL) {
            int64_t until = count(fetch, ANSWER_NONE) > 0 ? hedge_ms : fetch->request->deadline_ms;

            if (store_loop_run(fetch->archive->loop, until, err) < 0 && err->kind == ERR_INTERNAL)
                return -1;
        }
    }
    return 0;
}

/* The gravest of what the stores said, for the error of the whole. */
static const struct source *
gravest(const struct fetch *fetch)
{
    static const enum err_kind descending[] = {
        ERR_LOCAL, ERR_INTERNAL, ERR_TRANSIENT, ERR_CONFLICT, ERR_CORRUPT, ERR_CONFIG, ERR_DENIED,
    };

    for (size_t k = 0; k < ARRAY_SIZE(descending); k++)
        for (size_t i = 0; i < fetch->n_sources; i++) {
            const struct source *source = &fetch->sources[i];

            if ((source->answer == ANSWER_FAILED || source->answer == ANSWER_BAD) &&
                source->err.kind == descending[k])
                return source;
        }
    return NULL;
}

static int
report_failure(const struct fetch *fetch, struct err *err)
{
    const struct source *source = gravest(fetch);

    if (source == NULL)
        return err_set(err, ERR_TRANSIENT, "could not restore \"%s\": %zu of %zu stores answered",
                       fetch->wal.text, count(fetch, ANSWER_ABSENT), fetch->n_sources);
    *err = source->err;
    return err_wrap(err, "could not restore \"%s\"", fetch->wal.text);
}

static int
report_gap(struct fetch *fetch, const char *store, const char *evidence, struct err *err)
{
    if (fetch->wal.kind == WAL_NAME_SEGMENT && pgdata_has_segment(fetch->pgdata, &fetch->wal)) {
        notice(fetch->notices, LOG_WARNING,
               "\"%s\" is missing in the archive although store \"%s\" has the later \"%s\"; the "
               "server has its own copy in pg_wal and goes on with that",
               fetch->wal.text, store, evidence);
        return ROUND_ABSENT;
    }
    if (++fetch->gap_looks < GAP_LOOKS && time_left(fetch)) {
        clock_sleep_until(clock_boot_ms() + GAP_WAIT_MS);
        return ROUND_AGAIN;
    }
    (void)err_set(err, ERR_CONFLICT,
                  "\"%s\" is missing: no store has it, but store \"%s\" has the later \"%s\"",
                  fetch->wal.text, store, evidence);
    if (fetch->wal.kind == WAL_NAME_HISTORY)
        return err_hint(err, "Archive the missing history file, or set recovery_target_timeline to "
                             "the number of the timeline to follow.");
    return err_hint(err, "This is a gap, not the end of WAL. Archive the missing file if any "
                         "server still has it, or recover to a target before it.");
}

/* Every store that said "absent" must also have nothing that says otherwise. */
static int
prove_absence(struct fetch *fetch, struct err *err)
{
    struct absence_question question = {
        .owner = &fetch->owner,
        .wal = &fetch->wal,
        .deadline_ms = fetch->request->deadline_ms,
        .retry_ms = ROUND_RETRY_MS,
    };
    char evidence[OBJECT_NAME_SIZE];
    size_t proven = 0;

    for (size_t i = 0; i < fetch->n_sources; i++) {
        struct source *source = &fetch->sources[i];

        if (source->answer != ANSWER_ABSENT)
            continue;
        int rc = absence_prove(fetch->archive, source->store, &question, evidence, &source->err);
        if (rc == ABSENCE_GAP)
            return report_gap(fetch, store_name(source->store), evidence, err);
        if (rc == ABSENCE_EMPTY) {
            (void)err_set(&source->err, ERR_CONFLICT,
                          "store \"%s\" (%s) holds nothing at all of cluster \"%s\", system "
                          "identifier %llu, so it cannot prove that a file does not exist",
                          store_name(source->store), store_place(source->store),
                          fetch->owner.cluster, (unsigned long long)fetch->owner.system_id);
            (void)err_hint(&source->err,
                           "Check cluster, url and mount point in the configuration.");
            source->answer = ANSWER_FAILED;
        } else if (rc < 0) {
            source->answer = ANSWER_FAILED;
        } else {
            proven++;
        }
    }
    return proven >= archive_absence_quorum(fetch->archive) ? ROUND_ABSENT : 0;
}

static bool
any_eventual(const struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->n_sources; i++)
        if (fetch->archive->stores[i].settings->eventually_consistent)
            return true;
    return false;
}

/* Is there a store whose answer could be another one next time? */
static bool
worth_asking_again(const struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->n_sources; i++)
        if (fetch->sources[i].answer == ANSWER_FAILED &&
            fetch->sources[i].err.kind == ERR_TRANSIENT)
            return true;
    return false;
}

static void
begin_round(struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->n_sources; i++) {
        struct source *source = &fetch->sources[i];

        archive_reopen_store(fetch->archive, i);
        source->store = fetch->archive->stores[i].store;
        /* Damage stays what it is. */
        if (source->answer != ANSWER_BAD)
            source->answer = ANSWER_NONE;
    }
}

/* ROUND_PLACED, ROUND_ABSENT, ROUND_AGAIN or -1. */
static int
one_round(struct fetch *fetch, struct err *err)
{
    begin_round(fetch);
    int rc = ask_all(fetch, err);
    if (rc == ROUND_PLACED)
        return rc;
    /* A damaged or deleted copy anywhere says that the file existed. */
    if (rc == 0 && count(fetch, ANSWER_BAD) == 0 &&
        count(fetch, ANSWER_ABSENT) >= archive_absence_quorum(fetch->archive)) {
        rc = prove_absence(fetch, err);
        if (rc != 0)
            return rc;
    }
    return rc == 0 && worth_asking_again(fetch) && time_left(fetch) ? ROUND_AGAIN
                                                                    : report_failure(fetch, err);
}

static int
fetch_rounds(struct fetch *fetch, struct err *err)
{
    bool absent_before = false;

    for (unsigned round = 0;; round++) {
        int rc = one_round(fetch, err);

        if (rc == ROUND_PLACED)
            return 0;
        if (rc < 0)
            return -1;
        if (rc == ROUND_ABSENT) {
            if (absent_before || !any_eventual(fetch))
                return FETCH_ABSENT;
            absent_before = true;
            clock_sleep_until(clock_boot_ms() + EVENTUAL_WAIT_MS);
        } else {
            absent_before = false;
            int64_t next_ms = clock_boot_ms() + retry_delay_ms(round, retry_random(), 0);

            clock_sleep_until(MIN_OF(next_ms, fetch->request->deadline_ms));
        }
        if (!time_left(fetch))
            return report_failure(fetch, err);
    }
}

int
fetch_file(struct archive *archive, const struct pgdata *pgdata,
           const struct fetch_request *request, struct notices *notices, struct err *err)
{
    struct fetch fetch = {
        .archive = archive,
        .pgdata = pgdata,
        .request = request,
        .notices = notices,
        .owner = {archive->settings->cluster, pgdata->system_id},
        .orphan_at_start = !process_session_alive(),
        .n_sources = archive->n_stores,
    };
    char quoted[160];

    if (!wal_name_parse(request->name, strlen(request->name), &fetch.wal)) {
        (void)err_set(err, ERR_CONFIG, "\"%s\" is not the name of a file that PostgreSQL archives",
                      err_quote(request->name, strlen(request->name), quoted, sizeof(quoted)));
        return err_hint(err, "Use restore_command = 'seawall-fetch %%f %%p'.");
    }
    object_name_of_wal(&fetch.owner, &fetch.wal, fetch.object_name);

    int rc = fetch_rounds(&fetch, err);
    for (size_t i = 0; i < fetch.n_sources; i++)
        store_task_free(fetch.sources[i].task);
    return rc;
}
