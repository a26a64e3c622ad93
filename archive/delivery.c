/* SPDX-License-Identifier: PostgreSQL */
#include "archive/delivery.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define FOREVER_MS ((int64_t)24 * 3600 * 1000)

enum step {
    STEP_LEFT_OUT,
    STEP_GATE, /* the store must prove that it creates conditionally */
    STEP_PUT,
    STEP_COMPARE, /* the name is taken: read what is there */
    STEP_HOLDS,
    STEP_FAILED,
};

struct target {
    struct store *store;
    enum step step;
    struct store_task *task; /* STEP_PUT, STEP_COMPARE */
    unsigned vain;
    struct store_sending sending; /* of the put that ended last */
    struct err err; /* STEP_FAILED */
};

struct delivery {
    struct archive *archive;
    struct gates *gates;
    struct notices *notices;
    const struct delivery_object *object;
    int64_t limit_ms;
    int64_t retry_ms;
    struct target targets[SETTINGS_STORES_MAX];
    size_t n_targets;
};

static void
fail(struct target *target, const struct err *why)
{
    target->step = STEP_FAILED;
    target->err = *why;
}

/* Start the request that belongs to the target's step. */
static void
start(struct delivery *delivery, struct target *target, enum step step)
{
    const struct delivery_object *object = delivery->object;
    struct store_limits limits = {clock_boot_ms() + delivery->limit_ms, delivery->retry_ms};
    struct err err = ERR_INIT;
    int rc = 0;

    store_task_free(target->task);
    target->task = NULL;
    target->step = step;
    target->store = delivery->archive->stores[target - delivery->targets].store;
    if (step == STEP_PUT) {
        rc = store_start_put(target->store, object->name, object->spans, 2, &limits, &target->task,
                             &err);
    } else {
        struct store_range whole = {
            .max_size = object_size_bound(MAX_OF(object->seal->file_size, MIB)),
        };
        rc = store_start_get(target->store, object->name, &whole, &limits, &target->task, &err);
    }
    if (rc < 0)
        fail(target, &err);
}

static int
other_content(const struct delivery *delivery, const struct target *target,
              const struct object *stored, struct err *err)
{
    char theirs[SEAL_TEXT_SIZE];
    char ours[SEAL_TEXT_SIZE];

    (void)err_set(err, ERR_CONFLICT,
                  "store \"%s\" already has \"%s\" with other content, by %s; this server's is by "
                  "%s",
                  store_name(target->store), delivery->object->file,
                  seal_text(&stored->seal, theirs), seal_text(delivery->object->seal, ours));
    return err_hint(err,
                    "Nothing was overwritten. Another server (an old primary, a clone) archives "
                    "under the same cluster name and timeline: stop it, or give this one "
                    "another cluster name.");
}

/* Another writer's seal has another fingerprint for the same content: only decrypting can tell. */
static int
compare_decrypted(const struct delivery *delivery, const struct target *target,
                  const struct object *stored, struct err *err)
{
    uint8_t digest[DIGEST_SIZE];

    if (object_unpack(stored, &delivery->archive->keyring, NULL, NULL, digest, err) < 0) {
        if (err->kind != ERR_CONFIG)
            return -1;
        (void)err_set(err, ERR_CONFLICT,
                      "\"%s\" is already archived by another writer key, and without an identity "
                      "its content cannot be compared",
                      delivery->object->file);
        return err_hint(err, "Give all servers of the cluster the same writer key.");
    }
    if (digest_equal(digest, delivery->object->file_digest))
        return 0;
    return other_content(delivery, target, stored, err);
}

/* Is what the store has under the name our content, whole and signed? */
static int
compare(const struct delivery *delivery, struct target *target, struct err *err)
{
    const struct delivery_object *object = delivery->object;
    struct span body = store_task_body(target->task);
    struct object stored;

    if (object_open(body.data, body.size, object->name, object->system_id,
                    &delivery->archive->keyring, &stored, err) < 0) {
        /* Signed by nobody we know is other content until somebody says otherwise. */
        if (err->kind == ERR_CONFIG)
            err->kind = ERR_CONFLICT;
        (void)err_wrap(err, "store \"%s\" already has an object named \"%s\", which is not valid",
                       store_name(target->store), object->name);
        return err_hint(err, "Nothing was overwritten. Find out who wrote it; \"writers\" must "
                             "list the public key of every writer of this cluster.");
    }
    switch (seal_compare(&stored.seal, object->seal)) {
    case SEAL_SAME:
        return 0;
    case SEAL_OTHER:
        return other_content(delivery, target, &stored, err);
    case SEAL_UNKNOWN:
        break;
    }
    return compare_decrypted(delivery, target, &stored, err);
}

static void
advance_compare(struct delivery *delivery, struct target *target, int rc)
{
    struct err err = ERR_INIT;

    if (rc == 0) {
        if (compare(delivery, target, &err) < 0) {
            fail(target, &err);
            return;
        }
        target->step = STEP_HOLDS;
        if (delivery->notices != NULL)
            notice(delivery->notices, LOG_INFO,
                   "\"%s\" is already in store \"%s\" with the same content",
                   delivery->object->file, store_name(target->store));
        return;
    }
    (void)err_set(&err, ERR_TRANSIENT,
                  "store \"%s\" said that \"%s\" exists, but does not give it out (%s)",
                  store_name(target->store), delivery->object->name,
                  rc == STORE_DELETED ? "deleted" : "absent");
    fail(target, &err);
}

/* What the end of a request says of the store. */
static void
report(struct delivery *delivery, size_t i)
{
    const struct target *target = &delivery->targets[i];

    if (target->step != STEP_FAILED)
        gates_report_good(delivery->gates, i);
    else if (target->err.kind != ERR_CONFLICT && target->err.kind != ERR_CORRUPT)
        gates_report_failed(delivery->gates, i, &target->err);
}

/* The gate says whether the object may be sent. */
static bool
advance_gate(struct delivery *delivery, size_t i)
{
    struct target *target = &delivery->targets[i];
    struct err why = ERR_INIT;

    switch (gates_state(delivery->gates, i, &why)) {
    case GATE_PENDING:
        return false;
    case GATE_OPEN:
        start(delivery, target, STEP_PUT);
        if (target->step == STEP_FAILED)
            report(delivery, i);
        return true;
    case GATE_SHUT:
        fail(target, &why);
        return true;
    }
    return false;
}

/* The target's request has ended: what follows. */
static void
advance_request(struct delivery *delivery, size_t i)
{
    struct target *target = &delivery->targets[i];
    struct err err = ERR_INIT;
    int rc = store_task_result(target->task, &err);

    target->vain += MAX_OF(store_task_attempts(target->task), 1U) - 1;
    if (target->step == STEP_PUT)
        target->sending = *store_task_sending(target->task);
    if (rc < 0) {
        target->vain++;
        fail(target, &err);
    } else if (target->step == STEP_COMPARE) {
        advance_compare(delivery, target, rc);
    } else if (rc == STORE_EXISTS) {
        start(delivery, target, STEP_COMPARE);
        if (target->step == STEP_COMPARE)
            return;
    } else {
        target->step = STEP_HOLDS;
    }
    /* What it brought for comparison is as large as the object. */
    store_task_free(target->task);
    target->task = NULL;
    report(delivery, i);
}

/*
 * An answer may start a request that has its answer at once: one target after the other, so that
 * not all of them hold what they compare.
 */
bool
delivery_advance(struct delivery *delivery)
{
    bool moved = false;

    for (size_t i = 0; i < delivery->n_targets; i++) {
        struct target *target = &delivery->targets[i];

        if (target->step == STEP_GATE)
            moved = advance_gate(delivery, i) || moved;
        while (target->task != NULL && store_task_ended(target->task)) {
            advance_request(delivery, i);
            moved = true;
        }
    }
    return moved;
}

/* ---- how it stands ---- */

static enum delivery_place
place_of(const struct target *target)
{
    switch (target->step) {
    case STEP_LEFT_OUT:
        break;
    case STEP_GATE:
    case STEP_PUT:
    case STEP_COMPARE:
        return DELIVERY_UNDER_WAY;
    case STEP_HOLDS:
        return DELIVERY_HOLDS;
    case STEP_FAILED:
        return DELIVERY_FAILED;
    }
    return DELIVERY_LEFT_OUT;
}

enum delivery_place
delivery_place(const struct delivery *delivery, size_t i, struct err *ret_why)
{
    const struct target *target = &delivery->targets[i];

    if (target->step == STEP_FAILED && ret_why != NULL)
        *ret_why = target->err;
    return place_of(target);
}

size_t
delivery_count(const struct delivery *delivery, enum delivery_place place)
{
    size_t n = 0;

    for (size_t i = 0; i < delivery->n_targets; i++)
        n += place_of(&delivery->targets[i]) == place;
    return n;
}

size_t
delivery_count_passing(const struct delivery *delivery)
{
    size_t n = 0;

    for (size_t i = 0; i < delivery->n_targets; i++) {
        const struct target *target = &delivery->targets[i];

        n += target->step == STEP_FAILED && target->err.kind == ERR_TRANSIENT;
    }
    return n;
}

unsigned
delivery_vain(const struct delivery *delivery)
{
    unsigned n = 0;

    for (size_t i = 0; i < delivery->n_targets; i++)
        n += delivery->targets[i].vain;
    return n;
}

const struct store_sending *
delivery_sending(const struct delivery *delivery, size_t i)
{
    const struct target *target = &delivery->targets[i];

    return target->step == STEP_PUT ? store_task_sending(target->task) : &target->sending;
}

void
delivery_again(struct delivery *delivery, size_t i)
{
    if (delivery->targets[i].step == STEP_FAILED)
        delivery->targets[i].step = STEP_GATE;
}

void
delivery_leave_out(struct delivery *delivery, size_t i)
{
    struct target *target = &delivery->targets[i];

    if (place_of(target) != DELIVERY_UNDER_WAY)
        return;
    store_task_free(target->task);
    target->task = NULL;
    target->step = STEP_LEFT_OUT;
}

/* Which kind speaks for the whole when several stores failed: what a person must act on first. */
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

static void
notice_failures(const struct delivery *delivery, const struct target *told,
                struct notices *notices)
{
    for (size_t i = 0; i < delivery->n_targets; i++) {
        const struct target *target = &delivery->targets[i];
        const char *name = delivery->archive->stores[i].settings->name;

        if (target == told)
            continue;
        if (target->step == STEP_FAILED)
            notice_err(notices, LOG_WARNING, &target->err, "\"%s\" is not in store \"%s\" yet",
                       delivery->object->file, name);
        else if (place_of(target) == DELIVERY_UNDER_WAY)
            notice(notices, LOG_WARNING, "\"%s\" is not in store \"%s\" yet: no answer in time",
                   delivery->object->file, name);
    }
}

int
delivery_verdict(const struct delivery *delivery, struct notices *notices, struct err *err)
{
    size_t holds = delivery_count(delivery, DELIVERY_HOLDS);
    size_t needed = delivery->archive->acknowledge;
    const struct target *gravest = NULL;

    for (size_t i = 0; i < delivery->n_targets; i++) {
        const struct target *target = &delivery->targets[i];

        if (target->step == STEP_FAILED &&
            (gravest == NULL || gravity(target->err.kind) > gravity(gravest->err.kind)))
            gravest = target;
    }
    bool conflict = gravest != NULL && gravest->err.kind == ERR_CONFLICT;
    bool good = holds >= needed && !conflict;
    if (notices != NULL)
        notice_failures(delivery, good ? NULL : gravest, notices);
    if (good)
        return 0;
    if (gravest == NULL)
        return err_set(err, ERR_TRANSIENT,
                       "could not archive \"%s\": %zu of %zu stores that must hold it answered in "
                       "time",
                       delivery->object->file, holds, needed);
    *err = gravest->err;
    return err_wrap(err, "could not archive \"%s\" (%zu of %zu stores that must hold it do)",
                    delivery->object->file, holds, needed);
}

/* ---- life ---- */

int
delivery_new(struct archive *archive, struct gates *gates, uint32_t stores,
             const struct delivery_object *object, struct delivery **ret_delivery, struct err *err)
{
    struct delivery *delivery = calloc(1, sizeof(*delivery));

    if (delivery == NULL)
        return err_memory(err, "delivery");
    delivery->archive = archive;
    delivery->gates = gates;
    delivery->object = object;
    delivery->limit_ms = delivery->retry_ms = FOREVER_MS;
    delivery->n_targets = archive->n_stores;
    for (size_t i = 0; i < archive->n_stores; i++)
        delivery->targets[i].step = (stores >> i & 1) != 0 ? STEP_GATE : STEP_LEFT_OUT;
    *ret_delivery = delivery;
    return 0;
}

void
delivery_set_limits(struct delivery *delivery, int64_t limit_ms, int64_t retry_ms)
{
    delivery->limit_ms = limit_ms;
    delivery->retry_ms = retry_ms;
}

void
delivery_set_notices(struct delivery *delivery, struct notices *notices)
{
    delivery->notices = notices;
}

void
delivery_free(struct delivery *delivery)
{
    if (delivery == NULL)
        return;
    for (size_t i = 0; i < delivery->n_targets; i++)
        store_task_free(delivery->targets[i].task);
    free(delivery);
}

/* ---- in a process that does nothing else ---- */

int
delivery_run(struct delivery *delivery, int64_t deadline_ms, struct notices *notices,
             struct err *err)
{
    int64_t lag_ms = delivery->archive->settings->lag_wait * 1000;
    int64_t until_ms = deadline_ms;
    bool enough = false;

    delivery_set_notices(delivery, notices);
    for (;;) {
        int64_t left_ms = MAX_OF(deadline_ms - clock_boot_ms(), (int64_t)0);

        delivery_set_limits(delivery, left_ms, left_ms);
        (void)gates_advance(delivery->gates);
        while (delivery_advance(delivery))
            continue;
        if (delivery_count(delivery, DELIVERY_UNDER_WAY) == 0)
            break;
        if (!enough &&
            delivery_count(delivery, DELIVERY_HOLDS) >= delivery->archive->acknowledge) {
            enough = true;
            until_ms = MIN_OF(deadline_ms, clock_boot_ms() + lag_ms);
        }
        if (clock_boot_ms() >= until_ms)
            break;
        if (store_loop_run(delivery->archive->loop, until_ms, err) < 0) {
            /* A stop request has failed every task; their results say so. */
            if (err->kind != ERR_TRANSIENT)
                return -1;
            (void)gates_advance(delivery->gates);
            while (delivery_advance(delivery))
                continue;
            break;
        }
    }
    return delivery_verdict(delivery, notices, err);
}
