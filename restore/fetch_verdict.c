/* SPDX-License-Identifier: PostgreSQL */
#include "base/clock.h"
#include "base/process.h"
#include "restore/fetch_parts.h"

#define GAP_LOOKS 2 /* a gap is believed when it is still there at the second look */

bool
fetch_time_left(const struct fetch_task *task)
{
    return clock_boot_ms() < task->options.deadline_ms && process_stop_requested() == 0;
}

size_t
fetch_count(const struct fetch_task *task, enum fetch_answer answer)
{
    size_t n = 0;

    for (size_t i = 0; i < task->n_sources; i++)
        n += task->sources[i].answer == answer;
    return n;
}

/* ---- failure ---- */

/* The gravest of what the stores said, for the error of the whole. */
static const struct fetch_source *
gravest(const struct fetch_task *task)
{
    static const enum err_kind descending[] = {
        ERR_LOCAL, ERR_INTERNAL, ERR_TRANSIENT, ERR_CONFLICT, ERR_CORRUPT, ERR_CONFIG, ERR_DENIED,
    };

    for (size_t k = 0; k < ARRAY_SIZE(descending); k++)
        for (size_t i = 0; i < task->n_sources; i++) {
            const struct fetch_source *source = &task->sources[i];

            if ((source->answer == ANSWER_FAILED || source->answer == ANSWER_BAD) &&
                source->err.kind == descending[k])
                return source;
        }
    return NULL;
}

int
fetch_report_failure(const struct fetch_task *task, struct err *err)
{
    const struct fetch_source *source = gravest(task);

    if (source == NULL)
        return err_set(err, ERR_TRANSIENT, "could not restore \"%s\": %zu of %zu stores answered",
                       task->wal.text, fetch_count(task, ANSWER_ABSENT), task->n_sources);
    *err = source->err;
    return err_wrap(err, "could not restore \"%s\"", task->wal.text);
}

/* ---- absence ---- */

void
fetch_ask_evidence(struct fetch_task *task, struct fetch_source *source)
{
    struct absence_question question = {
        .owner = &task->owner,
        .wal = &task->wal,
        .deadline_ms = task->options.deadline_ms,
        .retry_ms = ROUND_RETRY_MS,
    };

    if (source->proving)
        return;
    absence_done(&source->absence);
    absence_begin(&source->absence, source->store, &question);
    source->proving = true;
}

void
fetch_begin_proof(struct fetch_task *task)
{
    for (size_t i = 0; i < task->n_sources; i++)
        if (task->sources[i].answer == ANSWER_ABSENT)
            fetch_ask_evidence(task, &task->sources[i]);
}

static int
judge_gap(struct fetch_task *task, const char *store, const char *evidence, struct err *err)
{
    if (task->wal.kind == WAL_NAME_SEGMENT && pgdata_has_segment(&task->pgdata, &task->wal)) {
        notice(task->options.notices, LOG_WARNING,
               "\"%s\" is missing in the archive although store \"%s\" has the later \"%s\"; the "
               "server has its own copy in pg_wal and goes on with that",
               task->wal.text, store, evidence);
        return PROOF_ABSENT;
    }
    if (++task->gap_looks < GAP_LOOKS && fetch_time_left(task))
        return PROOF_LOOK_AGAIN;
    (void)err_set(err, ERR_CONFLICT,
                  "\"%s\" is missing: no store has it, but store \"%s\" has the later \"%s\"",
                  task->wal.text, store, evidence);
    if (task->wal.kind == WAL_NAME_HISTORY)
        return err_hint(err, "Archive the missing history file, or set recovery_target_timeline to "
                             "the number of the timeline to follow.");
    return err_hint(err, "This is a gap, not the end of WAL. Archive the missing file if any "
                         "server still has it, or recover to a target before it.");
}

static void
judge_empty(const struct fetch_task *task, struct fetch_source *source)
{
    (void)err_set(&source->err, ERR_CONFLICT,
                  "store \"%s\" (%s) holds nothing at all of cluster \"%s\", system "
                  "identifier %llu, so it cannot prove that a file does not exist",
                  store_name(source->store), store_place(source->store), task->owner.cluster,
                  (unsigned long long)task->owner.system_id);
    (void)err_hint(&source->err, "Check cluster, url and mount point in the configuration.");
    source->answer = ANSWER_FAILED;
}

/* The stores are judged in their order, each as soon as those before it have been. */
int
fetch_judge_proof(struct fetch_task *task, struct err *err)
{
    char evidence[OBJECT_NAME_SIZE];
    size_t proven = 0;

    for (size_t i = 0; i < task->n_sources; i++) {
        struct fetch_source *source = &task->sources[i];

        if (source->answer != ANSWER_ABSENT)
            continue;
        if (!absence_ended(&source->absence))
            return PROOF_PENDING;

        int rc = absence_result(&source->absence, evidence, &source->err);
        if (rc == ABSENCE_GAP)
            return judge_gap(task, store_name(source->store), evidence, err);
        if (rc == ABSENCE_EMPTY)
            judge_empty(task, source);
        else if (rc < 0)
            source->answer = ANSWER_FAILED;
        else
            proven++;
    }
    return proven >= archive_absence_quorum(task->options.archive) ? PROOF_ABSENT : 0;
}
