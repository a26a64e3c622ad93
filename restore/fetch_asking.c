/* SPDX-License-Identifier: PostgreSQL */
#include "base/clock.h"
#include "restore/fetch_parts.h"

#define HEDGE_MS 3000 /* ask the next store as well when one takes longer */

/* ---- one request ---- */

uint64_t
fetch_largest_object(const struct fetch_task *task)
{
    uint64_t size = MIB;

    if (task->wal.kind == WAL_NAME_SEGMENT || task->wal.kind == WAL_NAME_PARTIAL)
        size = task->pgdata.has_control ? task->pgdata.control.segment_size : WAL_SEGMENT_SIZE_MAX;
    return object_size_bound(size);
}

static void
ask(struct fetch_task *task, struct fetch_source *source)
{
    const struct err *open_err = &task->options.archive->stores[source - task->sources].open_err;
    struct store_range whole = {.max_size = fetch_largest_object(task)};
    int64_t left = task->options.deadline_ms - clock_boot_ms();
    bool proof = !task->options.ahead;
    bool impatient = task->n_sources > 1 || task->options.ahead;
    struct store_limits limits = {
        .deadline_ms = task->options.deadline_ms,
        .retry_ms = impatient ? MIN_OF(left, (int64_t)ROUND_RETRY_MS) : left,
    };

    if (!proof)
        whole.hope = STORE_HOPE_GUESS;
    else if (task->options.doubted)
        whole.hope = STORE_HOPE_ABSENT;
    source->answer = ANSWER_PENDING;
    source->press = task->press;
    source->deadline_ms = limits.deadline_ms;
    if (source->store == NULL) {
        source->answer = ANSWER_FAILED;
        source->err = *open_err;
        return;
    }
    store_task_free(TAKE_PTR(source->task));
    if (store_start_get(source->store, task->object_name, &whole, &limits, &source->task,
                        &source->err) < 0)
        source->answer = ANSWER_FAILED;
    else if (!task->options.doubted)
        fetch_call_witnesses(task, source);
    else if (proof)
        fetch_ask_evidence(task, source);
}

static void
answer_deleted(const struct fetch_task *task, struct fetch_source *source)
{
    source->answer = ANSWER_BAD;
    (void)err_set(&source->err, ERR_CONFLICT,
                  "store \"%s\": \"%s\" was deleted: %s hides it", store_name(source->store),
                  task->object_name, store_task_deletion(source->task));
    (void)err_hint(&source->err, "Find out who deleted it; removing the delete marker in the "
                                 "bucket brings it back.");
}

/* A store that fails in every round for the same reason is news once. */
void
fetch_notice_answer(const struct fetch_task *task, struct fetch_source *source)
{
    if (source->answer != ANSWER_BAD && source->answer != ANSWER_FAILED)
        return;
    if (source->noticed != source->err.kind)
        notice_err(task->options.notices, LOG_WARNING, &source->err, "could not restore \"%s\"",
                   task->wal.text);
    source->noticed = source->err.kind;
}

/* A source has answered in vain. */
static void
settle(struct fetch_task *task, struct fetch_source *source)
{
    if (source->answer == ANSWER_FAILED && source->err.kind == ERR_LOCAL)
        fetch_fail(task); /* no other store would do better */
    else
        fetch_notice_answer(task, source);
}

/* ---- verification ---- */

static void
decode(struct fetch_task *task)
{
    struct span bytes = {task->object.data, task->object.size};

    task->placement_rc = placement_decode(&task->placement, bytes, &task->placement_err);
}

static void
run_work(struct work *work)
{
    decode((struct fetch_task *)work);
}

/* The store's get brought something: is it the file? */
static void
begin_verification(struct fetch_task *task, struct fetch_source *source)
{
    task->verifying = source;
    fetch_call_witnesses(task, source);
    task->object = store_task_take_body(source->task);
    task->object_size = task->object.size;
    store_task_free(TAKE_PTR(source->task));
    placement_done(&task->placement);
    err_clear(&task->placement_err);
    task->phase = PHASE_VERIFYING;
    if (task->options.workers == NULL) {
        decode(task);
        return;
    }
    task->work = (struct work){.run = run_work, .owner = task->options.owner};
    task->at_work = true;
    workers_submit(task->options.workers, &task->work);
}

static void
end_late(struct fetch_task *task)
{
    fetch_end(task, err_set(&task->err, ERR_TRANSIENT,
                            "could not restore \"%s\": not verified before the deadline",
                            task->wal.text));
}

bool
fetch_step_verifying(struct fetch_task *task)
{
    struct fetch_source *source = task->verifying;

    if (task->at_work) {
        if (fetch_time_left(task))
            return false;
        end_late(task);
        return true;
    }
    if (task->placement_rc != 0)
        fetch_hear_seal(task, source, (struct span){task->object.data, task->object.size});
    /* What it brought is of no use any longer; the memory is. */
    buf_done(&task->object);
    if (task->placement_rc == 0) {
        if (task->placement.odd.kind != ERR_NONE)
            notice_err(task->options.notices, LOG_WARNING, &task->placement.odd,
                       "restoring \"%s\" although its first page is wrong", task->wal.text);
        fetch_adopt_witnesses(task);
        task->phase = PHASE_COMPARING;
        return true;
    }
    source->err = task->placement_err;
    (void)err_wrap(&source->err, "\"%s\" from store \"%s\"", task->wal.text,
                   store_name(source->store));
    source->answer = source->err.kind == ERR_LOCAL ? ANSWER_FAILED : ANSWER_BAD;
    task->phase = PHASE_ASKING;
    settle(task, source);
    return true;
}

/* ---- asking the stores ---- */

/* The store's get has ended. */
static void
take_answer(struct fetch_task *task, struct fetch_source *source)
{
    int rc = store_task_result(source->task, &source->err);

    if (rc == 0) {
        begin_verification(task, source);
        return;
    }
    if (rc == STORE_DELETED)
        answer_deleted(task, source);
    store_task_free(TAKE_PTR(source->task));
    if (rc == STORE_ABSENT) {
        /* An absence from before somebody asked says nothing about now. */
        source->answer = source->press == task->press ? ANSWER_ABSENT : ANSWER_NONE;
    } else if (rc != STORE_DELETED) {
        bool bad = source->err.kind == ERR_CORRUPT || source->err.kind == ERR_CONFLICT;

        source->answer = bad ? ANSWER_BAD : ANSWER_FAILED;
    }
    settle(task, source);
}

static struct fetch_source *
next_unasked(struct fetch_task *task)
{
    for (size_t i = 0; i < task->n_sources; i++)
        if (task->sources[i].answer == ANSWER_NONE)
            return &task->sources[i];
    return NULL;
}

/* The first source whose request has ended, or NULL. */
static struct fetch_source *
next_ended(struct fetch_task *task)
{
    for (size_t i = 0; i < task->n_sources; i++) {
        struct fetch_source *source = &task->sources[i];

        if (source->answer == ANSWER_PENDING && source->task != NULL &&
            store_task_ended(source->task))
            return source;
    }
    return NULL;
}

/* Requests from before somebody pressed may have a later deadline than the task has now. */
static void
give_up_late(struct fetch_task *task)
{
    if (clock_boot_ms() < task->options.deadline_ms)
        return;
    for (size_t i = 0; i < task->n_sources; i++) {
        struct fetch_source *source = &task->sources[i];

        if (source->answer != ANSWER_PENDING || source->deadline_ms <= task->options.deadline_ms)
            continue;
        store_task_free(TAKE_PTR(source->task));
        source->answer = ANSWER_FAILED;
        (void)err_set(&source->err, ERR_TRANSIENT,
                      "store \"%s\": could not read \"%s\": no answer before the deadline",
                      store_name(source->store), task->object_name);
        settle(task, source);
    }
}

/*
 * One store after the other, the next one when the last has answered in vain or is slow. All of
 * them must answer before a file is absent: where that is likely, they are asked at once.
 */
bool
fetch_step_asking(struct fetch_task *task)
{
    struct fetch_source *source = next_ended(task);

    if (source != NULL) {
        take_answer(task, source);
        return true;
    }
    give_up_late(task);
    if (task->phase == PHASE_ENDED)
        return true;

    bool none_pending = fetch_count(task, ANSWER_PENDING) == 0;
    int64_t now_ms = clock_boot_ms();
    bool at_once = task->options.at_once && !task->options.ahead;
    if (!none_pending && now_ms < task->hedge_ms && !(at_once && next_unasked(task) != NULL))
        return false;
    source = next_unasked(task);
    task->hedge_ms = now_ms + HEDGE_MS;
    if (source != NULL)
        ask(task, source);
    else if (none_pending)
        fetch_end_round(task);
    return source != NULL || none_pending;
}
