/* SPDX-License-Identifier: PostgreSQL */
#include "restore/muster.h"

#include <string.h>

#include "base/clock.h"

#define ONE_RETRY_MS 10000
#define ONE_DEADLINE_MS (10 * 60 * 1000)
#define STORE_FAILED 100 /* beside store_outcome and muster_outcome */

/* One object on its way. */
struct slot {
    bool used;
    struct muster_item item;
    struct store_task *task;
    size_t store;
    uint32_t left; /* stores not asked yet */
    struct err gravest;
};

struct muster_work {
    const struct muster *muster;
    struct slot slots[MUSTER_IN_FLIGHT_MAX];
    size_t n_slots;
    bool ended;     /* next() has no more */
    uint32_t shaky; /* stores that failed in a way that may pass: asked last from then on */
};

/* How much more an error says than another. */
static int
gravity(enum err_kind kind)
{
    static const enum err_kind order[] = {
        ERR_NONE,   ERR_CONFLICT, ERR_LOCAL,   ERR_TRANSIENT,
        ERR_DENIED, ERR_CONFIG,   ERR_CORRUPT, ERR_INTERNAL,
    };
    int at = 0;

    while (at + 1 < (int)ARRAY_SIZE(order) && order[at] != kind)
        at++;
    return at;
}

static int
choose_store(const struct muster_work *work, const struct slot *slot, size_t *ret)
{
    for (int shaky = 0; shaky < 2; shaky++)
        for (size_t i = 0; i < work->muster->archive->n_stores; i++) {
            uint32_t bit = (uint32_t)1 << i;

            if ((slot->left & bit) != 0 && ((work->shaky & bit) != 0) == (shaky == 1) &&
                work->muster->archive->stores[i].store != NULL) {
                *ret = i;
                return 0;
            }
        }
    return MUSTER_END;
}

/* Ask the next store, or report the object as lost. 0 or -1. */
static int
ask(struct muster_work *work, struct slot *slot, struct err *err)
{
    const struct muster *muster = work->muster;
    int64_t now_ms = clock_boot_ms();
    struct store_limits limits = {
        .deadline_ms = MIN_OF(muster->deadline_ms, now_ms + ONE_DEADLINE_MS),
        .retry_ms = ONE_RETRY_MS,
    };
    struct store_range range = {0, muster->first_bytes,
                                muster->first_bytes == 0 ? muster->max_bytes : muster->first_bytes};

    store_task_free(TAKE_PTR(slot->task));
    if (choose_store(work, slot, &slot->store) == MUSTER_END) {
        slot->used = false;
        return muster->lost(muster->context, &slot->item, &slot->gravest, err);
    }
    slot->left &= ~((uint32_t)1 << slot->store);
    return store_start_get(muster->archive->stores[slot->store].store, slot->item.name, &range,
                           &limits, &slot->task, err);
}

/* 0 (good), a named outcome with *why filled, or -1. */
static int
judge(struct muster_work *work, struct slot *slot, struct err *why, struct err *err)
{
    const struct muster *muster = work->muster;
    const char *store = store_name(store_task_store(slot->task));
    int rc = store_task_result(slot->task, why);

    if (rc < 0) {
        if (why->kind == ERR_TRANSIENT)
            work->shaky |= (uint32_t)1 << slot->store;
        if (why->kind == ERR_INTERNAL)
            *err = *why;
        return why->kind == ERR_INTERNAL ? -1 : STORE_FAILED;
    }
    if (rc > 0) {
        (void)err_set(why, ERR_CONFLICT, "store \"%s\" %s \"%s\"", store,
                      rc == STORE_DELETED ? "has a deleted" : "does not have", slot->item.name);
        return rc;
    }
    rc = muster->judge(muster->context, &slot->item, slot->store, store_task_body(slot->task), why);
    if (rc < 0)
        *err = *why;
    else if (rc > 0)
        (void)err_wrap(why, "\"%s\" in store \"%s\"", slot->item.name, store);
    return rc;
}

static int
settle(struct muster_work *work, struct slot *slot, struct err *err)
{
    const struct muster *muster = work->muster;
    struct err why = ERR_INIT;

    int outcome = judge(work, slot, &why, err);
    if (outcome < 0)
        return -1;
    if (outcome == 0) {
        store_task_free(TAKE_PTR(slot->task));
        slot->used = false;
        return 0;
    }
    if (gravity(why.kind) > gravity(slot->gravest.kind))
        slot->gravest = why;
    if (muster->failed != NULL &&
        muster->failed(muster->context, &slot->item, slot->store,
                       outcome == STORE_FAILED ? -1 : outcome, &why, err) < 0)
        return -1;
    return ask(work, slot, err);
}

/* Fill free slots. 0 or -1. */
static int
fill(struct muster_work *work, struct err *err)
{
    const struct muster *muster = work->muster;

    for (size_t i = 0; i < work->n_slots && !work->ended; i++) {
        struct slot *slot = &work->slots[i];

        if (slot->used)
            continue;
        int rc = muster->next(muster->context, &slot->item, err);
        if (rc < 0)
            return -1;
        if (rc == MUSTER_END) {
            work->ended = true;
            return 0;
        }
        slot->used = true;
        slot->left = slot->item.stores;
        err_clear(&slot->gravest);
        if (ask(work, slot, err) < 0)
            return -1;
    }
    return 0;
}

/* Judge what has come. 0 or -1; ret_under_way counts the rest. */
static int
reap(struct muster_work *work, size_t *ret_under_way, size_t *ret_settled, struct err *err)
{
    *ret_under_way = 0;
    *ret_settled = 0;
    for (size_t i = 0; i < work->n_slots; i++) {
        struct slot *slot = &work->slots[i];

        if (!slot->used)
            continue;
        if (!store_task_ended(slot->task)) {
            (*ret_under_way)++;
            continue;
        }
        (*ret_settled)++;
        if (settle(work, slot, err) < 0)
            return -1;
    }
    return 0;
}

static int
run(struct muster_work *work, struct err *err)
{
    for (;;) {
        size_t under_way = 0;
        size_t settled = 0;

        if (fill(work, err) < 0 || reap(work, &under_way, &settled, err) < 0)
            return -1;
        if (settled > 0)
            continue;
        if (under_way == 0 && work->ended)
            return 0;
        if (clock_boot_ms() >= work->muster->deadline_ms)
            return err_set(err, ERR_TRANSIENT, "the stores took too long");
        if (store_loop_run(work->muster->archive->loop, work->muster->deadline_ms, err) < 0)
            return -1;
    }
}

int
muster_run(const struct muster *muster, struct err *err)
{
    uint64_t each = muster->first_bytes == 0 ? muster->max_bytes : muster->first_bytes;
    struct muster_work *work = calloc(1, sizeof(*work));

    if (work == NULL)
        return err_memory(err, "list of requests");
    work->muster = muster;
    work->n_slots = (size_t)MIN_OF(MAX_OF(MUSTER_MEMORY / MAX_OF(each, (uint64_t)1), (uint64_t)1),
                                   (uint64_t)MUSTER_IN_FLIGHT_MAX);
    int rc = run(work, err);
    for (size_t i = 0; i < work->n_slots; i++)
        store_task_free(work->slots[i].task);
    free(work);
    return rc;
}
