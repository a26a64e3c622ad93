/* SPDX-License-Identifier: PostgreSQL */
/*
 * gate.h: may objects be sent to a store just now?
 *
 * A store's gate opens when the store has proven that it creates conditionally (probe.h), and is
 * shut when a request failed there. Behind a shut gate nothing is sent but the next probe, after a
 * wait that grows: so a store that is away costs one small request every ten seconds, and is back
 * as soon as it answers. An open gate is proven again every minute, beside the requests.
 */
#ifndef ARCHIVE_GATE_H
#define ARCHIVE_GATE_H

#include "catalog/archive.h"

struct gates; /* opaque; one gate for each store of the archive */

enum gate_state {
    GATE_PENDING, /* the first proof is under way */
    GATE_OPEN,
    GATE_SHUT,
};

/*
 * All stores begin to prove at once. `deadline_ms` 0: gates are tried again for ever (an agent);
 * otherwise every store has one proof, until then, and a gate that does not open by it stays shut.
 * 0 or -1 (ERR_INTERNAL).
 */
int gates_new(struct archive *archive, int64_t deadline_ms, struct gates **ret_gates,
              struct err *err) MUST_USE;

/* Take up proofs that have ended, begin those that are due. True: a gate opened or shut. */
bool gates_advance(struct gates *gates);

/* When gates_advance() must be called again at the latest; INT64_MAX: not before a task ends. */
int64_t gates_due_ms(const struct gates *gates);

/* GATE_SHUT: *ret_why (may be NULL) says why; else it is untouched. */
enum gate_state gates_state(const struct gates *gates, size_t i, struct err *ret_why);

/* A request to this store did what it should: the next wait is a short one again. */
void gates_report_good(struct gates *gates, size_t i);

/* A request failed. */
void gates_report_failed(struct gates *gates, size_t i, const struct err *why);

/* NULL is fine. */
void gates_free(struct gates *gates);

DEFINE_POINTER_CLEANUP(gates, struct gates, gates_free);

#endif
