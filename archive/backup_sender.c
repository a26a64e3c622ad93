/* SPDX-License-Identifier: PostgreSQL */
#include "archive/backup_sender.h"

#include <string.h>

#include "archive/probe.h"
#include "base/clock.h"

/* A slow link may need long for one part; a dead one is noticed by stall_timeout. */
#define PUT_MS ((int64_t)30 * 60 * 1000)
#define RETRY_MS ((int64_t)5 * 60 * 1000)
#define PROBE_MS ((int64_t)60 * 1000)
#define WAIT_MS 1000

enum step {
    STEP_NONE, /* the store was dropped before */
    STEP_PUT,
    STEP_COMPARE,
    STEP_HOLDS,
    STEP_TAKEN,
    STEP_FAILED,
};

struct target {
    struct store *store;
    const char *name;
    struct probe probe;
    bool dropped;
    struct err err; /* why */
};

struct backup_sender {
    struct archive *archive;
    struct notices *notices;
    struct target targets[SETTINGS_STORES_MAX];
    size_t n_targets;
};

static void
drop(struct backup_sender *sender, size_t i, const struct err *err)
{
    struct target *target = &sender->targets[i];

    if (target->dropped)
        return;
    target->dropped = true;
    target->err = *err;
    notice_err(sender->notices, LOG_WARNING, err, "store \"%s\" gets no complete backup this time",
               target->name);
}

bool
backup_sender_has(const struct backup_sender *sender, size_t i)
{
    return !sender->targets[i].dropped;
}

/* Which kind speaks for the whole: the one a person must act on first. */
static int
gravity(enum err_kind kind)
{
    static const enum err_kind ascending[] = {ERR_NONE,   ERR_TRANSIENT, ERR_LOCAL,   ERR_INTERNAL,
                                              ERR_DENIED, ERR_CONFIG,    ERR_CORRUPT, ERR_CONFLICT};

    for (size_t i = 0; i < ARRAY_SIZE(ascending); i++)
        if (ascending[i] == kind)
            return (int)i;
    return 0;
}

int
backup_sender_check(const struct backup_sender *sender, struct err *err)
{
    const struct target *gravest = NULL;
    size_t left = 0;

    for (size_t i = 0; i < sender->n_targets; i++) {
        const struct target *target = &sender->targets[i];

        if (!target->dropped)
            left++;
        else if (gravest == NULL || gravity(target->err.kind) > gravity(gravest->err.kind))
            gravest = target;
    }
    if (left >= sender->archive->acknowledge || gravest == NULL)
        return 0;
    *err = gravest->err;
    return err_wrap(err, "%zu of the %zu stores that must hold the backup are left", left,
                    sender->archive->acknowledge);
}

/* ---- proofs ---- */

static void
begin_probe(struct backup_sender *sender, size_t i, const struct store_limits *limits)
{
    struct target *target = &sender->targets[i];
    struct err err = ERR_INIT;

    target->store = sender->archive->stores[i].store;
    target->name = sender->archive->stores[i].settings->name;
    if (target->store == NULL)
        drop(sender, i, &sender->archive->stores[i].open_err);
    else if (probe_start(&target->probe, target->store, sender->archive->settings->cluster, limits,
                         &err) < 0)
        drop(sender, i, &err);
}

static bool
probes_pending(struct backup_sender *sender, const struct store_limits *limits)
{
    bool pending = false;

    for (size_t i = 0; i < sender->n_targets; i++) {
        struct target *target = &sender->targets[i];
        struct err err = ERR_INIT;

        if (target->dropped || target->probe.task == NULL)
            continue;
        int rc = probe_advance(&target->probe, limits, &err);
        if (rc < 0)
            drop(sender, i, &err);
        pending = pending || rc == PROBE_PENDING;
    }
    return pending;
}

int
backup_sender_new(struct archive *archive, struct notices *notices,
                  struct backup_sender **ret_sender, struct err *err)
{
    AUTO(backup_sender) struct backup_sender *sender = calloc(1, sizeof(*sender));
    struct store_limits limits = {clock_boot_ms() + PROBE_MS, PROBE_MS / 2};

    if (sender == NULL)
        return err_memory(err, "backup");
    sender->archive = archive;
    sender->notices = notices;
    sender->n_targets = archive->n_stores;
    for (size_t i = 0; i < sender->n_targets; i++)
        begin_probe(sender, i, &limits);
    while (probes_pending(sender, &limits))
        if (store_loop_run(archive->loop, clock_boot_ms() + WAIT_MS, err) < 0)
            return -1;
    if (backup_sender_check(sender, err) < 0)
        return -1;
    *ret_sender = TAKE_PTR(sender);
    return 0;
}

void
backup_sender_free(struct backup_sender *sender)
{
    if (sender == NULL)
        return;
    for (size_t i = 0; i < sender->n_targets; i++)
        probe_done(&sender->targets[i].probe);
    free(sender);
}

/* ---- objects ---- */

static void
fail(struct backup_sender *sender, struct outgoing *object, size_t i, const struct err *err)
{
    object->to[i].step = STEP_FAILED;
    drop(sender, i, err);
}

static void
start(struct backup_sender *sender, struct outgoing *object, size_t i, enum step step)
{
    struct store *store = sender->targets[i].store;
    struct store_limits limits = {clock_boot_ms() + PUT_MS, RETRY_MS};
    uint64_t size = object->spans[0].size + object->spans[1].size;
    struct store_range whole = {.max_size = MAX_OF(size, MIB)};
    struct err err = ERR_INIT;

    store_task_free(object->to[i].task);
    object->to[i].task = NULL;
    object->to[i].step = (int)step;
    int rc = step == STEP_PUT
                 ? store_start_put(store, object->name, object->spans, 2, &limits,
                                   &object->to[i].task, &err)
                 : store_start_get(store, object->name, &whole, &limits, &object->to[i].task, &err);
    if (rc < 0)
        fail(sender, object, i, &err);
}

static bool
same_bytes(const struct outgoing *object, struct span stored)
{
    size_t head = object->spans[0].size;

    return stored.size == head + object->spans[1].size &&
           memcmp(stored.data, object->spans[0].data, head) == 0 &&
           memcmp(stored.data + head, object->spans[1].data, object->spans[1].size) == 0;
}

/* The name is taken: by us, when an acknowledgement was lost, or by somebody else? */
static void
compare(struct backup_sender *sender, struct outgoing *object, size_t i, int rc, struct err *err)
{
    bool same = rc == 0 && same_bytes(object, store_task_body(object->to[i].task));

    if (same) {
        object->to[i].step = STEP_HOLDS;
        object->n_holding++;
        return;
    }
    /* A larger object than ours is refused as corrupt; it is not ours either. */
    if (object->claim && (rc == 0 || rc == STORE_DELETED || (rc < 0 && err->kind == ERR_CORRUPT))) {
        object->to[i].step = STEP_TAKEN;
        object->taken = true;
        return;
    }
    if (rc >= 0)
        (void)err_set(err, ERR_CONFLICT, "store \"%s\" already has another object named \"%s\"",
                      sender->targets[i].name, object->name);
    fail(sender, object, i, err);
}

static void
take_answer(struct backup_sender *sender, struct outgoing *object, size_t i)
{
    struct err err = ERR_INIT;
    int rc = store_task_result(object->to[i].task, &err);

    if (object->to[i].step == STEP_COMPARE) {
        compare(sender, object, i, rc, &err);
    } else if (rc < 0) {
        fail(sender, object, i, &err);
    } else if (rc == STORE_EXISTS) {
        start(sender, object, i, STEP_COMPARE);
    } else {
        object->to[i].step = STEP_HOLDS;
        object->n_holding++;
    }
}

void
backup_sender_put(struct backup_sender *sender, struct outgoing *object)
{
    for (size_t i = 0; i < sender->n_targets; i++)
        if (!sender->targets[i].dropped)
            start(sender, object, i, STEP_PUT);
}

bool
backup_sender_advance(struct backup_sender *sender, struct outgoing *object)
{
    bool done = true;

    for (size_t i = 0; i < sender->n_targets; i++) {
        /* An answer may start a request that has its answer at once. */
        while ((object->to[i].step == STEP_PUT || object->to[i].step == STEP_COMPARE) &&
               store_task_ended(object->to[i].task))
            take_answer(sender, object, i);
        bool pending = object->to[i].step == STEP_PUT || object->to[i].step == STEP_COMPARE;
        /* Nobody waits any longer for a store that failed with another object. */
        done = done && (!pending || sender->targets[i].dropped);
    }
    return done;
}

int
backup_sender_put_now(struct backup_sender *sender, struct outgoing *object, struct err *err)
{
    backup_sender_put(sender, object);
    while (!backup_sender_advance(sender, object))
        if (store_loop_run(sender->archive->loop, clock_boot_ms() + WAIT_MS, err) < 0)
            return -1;
    return backup_sender_check(sender, err);
}

void
outgoing_done(struct outgoing *object)
{
    for (size_t i = 0; i < SETTINGS_STORES_MAX; i++)
        store_task_free(object->to[i].task);
    *object = (struct outgoing){.name = NULL};
}
