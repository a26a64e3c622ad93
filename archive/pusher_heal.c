/* SPDX-License-Identifier: PostgreSQL */
#include "archive/pusher_private.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define LIMIT_MS ((int64_t)600 * 1000)
#define RETRY_MS 5000
#define REST_MS 2000

/* ---- ends ---- */

static void
clear(struct healing *healing)
{
    delivery_free(healing->delivery);
    copy_object_free(healing->copy);
    wal_object_done(&healing->object);
    notice_log_done(&healing->notices);
    healing->pusher->memory -= healing->memory;
    healing->active = false;
    healing->delivery = NULL;
    healing->copy = NULL;
    healing->memory = 0;
}

static bool
others_heal(const struct pusher *pusher, size_t store)
{
    for (size_t i = 0; i < PUSHER_HEALINGS; i++)
        if (pusher->healings[i].active && pusher->healings[i].store == store)
            return true;
    return false;
}

static void
healed(struct healing *healing)
{
    struct pusher *pusher = healing->pusher;
    struct pusher_store *store = &pusher->stores[healing->store];

    gates_report_good(pusher->gates, healing->store);
    clear(healing);
    if (store->lag.files > 0 || store->lag.forgotten > 0 || others_heal(pusher, healing->store))
        return;
    store->error[0] = '\0';
    if (store->told)
        notice(&pusher->news.notices, LOG_INFO, "store \"%s\" has caught up",
               pusher->archive->stores[healing->store].settings->name);
    store->told = false;
}

/* Not now: later, from the beginning. */
static void
postpone(struct healing *healing, const struct err *why)
{
    struct lag_file file = healing->file;
    struct pusher *pusher = healing->pusher;

    clear(healing);
    pusher->heal_ms = clock_boot_ms() + REST_MS;
    pusher_lag_add(pusher, healing->store, &file, why);
}

/* No repetition will help: a person must look. */
static void
give_up(struct healing *healing, const struct err *why)
{
    struct pusher *pusher = healing->pusher;

    notice_err(&pusher->news.notices, LOG_ERROR, why, "store \"%s\" cannot be given \"%s\"",
               pusher->archive->stores[healing->store].settings->name, healing->file.wal.text);
    pusher_note_error(pusher, why);
    pusher_note_conflict(pusher, healing->store, healing->file.wal.text, why);
    clear(healing);
}

static void
end(struct healing *healing, const struct err *why)
{
    if (why->kind == ERR_CONFLICT || why->kind == ERR_CORRUPT || why->kind == ERR_CONFIG)
        give_up(healing, why);
    else
        postpone(healing, why);
}

/* ---- from another store ---- */

/* A store that may have it, or n_stores. */
static size_t
find_source(const struct healing *healing)
{
    const struct pusher *pusher = healing->pusher;

    for (size_t i = 0; i < pusher->archive->n_stores; i++)
        if (i != healing->store && (healing->tried >> i & 1) == 0 &&
            gates_state(pusher->gates, i, NULL) == GATE_OPEN)
            return i;
    return pusher->archive->n_stores;
}

static void
begin_copy(struct healing *healing)
{
    struct pusher *pusher = healing->pusher;
    const struct archive *archive = pusher->archive;
    struct object_owner owner = {archive->settings->cluster,
                                 pusher->options.pgdata->system_id};
    char name[OBJECT_NAME_SIZE];
    struct err err = ERR_INIT;

    healing->source = find_source(healing);
    if (healing->source == archive->n_stores) {
        (void)err_set(&err, ERR_TRANSIENT, "no other store gives out \"%s\" just now",
                      healing->file.wal.text);
        postpone(healing, &err);
        return;
    }
    object_name_of_wal(&owner, &healing->file.wal, name);
    struct copy_object_request request = {
        .keyring = &archive->keyring,
        .name = name,
        .system_id = owner.system_id,
        .from = archive->stores[healing->source].store,
        .to = archive->stores[healing->store].store,
        .max_size = object_size_bound(MAX_OF(healing->file.size, (uint64_t)MIB)),
        .limits = {clock_boot_ms() + LIMIT_MS, RETRY_MS},
    };
    if (copy_object_start(&request, &healing->copy, &err) < 0)
        postpone(healing, &err);
}

static void
take_copy(struct healing *healing)
{
    struct pusher *pusher = healing->pusher;
    struct err err = ERR_INIT;
    int rc = copy_object_result(healing->copy, &err);
    const struct store *failed = copy_object_failed(healing->copy);

    if (rc == 0 || rc == COPY_OBJECT_SAME) {
        healed(healing);
        return;
    }
    copy_object_free(healing->copy);
    healing->copy = NULL;
    if (rc == COPY_OBJECT_UNFIT) {
        healing->tried |= UINT32_C(1) << healing->source;
        if (find_source(healing) < pusher->archive->n_stores)
            begin_copy(healing);
        else
            end(healing, &err);
        return;
    }
    for (size_t i = 0; i < pusher->archive->n_stores; i++)
        if (rc < 0 && failed != NULL && pusher->archive->stores[i].store == failed)
            gates_report_failed(pusher->gates, i, &err);
    end(healing, &err);
}

/* ---- from pg_wal ---- */

static struct healing *
healing_of(struct work *work)
{
    return (struct healing *)(void *)((char *)work - offsetof(struct healing, work));
}

/* In a worker's thread. */
static void
pack(struct work *work)
{
    struct healing *healing = healing_of(work);
    const struct pusher_options *options = &healing->pusher->options;

    healing->rc =
        wal_source_pack(options->archive, options->pgdata, healing->path,
                        &healing->notices.notices, &healing->object, &healing->err);
}

static void
begin_pack(struct healing *healing)
{
    healing->work = (struct work){.run = pack, .owner = healing->pusher};
    healing->packing = true;
    workers_submit(healing->pusher->options.workers, &healing->work);
}

static void
take_packed(struct healing *healing)
{
    struct pusher *pusher = healing->pusher;
    struct wal_object *object = &healing->object;

    healing->packing = false;
    if (!healing->active) {
        wal_object_done(object);
        notice_log_done(&healing->notices);
        pusher->memory -= healing->memory;
        healing->memory = 0;
        return;
    }
    /* Only what certainly is the file that was archived: a server may have been rewound. */
    if (healing->rc < 0 || !file_mark_equal(&object->mark, &healing->file.mark)) {
        wal_object_done(object);
        begin_copy(healing);
        return;
    }
    size_t held = object->spans[0].size + object->spans[1].size;
    pusher->memory += held;
    pusher->memory -= healing->memory;
    healing->memory = held;
    healing->packed = (struct delivery_object){
        .name = object->name,
        .file = healing->file.wal.text,
        .system_id = pusher->options.pgdata->system_id,
        .spans = object->spans,
        .seal = &object->seal,
        .file_digest = object_packer_digest(object->packer),
    };
    if (delivery_new(pusher->archive, pusher->gates, UINT32_C(1) << healing->store,
                     &healing->packed, &healing->delivery, &healing->err) < 0)
        postpone(healing, &healing->err);
    else
        delivery_set_limits(healing->delivery, LIMIT_MS, RETRY_MS);
}

bool
pusher_heal_take(struct pusher *pusher, struct work *work)
{
    for (size_t i = 0; i < PUSHER_HEALINGS; i++) {
        if (work == &pusher->healings[i].work) {
            take_packed(&pusher->healings[i]);
            return true;
        }
    }
    return false;
}

/* ---- both ---- */

static bool
advance(struct healing *healing)
{
    struct err why = ERR_INIT;

    if (healing->copy != NULL) {
        if (!copy_object_advance(healing->copy))
            return false;
        take_copy(healing);
        return true;
    }
    if (healing->delivery == NULL || !delivery_advance(healing->delivery))
        return false;
    switch (delivery_place(healing->delivery, healing->store, &why)) {
    case DELIVERY_HOLDS:
        healed(healing);
        break;
    case DELIVERY_FAILED:
        end(healing, &why);
        break;
    case DELIVERY_UNDER_WAY:
    case DELIVERY_LEFT_OUT:
        break;
    }
    return true;
}

static bool
begin(struct pusher *pusher, struct healing *healing, size_t store)
{
    struct lag *lag = &pusher->stores[store].lag;
    const struct lag_file *oldest = lag_oldest(lag);
    struct file_mark mark;

    if (oldest == NULL || gates_state(pusher->gates, store, NULL) != GATE_OPEN)
        return false;
    /* Half of the room is for what PostgreSQL waits for. */
    size_t need = pusher_need(oldest->size);
    if (pusher->memory > 0 && pusher->memory + need > pusher->options.memory_max / 2)
        return false;
    *healing = (struct healing){.active = true, .store = store, .pusher = pusher, .memory = need};
    healing->object = WAL_OBJECT_INIT;
    notice_log_init(&healing->notices);
    pusher->memory += need;
    (void)lag_take(lag, &healing->file);
    (void)snprintf(healing->path, sizeof(healing->path), "pg_wal/%s", healing->file.wal.text);
    if (healing->file.marked && file_mark_read(healing->path, &mark) &&
        file_mark_equal(&mark, &healing->file.mark))
        begin_pack(healing);
    else
        begin_copy(healing);
    return true;
}

bool
pusher_heal(struct pusher *pusher)
{
    bool moved = false;

    for (size_t i = 0; i < PUSHER_HEALINGS; i++) {
        struct healing *healing = &pusher->healings[i];

        if (healing->active)
            moved = advance(healing) || moved;
        if (healing->active || healing->packing || clock_boot_ms() < pusher->heal_ms)
            continue;
        for (size_t k = 0; k < pusher->archive->n_stores && !healing->active; k++)
            moved = begin(pusher, healing, k) || moved;
    }
    return moved;
}

bool
pusher_healing(const struct pusher *pusher)
{
    for (size_t i = 0; i < PUSHER_HEALINGS; i++)
        if (pusher->healings[i].active)
            return true;
    return false;
}

void
pusher_heal_free(struct pusher *pusher)
{
    for (size_t i = 0; i < PUSHER_HEALINGS; i++) {
        struct healing *healing = &pusher->healings[i];

        if (!healing->active)
            continue;
        lag_add(&pusher->stores[healing->store].lag, &healing->file);
        if (healing->packing)
            healing->active = false; /* its worker cannot be interrupted */
        else
            clear(healing);
    }
}
