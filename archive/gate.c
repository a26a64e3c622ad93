/* SPDX-License-Identifier: PostgreSQL */
#include "archive/gate.h"

#include <stdlib.h>

#include "archive/probe.h"
#include "base/clock.h"
#include "base/retry.h"

#define PROOF_MS 60000  /* how long a proof is good */
#define PROBE_MS 15000  /* how long one may take, where it can be repeated */
#define NEVER INT64_MAX

struct gate {
    enum gate_state state;
    struct probe probe;
    bool probing;
    int64_t next_ms; /* of the next probe; NEVER: not by time */
    unsigned failures;
    struct err why; /* GATE_SHUT */
};

struct gates {
    struct archive *archive;
    int64_t deadline_ms;
    size_t n;
    struct gate gates[SETTINGS_STORES_MAX];
};

static struct store_limits
probe_limits(const struct gates *gates)
{
    int64_t now = clock_boot_ms();

    if (gates->deadline_ms == 0)
        return (struct store_limits){.deadline_ms = now + PROBE_MS, .retry_ms = 0};
    return (struct store_limits){.deadline_ms = gates->deadline_ms,
                                 .retry_ms = MAX_OF(gates->deadline_ms - now, (int64_t)0)};
}

static void
shut(const struct gates *gates, struct gate *gate, const struct err *why)
{
    gate->state = GATE_SHUT;
    gate->why = *why;
    gate->next_ms = NEVER;
    if (gates->deadline_ms == 0)
        gate->next_ms = clock_boot_ms() + retry_delay_ms(gate->failures, retry_random(), 0);
    gate->failures++;
}

/* What probe_start() or probe_advance() said. */
static void
take_outcome(const struct gates *gates, struct gate *gate, int rc, const struct err *err)
{
    gate->probing = rc == PROBE_PENDING;
    if (gate->probing)
        return;
    probe_done(&gate->probe);
    if (rc < 0) {
        shut(gates, gate, err);
        return;
    }
    gate->state = GATE_OPEN;
    gate->next_ms = gates->deadline_ms == 0 ? clock_boot_ms() + PROOF_MS : NEVER;
}

static void
begin_probe(struct gates *gates, size_t i)
{
    struct gate *gate = &gates->gates[i];
    struct archive_store *store = &gates->archive->stores[i];
    struct store_limits limits = probe_limits(gates);
    struct err err = ERR_INIT;

    if (store->store == NULL && gates->deadline_ms == 0)
        archive_reopen_store(gates->archive, i);
    if (store->store == NULL) {
        shut(gates, gate, &store->open_err);
        return;
    }
    int rc = probe_start(&gate->probe, store->store, gates->archive->settings->cluster, &limits,
                         &err);
    take_outcome(gates, gate, rc, &err);
}

int
gates_new(struct archive *archive, int64_t deadline_ms, struct gates **ret_gates, struct err *err)
{
    struct gates *gates = calloc(1, sizeof(*gates));

    if (gates == NULL)
        return err_memory(err, "stores");
    gates->archive = archive;
    gates->deadline_ms = deadline_ms;
    gates->n = archive->n_stores;
    for (size_t i = 0; i < gates->n; i++) {
        gates->gates[i].state = GATE_PENDING;
        begin_probe(gates, i);
    }
    *ret_gates = gates;
    return 0;
}

/* The probe has ended, or ends at once, perhaps twice. */
static void
advance_probe(struct gates *gates, struct gate *gate)
{
    while (gate->probing && store_task_ended(gate->probe.task)) {
        struct store_limits limits = probe_limits(gates);
        struct err err = ERR_INIT;
        int rc = probe_advance(&gate->probe, &limits, &err);

        take_outcome(gates, gate, rc, &err);
    }
}

bool
gates_advance(struct gates *gates)
{
    bool changed = false;

    for (size_t i = 0; i < gates->n; i++) {
        struct gate *gate = &gates->gates[i];
        enum gate_state before = gate->state;

        if (!gate->probing && clock_boot_ms() >= gate->next_ms)
            begin_probe(gates, i);
        advance_probe(gates, gate);
        changed = changed || gate->state != before;
    }
    return changed;
}

int64_t
gates_due_ms(const struct gates *gates)
{
    int64_t due = NEVER;

    for (size_t i = 0; i < gates->n; i++)
        if (!gates->gates[i].probing)
            due = MIN_OF(due, gates->gates[i].next_ms);
    return due;
}

enum gate_state
gates_state(const struct gates *gates, size_t i, struct err *ret_why)
{
    const struct gate *gate = &gates->gates[i];

    if (gate->state == GATE_SHUT && ret_why != NULL)
        *ret_why = gate->why;
    return gate->state;
}

void
gates_report_good(struct gates *gates, size_t i)
{
    gates->gates[i].failures = 0;
}

void
gates_report_failed(struct gates *gates, size_t i, const struct err *why)
{
    struct gate *gate = &gates->gates[i];

    /* Several requests that were under way when a store went away are one failure. */
    if (gate->state == GATE_SHUT || gates->deadline_ms != 0)
        return;
    if (gate->probing) {
        probe_done(&gate->probe);
        gate->probing = false;
    }
    shut(gates, gate, why);
}

void
gates_free(struct gates *gates)
{
    if (gates == NULL)
        return;
    for (size_t i = 0; i < gates->n; i++)
        probe_done(&gates->gates[i].probe);
    free(gates);
}
