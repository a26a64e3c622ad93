/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "agent/hook.h"
#include "agent/status.h"
#include "base/json_read.h"

#define ASK_MS 5000

/*
 * An agent of another version may say more or less. What is not there, or is null, stays what it
 * was.
 */
static void
take_number(const struct json_t *object, const char *key, int64_t *place)
{
    struct err ignored = ERR_INIT;

    (void)!json_read_integer(json_read_member(object, key), key, 0, INT64_MAX, place, &ignored);
}

static void
take_bool(const struct json_t *object, const char *key, bool *place)
{
    struct err ignored = ERR_INIT;

    (void)!json_read_bool(json_read_member(object, key), key, place, &ignored);
}

/* `place` has STATUS_TEXT_SIZE. */
static void
take_text(const struct json_t *object, const char *key, char *place)
{
    struct err ignored = ERR_INIT;
    const char *text = NULL;

    if (json_read_string(json_read_member(object, key), key, 0, HOOK_DATA_MAX, &text, &ignored) ==
        0)
        (void)snprintf(place, STATUS_TEXT_SIZE, "%s", text);
}

/* Seconds in the answer. */
static void
take_time(const struct json_t *object, const char *key, int64_t *place)
{
    int64_t seconds = 0;

    take_number(object, key, &seconds);
    *place = MIN_OF(seconds, INT64_MAX / 1000000) * 1000000;
}

static void
take_stores(struct status *status, const struct json_t *stores)
{
    for (size_t at = 0; at < SETTINGS_STORES_MAX; at++) {
        const struct json_t *from = json_read_element(stores, at);
        char name[STATUS_TEXT_SIZE] = "";

        if (from == NULL)
            return;
        take_text(from, "name", name);
        for (size_t i = 0; i < status->n_stores; i++) {
            struct status_store *store = &status->stores[i];

            if (strcmp(store->name, name) != 0)
                continue;
            take_number(from, "lag_files", &store->lag_files);
            take_text(from, "lag_oldest", store->lag_oldest);
            take_time(from, "lag_since", &store->lag_us);
            take_text(from, "error", store->error);
            take_text(from, "conflict", store->conflict);
        }
    }
}

static void
take_push(struct status *status, const struct json_t *from)
{
    struct status_push *push = &status->push;

    take_bool(from, "open", &push->open);
    take_number(from, "in_flight", &push->in_flight);
    take_number(from, "window", &push->window);
    take_number(from, "memory", &push->memory);
    take_number(from, "archived", &push->archived);
    take_number(from, "archived_bytes", &push->archived_bytes);
    take_number(from, "stored_bytes", &push->stored_bytes);
    take_text(from, "last", push->last);
    take_time(from, "last_time", &push->last_us);
    take_text(from, "last_error", push->last_error);
    take_time(from, "last_error_time", &push->last_error_us);
    take_stores(status, json_read_member(from, "stores"));
}

static void
take_fetch(struct status *status, const struct json_t *from)
{
    struct status_fetch *fetch = &status->fetch;

    take_bool(from, "open", &fetch->open);
    take_number(from, "ready", &fetch->ready);
    take_number(from, "ready_bytes", &fetch->ready_bytes);
    take_number(from, "in_flight", &fetch->in_flight);
    take_number(from, "served", &fetch->served);
    take_number(from, "served_ahead", &fetch->served_ahead);
    take_text(from, "last", fetch->last);
    take_time(from, "last_time", &fetch->last_us);
    take_text(from, "last_error", fetch->last_error);
    take_time(from, "last_error_time", &fetch->last_error_us);
}

int
status_take_answer(struct status *status, const void *text, size_t size, struct err *err)
{
    static const struct json_read_bounds bounds = {HOOK_DATA_MAX, 8};
    AUTO(json_document) struct json_t *document = NULL;
    struct status_agent *agent = &status->agent;

    if (json_read_object(text, size, &bounds, &document, err) < 0)
        return err_wrap(err, "the agent's answer");
    take_number(document, "pid", &agent->pid);
    take_text(document, "version", agent->version);
    take_time(document, "since", &agent->since_us);
    take_bool(document, "foreground", &agent->foreground);
    take_number(document, "requests", &agent->requests);
    take_number(document, "waiting", &agent->waiting);
    take_push(status, json_read_member(document, "push"));
    take_fetch(status, json_read_member(document, "fetch"));
    agent->state = STATUS_AGENT_RUNS;
    return 0;
}

void
status_ask_agent(struct status *status, const char *runtime_dir)
{
    AUTO(hook_answer) struct hook_answer answer = HOOK_ANSWER_INIT;
    const struct hook hook = {
        .config = status->settings->file,
        .runtime_dir = runtime_dir,
        .verb = WIRE_STATUS,
        .standard_ms = ASK_MS,
    };
    struct err err = ERR_INIT;

    int rc = hook_ask(&hook, &answer, &log_notices, &err);
    if (rc == 0)
        rc = status_take_answer(status, answer.data.data, answer.data.size, &err);
    if (rc < 0) {
        status->agent.state = STATUS_AGENT_UNKNOWN;
        (void)snprintf(status->agent.error, sizeof(status->agent.error), "%s", err.text);
    }
}
