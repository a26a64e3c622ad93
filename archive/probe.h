/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe.h: does a store refuse to replace an object?
 *
 * A directory does by construction. Every other store is asked, on every use, to create the object
 * <cluster>/probe/conditional: "exists" is the proof. A store that says "created" is asked once
 * more (it was made just now), and one that says so twice overwrites objects.
 */
#ifndef ARCHIVE_PROBE_H
#define ARCHIVE_PROBE_H

#include "catalog/object_name.h"
#include "store/store.h"

/* Started by probe_start(); must stay where it is until probe_done(). */
struct probe {
    struct store *store;
    struct store_task *task; /* NULL: there is nothing to wait for */
    bool again;
    char name[OBJECT_NAME_SIZE];
    struct span content;
};

enum probe_outcome {
    PROBE_PENDING = 1,
};

/* 0: proven already; PROBE_PENDING: its task is under way; or -1. */
int probe_start(struct probe *probe, struct store *store, const char *cluster,
                const struct store_limits *limits, struct err *err) MUST_USE;

/* Take up the task's result, if it has ended. Same results; -1 also for a store that overwrites. */
int probe_advance(struct probe *probe, const struct store_limits *limits, struct err *err) MUST_USE;

void probe_done(struct probe *probe);

#endif
