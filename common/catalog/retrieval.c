/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/retrieval.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/process.h"
#include "base/retry.h"

#define HEDGE_MS 3000       /* ask the next store as well when one takes longer */
#define STORE_RETRY_MS 1500 /* a store retries this long by itself if there are others */
#define ALONE_RETRY_MS 10000 /* and this long if there are none: then it is said to be away */
#define TELL_MS 60000        /* how often */
#define NAP_MS 100
#define DEADLINE_SLACK_MS 1000 /* tasks see to their deadline themselves */

enum answer {
    ANSWER_NONE,    /* not asked in this round */
    ANSWER_PENDING, /* asked */
    ANSWER_ABSENT,
    ANSWER_BAD, /* has it, but damaged, deleted or not readable: asking again is of no use */
    ANSWER_FAILED,
    ANSWER_GOOD,
};

struct source {
    bool allowed;
    enum answer answer;
    struct store_task *task; /* ANSWER_PENDING, ANSWER_GOOD */
    struct err err;          /* ANSWER_BAD, ANSWER_FAILED */
};

struct retrieval {
    struct archive *archive;
    struct notices *notices;
    char name[OBJECT_NAME_SIZE];
    uint64_t system_id;
    uint64_t max_file_size;
    int64_t deadline_ms;
    struct source sources[SETTINGS_STORES_MAX];
    size_t n_sources; /* of the archive */
    size_t n_allowed;
    bool ended;
    bool found;
    size_t from; /* found: the source */
    struct object object;
    int64_t hedge_ms;
    unsigned round;
    int64_t round_ms; /* when the next round begins; 0: one is under way */
};

static bool
time_left(const struct retrieval *retrieval)
{
    return clock_boot_ms() < retrieval->deadline_ms && process_stop_requested() == 0;
}

static const char *
name_of(const struct retrieval *retrieval, const struct source *source)
{
    return retrieval->archive->stores[source - retrieval->sources].settings->name;
}

static size_t
count(const struct retrieval *retrieval, enum answer answer)
{
    size_t n = 0;

    for (size_t i = 0; i < retrieval->n_sources; i++)
        n += retrieval->sources[i].allowed && retrieval->sources[i].answer == answer;
    return n;
}

static void
drop_task(struct source *source)
{
    store_task_free(source->task);
    source->task = NULL;
}

static void
ask(struct retrieval *retrieval, struct source *source)
{
    size_t i = (size_t)(source - retrieval->sources);
    int64_t left = retrieval->deadline_ms - clock_boot_ms();
    struct store_range whole = {.max_size = object_size_bound(retrieval->max_file_size)};
    struct store_limits limits = {
        .deadline_ms = retrieval->deadline_ms,
        .retry_ms = retrieval->n_allowed > 1 ? MIN_OF(left, (int64_t)STORE_RETRY_MS)
                                            : MIN_OF(left, (int64_t)ALONE_RETRY_MS),
    };

    retrieval->hedge_ms = clock_boot_ms() + HEDGE_MS;
    archive_reopen_store(retrieval->archive, i);
    const struct archive_store *at = &retrieval->archive->stores[i];
    if (at->store == NULL) {
        source->answer = ANSWER_FAILED;
        source->err = at->open_err;
        return;
    }
    source->answer = ANSWER_PENDING;
    if (store_start_get(at->store, retrieval->name, &whole, &limits, &source->task, &source->err) <
        0)
        source->answer = ANSWER_FAILED;
}

/* What a store has is of no use. */
static void
mark_bad(struct retrieval *retrieval, struct source *source)
{
    source->answer = ANSWER_BAD;
    notice_err(retrieval->notices, LOG_WARNING, &source->err,
               "could not use \"%s\" in store \"%s\"", retrieval->name, name_of(retrieval, source));
}

static int
open_object(struct retrieval *retrieval, struct source *source)
{
    struct span body = store_task_body(source->task);
    struct object *object = &retrieval->object;
    struct err *err = &source->err;

    if (object_open(body.data, body.size, retrieval->name, retrieval->system_id,
                    &retrieval->archive->keyring, object, err) < 0)
        return -1;
    if (object->seal.file_size > retrieval->max_file_size)
        return err_set(err, ERR_CORRUPT,
                       "the file in it has %llu bytes, more than the %llu expected",
                       (unsigned long long)object->seal.file_size,
                       (unsigned long long)retrieval->max_file_size);
    return 0;
}

/* The store's get has ended. */
static void
take_answer(struct retrieval *retrieval, struct source *source)
{
    struct err *err = &source->err;
    int rc = store_task_result(source->task, err);

    if (rc == 0 && open_object(retrieval, source) == 0) {
        source->answer = ANSWER_GOOD;
        return;
    }
    if (rc == STORE_ABSENT) {
        source->answer = ANSWER_ABSENT;
    } else if (rc == STORE_DELETED) {
        (void)err_set(err, ERR_CONFLICT, "it was deleted: %s hides it",
                      store_task_deletion(source->task));
        (void)err_hint(err, "Find out who deleted it; removing the delete marker in the bucket "
                            "brings it back.");
        mark_bad(retrieval, source);
    } else if (err->kind == ERR_CORRUPT || err->kind == ERR_CONFLICT ||
               (rc == 0 && err->kind == ERR_CONFIG)) {
        mark_bad(retrieval, source);
    } else {
        source->answer = ANSWER_FAILED;
    }
    drop_task(source);
}

/* Take what the stores have brought. True if one of them has it. */
static bool
take_answers(struct retrieval *retrieval)
{
    for (size_t i = 0; i < retrieval->n_sources; i++) {
        struct source *source = &retrieval->sources[i];

        if (source->answer != ANSWER_PENDING || !store_task_ended(source->task))
            continue;
        take_answer(retrieval, source);
        if (source->answer == ANSWER_GOOD) {
            retrieval->from = i;
            return true;
        }
    }
    return false;
}

/* The others need not go on; should this one turn out bad they are asked again. */
static void
abandon_pending(struct retrieval *retrieval)
{
    for (size_t i = 0; i < retrieval->n_sources; i++) {
        struct source *source = &retrieval->sources[i];

        if (source->answer == ANSWER_PENDING) {
            drop_task(source);
            source->answer = ANSWER_NONE;
        }
    }
}

static struct source *
next_unasked(struct retrieval *retrieval)
{
    for (size_t i = 0; i < retrieval->n_sources; i++)
        if (retrieval->sources[i].allowed && retrieval->sources[i].answer == ANSWER_NONE)
            return &retrieval->sources[i];
    return NULL;
}

static bool
may_pass(const struct source *source)
{
    return source->allowed && source->answer == ANSWER_FAILED && source->err.kind == ERR_TRANSIENT;
}

static bool
worth_asking_again(const struct retrieval *retrieval)
{
    for (size_t i = 0; i < retrieval->n_sources; i++)
        if (may_pass(&retrieval->sources[i]))
            return true;
    return false;
}

/* Who waits shall know for what: at once, and then from time to time, whatever is asked for. */
static void
tell_who_is_away(struct retrieval *retrieval)
{
    int64_t now_ms = clock_boot_ms();

    for (size_t i = 0; i < retrieval->n_sources; i++) {
        struct archive_store *at = &retrieval->archive->stores[i];

        if (!may_pass(&retrieval->sources[i]) ||
            (at->told_ms != 0 && now_ms < at->told_ms + TELL_MS))
            continue;
        at->told_ms = now_ms;
        notice_err(retrieval->notices, LOG_WARNING, &retrieval->sources[i].err,
                   "could not read \"%s\" from store \"%s\", which is asked again for %lld s",
                   retrieval->name, at->settings->name,
                   (long long)(MAX_OF(retrieval->deadline_ms - now_ms, 0) + 999) / 1000);
    }
}

/* Every store has answered in vain. False if there is nothing to be done now. */
static bool
next_round(struct retrieval *retrieval)
{
    if (!worth_asking_again(retrieval)) {
        retrieval->ended = true;
        return false;
    }
    if (retrieval->round_ms == 0) {
        tell_who_is_away(retrieval);
        retrieval->round_ms =
            clock_boot_ms() + retry_delay_ms(retrieval->round++, retry_random(), 0);
    }
    if (clock_boot_ms() < retrieval->round_ms)
        return false;
    retrieval->round_ms = 0;
    for (size_t i = 0; i < retrieval->n_sources; i++)
        if (may_pass(&retrieval->sources[i]))
            retrieval->sources[i].answer = ANSWER_NONE;
    return true;
}

/* Ask whom it is time to ask. */
static void
go_on(struct retrieval *retrieval)
{
    for (;;) {
        bool waiting = count(retrieval, ANSWER_PENDING) > 0;

        if (!time_left(retrieval)) {
            retrieval->ended = !waiting;
            return;
        }
        if (waiting && clock_boot_ms() < retrieval->hedge_ms)
            return;
        struct source *source = next_unasked(retrieval);
        if (source != NULL)
            ask(retrieval, source);
        else if (waiting || !next_round(retrieval))
            return;
    }
}

bool
retrieval_advance(struct retrieval *retrieval)
{
    if (retrieval->ended)
        return true;
    if (take_answers(retrieval)) {
        abandon_pending(retrieval);
        retrieval->found = true;
        retrieval->ended = true;
        return true;
    }
    go_on(retrieval);
    return retrieval->ended;
}

int
retrieval_start(struct archive *archive, const struct retrieval_request *request,
                struct notices *notices, struct retrieval **ret, struct err *err)
{
    AUTO(retrieval) struct retrieval *retrieval = calloc(1, sizeof(*retrieval));

    if (retrieval == NULL)
        return err_memory(err, request->name);
    retrieval->archive = archive;
    retrieval->notices = notices;
    retrieval->system_id = request->system_id;
    retrieval->max_file_size = request->max_file_size;
    retrieval->deadline_ms = request->deadline_ms;
    retrieval->n_sources = archive->n_stores;
    int length = snprintf(retrieval->name, sizeof(retrieval->name), "%s", request->name);
    if (length < 0 || (size_t)length >= sizeof(retrieval->name))
        return err_set(err, ERR_INTERNAL, "the name of an object is too long");
    for (size_t i = 0; i < archive->n_stores; i++) {
        retrieval->sources[i].allowed = request->stores == 0 || (request->stores >> i & 1) != 0;
        retrieval->n_allowed += retrieval->sources[i].allowed;
    }
    if (retrieval->n_allowed == 0)
        return err_set(err, ERR_INTERNAL, "no store may be asked for \"%s\"", request->name);
    go_on(retrieval);
    *ret = TAKE_PTR(retrieval);
    return 0;
}

/* The gravest of what the stores said, for the error of the whole. */
static const struct source *
gravest(const struct retrieval *retrieval)
{
    static const enum err_kind descending[] = {
        ERR_LOCAL, ERR_INTERNAL, ERR_TRANSIENT, ERR_CONFLICT, ERR_CORRUPT, ERR_CONFIG, ERR_DENIED};

    for (size_t k = 0; k < ARRAY_SIZE(descending); k++)
        for (size_t i = 0; i < retrieval->n_sources; i++) {
            const struct source *source = &retrieval->sources[i];

            if ((source->answer == ANSWER_FAILED || source->answer == ANSWER_BAD) &&
                source->err.kind == descending[k])
                return source;
        }
    return NULL;
}

int
retrieval_result(const struct retrieval *retrieval, struct object *ret_object, struct err *err)
{
    if (retrieval->found) {
        *ret_object = retrieval->object;
        return 0;
    }
    if (!retrieval->ended)
        return err_set(err, ERR_INTERNAL, "\"%s\" is still under way", retrieval->name);

    size_t n_absent = count(retrieval, ANSWER_ABSENT);
    if (n_absent == retrieval->n_allowed)
        return RETRIEVAL_ABSENT;
    const struct source *source = gravest(retrieval);
    if (source == NULL)
        return err_set(err, ERR_TRANSIENT,
                       "could not retrieve \"%s\": %zu of %zu stores answered in time",
                       retrieval->name, n_absent, retrieval->n_allowed);
    *err = source->err;
    return err_wrap(err, "could not retrieve \"%s\" from store \"%s\"", retrieval->name,
                    name_of(retrieval, source));
}

size_t
retrieval_store(const struct retrieval *retrieval)
{
    return retrieval->from;
}

int
retrieval_reject(struct retrieval *retrieval, const struct err *err)
{
    if (!retrieval->found)
        return -1;

    struct source *source = &retrieval->sources[retrieval->from];
    drop_task(source);
    source->err = *err;
    mark_bad(retrieval, source);
    retrieval->found = false;
    retrieval->ended = false;
    go_on(retrieval);
    return retrieval->ended ? -1 : 0;
}

void
retrieval_free(struct retrieval *retrieval)
{
    if (retrieval == NULL)
        return;
    for (size_t i = 0; i < retrieval->n_sources; i++)
        drop_task(&retrieval->sources[i]);
    free(retrieval);
}

/* When there is something for retrieval_advance() to do even if the loop brings nothing. */
static int64_t
wake_ms(struct retrieval *retrieval)
{
    bool pending = false;

    for (size_t i = 0; i < retrieval->n_sources; i++) {
        const struct source *source = &retrieval->sources[i];

        if (source->answer != ANSWER_PENDING)
            continue;
        if (store_task_ended(source->task))
            return 0;
        pending = true;
    }
    if (!pending)
        return MIN_OF(retrieval->round_ms, retrieval->deadline_ms);
    if (next_unasked(retrieval) != NULL)
        return MIN_OF(retrieval->hedge_ms, retrieval->deadline_ms + DEADLINE_SLACK_MS);
    return retrieval->deadline_ms + DEADLINE_SLACK_MS;
}

int
retrieval_wait(struct archive *archive, struct retrieval *const *retrievals, size_t n,
               int64_t until_ms, struct err *err)
{
    bool on_the_loop = false;
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        if (retrievals[i] == NULL || retrievals[i]->ended)
            continue;
        any = true;
        until_ms = MIN_OF(until_ms, wake_ms(retrievals[i]));
        on_the_loop = on_the_loop || count(retrievals[i], ANSWER_PENDING) > 0;
    }
    if (!any || clock_boot_ms() >= until_ms)
        return 0;
    if (store_loop_run(archive->loop, until_ms, err) < 0)
        return -1;
    /* A loop without tasks does not wait. */
    if (!on_the_loop)
        clock_sleep_until(MIN_OF(until_ms, clock_boot_ms() + NAP_MS));
    return 0;
}

static int
append(void *context, const uint8_t *bytes, size_t size, struct err *err)
{
    int rc = buf_append(context, bytes, size, err);

    return rc == BUF_FULL ? err_set(err, ERR_INTERNAL, "the file does not fit into memory") : rc;
}

static int
run_to_end(struct archive *archive, struct retrieval *retrieval, struct err *err)
{
    while (!retrieval_advance(retrieval))
        if (retrieval_wait(archive, &retrieval, 1, INT64_MAX, err) < 0)
            return -1;
    return 0;
}

int
retrieve_file(struct archive *archive, const struct retrieval_request *request,
              struct notices *notices, struct buf *file, struct err *err)
{
    struct retrieval_source from;

    return retrieve_file_from(archive, request, notices, file, &from, err);
}

int
retrieve_file_from(struct archive *archive, const struct retrieval_request *request,
                   struct notices *notices, struct buf *file, struct retrieval_source *ret_from,
                   struct err *err)
{
    AUTO(retrieval) struct retrieval *retrieval = NULL;
    size_t before = file->size;
    struct object object;

    if (retrieval_start(archive, request, notices, &retrieval, err) < 0)
        return -1;
    for (;;) {
        if (run_to_end(archive, retrieval, err) < 0)
            return -1;
        int rc = retrieval_result(retrieval, &object, err);
        if (rc != 0)
            return rc;
        if (object_unpack(&object, &archive->keyring, append, file, NULL, err) == 0) {
            *ret_from = (struct retrieval_source){retrieval->from, object.payload.size};
            return 0;
        }
        file->size = before;
        if (err->kind == ERR_INTERNAL)
            return -1;
        if (retrieval_reject(retrieval, err) < 0)
            return retrieval_result(retrieval, &object, err);
    }
}
