/* SPDX-License-Identifier: PostgreSQL */
#include <unistd.h>

#include "agent/agent_parts.h"
#include "base/json.h"

/* A name or text that may be empty, which is null. */
static void
add_text(struct json *json, const char *key, const char *text)
{
    json_add_text(json, key, text[0] == '\0' ? NULL : text);
}

static void
add_time(struct json *json, const char *key, int64_t real_us)
{
    if (real_us == 0)
        json_add_text(json, key, NULL);
    else
        json_add_number(json, key, real_us / 1000000);
}

static void
add_stores(struct json *json, const struct agent *agent, const struct pusher_status *status)
{
    json_open_array(json, "stores");
    for (size_t i = 0; i < agent->writing->n_stores; i++) {
        const struct pusher_lag *lag = &status->stores[i];

        json_open_object(json, NULL);
        json_add_text(json, "name", agent->writing->stores[i].settings->name);
        json_add_number(json, "lag_files", (int64_t)lag->files);
        add_text(json, "lag_oldest", lag->oldest);
        add_time(json, "lag_since", lag->since_us);
        add_text(json, "error", lag->error);
        add_text(json, "conflict", lag->conflict);
        json_close(json);
    }
    json_close(json);
}

static void
add_push(struct json *json, const struct agent *agent)
{
    struct pusher_status status = {.ready = 0};

    json_open_object(json, "push");
    json_add_bool(json, "open", agent->pusher != NULL);
    if (agent->pusher != NULL) {
        pusher_status(agent->pusher, &status);
        json_add_number(json, "ready", (int64_t)status.ready);
        json_add_bool(json, "ready_more", status.ready_more);
        add_text(json, "oldest_ready", status.oldest_ready);
        add_time(json, "oldest_ready_since", status.oldest_ready_us);
        json_add_number(json, "in_flight", (int64_t)status.in_flight);
        json_add_number(json, "window", (int64_t)status.window);
        json_add_number(json, "memory", (int64_t)status.memory);
        json_add_number(json, "archived", (int64_t)status.archived);
        json_add_number(json, "archived_bytes", (int64_t)status.archived_bytes);
        json_add_number(json, "stored_bytes", (int64_t)status.stored_bytes);
        add_text(json, "last", status.last);
        add_time(json, "last_time", status.last_us);
        add_text(json, "last_error", status.last_error);
        add_time(json, "last_error_time", status.last_error_us);
        add_stores(json, agent, &status);
    }
    json_close(json);
}

static void
add_fetch(struct json *json, const struct agent *agent)
{
    struct fetcher_status status = {.ready = 0};

    json_open_object(json, "fetch");
    json_add_bool(json, "open", agent->fetcher != NULL);
    if (agent->fetcher != NULL) {
        fetcher_status(agent->fetcher, &status);
        json_add_number(json, "ready", (int64_t)status.ready);
        json_add_number(json, "ready_bytes", (int64_t)status.ready_bytes);
        json_add_number(json, "in_flight", (int64_t)status.in_flight);
        json_add_number(json, "served", (int64_t)status.served);
        json_add_number(json, "served_ahead", (int64_t)status.served_ahead);
        add_text(json, "last", status.last);
        add_time(json, "last_time", status.last_us);
        add_text(json, "last_error", status.last_error);
        add_time(json, "last_error_time", status.last_error_us);
    }
    json_close(json);
}

int
agent_status_write(const struct agent *agent, struct buf *text, struct err *err)
{
    AUTO(json) struct json *json = json_new();

    json_add_number(json, "pid", (int64_t)getpid());
    json_add_text(json, "version", SEAWALL_VERSION);
    json_add_text(json, "config", agent->config_path);
    json_add_bool(json, "foreground", agent->options->foreground);
    add_time(json, "since", agent->since_us);
    json_add_number(json, "requests", (int64_t)agent->n_requests);
    json_add_number(json, "waiting", (int64_t)agent_clients_waiting(agent));
    add_push(json, agent);
    add_fetch(json, agent);

    int rc = json_write(json, text, err);
    return rc == BUF_FULL ? err_set(err, ERR_INTERNAL, "the status is too long") : rc;
}
