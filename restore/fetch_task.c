/* SPDX-License-Identifier: PostgreSQL */
#include "restore/fetch_task.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/process.h"
#include "base/retry.h"
#include "restore/fetch_parts.h"

#define GAP_WAIT_MS 1000
#define EVENTUAL_WAIT_MS 2000 /* stores that may answer from the past are asked twice */

/* ---- ending and waiting ---- */

void
fetch_end(struct fetch_task *task, int rc)
{
    task->rc = rc;
    task->phase = PHASE_ENDED;
    for (size_t i = 0; i < task->n_sources; i++) {
        store_task_free(TAKE_PTR(task->sources[i].task));
        store_task_free(TAKE_PTR(task->sources[i].witness.task));
        absence_done(&task->sources[i].absence);
    }
}

void
fetch_fail(struct fetch_task *task)
{
    fetch_end(task, fetch_report_failure(task, &task->err));
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

/* ---- the end of a round ---- */

/* Is there a store whose answer could be another one next time? */
static bool
worth_asking_again(const struct fetch_task *task)
{
    for (size_t i = 0; i < task->n_sources; i++)
        if (task->sources[i].answer == ANSWER_FAILED && task->sources[i].err.kind == ERR_TRANSIENT)
            return true;
    return false;
}

static void
end_undecided(struct fetch_task *task)
{
    if (!task->options.ahead && worth_asking_again(task) && fetch_time_left(task))
        go_again(task, clock_boot_ms());
    else
        fetch_fail(task);
}

/* Every source has answered in vain. */
void
fetch_end_round(struct fetch_task *task)
{
    /* A damaged or deleted copy anywhere says that the file existed. */
    if (fetch_count(task, ANSWER_BAD) > 0 ||
        fetch_count(task, ANSWER_ABSENT) < archive_absence_quorum(task->options.archive)) {
        end_undecided(task);
    } else if (task->options.ahead) {
        fetch_end(task, FETCH_NOT_FOUND);
    } else {
        task->phase = PHASE_PROVING;
        fetch_begin_proof(task);
    }
}

/* ---- the other steps ---- */

static bool
step_round(struct fetch_task *task)
{
    for (size_t i = 0; i < task->n_sources; i++) {
        struct fetch_source *source = &task->sources[i];

        archive_reopen_store(task->options.archive, i);
        source->store = task->options.archive->stores[i].store;
        source->proving = false;
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
        fetch_end(task, rc);
    } else if (rc == PROOF_LOOK_AGAIN) {
        go_again(task, clock_boot_ms() + GAP_WAIT_MS);
    } else if (rc != PROOF_ABSENT) {
        end_undecided(task);
    } else if (task->absent_before || !any_eventual(task)) {
        fetch_end(task, FETCH_ABSENT);
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
        fetch_fail(task);
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
        return fetch_step_asking(task);
    case PHASE_VERIFYING:
        return fetch_step_verifying(task);
    case PHASE_COMPARING:
        return fetch_step_comparing(task);
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
fetch_task_read_name(const char *text, struct wal_name *ret, struct err *err)
{
    char quoted[160];

    if (wal_name_parse(text, strlen(text), ret))
        return 0;
    (void)err_set(err, ERR_CONFIG, "\"%s\" is not the name of a file that PostgreSQL archives",
                  err_quote(text, strlen(text), quoted, sizeof(quoted)));
    return err_hint(err, "Use restore_command = 'seawall-fetch %%f %%p'.");
}

int
fetch_task_new(const struct fetch_task_options *options, struct fetch_task **ret_task,
               struct err *err)
{
    struct wal_name wal;

    if (fetch_task_read_name(options->name, &wal, err) < 0)
        return -1;

    struct fetch_task *task = calloc(1, sizeof(*task));
    if (task == NULL)
        return err_memory(err, "fetch");
    task->options = *options;
    task->pgdata = *options->pgdata;
    task->owner =
        (struct object_owner){options->archive->settings->cluster, options->pgdata->system_id};
    task->wal = wal;
    /* The server asks for histories to learn that there are none. */
    if (wal.kind == WAL_NAME_HISTORY) {
        task->options.doubted = true;
        task->options.at_once = true;
    }
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
    case PHASE_COMPARING:
        return fetch_witnesses_until(task);
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
    return task->phase == PHASE_ASKING || task->phase == PHASE_COMPARING ||
           task->phase == PHASE_PROVING;
}

bool
fetch_task_loads(const struct fetch_task *task)
{
    return !task->at_work && task->phase != PHASE_COMPARING;
}

void
fetch_task_press(struct fetch_task *task, int64_t deadline_ms, struct notices *notices)
{
    task->options.ahead = false;
    task->options.deadline_ms = deadline_ms;
    task->options.notices = notices;
    task->press++;
    for (size_t i = 0; i < task->n_sources; i++) {
        task->sources[i].proving = false;
        if (task->sources[i].answer != ANSWER_PENDING)
            task->sources[i].answer = ANSWER_NONE;
    }
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

uint64_t
fetch_task_file_size(const struct fetch_task *task)
{
    return task->placement.file_size;
}

const struct wal_history *
fetch_task_history(const struct fetch_task *task)
{
    return task->placement.history;
}

const struct wal_name *
fetch_task_name(const struct fetch_task *task)
{
    return &task->wal;
}

int
fetch_task_wrap(const struct fetch_task *task, struct err *err)
{
    return err_wrap(err, "could not restore \"%s\": \"%s\" from store \"%s\"", task->wal.text,
                    task->wal.text, store_name(task->verifying->store));
}

size_t
fetch_task_memory(const struct fetch_task *task)
{
    size_t size = task->object.size;

    for (size_t i = 0; i < task->n_sources; i++) {
        const struct fetch_source *source = &task->sources[i];

        if (source->task != NULL)
            size += store_task_body(source->task).size;
        if (source->witness.task != NULL)
            size += store_task_body(source->witness.task).size;
    }
    return size;
}

size_t
fetch_task_object_size(const struct fetch_task *task)
{
    return task->object_size;
}

struct fetch_task *
fetch_task_work_done(struct work *work)
{
    struct fetch_task *task = (struct fetch_task *)work;

    task->at_work = false;
    return task;
}

bool
fetch_task_at_work(const struct fetch_task *task)
{
    return task->at_work;
}

void
fetch_task_free(struct fetch_task *task)
{
    if (task == NULL)
        return;
    fetch_end(task, task->rc);
    buf_done(&task->object);
    placement_done(&task->placement);
    free(task);
}
