/* SPDX-License-Identifier: PostgreSQL */
#include "restore/fetch_task.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/retry.h"
#include "restore/fetch_parts.h"

#define HEDGE_MS 3000 /* ask the next store as well when one takes longer */
#define GAP_WAIT_MS 1000
#define EVENTUAL_WAIT_MS 2000 /* stores that may answer from the past are asked twice */

/* ---- ending and waiting ---- */

static void
end(struct fetch_task *task, int rc)
{
    task->rc = rc;
    task->phase = PHASE_ENDED;
    for (size_t i = 0; i < task->n_sources; i++) {
        store_task_free(TAKE_PTR(task->sources[i].task));
        absence_done(&task->sources[i].absence);
    }
}

static void
fail(struct fetch_task *task)
{
    end(task, fetch_report_failure(task, &task->err));
}

static void
wait_until(struct fetch_task *task, int64_t until_ms)
{
    task->until_ms = until_ms;
    task->phase = PHASE_WAITING;
}

/* Nothing is decided, and asking again may help. `after_ms`: not before that. */
static void
go_again(struct fetch_task *task, int64_t after_ms)
{
    int64_t next_ms = after_ms + retry_delay_ms(task->round, retry_random(), 0);

    task->absent_before = false;
    wait_until(task, MIN_OF(next_ms, task->options.deadline_ms));
}

/* ---- one request ---- */

static uint64_t
largest_object(const struct fetch_task *task)
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
    struct store_range whole = {.max_size = largest_object(task)};
    int64_t left = task->options.deadline_ms - clock_boot_ms();
    bool impatient = task->n_sources > 1 || task->options.ahead;
    struct store_limits limits = {
        .deadline_ms = task->options.deadline_ms,
        .retry_ms = impatient ? MIN_OF(left, (int64_t)ROUND_RETRY_MS) : left,
    };

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
}

static void
answer_deleted(const struct fetch_task *task, struct fetch_source *source)
{
    source->answer = ANSWER_BAD;
    (void)err_set(&source->err, ERR_CONFLICT,
                  "store \"%s\": \"%s\" was deleted: a delete marker hides it",
                  store_name(source->store), task->object_name);
    (void)err_hint(&source->err, "Find out who deleted it; removing the delete marker in the "
                                 "bucket brings it back.");
}

/* A store that fails in every round for the same reason is news once. */
static void
notice_answer(const struct fetch_task *task, struct fetch_source *source)
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
        fail(task); /* no other store would do better */
    else
        notice_answer(task, source);
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
    task->object = store_task_take_body(source->task);
    store_task_free(TAKE_PTR(source->task));
    placement_done(&task->placement);
    err_clear(&task->placement_err);
    task->phase = PHASE_VERIFYING;
    if (task->options.workers == NULL) {
        decode(task);
        return;
    }
    task->work = (struct work){.run = run_work, .owner = NULL};
    task->work.owner = (void *)(uintptr_t)task->options.owner;
    task->at_work = true;
    workers_submit(task->options.workers, &task->work);
}

static void
end_late(struct fetch_task *task)
{
    end(task, err_set(&task->err, ERR_TRANSIENT,
                      "could not restore \"%s\": not verified before the deadline",
                      task->wal.text));
}

static bool
step_verifying(struct fetch_task *task)
{
    struct fetch_source *source = task->verifying;

    if (task->at_work) {
        if (fetch_time_left(task))
            return false;
        end_late(task);
        return true;
    }
    /* What it brought is of no use any longer; the memory is. */
    buf_done(&task->object);
    if (task->placement_rc == 0) {
        if (task->placement.odd.kind != ERR_NONE)
            notice_err(task->options.notices, LOG_WARNING, &task->placement.odd,
                       "restoring \"%s\" although its first page is wrong", task->wal.text);
        end(task, 0);
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
    store_task_free(TAKE_PTR(source->task));
    if (rc == STORE_ABSENT) {
        /* An absence from before somebody asked says nothing about now. */
        source->answer = source->press == task->press ? ANSWER_ABSENT : ANSWER_NONE;
    } else if (rc == STORE_DELETED) {
        answer_deleted(task, source);
    } else {
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

/* Is there a store whose answer could be another one next time? */
static bool
worth_asking_again(const struct fetch_task *task)
{
    for (size_t i = 0; i < task->n_sources; i++)
        if (task->sources[i].answer == ANSWER_FAILED &&
            task->sources[i].err.kind == ERR_TRANSIENT)
            return true;
    return false;
}

static void
end_undecided(struct fetch_task *task)
{
    if (!task->options.ahead && worth_asking_again(task) && fetch_time_left(task))
        go_again(task, clock_boot_ms());
    else
        fail(task);
}

/* Every source has answered in vain. */
static void
end_round(struct fetch_task *task)
{
    /* A damaged or deleted copy anywhere says that the file existed. */
    if (fetch_count(task, ANSWER_BAD) > 0 ||
        fetch_count(task, ANSWER_ABSENT) < archive_absence_quorum(task->options.archive)) {
        end_undecided(task);
    } else if (task->options.ahead) {
        end(task, FETCH_NOT_FOUND);
    } else {
        task->phase = PHASE_PROVING;
        fetch_begin_proof(task);
    }
}

/* One store after the other, the next one when the last has answered in vain or is slow. */
static bool
step_asking(struct fetch_task *task)
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
    if (!none_pending && now_ms < task->hedge_ms)
        return false;
    source = next_unasked(task);
    task->hedge_ms = now_ms + HEDGE_MS;
    if (source != NULL)
        ask(task, source);
    else if (none_pending)
        end_round(task);
    return source != NULL || none_pending;
}

/* ---- the other steps ---- */

static bool
step_round(struct fetch_task *task)
{
    for (size_t i = 0; i < task->n_sources; i++) {
        struct fetch_source *source = &task->sources[i];

        archive_reopen_store(task->options.archive, i);
        source->store = task->options.archive->stores[i].store;
        /* Damage stays what it is. */
        if (source->answer != ANSWER_BAD)
            source->answer = ANSWER_NONE;
    }
    task->phase = PHASE_ASKING;
    return true;
}

static bool
any_eventual(const struct fetch_task *task)
{
    for (size_t i = 0; i < task->n_sources; i++)
        if (task->options.archive->stores[i].settings->eventually_consistent)
            return true;
    return false;
}

static bool
step_proving(struct fetch_task *task)
{
    int rc = fetch_judge_proof(task, &task->err);

    if (rc == PROOF_PENDING)
        return false;
    if (rc < 0) {
        end(task, rc);
    } else if (rc == PROOF_LOOK_AGAIN) {
        go_again(task, clock_boot_ms() + GAP_WAIT_MS);
    } else if (rc != PROOF_ABSENT) {
        end_undecided(task);
    } else if (task->absent_before || !any_eventual(task)) {
        end(task, FETCH_ABSENT);
    } else {
        task->absent_before = true;
        wait_until(task, clock_boot_ms() + EVENTUAL_WAIT_MS);
    }
    return true;
}

static bool
step_waiting(struct fetch_task *task)
{
    bool stopped = process_stop_requested() != 0;

    if (clock_boot_ms() < task->until_ms && !stopped)
        return false;
    if (!fetch_time_left(task)) {
        fail(task);
    } else {
        task->round++;
        task->phase = PHASE_ROUND;
    }
    return true;
}

static bool
step(struct fetch_task *task)
{
    switch (task->phase) {
    case PHASE_ROUND:
        return step_round(task);
    case PHASE_ASKING:
        return step_asking(task);
    case PHASE_VERIFYING:
        return step_verifying(task);
    case PHASE_PROVING:
        return step_proving(task);
    case PHASE_WAITING:
        return step_waiting(task);
    case PHASE_ENDED:
        break;
    }
    return false;
}

/* ---- the task ---- */

int
fetch_task_new(const struct fetch_task_options *options, struct fetch_task **ret_task,
               struct err *err)
{
    struct wal_name wal;
    char quoted[160];

    if (!wal_name_parse(options->name, strlen(options->name), &wal)) {
        (void)err_set(err, ERR_CONFIG, "\"%s\" is not the name of a file that PostgreSQL archives",
                      err_quote(options->name, strlen(options->name), quoted, sizeof(quoted)));
        return err_hint(err, "Use restore_command = 'seawall-fetch %%f %%p'.");
    }

    struct fetch_task *task = calloc(1, sizeof(*task));
    if (task == NULL)
        return err_memory(err, "fetch");
    task->options = *options;
    task->pgdata = *options->pgdata;
    task->owner = (struct object_owner){options->archive->settings->cluster,
                                        options->pgdata->system_id};
    task->wal = wal;
    task->n_sources = options->archive->n_stores;
    object_name_of_wal(&task->owner, &task->wal, task->object_name);
    task->placement = (struct placement){
        .archive = options->archive,
        .pgdata = &task->pgdata,
        .wal = &task->wal,
        .object_name = task->object_name,
        .landing = options->landing,
        .file = NEWFILE_INIT,
    };
    *ret_task = task;
    return 0;
}

bool
fetch_task_advance(struct fetch_task *task)
{
    while (step(task))
        continue;
    return task->phase == PHASE_ENDED;
}

int64_t
fetch_task_due_ms(const struct fetch_task *task)
{
    switch (task->phase) {
    case PHASE_ASKING:
        return fetch_count(task, ANSWER_NONE) > 0
                   ? MIN_OF(task->hedge_ms, task->options.deadline_ms)
                   : task->options.deadline_ms;
    case PHASE_WAITING:
        return task->until_ms;
    case PHASE_VERIFYING:
    case PHASE_PROVING:
        return task->options.deadline_ms;
    case PHASE_ROUND:
    case PHASE_ENDED:
        break;
    }
    return 0;
}

bool
fetch_task_asks(const struct fetch_task *task)
{
    return task->phase == PHASE_ASKING || task->phase == PHASE_PROVING;
}

void
fetch_task_press(struct fetch_task *task, int64_t deadline_ms, struct notices *notices)
{
    task->options.ahead = false;
    task->options.deadline_ms = deadline_ms;
    task->options.notices = notices;
    task->press++;
    for (size_t i = 0; i < task->n_sources; i++)
        if (task->sources[i].answer != ANSWER_PENDING)
            task->sources[i].answer = ANSWER_NONE;
}

int
fetch_task_result(const struct fetch_task *task, struct err *err)
{
    if (task->rc < 0)
        *err = task->err;
    return task->rc;
}

struct newfile
fetch_task_take_file(struct fetch_task *task)
{
    struct newfile file = task->placement.file;

    task->placement.file = NEWFILE_INIT;
    return file;
}
