/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "archive/sync_parts.h"
#include "base/clock.h"

/* A slow link may need long for one object; a dead one is noticed by stall_timeout. */
#define COPY_MS ((int64_t)30 * 60 * 1000)
#define RETRY_MS ((int64_t)2 * 60 * 1000)

static uint32_t
bit(size_t store)
{
    return (uint32_t)1 << store;
}

/* The stores that answer. */
static uint32_t
reachable(const struct sync_work *work)
{
    uint32_t stores = 0;

    for (size_t i = 0; i < work->archive->n_stores; i++)
        if (work->archive->stores[i].open_err.kind == ERR_NONE)
            stores |= bit(i);
    return stores;
}

static size_t
lowest(uint32_t stores)
{
    size_t i = 0;

    while ((stores & bit(i)) == 0)
        i++;
    return i;
}

static bool
sizes_differ(const struct sync_name *name)
{
    uint64_t size = name->sizes[lowest(name->has)];

    for (size_t i = 0; i < SETTINGS_STORES_MAX; i++)
        if ((name->has & bit(i)) != 0 && name->sizes[i] != size)
            return true;
    return false;
}

bool
sync_item_plan(const struct sync_work *work, const struct sync_name *name, uint32_t may_get,
               struct sync_item *ret)
{
    uint32_t several = name->has & (name->has - 1);
    uint64_t largest = 0;

    *ret = (struct sync_item){.used = true, .name = *name, .good = name->has};
    ret->lacks = name->listed & ~name->has & may_get;
    if (several != 0 && (work->request->deep || sizes_differ(name)))
        ret->compare = name->has;
    for (size_t i = 0; i < SETTINGS_STORES_MAX; i++)
        if ((name->has & bit(i)) != 0)
            largest = MAX_OF(largest, name->sizes[i]);
    ret->memory = MIN_OF(largest, SYNC_OBJECT_MAX) * (ret->compare != 0 ? 2 : 1);
    return name->has != 0 && (ret->lacks != 0 || ret->compare != 0);
}

/* ---- what a request has brought ---- */

static enum sync_kind
kind_of(const struct err *err)
{
    switch (err->kind) {
    case ERR_CORRUPT:
        return SYNC_DAMAGED;
    case ERR_CONFIG:
        return SYNC_FOREIGN;
    case ERR_CONFLICT:
        return SYNC_CONFLICT;
    case ERR_NONE:
    case ERR_TRANSIENT:
    case ERR_DENIED:
    case ERR_LOCAL:
    case ERR_INTERNAL:
        break;
    }
    return SYNC_FAILED;
}

static void
note_failed(struct sync_work *work, struct sync_item *item, size_t store, bool writing,
            const struct err *why)
{
    item->failed |= bit(store);
    if (work->first_failure.kind == ERR_NONE)
        work->first_failure = *why;
    sync_found(work, SYNC_FAILED, store, item->name.name, why->text);
    sync_store_failed(work, store, writing, why);
}

/* The source has nothing good, so another one is taken. */
static void
take_unfit(struct sync_work *work, struct sync_item *item, const struct err *why)
{
    item->good &= ~bit(item->from);
    item->compare &= ~bit(item->from);
    if (why->kind == ERR_CONFLICT) {
        /* Listed, and gone since: the next run sees more clearly. */
        item->failed |= bit(item->from);
        if (work->first_failure.kind == ERR_NONE)
            (void)err_set(&work->first_failure, ERR_TRANSIENT, "%s, although it lists it",
                          why->text);
        sync_found(work, SYNC_FAILED, item->from, item->name.name, why->text);
        return;
    }
    sync_found(work, kind_of(why), item->from, item->name.name, why->text);
}

/* The other store has something else. Which one is right nobody here knows, so none is spread. */
static void
take_different(struct sync_work *work, struct sync_item *item, const struct err *why)
{
    item->good &= ~bit(item->to);
    item->compare &= ~bit(item->to);
    item->lacks &= ~bit(item->to);
    if (why->kind == ERR_CONFLICT)
        item->lacks = 0;
    sync_found(work, kind_of(why), item->to, item->name.name, why->text);
}

static void
take_copied(struct sync_work *work, struct sync_item *item, uint64_t size)
{
    item->lacks &= ~bit(item->to);
    item->good |= bit(item->to);
    work->totals[item->to].n_copied++;
    work->totals[item->to].copied_bytes += size;
    work->n_copied++;
    work->n_bytes += size;
    work->request->copied(work->request->context,
                          work->archive->stores[item->from].settings->name,
                          work->archive->stores[item->to].settings->name, item->name.name, size);
}

/* 0 or -1. */
static int
take_result(struct sync_work *work, struct sync_item *item, struct err *err)
{
    AUTO(copy_object) struct copy_object *copy = TAKE_PTR(item->copy);
    struct err why = ERR_INIT;
    int rc = copy_object_result(copy, &why);

    if (rc < 0) {
        const struct store *failed = copy_object_failed(copy);
        bool target = failed == work->archive->stores[item->to].store;

        if (failed == NULL) {
            *err = why;
            return -1;
        }
        if (!target)
            item->good &= ~bit(item->from);
        item->compare &= ~bit(target ? item->to : item->from);
        if (target)
            item->lacks &= ~bit(item->to);
        note_failed(work, item, target ? item->to : item->from, target && !item->comparing, &why);
        return 0;
    }
    work->failures[item->from] = 0;
    if (rc == COPY_OBJECT_UNFIT) {
        take_unfit(work, item, &why);
        return 0;
    }
    work->failures[item->to] = 0;
    if (rc == COPY_OBJECT_DIFFERENT) {
        take_different(work, item, &why);
    } else if (rc == COPY_OBJECT_SAME) {
        item->compare &= ~bit(item->to);
        item->lacks &= ~bit(item->to);
        item->good |= bit(item->to);
    } else {
        take_copied(work, item, copy_object_size(copy));
    }
    return 0;
}

/* ---- what is asked next ---- */

static int
start(struct sync_work *work, struct sync_item *item, struct err *err)
{
    const struct copy_object_request request = {
        .keyring = &work->archive->keyring,
        .name = item->name.name,
        .system_id = item->system_id,
        .from = work->archive->stores[item->from].store,
        .to = work->archive->stores[item->to].store,
        .max_size = MIN_OF(MAX_OF(item->name.sizes[item->from], (uint64_t)1), SYNC_OBJECT_MAX),
        .compare_only = item->comparing,
        .limits = {clock_boot_ms() + COPY_MS, RETRY_MS},
    };

    return copy_object_start(&request, &item->copy, err);
}

/* Nobody can give what these stores lack. */
static void
give_up(struct sync_work *work, struct sync_item *item)
{
    for (size_t i = 0; i < work->archive->n_stores; i++) {
        if ((item->lacks & bit(i)) == 0)
            continue;
        if (item->failed != 0)
            item->failed |= bit(i);
        else
            sync_found(work, SYNC_UNHEALED, i, item->name.name,
                       "no store has a copy that may be spread");
    }
    item->lacks = 0;
    item->compare = 0;
}

/* The next request, if there is one to make. 0 (there is none), PENDING, or -1. */
static int
ask_next(struct sync_work *work, struct sync_item *item, struct err *err)
{
    uint32_t sources = item->good & item->name.has & reachable(work);
    uint32_t gone = item->lacks & ~(work->targets & reachable(work));

    item->failed |= gone;
    item->lacks &= ~gone;
    item->compare &= sources;
    if (sources == 0) {
        item->failed |= item->good;
        give_up(work, item);
        return 0;
    }
    item->from = lowest(sources);
    item->compare &= ~bit(item->from);
    if (item->compare == 0 && item->lacks == 0)
        return 0;
    item->comparing = item->compare != 0;
    item->to = lowest(item->comparing ? item->compare : item->lacks);
    while (!item->comparing && work->request->dry_run) {
        take_copied(work, item, item->name.sizes[item->from]);
        if (item->lacks == 0)
            return 0;
        item->to = lowest(item->lacks);
    }
    return start(work, item, err) < 0 ? -1 : SYNC_ITEM_PENDING;
}

int
sync_item_advance(struct sync_work *work, struct sync_item *item, struct err *err)
{
    for (;;) {
        if (item->copy != NULL) {
            if (!copy_object_advance(item->copy))
                return SYNC_ITEM_PENDING;
            if (take_result(work, item, err) < 0)
                return -1;
        }
        int rc = ask_next(work, item, err);
        if (rc != SYNC_ITEM_PENDING)
            return rc;
    }
}
