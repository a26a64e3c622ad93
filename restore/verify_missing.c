/* SPDX-License-Identifier: PostgreSQL */
#include "restore/verify_parts.h"

/* Over the segments that together have and the store has not, and then the histories. */
struct missing {
    struct verify_work *work;
    size_t timeline;   /* index in the inventory of all */
    size_t run;
    uint64_t number;   /* 0: the run's first */
    bool histories;
};

static uint64_t
first_wanted(const struct verify_work *work)
{
    uint32_t size = work->survey.together.segment_size;

    return work->request->wal_since && size != 0 ? work->request->since / size : 0;
}

static int
next_segment(struct missing *missing, struct wal_name *ret)
{
    const struct inventory *together = &missing->work->survey.together;
    const struct inventory *here = &missing->work->survey.stores[missing->work->store];

    for (; missing->timeline < together->n_timelines; missing->timeline++, missing->run = 0) {
        const struct inventory_timeline *at = &together->timelines[missing->timeline];

        for (; missing->run < at->n_runs; missing->run++, missing->number = 0) {
            const struct inventory_run *run = &at->runs[missing->run];
            uint64_t from = MAX_OF(run->first, missing->number);

            from = MAX_OF(from, first_wanted(missing->work));
            if (from > run->last)
                continue;
            uint64_t number = survey_first_missing(here, at->timeline, from, run->last, NULL);
            if (number > run->last)
                continue;
            missing->number = number + 1;
            wal_name_of_segment(at->timeline, number, together->segment_size, ret);
            return 0;
        }
    }
    return MUSTER_END;
}

static int
next_history(struct missing *missing, struct wal_name *ret)
{
    const struct verify_work *work = missing->work;

    for (; missing->timeline < work->survey.together.n_timelines; missing->timeline++) {
        const struct inventory_timeline *at = &work->survey.together.timelines[missing->timeline];
        const struct inventory_timeline *here =
            survey_timeline(&work->survey.stores[work->store], at->timeline);

        if (!at->has_history || (here != NULL && here->has_history))
            continue;
        wal_name_of_history(at->timeline, ret);
        missing->timeline++;
        return 0;
    }
    return MUSTER_END;
}

static int
next_missing(void *context, char *ret_name, struct err *err UNUSED)
{
    struct missing *missing = context;
    struct wal_name name;

    if (missing->work->archive->stores[missing->work->store].open_err.kind != ERR_NONE)
        return MUSTER_END;
    if (!missing->histories && next_segment(missing, &name) == MUSTER_END) {
        missing->histories = true;
        missing->timeline = 0;
    }
    if (missing->histories && next_history(missing, &name) == MUSTER_END)
        return MUSTER_END;
    object_name_of_wal(&missing->work->survey.owner, &name, ret_name);
    return 0;
}

int
verify_missing_wal(struct verify_work *work, struct err *err)
{
    struct missing missing = {.work = work};
    struct verify_wanted wanted = {work, next_missing, &missing, "another store has it"};

    return verify_wanted_run(&wanted, err);
}

/* ---- asking ---- */

static int
next_wanted(void *context, struct muster_item *ret, struct err *err)
{
    struct verify_wanted *wanted = context;

    ret->stores = (uint32_t)1 << wanted->work->store;
    ret->first_bytes = MUSTER_SEAL_BYTES;
    return wanted->next(wanted->context, ret->name, err);
}

/* It has come meanwhile. */
static int
is_there(void *context UNUSED, const struct muster_item *item UNUSED, size_t store UNUSED,
         struct span bytes UNUSED, struct err *err UNUSED)
{
    return 0;
}

static int
is_missing(void *context, const struct muster_item *item, const struct err *why,
           struct err *err UNUSED)
{
    struct verify_wanted *wanted = context;
    bool absent = why->kind == ERR_CONFLICT;

    verify_found(wanted->work, absent ? VERIFY_MISSING : VERIFY_UNREAD, item->name,
                 absent ? wanted->why : why->text);
    return 0;
}

int
verify_wanted_run(struct verify_wanted *wanted, struct err *err)
{
    const struct muster muster = {
        .archive = wanted->work->archive,
        .deadline_ms = wanted->work->request->deadline_ms,
        .max_bytes = MUSTER_SEAL_BYTES,
        .context = wanted,
        .next = next_wanted,
        .judge = is_there,
        .lost = is_missing,
    };

    return muster_run(&muster, NULL, err);
}
