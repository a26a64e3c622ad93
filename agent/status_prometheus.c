/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>

#include "agent/status.h"

#define LABEL_SIZE (2 * STATUS_TEXT_SIZE)
#define NOT_KNOWN INT64_MIN /* the sample is left out */

/* A text in which samples stand, until it fails. */
struct exposition {
    const struct status *status;
    struct buf *text;
    bool failed;
    struct err err;
};

static void
put(struct exposition *to, int rc)
{
    if (rc > 0)
        (void)err_set(&to->err, ERR_INTERNAL, "the status is too long");
    to->failed = to->failed || rc != 0;
}

/* A label's value: backslash, quote and newline are escaped; what is no text is left out. */
static const char *
escape(const char *value, char *text)
{
    size_t n = 0;

    for (; *value != '\0' && n + 3 < LABEL_SIZE; value++) {
        if (*value == '\\' || *value == '"' || *value == '\n')
            text[n++] = '\\';
        text[n++] = *value == '\n' ? 'n' : *value;
    }
    text[n] = '\0';
    return text;
}

static void
head(struct exposition *to, const char *name, const char *type, const char *help)
{
    if (!to->failed)
        put(to, buf_printf(to->text, &to->err, "# HELP seawall_%s %s\n# TYPE seawall_%s %s\n",
                           name, help, name, type));
}

/* One sample; `label` NULL: of the cluster. */
static void
sample(struct exposition *to, const char *name, const char *label, const char *value,
       int64_t number)
{
    char cluster[LABEL_SIZE];
    char text[LABEL_SIZE];

    if (to->failed || number == NOT_KNOWN)
        return;
    (void)escape(to->status->settings->cluster, cluster);
    if (label == NULL)
        put(to, buf_printf(to->text, &to->err, "seawall_%s{cluster=\"%s\"} %" PRId64 "\n", name,
                           cluster, number));
    else
        put(to, buf_printf(to->text, &to->err,
                           "seawall_%s{cluster=\"%s\",%s=\"%s\"} %" PRId64 "\n", name, cluster,
                           label, escape(value, text), number));
}

static int64_t
seconds(int64_t real_us)
{
    return real_us == 0 ? NOT_KNOWN : real_us / 1000000;
}

static void
put_queue(struct exposition *to)
{
    const struct status *status = to->status;
    const struct {
        const char *name;
        const char *help;
        int64_t value;
    } gauges[] = {
        {"behind", "Whether a file waits, or a store lags, for longer than the objective.",
         status->verdict == STATUS_BEHIND},
        {"rpo_objective_seconds", "How much may be lost: objectives.rpo.", status->settings->rpo},
        {"ready_files", "Files that wait to be archived.", (int64_t)status->queue.ready},
        {"oldest_ready_age_seconds", "How long the oldest of them has waited.",
         status_age_s(status, status->queue.oldest_us)},
        {"last_archived_timestamp_seconds", "When PostgreSQL last knew a file as archived.",
         seconds(status->queue.done_us)},
        {"agent_up", "Whether an agent serves this data directory.",
         status->agent.state == STATUS_AGENT_UNKNOWN ? NOT_KNOWN
                                                     : status->agent.state == STATUS_AGENT_RUNS},
    };

    for (size_t i = 0; i < ARRAY_SIZE(gauges); i++) {
        if (gauges[i].value == NOT_KNOWN)
            continue;
        head(to, gauges[i].name, "gauge", gauges[i].help);
        sample(to, gauges[i].name, NULL, NULL, gauges[i].value);
    }
}

/* What only an agent knows. */
static void
put_agent(struct exposition *to)
{
    const struct status *status = to->status;
    const struct {
        const char *name;
        const char *type;
        const char *help;
        int64_t value;
    } values[] = {
        {"agent_start_timestamp_seconds", "gauge", "When the agent was started.",
         seconds(status->agent.since_us)},
        {"agent_requests_total", "counter", "Requests of hooks.", status->agent.requests},
        {"agent_waiting", "gauge", "Hooks that wait for an answer.", status->agent.waiting},
        {"push_in_flight", "gauge", "Files on their way into the stores.",
         status->push.in_flight},
        {"push_files_total", "counter", "Files archived.", status->push.archived},
        {"push_wal_bytes_total", "counter", "Their size.", status->push.archived_bytes},
        {"push_stored_bytes_total", "counter", "Their size as it is stored.",
         status->push.stored_bytes},
        {"push_last_error_timestamp_seconds", "gauge", "When archiving last failed.",
         seconds(status->push.last_error_us)},
        {"fetch_files_total", "counter", "Files brought back.", status->fetch.served},
        {"fetch_ahead_files_total", "counter", "Of them those that lay ready.",
         status->fetch.served_ahead},
        {"fetch_ready_files", "gauge", "Files that lie ready.", status->fetch.ready},
        {"fetch_ready_bytes", "gauge", "Their size.", status->fetch.ready_bytes},
        {"fetch_last_error_timestamp_seconds", "gauge", "When bringing back last failed.",
         seconds(status->fetch.last_error_us)},
    };

    if (status->agent.state != STATUS_AGENT_RUNS)
        return;
    head(to, "agent_info", "gauge", "The agent; its version is a label.");
    sample(to, "agent_info", "version", status->agent.version, 1);
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        if (values[i].value == NOT_KNOWN)
            continue;
        head(to, values[i].name, values[i].type, values[i].help);
        sample(to, values[i].name, NULL, NULL, values[i].value);
    }
}

enum store_value {
    STORE_LAG_FILES,
    STORE_LAG_SECONDS,
    STORE_FAILING,
    STORE_UP,
    STORE_NEWEST,
    STORE_VALUES,
};

static int64_t
value_of(const struct status *status, const struct status_store *store, enum store_value what)
{
    bool known = status->push.open;

    switch (what) {
    case STORE_LAG_FILES:
        return known ? store->lag_files : NOT_KNOWN;
    case STORE_LAG_SECONDS:
        return known ? status_age_s(status, store->lag_us) : NOT_KNOWN;
    case STORE_FAILING:
        return known ? store->error[0] != '\0' : NOT_KNOWN;
    case STORE_UP:
        return store->looked ? store->look_error[0] == '\0' : NOT_KNOWN;
    case STORE_NEWEST:
        return seconds(store->newest_us);
    case STORE_VALUES:
        break;
    }
    return NOT_KNOWN;
}

static void
put_stores(struct exposition *to)
{
    static const struct {
        const char *name;
        const char *help;
    } gauges[] = {
        [STORE_LAG_FILES] = {"store_lag_files", "Archived files the store does not have yet."},
        [STORE_LAG_SECONDS] = {"store_lag_age_seconds", "How long it has lacked the oldest."},
        [STORE_FAILING] = {"store_failing", "Whether the store's lag has an error as its cause."},
        [STORE_UP] = {"store_up", "Whether the store answered."},
        [STORE_NEWEST] = {"store_newest_segment_timestamp_seconds",
                          "When the newest segment in the store was archived."},
    };

    _Static_assert(ARRAY_SIZE(gauges) == STORE_VALUES, "one line each");
    for (int what = 0; what < STORE_VALUES; what++) {
        bool any = false;

        for (size_t i = 0; i < to->status->n_stores; i++) {
            const struct status_store *store = &to->status->stores[i];
            int64_t value = value_of(to->status, store, (enum store_value)what);

            if (value != NOT_KNOWN && !any)
                head(to, gauges[what].name, "gauge", gauges[what].help);
            any = any || value != NOT_KNOWN;
            sample(to, gauges[what].name, "store", store->name, value);
        }
    }
}

int
status_prometheus(const struct status *status, struct buf *text, struct err *err)
{
    struct exposition to = {.status = status, .text = text};

    put_queue(&to);
    put_agent(&to);
    put_stores(&to);
    if (!to.failed)
        return 0;
    *err = to.err;
    return -1;
}
