/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/clock.h"
#include "restore/fetch_parts.h"
#include "restore/muster.h"

/*
 * How long a store is waited for, from the moment it was asked for the seal. The agent remembers
 * which one was too slow and has time; a hook that is alone may meet a dead store at every segment,
 * and a recovery is long. Of histories there are few, and a whole recovery depends on each.
 */
#define WAIT_ALONE_MS 1000
#define WAIT_MS 2000
#define WAIT_HISTORY_MS 5000
#define WAIT_WARY_MS 5000
#define READ_MS 10000 /* ... for an object that must be read to be compared */

#define SLOW_MS 30000          /* a store that took too long is not waited for during this time */
#define WARY_MS (10 * 60000)   /* after a disagreement */

/* ---- asking for seals ---- */

static void
ask_for_seal(struct fetch_task *task, struct fetch_source *source)
{
    struct witness *witness = &source->witness;
    struct store_range beginning = {.size = MUSTER_SEAL_BYTES, .max_size = MUSTER_SEAL_BYTES};
    struct store_limits limits = {.deadline_ms = task->options.deadline_ms};
    struct err ignored = ERR_INIT;

    witness->asked_ms = clock_boot_ms();
    witness->state = WITNESS_ASKED;
    if (store_start_get(source->store, task->object_name, &beginning, &limits, &witness->task,
                        &ignored) < 0)
        witness->state = WITNESS_SILENT;
}

void
fetch_call_witnesses(struct fetch_task *task, const struct fetch_source *source)
{
    for (size_t i = 0; i < task->n_sources; i++) {
        struct fetch_source *other = &task->sources[i];
        bool may_have = other->answer == ANSWER_NONE ||
                        (other->answer == ANSWER_PENDING && !task->options.doubted);

        if (other != source && other->store != NULL && may_have &&
            other->witness.state == WITNESS_UNASKED)
            ask_for_seal(task, other);
    }
}

void
fetch_adopt_witnesses(struct fetch_task *task)
{
    for (size_t i = 0; i < task->n_sources; i++) {
        struct fetch_source *source = &task->sources[i];
        struct witness *witness = &source->witness;

        if (source->answer != ANSWER_PENDING || source->task == NULL ||
            source == task->verifying || witness->state != WITNESS_UNASKED)
            continue;
        witness->task = TAKE_PTR(source->task);
        witness->whole = true;
        witness->asked_ms = clock_boot_ms();
        witness->state = WITNESS_ASKED;
        source->answer = ANSWER_NONE;
    }
}

void
fetch_hear_seal(struct fetch_task *task, struct fetch_source *source, struct span bytes)
{
    struct witness *witness = &source->witness;
    struct err ignored = ERR_INIT;

    store_task_free(TAKE_PTR(witness->task));
    witness->state = WITNESS_SILENT;
    if (object_peek(bytes.data, bytes.size, &task->options.archive->keyring, &witness->seal,
                    &ignored) == 0 &&
        strcmp(witness->seal.name, task->object_name) == 0 &&
        witness->seal.system_id == task->owner.system_id)
        witness->state = WITNESS_SEALED;
}

/* ---- comparing ---- */

static void
disagree(const struct fetch_task *task, struct fetch_source *source, const char *how)
{
    struct witness *witness = &source->witness;
    char ours[SEAL_TEXT_SIZE];
    char theirs[SEAL_TEXT_SIZE];

    witness->state = WITNESS_DISAGREES;
    (void)err_set(&witness->err, ERR_CONFLICT,
                  "could not restore \"%s\": stores disagree: \"%s\" has it by %s; \"%s\" %s by %s",
                  task->wal.text, store_name(task->verifying->store),
                  seal_text(&task->placement.seal, ours), store_name(source->store), how,
                  seal_text(&witness->seal, theirs));
    (void)err_hint(&witness->err,
                   "Two servers archived under one name, and only one of them is the server to "
                   "recover. Find out which (seawall verify names every such file); recover with a "
                   "configuration that names only stores with its WAL, or remove the other copy.");
}

/* Another writer's fingerprint does not tell: its file must. */
static void
begin_reading(struct fetch_task *task, struct fetch_source *source)
{
    struct witness *witness = &source->witness;
    struct store_range whole = {.max_size = fetch_largest_object(task)};
    int64_t now_ms = clock_boot_ms();
    struct store_limits limits = {
        .deadline_ms = MIN_OF(task->options.deadline_ms, now_ms + READ_MS),
        .retry_ms = ROUND_RETRY_MS,
    };
    struct err ignored = ERR_INIT;

    witness->asked_ms = now_ms;
    witness->state = WITNESS_READING;
    if (store_start_get(source->store, task->object_name, &whole, &limits, &witness->task,
                        &ignored) < 0)
        witness->state = WITNESS_SILENT;
}

static void
unpack_other(struct fetch_task *task)
{
    const struct keyring *keyring = &task->options.archive->keyring;
    struct object object;

    err_clear(&task->placement_err);
    task->other_rc = object_open(task->object.data, task->object.size, task->object_name,
                                 task->owner.system_id, keyring, &object, &task->placement_err);
    if (task->other_rc == 0)
        task->other_rc = object_unpack(&object, keyring, NULL, NULL, task->other_digest,
                                       &task->placement_err);
}

static void
run_work(struct work *work)
{
    unpack_other((struct fetch_task *)work);
}

static void
begin_judging(struct fetch_task *task, struct fetch_source *source)
{
    source->witness.state = WITNESS_JUDGING;
    task->judging = source;
    task->object = store_task_take_body(source->witness.task);
    store_task_free(TAKE_PTR(source->witness.task));
    if (task->options.workers == NULL) {
        unpack_other(task);
        return;
    }
    task->work = (struct work){.run = run_work, .owner = task->options.owner};
    task->at_work = true;
    workers_submit(task->options.workers, &task->work);
}

/* It has another writer's seal, and cannot be compared just now. */
static void
fall_silent(struct fetch_task *task, struct fetch_source *source, const struct err *why)
{
    source->witness.state = WITNESS_SILENT;
    notice_err(task->options.notices, LOG_WARNING, why,
               "\"%s\" in store \"%s\" is by another writer key than in store \"%s\", and could "
               "not be compared",
               task->wal.text, store_name(source->store), store_name(task->verifying->store));
}

/* The rule is the one by which a push decides whether its file is already there (delivery.c). */
static void
judge(struct fetch_task *task)
{
    struct fetch_source *source = task->judging;

    task->judging = NULL;
    buf_done(&task->object);
    if (task->other_rc == 0 && digest_equal(task->other_digest, task->placement.digest))
        source->witness.state = WITNESS_AGREES;
    else if (task->other_rc == 0)
        disagree(task, source, "has other content");
    else if (task->placement_err.kind == ERR_CONFIG)
        disagree(task, source, "has one that no identity here opens,");
    else
        fall_silent(task, source, &task->placement_err);
}

static void
compare(struct fetch_task *task, struct fetch_source *source)
{
    switch (seal_compare(&task->placement.seal, &source->witness.seal)) {
    case SEAL_SAME:
        source->witness.state = WITNESS_AGREES;
        break;
    case SEAL_OTHER:
        disagree(task, source, "has other content");
        break;
    case SEAL_UNKNOWN:
        begin_reading(task, source);
        break;
    }
}

/* ---- what has come ---- */

/*
 * A damaged copy is told as if it had been asked first. A history is read to its end for that; a
 * segment would take a worker, for a copy that nobody needs.
 */
static void
look_for_damage(const struct fetch_task *task, struct fetch_source *source, struct span bytes)
{
    const struct keyring *keyring = &task->options.archive->keyring;
    uint8_t digest[DIGEST_SIZE];
    struct object object;

    if (object_open(bytes.data, bytes.size, task->object_name, task->owner.system_id, keyring,
                    &object, &source->err) == 0 &&
        (task->wal.kind != WAL_NAME_HISTORY ||
         object_unpack(&object, keyring, NULL, NULL, digest, &source->err) == 0))
        return;
    (void)err_wrap(&source->err, "\"%s\" from store \"%s\"", task->wal.text,
                   store_name(source->store));
    source->answer = ANSWER_BAD;
    fetch_notice_answer(task, source);
}

static bool
hear(struct fetch_task *task, struct fetch_source *source)
{
    struct witness *witness = &source->witness;
    struct err err = ERR_INIT;

    if (witness->state == WITNESS_SEALED) {
        compare(task, source);
        return true;
    }
    if (witness->task == NULL || !store_task_ended(witness->task) ||
        (witness->state == WITNESS_READING && task->judging != NULL))
        return false;
    int rc = store_task_result(witness->task, &err);
    if (witness->state == WITNESS_READING) {
        if (rc == 0) {
            begin_judging(task, source);
            return true;
        }
        if (rc > 0)
            (void)err_set(&err, ERR_TRANSIENT, "the store does not give it out any more");
        store_task_free(TAKE_PTR(witness->task));
        fall_silent(task, source, &err);
        return true;
    }
    if (rc == 0) {
        struct store_task *answer = TAKE_PTR(witness->task);

        if (witness->whole)
            look_for_damage(task, source, store_task_body(answer));
        fetch_hear_seal(task, source, store_task_body(answer));
        store_task_free(answer);
        return true;
    }
    witness->state = WITNESS_SILENT;
    store_task_free(TAKE_PTR(witness->task));
    return true;
}

static const struct fetch_source *
first_that(const struct fetch_task *task, enum witness_state state)
{
    for (size_t i = 0; i < task->n_sources; i++)
        if (&task->sources[i] != task->verifying && task->sources[i].witness.state == state)
            return &task->sources[i];
    return NULL;
}

/* ---- waiting ---- */

static int64_t
wait_until(const struct fetch_task *task, size_t i)
{
    const struct fetch_patience *patience = task->options.patience;
    const struct witness *witness = &task->sources[i].witness;
    int64_t wait_ms = patience == NULL ? WAIT_ALONE_MS : WAIT_MS;

    if (task->wal.kind == WAL_NAME_HISTORY)
        wait_ms = WAIT_HISTORY_MS;
    if (witness->state == WITNESS_READING)
        return MIN_OF(witness->asked_ms + READ_MS, task->options.deadline_ms);
    if (patience != NULL && witness->asked_ms < patience->wary_until_ms)
        wait_ms = WAIT_WARY_MS;
    else if (patience != NULL && witness->asked_ms < patience->slow_until_ms[i])
        wait_ms = 0;
    return MIN_OF(witness->asked_ms + wait_ms, task->options.deadline_ms);
}

int64_t
fetch_witnesses_until(const struct fetch_task *task)
{
    int64_t until_ms = 0;

    if (task->at_work)
        return INT64_MAX; /* the worker will not be long, and has our memory */
    for (size_t i = 0; i < task->n_sources; i++)
        if (task->sources[i].witness.task != NULL && &task->sources[i] != task->verifying)
            until_ms = MAX_OF(until_ms, wait_until(task, i));
    return until_ms;
}

/* The others have not said: the next fetches do not wait for them. */
static void
give_up_waiting(struct fetch_task *task)
{
    struct fetch_patience *patience = task->options.patience;
    int64_t now_ms = clock_boot_ms();
    struct err late = ERR_INIT;

    (void)err_set(&late, ERR_TRANSIENT, "the store is too slow");
    for (size_t i = 0; i < task->n_sources; i++) {
        struct fetch_source *source = &task->sources[i];

        if (source == task->verifying)
            continue;
        if (source->witness.state == WITNESS_READING)
            fall_silent(task, source, &late);
        else if (source->witness.state == WITNESS_ASKED && patience != NULL &&
                 now_ms >= patience->slow_until_ms[i])
            patience->slow_until_ms[i] = now_ms + SLOW_MS;
    }
}

bool
fetch_step_comparing(struct fetch_task *task)
{
    bool moved = false;

    if (task->at_work)
        return false;
    if (task->judging != NULL)
        judge(task);
    for (size_t i = 0; i < task->n_sources; i++)
        if (&task->sources[i] != task->verifying)
            moved = hear(task, &task->sources[i]) || moved;
    const struct fetch_source *other = first_that(task, WITNESS_DISAGREES);
    if (other != NULL && !task->at_work) {
        placement_done(&task->placement);
        if (task->options.patience != NULL)
            task->options.patience->wary_until_ms = clock_boot_ms() + WARY_MS;
        task->err = other->witness.err;
        fetch_end(task, -1);
        return true;
    }
    if (moved || task->at_work)
        return moved;
    if (clock_boot_ms() < fetch_witnesses_until(task))
        return false;
    give_up_waiting(task);
    fetch_end(task, 0);
    return true;
}
