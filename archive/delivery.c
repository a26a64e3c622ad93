/* SPDX-License-Identifier: PostgreSQL */
#include "archive/delivery.h"

#include <stdlib.h>
#include <string.h>

#include "archive/probe.h"
#include "base/clock.h"

#define PLACE_SIZE 320

enum step {
    STEP_PROBE, /* the store is proving that it creates conditionally */
    STEP_READY, /* waiting for the object */
    STEP_PUT,
    STEP_COMPARE, /* the name is taken: read what is there */
    STEP_HOLDS,
    STEP_FAILED,
};

struct target {
    struct store *store;
    enum step step;
    struct probe probe;
    struct store_task *task; /* STEP_PUT, STEP_COMPARE */
    struct err err;          /* STEP_FAILED */
};

struct delivery {
    struct archive *archive;
    struct notices *notices;
    int64_t deadline_ms;
    struct target targets[SETTINGS_STORES_MAX];
    size_t n_targets;
    const struct delivery_object *object; /* NULL until delivery_run() */
};

static void
fail(struct target *target, const struct err *why)
{
    target->step = STEP_FAILED;
    target->err = *why;
}

static struct store_limits
limits_of(const struct delivery *delivery)
{
    int64_t left = delivery->deadline_ms - clock_boot_ms();

    return (struct store_limits){.deadline_ms = delivery->deadline_ms, .retry_ms = MAX_OF(left, 0)};
}

/* Start the request that belongs to the target's step. */
static void
start(struct delivery *delivery, struct target *target, enum step step)
{
    struct store_limits limits = limits_of(delivery);
    struct err err = ERR_INIT;
    int rc = 0;

    store_task_free(target->task);
    target->task = NULL;
    target->step = step;
    if (step == STEP_PUT) {
        rc = store_start_put(target->store, delivery->object->name, delivery->object->spans, 2,
                             &limits, &target->task, &err);
    } else if (step == STEP_COMPARE) {
        struct store_range whole = {
            .max_size = object_size_bound(MAX_OF(delivery->object->seal->file_size, MIB)),
        };
        rc = store_start_get(target->store, delivery->object->name, &whole, &limits, &target->task,
                             &err);
    }
    if (rc < 0)
        fail(target, &err);
}

/* Another writer's seal has another fingerprint for the same content: only decrypting can tell. */
static int
compare_decrypted(const struct delivery *delivery, const struct object *stored, struct err *err)
{
    uint8_t digest[DIGEST_SIZE];
    char place[PLACE_SIZE];

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
    (void)err_set(err, ERR_CONFLICT, "\"%s\" is already archived with other content, created %s",
                  delivery->object->file, clock_text(stored->seal.created_us, place));
    return err_hint(err, "Another server archives under the same cluster name and timeline.");
}

/* Is what the store has under the name our content, whole and signed? */
static int
compare(const struct delivery *delivery, struct target *target, struct err *err)
{
    const struct delivery_object *object = delivery->object;
    struct span body = store_task_body(target->task);
    struct object stored;
    char created[CLOCK_TEXT_SIZE];

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
    if (digest_equal(stored.seal.fingerprint, object->seal->fingerprint))
        return 0;
    if (memcmp(stored.seal.writer_id, object->seal->writer_id, WRITER_ID_SIZE) != 0)
        return compare_decrypted(delivery, &stored, err);
    (void)err_set(
        err, ERR_CONFLICT, "store \"%s\" already has \"%s\" with other content, created %s",
        store_name(target->store), object->file, clock_text(stored.seal.created_us, created));
    return err_hint(err,
                    "Nothing was overwritten. Another server (an old primary, a clone) archives "
                    "under the same cluster name and timeline: stop it, or give this one "
                    "another cluster name.");
}

static void
take_probe(struct delivery *delivery, struct target *target, int rc, const struct err *err)
{
    if (rc < 0) {
        fail(target, err);
    } else if (rc == 0) {
        target->step = STEP_READY;
        if (delivery->object != NULL)
            start(delivery, target, STEP_PUT);
    }
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
        notice(delivery->notices, LOG_INFO,
               "\"%s\" is already in store \"%s\" with the same content", delivery->object->file,
               store_name(target->store));
        return;
    }
    (void)err_set(&err, ERR_TRANSIENT,
                  "store \"%s\" said that \"%s\" exists, but does not give it out (%s)",
                  store_name(target->store), delivery->object->name,
                  rc == STORE_DELETED ? "deleted" : "absent");
    fail(target, &err);
}

static bool
settled(const struct target *target)
{
    return target->step == STEP_HOLDS || target->step == STEP_FAILED;
}

/* The target's request has ended: what follows. */
static void
advance(struct delivery *delivery, struct target *target)
{
    struct err err = ERR_INIT;

    if (target->step == STEP_PROBE) {
        struct store_limits limits = limits_of(delivery);
        int outcome = probe_advance(&target->probe, &limits, &err);

        take_probe(delivery, target, outcome, &err);
        return;
    }
    int rc = store_task_result(target->task, &err);
    if (rc < 0) {
        fail(target, &err);
    } else if (target->step == STEP_PUT) {
        if (rc == STORE_EXISTS)
            start(delivery, target, STEP_COMPARE);
        else
            target->step = STEP_HOLDS;
    } else if (target->step == STEP_COMPARE) {
        advance_compare(delivery, target, rc);
    }
    if (settled(target)) {
        /* What it brought for comparison is as large as the object. */
        store_task_free(target->task);
        target->task = NULL;
    }
}

/* Is there an answer to take up? */
static bool
answered(const struct target *target)
{
    switch (target->step) {
    case STEP_PROBE:
        return store_task_ended(target->probe.task);
    case STEP_PUT:
    case STEP_COMPARE:
        return store_task_ended(target->task);
    case STEP_READY:
    case STEP_HOLDS:
    case STEP_FAILED:
        return false;
    }
    return false;
}

/*
 * Take up every answer that is there. An answer may start a request that has its answer at once:
 * one target after the other, so that not all of them hold what they compare.
 */
static void
advance_all(struct delivery *delivery)
{
    bool moved = true;

    while (moved) {
        moved = false;
        for (size_t i = 0; i < delivery->n_targets; i++) {
            struct target *target = &delivery->targets[i];

            while (answered(target)) {
                advance(delivery, target);
                moved = true;
            }
        }
    }
}

static size_t
count(const struct delivery *delivery, enum step step)
{
    size_t n = 0;

    for (size_t i = 0; i < delivery->n_targets; i++)
        n += delivery->targets[i].step == step;
    return n;
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
notice_failures(const struct delivery *delivery, const struct target *told)
{
    for (size_t i = 0; i < delivery->n_targets; i++) {
        const struct target *target = &delivery->targets[i];
        const char *name = delivery->archive->stores[i].settings->name;

        if (target == told)
            continue;
        if (target->step == STEP_FAILED)
            notice_err(delivery->notices, LOG_WARNING, &target->err,
                       "\"%s\" is not in store \"%s\" yet", delivery->object->file, name);
        else if (target->step != STEP_HOLDS)
            notice(delivery->notices, LOG_WARNING,
                   "\"%s\" is not in store \"%s\" yet: no answer in time", delivery->object->file,
                   name);
    }
}

static int
verdict(const struct delivery *delivery, struct err *err)
{
    size_t holds = count(delivery, STEP_HOLDS);
    size_t needed = delivery->archive->acknowledge;
    const struct target *gravest = NULL;

    for (size_t i = 0; i < delivery->n_targets; i++) {
        const struct target *target = &delivery->targets[i];

        if (target->step == STEP_FAILED &&
            (gravest == NULL || gravity(target->err.kind) > gravity(gravest->err.kind)))
            gravest = target;
    }
    bool conflict = gravest != NULL && gravest->err.kind == ERR_CONFLICT;
    if (holds >= needed && !conflict) {
        notice_failures(delivery, NULL);
        return 0;
    }
    notice_failures(delivery, gravest);
    if (gravest == NULL)
        return err_set(err, ERR_TRANSIENT,
                       "could not archive \"%s\": %zu of %zu stores that must hold it answered in "
                       "time",
                       delivery->object->file, holds, needed);
    *err = gravest->err;
    return err_wrap(err, "could not archive \"%s\" (%zu of %zu stores that must hold it do)",
                    delivery->object->file, holds, needed);
}

static void
begin_target(struct delivery *delivery, size_t i)
{
    const struct archive *archive = delivery->archive;
    struct target *target = &delivery->targets[i];
    struct store_limits limits = limits_of(delivery);
    struct err err = ERR_INIT;

    target->store = archive->stores[i].store;
    target->step = STEP_PROBE;
    if (target->store == NULL) {
        fail(target, &archive->stores[i].open_err);
        return;
    }
    int rc = probe_start(&target->probe, target->store, archive->settings->cluster, &limits, &err);
    take_probe(delivery, target, rc, &err);
}

int
delivery_new(struct archive *archive, int64_t deadline_ms, struct notices *notices,
             struct delivery **ret_delivery, struct err *err)
{
    AUTO(delivery) struct delivery *delivery = calloc(1, sizeof(*delivery));

    if (delivery == NULL)
        return err_memory(err, "delivery");
    delivery->archive = archive;
    delivery->notices = notices;
    delivery->deadline_ms = deadline_ms;
    delivery->n_targets = archive->n_stores;

    for (size_t i = 0; i < archive->n_stores; i++) {
        begin_target(delivery, i);
    }
    /* Let the connections begin; packing takes longer than a handshake. */
    if (store_loop_run(archive->loop, clock_boot_ms(), err) < 0 && err->kind == ERR_INTERNAL)
        return -1;
    *ret_delivery = TAKE_PTR(delivery);
    return 0;
}

/* How long there is something to wait for; a time that has passed ends the delivery. */
static int64_t
wait_until(const struct delivery *delivery, int64_t enough_since_ms)
{
    int64_t lag_ms = delivery->archive->settings->lag_wait * 1000;

    if (enough_since_ms == 0)
        return delivery->deadline_ms;
    return MIN_OF(delivery->deadline_ms, enough_since_ms + lag_ms);
}

int
delivery_run(struct delivery *delivery, const struct delivery_object *object, struct err *err)
{
    int64_t enough_since_ms = 0;

    delivery->object = object;
    for (size_t i = 0; i < delivery->n_targets; i++)
        if (delivery->targets[i].step == STEP_READY)
            start(delivery, &delivery->targets[i], STEP_PUT);

    for (;;) {
        advance_all(delivery);
        size_t holds = count(delivery, STEP_HOLDS);
        if (holds + count(delivery, STEP_FAILED) == delivery->n_targets)
            break;
        if (enough_since_ms == 0 && holds >= delivery->archive->acknowledge)
            enough_since_ms = clock_boot_ms();

        int64_t until_ms = wait_until(delivery, enough_since_ms);
        if (clock_boot_ms() >= until_ms)
            break;
        if (store_loop_run(delivery->archive->loop, until_ms, err) < 0) {
            /* A stop request has failed every task; their results say so. */
            if (err->kind != ERR_TRANSIENT)
                return -1;
            advance_all(delivery);
            break;
        }
    }
    return verdict(delivery, err);
}

static void
target_done(struct target *target)
{
    probe_done(&target->probe);
    store_task_free(target->task);
}

void
delivery_free(struct delivery *delivery)
{
    if (delivery == NULL)
        return;
    for (size_t i = 0; i < delivery->n_targets; i++)
        target_done(&delivery->targets[i]);
    free(delivery);
}
