/* SPDX-License-Identifier: PostgreSQL */
#include "restore/muster.h"

#include <string.h>

#include "base/clock.h"
#include "base/workers.h"

#define ONE_RETRY_MS 10000
#define ONE_DEADLINE_MS (10 * 60 * 1000)

/*
 * Each answer lets one more request fly, so that a few objects do not open many connections. At 25
 * ms an answer the most bring 5,000 objects a second, about what two processors judge.
 */
#define REQUESTS_FIRST 16
#define REQUESTS_MAX 128
#define SLOTS (REQUESTS_MAX + 64) /* some wait for a thread meanwhile */
#define ALONE 8                   /* so few are judged before there are threads */
#define THREADS_MAX 16

enum slot_state {
    SLOT_FREE,
    SLOT_ASKING,
    SLOT_JUDGING,
};

/* One object on its way. */
struct slot {
    struct work work; /* the first member */
    const struct muster *muster;
    enum slot_state state;
    struct muster_item item;
    struct store_task *task;
    size_t store;
    uint32_t left; /* stores not asked yet */
    uint64_t memory;
    struct err gravest;
    int verdict; /* SLOT_JUDGING: the judge's, and its reason */
    struct err why;
};

struct muster_work {
    const struct muster *muster;
    struct muster_cost cost;
    struct slot slots[SLOTS];
    struct muster_item held; /* there was no room for it yet */
    bool holding;
    bool ended;     /* next() has no more */
    bool enough;    /* the caller wants no more */
    size_t n_used;
    size_t n_asking;
    size_t n_allowed; /* requests at a time */
    size_t n_judged;
    uint64_t memory;
    uint32_t shaky; /* stores that failed in a way that may pass: asked last from then on */
    struct workers *workers;
    struct pollfd watched;
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

static void
release(struct muster_work *work, struct slot *slot)
{
    store_task_free(TAKE_PTR(slot->task));
    slot->state = SLOT_FREE;
    work->memory -= slot->memory;
    work->n_used--;
}

/* What taken() and lost() say. 0 or -1. */
static int
note_enough(struct muster_work *work, int rc)
{
    if (rc == MUSTER_END)
        work->enough = true;
    return rc < 0 ? -1 : 0;
}

/* ---- asking ---- */

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
    uint64_t size = slot->item.first_bytes;
    struct store_limits limits = {
        .deadline_ms = MIN_OF(muster->deadline_ms, clock_boot_ms() + ONE_DEADLINE_MS),
        .retry_ms = ONE_RETRY_MS,
    };
    struct store_range range = {.size = size, .max_size = size == 0 ? muster->max_bytes : size};

    store_task_free(TAKE_PTR(slot->task));
    if (choose_store(work, slot, &slot->store) == MUSTER_END) {
        release(work, slot);
        return note_enough(work, muster->lost(muster->context, &slot->item, &slot->gravest, err));
    }
    slot->left &= ~((uint32_t)1 << slot->store);
    slot->state = SLOT_ASKING;
    work->n_asking++;
    work->cost.requests++;
    return store_start_get(muster->archive->stores[slot->store].store, slot->item.name, &range,
                           &limits, &slot->task, err);
}

/* The next object for which there is room. 0, MUSTER_WAIT, MUSTER_END or -1. */
static int
next_item(struct muster_work *work, struct err *err)
{
    const struct muster *muster = work->muster;

    if (!work->holding) {
        work->held = (struct muster_item){.number = 0};
        int rc = muster->next(muster->context, &work->held, err);
        if (rc != 0)
            return rc;
        work->holding = true;
    }
    uint64_t size = work->held.first_bytes == 0 ? muster->max_bytes : work->held.first_bytes;
    return work->n_used > 0 && work->memory + size > MUSTER_MEMORY ? MUSTER_WAIT : 0;
}

static struct slot *
free_slot(struct muster_work *work)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (work->slots[i].state == SLOT_FREE)
            return &work->slots[i];
    return NULL;
}

/* ---- judging ---- */

static void
judge(struct work *at)
{
    struct slot *slot = (struct slot *)at;

    slot->verdict = slot->muster->judge(slot->muster->context, &slot->item, slot->store,
                                        store_task_body(slot->task), &slot->why);
}

/* This copy is not good: the next store. 0 or -1. */
static int
pass_over(struct muster_work *work, struct slot *slot, int outcome, const struct err *why,
          struct err *err)
{
    const struct muster *muster = work->muster;

    if (gravity(why->kind) > gravity(slot->gravest.kind))
        slot->gravest = *why;
    if (muster->failed != NULL && muster->failed(muster->context, &slot->item, slot->store,
                                                 outcome, why, err) < 0)
        return -1;
    return ask(work, slot, err);
}

static int
settle(struct muster_work *work, struct slot *slot, struct err *err)
{
    const struct muster *muster = work->muster;

    work->n_judged++;
    if (slot->verdict < 0) {
        *err = slot->why;
        return -1;
    }
    if (slot->verdict > 0) {
        (void)err_wrap(&slot->why, "\"%s\" in store \"%s\"", slot->item.name,
                       store_name(store_task_store(slot->task)));
        return pass_over(work, slot, slot->verdict, &slot->why, err);
    }
    release(work, slot);
    return muster->taken == NULL
               ? 0
               : note_enough(work, muster->taken(muster->context, &slot->item, err));
}

/* Few objects are not worth a thread; where there can be none, this one does it. */
static void
start_workers(struct muster_work *work)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct err ignored = ERR_INIT;

    if (!work->muster->parallel || work->workers != NULL || work->n_judged < ALONE ||
        processors < 2 ||
        workers_new((size_t)MIN_OF(processors, (long)THREADS_MAX), &work->workers, &ignored) < 0)
        return;
    work->watched = (struct pollfd){.fd = workers_fd(work->workers), .events = POLLIN};
    store_loop_watch(work->muster->archive->loop, &work->watched, 1);
}

/* A store has answered. 0 or -1. */
static int
take_answer(struct muster_work *work, struct slot *slot, struct err *err)
{
    const char *store = store_name(store_task_store(slot->task));
    struct err why = ERR_INIT;
    int rc = store_task_result(slot->task, &why);

    work->n_asking--;
    if (rc == 0) {
        work->memory -= slot->memory;
        slot->memory = store_task_body(slot->task).size;
        work->memory += slot->memory;
        work->cost.bytes += slot->memory;
        work->n_allowed = MIN_OF(work->n_allowed + 1, (size_t)REQUESTS_MAX);
        slot->state = SLOT_JUDGING;
        slot->work = (struct work){.run = judge, .owner = work};
        err_clear(&slot->why);
        start_workers(work);
        if (work->workers != NULL) {
            workers_submit(work->workers, &slot->work);
            return 0;
        }
        judge(&slot->work);
        return settle(work, slot, err);
    }
    if (rc > 0) {
        (void)err_set(&why, ERR_CONFLICT, "store \"%s\" %s \"%s\"", store,
                      rc == STORE_DELETED ? "has a deleted" : "does not have", slot->item.name);
        return pass_over(work, slot, rc, &why, err);
    }
    if (why.kind == ERR_TRANSIENT)
        work->shaky |= (uint32_t)1 << slot->store;
    if (why.kind == ERR_INTERNAL) {
        *err = why;
        return -1;
    }
    return pass_over(work, slot, -1, &why, err);
}

static bool
has_answer(const struct slot *slot)
{
    return slot->state == SLOT_ASKING && store_task_ended(slot->task);
}

/* ---- all of them ---- */

/* Ask for as many as may be on their way. 0 or -1. */
static int
fill(struct muster_work *work, struct err *err)
{
    const struct muster *muster = work->muster;

    while (!work->ended && !work->enough && work->n_asking < work->n_allowed) {
        struct slot *slot = free_slot(work);

        if (slot == NULL)
            return 0;
        int rc = next_item(work, err);
        if (rc < 0)
            return -1;
        work->ended = rc == MUSTER_END;
        if (rc != 0)
            return 0;
        *slot = (struct slot){.muster = muster, .item = work->held, .left = work->held.stores};
        slot->memory = slot->item.first_bytes == 0 ? muster->max_bytes : slot->item.first_bytes;
        work->holding = false;
        work->memory += slot->memory;
        work->n_used++;
        if (ask(work, slot, err) < 0 ||
            (has_answer(slot) && take_answer(work, slot, err) < 0))
            return -1;
    }
    return 0;
}

/* Take what stores and threads have brought. 0 or -1. */
static int
reap(struct muster_work *work, size_t *ret_settled, struct err *err)
{
    struct work *done = NULL;

    *ret_settled = 0;
    for (size_t i = 0; i < SLOTS && !work->enough; i++) {
        struct slot *slot = &work->slots[i];

        if (!has_answer(slot))
            continue;
        (*ret_settled)++;
        if (take_answer(work, slot, err) < 0)
            return -1;
    }
    while (work->workers != NULL && !work->enough &&
           (done = workers_take(work->workers, work)) != NULL) {
        (*ret_settled)++;
        if (settle(work, (struct slot *)done, err) < 0)
            return -1;
    }
    return 0;
}

static int
run(struct muster_work *work, struct err *err)
{
    for (;;) {
        size_t settled = 0;

        if (fill(work, err) < 0 || reap(work, &settled, err) < 0)
            return -1;
        if (work->enough || (work->n_used == 0 && work->ended))
            return 0;
        if (settled > 0)
            continue;
        if (work->n_used == 0)
            return err_set(err, ERR_INTERNAL, "nothing is under way and more is wanted");
        if (clock_boot_ms() >= work->muster->deadline_ms)
            return err_set(err, ERR_TRANSIENT, "the stores took too long");
        if (store_loop_run(work->muster->archive->loop, work->muster->deadline_ms, err) < 0)
            return -1;
    }
}

int
muster_run(const struct muster *muster, struct muster_cost *ret_cost, struct err *err)
{
    struct muster_work *work = calloc(1, sizeof(*work));

    if (work == NULL)
        return err_memory(err, "list of requests");
    work->muster = muster;
    work->n_allowed = REQUESTS_FIRST;
    int rc = run(work, err);
    if (work->workers != NULL) {
        store_loop_watch(muster->archive->loop, NULL, 0);
        workers_cancel(work->workers, work);
        workers_free(work->workers);
    }
    for (size_t i = 0; i < SLOTS; i++)
        store_task_free(work->slots[i].task);
    if (ret_cost != NULL)
        *ret_cost = work->cost;
    free(work);
    return rc;
}
