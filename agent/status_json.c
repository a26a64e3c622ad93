/* SPDX-License-Identifier: PostgreSQL */
#include "agent/status.h"
#include "base/json.h"

static void
add_text(struct json *json, const char *key, const char *text)
{
    json_add_text(json, key, text[0] == '\0' ? NULL : text);
}

/* Seconds since 1970. */
static void
add_time(struct json *json, const char *key, int64_t real_us)
{
    if (real_us == 0)
        json_add_text(json, key, NULL);
    else
        json_add_number(json, key, real_us / 1000000);
}

static void
add_agent(struct json *json, const struct status_agent *agent)
{
    json_open_object(json, "agent");
    json_add_text(json, "state",
                  agent->state == STATUS_AGENT_RUNS   ? "runs"
                  : agent->state == STATUS_AGENT_NONE ? "none"
                                                      : "unknown");
    add_text(json, "error", agent->error);
    if (agent->state == STATUS_AGENT_RUNS) {
        json_add_number(json, "pid", agent->pid);
        add_text(json, "version", agent->version);
        add_time(json, "since", agent->since_us);
        json_add_bool(json, "foreground", agent->foreground);
        json_add_number(json, "requests", agent->requests);
        json_add_number(json, "waiting", agent->waiting);
    }
    json_close(json);
}

static void
add_queue(struct json *json, const struct status *status)
{
    json_open_object(json, "queue");
    json_add_number(json, "ready", (int64_t)status->queue.ready);
    add_text(json, "oldest", status->queue.oldest);
    add_time(json, "oldest_since", status->queue.oldest_us);
    json_add_number(json, "oldest_age_seconds", status_age_s(status, status->queue.oldest_us));
    add_text(json, "last_archived", status->queue.done);
    add_time(json, "last_archived_time", status->queue.done_us);
    json_close(json);
}

static void
add_push(struct json *json, const struct status_push *push)
{
    json_open_object(json, "push");
    json_add_bool(json, "open", push->open);
    json_add_number(json, "in_flight", push->in_flight);
    json_add_number(json, "window", push->window);
    json_add_number(json, "memory", push->memory);
    json_add_number(json, "archived", push->archived);
    json_add_number(json, "archived_bytes", push->archived_bytes);
    json_add_number(json, "stored_bytes", push->stored_bytes);
    add_text(json, "last", push->last);
    add_time(json, "last_time", push->last_us);
    add_text(json, "last_error", push->last_error);
    add_time(json, "last_error_time", push->last_error_us);
    json_close(json);
}

static void
add_fetch(struct json *json, const struct status_fetch *fetch)
{
    json_open_object(json, "fetch");
    json_add_bool(json, "open", fetch->open);
    json_add_number(json, "ready", fetch->ready);
    json_add_number(json, "ready_bytes", fetch->ready_bytes);
    json_add_number(json, "in_flight", fetch->in_flight);
    json_add_number(json, "served", fetch->served);
    json_add_number(json, "served_ahead", fetch->served_ahead);
    add_text(json, "last", fetch->last);
    add_time(json, "last_time", fetch->last_us);
    add_text(json, "last_error", fetch->last_error);
    add_time(json, "last_error_time", fetch->last_error_us);
    json_close(json);
}

static void
add_store(struct json *json, const struct status_store *store)
{
    json_open_object(json, NULL);
    json_add_text(json, "name", store->name);
    json_add_number(json, "lag_files", store->lag_files);
    add_text(json, "lag_oldest", store->lag_oldest);
    add_time(json, "lag_since", store->lag_us);
    add_text(json, "error", store->error);
    add_text(json, "conflict", store->conflict);
    json_add_bool(json, "asked", store->looked);
    add_text(json, "newest", store->newest);
    add_time(json, "newest_time", store->newest_us);
    add_text(json, "ask_error", store->look_error);
    json_close(json);
}

int
status_print_json(const struct status *status, struct err *err)
{
    AUTO(json) struct json *json = json_new();

    if (json == NULL)
        return err_memory(err, "JSON");
    json_add_text(json, "cluster", status->settings->cluster);
    json_add_text(json, "pgdata", status->pgdata);
    json_add_text(json, "verdict", status_verdict_name(status->verdict));
    add_text(json, "reason", status->why);
    json_add_number(json, "rpo_seconds", status->settings->rpo);
    add_time(json, "time", status->now_us);
    add_agent(json, &status->agent);
    add_queue(json, status);
    add_push(json, &status->push);
    add_fetch(json, &status->fetch);
    json_open_array(json, "stores");
    for (size_t i = 0; i < status->n_stores; i++)
        add_store(json, &status->stores[i]);
    json_close(json);
    return json_print(json, err);
}
