/* SPDX-License-Identifier: PostgreSQL */
/*
 * fetch_parts.h: between fetch_task.c, fetch_asking.c, fetch_witness.c and fetch_verdict.c. Private
 * to them.
 */
#ifndef RESTORE_FETCH_PARTS_H
#define RESTORE_FETCH_PARTS_H

#include "restore/absence.h"
#include "restore/fetch_task.h"
#include "restore/placement.h"

#define ROUND_RETRY_MS 1500 /* within a round a store retries this long if there are others */

enum fetch_answer {
    ANSWER_NONE,    /* not asked in this round */
    ANSWER_PENDING, /* asked, or what it brought is being verified */
    ANSWER_ABSENT,
    ANSWER_BAD, /* has it, damaged or not authentic: asking again is of no use */
    ANSWER_FAILED,
};

/* What one store says about the file that comes from another one. */
enum witness_state {
    WITNESS_UNASKED,
    WITNESS_ASKED,   /* its object's beginning is on its way */
    WITNESS_SEALED,  /* its seal is known, and there is nothing yet to hold it against */
    WITNESS_READING, /* another writer's: its object is on its way */
    WITNESS_JUDGING, /* ... and is being unpacked */
    WITNESS_AGREES,
    WITNESS_DISAGREES, /* `err` says how */
    WITNESS_SILENT,    /* it has none, or none that is sealed by a writer of ours, or did not say */
};

struct witness {
    enum witness_state state;
    bool whole; /* asked for all of the object, when everybody was */
    struct store_task *task;
    int64_t asked_ms;
    struct seal seal;
    struct err err;
};

struct fetch_source {
    struct store *store; /* NULL: could not be opened (yet) */
    enum fetch_answer answer;
    struct store_task *task;
    int64_t deadline_ms; /* of the task */
    unsigned press;      /* how often the fetch had been pressed when it was asked */
    struct absence absence;
    bool proving;          /* the questions of `absence` are asked already, in this round */
    struct err err;        /* ANSWER_BAD, ANSWER_FAILED */
    enum err_kind noticed; /* what was last said about it */
    struct witness witness;
};

enum fetch_phase {
    PHASE_ROUND, /* a round is to begin */
    PHASE_ASKING,
    PHASE_VERIFYING, /* what one source brought */
    PHASE_COMPARING, /* it is good; do the other stores have the same? */
    PHASE_PROVING,   /* that it is absent */
    PHASE_WAITING,   /* for the next round */
    PHASE_ENDED,
};

struct fetch_task {
    struct work work; /* first member: the verification, or a comparison */
    bool at_work;
    struct fetch_task_options options; /* name and pgdata are not used after the beginning */
    struct pgdata pgdata;
    struct object_owner owner;
    struct wal_name wal;
    char object_name[OBJECT_NAME_SIZE];
    struct fetch_source sources[SETTINGS_STORES_MAX];
    size_t n_sources;

    enum fetch_phase phase;
    unsigned press;
    unsigned round;
    unsigned gap_looks;
    bool absent_before;
    int64_t hedge_ms; /* PHASE_ASKING: when the next source is asked as well */
    int64_t until_ms; /* PHASE_WAITING */

    struct fetch_source *verifying; /* also: where the file came from */
    struct buf object;
    size_t object_size; /* what it had */
    struct placement placement;
    int placement_rc;
    struct err placement_err;
    struct fetch_source *judging; /* PHASE_COMPARING: whose object the work has, */
    uint8_t other_digest[DIGEST_SIZE]; /* and what comes of it */
    int other_rc;

    int rc; /* PHASE_ENDED */
    struct err err;
};

bool fetch_time_left(const struct fetch_task *task);
size_t fetch_count(const struct fetch_task *task, enum fetch_answer answer);

/* The task's end, and its end with what the stores said. */
void fetch_end(struct fetch_task *task, int rc);
void fetch_fail(struct fetch_task *task);

/* The most bytes that an object of this name can have. */
uint64_t fetch_largest_object(const struct fetch_task *task);

/* True: something happened, and the next step may be due. */
bool fetch_step_asking(struct fetch_task *task);

/* Say that what a source has, or its failure, is of no use: once. */
void fetch_notice_answer(const struct fetch_task *task, struct fetch_source *source);
bool fetch_step_verifying(struct fetch_task *task);

/* ---- fetch_witness.c ---- */

/* `source` is asked for the file, or has brought it: ask the others what they have. */
void fetch_call_witnesses(struct fetch_task *task, const struct fetch_source *source);

/* The file is good: whoever was asked for it at the same time is a witness with all of its copy. */
void fetch_adopt_witnesses(struct fetch_task *task);

/* A copy that is not good may still be sealed: the seal counts, whatever became of the rest. */
void fetch_hear_seal(struct fetch_task *task, struct fetch_source *source, struct span bytes);

bool fetch_step_comparing(struct fetch_task *task);

/* PHASE_COMPARING: until when it waits for stores that have not said yet. */
int64_t fetch_witnesses_until(const struct fetch_task *task);

/* Every source has answered in vain. */
void fetch_end_round(struct fetch_task *task);

/* Ask a store for evidence, if it has not been asked since somebody waits. */
void fetch_ask_evidence(struct fetch_task *task, struct fetch_source *source);

/* Every store has answered "absent" or failed: ask those that said "absent" for evidence. */
void fetch_begin_proof(struct fetch_task *task);

enum fetch_proof {
    PROOF_ABSENT = 1,     /* proven */
    PROOF_PENDING = 2,    /* a store has not answered yet */
    PROOF_LOOK_AGAIN = 3, /* there is a gap, to be looked at once more */
};

/* 0: not proven; the sources say why. -1: there is a gap, or *err. */
int fetch_judge_proof(struct fetch_task *task, struct err *err) MUST_USE;

/* The error of the whole, from the gravest of what the stores said. Returns -1. */
int fetch_report_failure(const struct fetch_task *task, struct err *err);

#endif
