/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>
#include <unistd.h>

#include "agent/agent_parts.h"
#include "base/clock.h"
#include "base/log.h"
#include "restore/standby.h"

#define WORKERS_AUTO_MAX 4

static int
start_workers(struct agent *agent, struct err *err)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = (size_t)agent->settings->agent_workers;

    if (agent->workers != NULL)
        return 0;
    if (n == 0)
        n = (size_t)MIN_OF(MAX_OF(processors, 1L), (long)WORKERS_AUTO_MAX);
    return workers_new(n, &agent->workers, err);
}

/* A host that only archives needs no identity, one that only recovers no writer key. */
static int
open_pusher(struct agent *agent, struct err *err)
{
    if (agent->pusher != NULL)
        return 0;
    if (start_workers(agent, err) < 0)
        return -1;
    if (agent->writing == NULL &&
        archive_open_on(agent->loop, agent->settings, ARCHIVE_WRITE, &agent->writing, err) < 0)
        return -1;

    struct pusher_options options = {
        .archive = agent->writing,
        .workers = agent->workers,
        .pgdata = &agent->pgdata,
        .memory_max = (size_t)agent->settings->agent_memory,
        .work_ahead = true,
        .trace = agent->options->foreground ? &log_notices : NULL,
    };
    return pusher_new(&options, &agent->pusher, err);
}

static int
open_fetcher(struct agent *agent, struct err *err)
{
    if (agent->fetcher != NULL)
        return 0;
    if (start_workers(agent, err) < 0)
        return -1;
    if (agent->reading == NULL &&
        archive_open_on(agent->loop, agent->settings, ARCHIVE_READ, &agent->reading, err) < 0)
        return -1;

    struct fetcher_options options = {
        .archive = agent->reading,
        .workers = agent->workers,
        .pgdata = &agent->pgdata,
        .spool_max = (uint64_t)agent->settings->spool_max,
        .memory_max = (size_t)agent->settings->agent_memory,
        .spool_dir = agent->settings->spool_dir,
        .runtime_dir = agent->rendezvous.path,
    };
    return fetcher_new(&options, &agent->fetcher, err);
}

/* When the hook was started is when its time began. */
static int64_t
deadline_of(const struct agent *agent, const struct wire_request *request, bool standby)
{
    const struct settings *settings = agent->settings;
    int64_t start_ms = clock_boot_ms() - request->elapsed_ms;
    int64_t deadline_ms = start_ms + settings->push_timeout * 1000;

    if (request->verb == WIRE_FETCH) {
        struct pgdata now = agent->pgdata;

        now.standby = standby;
        deadline_ms = standby_fetch_deadline(settings, &now, start_ms);
    }
    if (request->timeout_ms != 0)
        deadline_ms = MIN_OF(deadline_ms, start_ms + request->timeout_ms);
    return deadline_ms;
}

int
agent_halves_ask(struct agent *agent, const struct wire_request *request,
                 struct agent_client *client, struct err *err)
{
    client->deadline_ms = deadline_of(agent, request, client->standby);
    if (request->verb == WIRE_PUSH) {
        if (open_pusher(agent, err) < 0)
            return -1;
        return pusher_ask(agent->pusher, client->ticket, request->path, client->deadline_ms, err);
    }
    if (open_fetcher(agent, err) < 0)
        return -1;
    return fetcher_ask(agent->fetcher, client->ticket, request->name, client->deadline_ms, err);
}

void
agent_halves_withdraw(struct agent *agent, const struct agent_client *client)
{
    if (client->verb == WIRE_PUSH && agent->pusher != NULL)
        pusher_withdraw(agent->pusher, client->ticket);
    else if (client->verb == WIRE_FETCH && agent->fetcher != NULL)
        fetcher_withdraw(agent->fetcher, client->ticket);
}

void
agent_halves_advance(struct agent *agent)
{
    if (agent->pusher != NULL)
        pusher_advance(agent->pusher);
    if (agent->fetcher != NULL)
        fetcher_advance(agent->fetcher);
}

bool
agent_halves_take(struct agent *agent, struct answer *ret)
{
    if (agent->pusher != NULL && pusher_take_answer(agent->pusher, ret)) {
        archive_notice_clocks(agent->writing, &ret->notices.notices);
        return true;
    }
    if (agent->fetcher != NULL && fetcher_take_answer(agent->fetcher, ret)) {
        archive_notice_clocks(agent->reading, &ret->notices.notices);
        return true;
    }
    return false;
}

int64_t
agent_halves_due_ms(const struct agent *agent)
{
    int64_t push_ms = agent->pusher == NULL ? INT64_MAX : pusher_due_ms(agent->pusher);
    int64_t fetch_ms = agent->fetcher == NULL ? INT64_MAX : fetcher_due_ms(agent->fetcher);

    return MIN_OF(push_ms, fetch_ms);
}

bool
agent_halves_idle(const struct agent *agent)
{
    return (agent->pusher == NULL || pusher_idle(agent->pusher)) &&
           (agent->fetcher == NULL || fetcher_idle(agent->fetcher));
}

void
agent_halves_done(struct agent *agent)
{
    pusher_free(agent->pusher);
    fetcher_free(agent->fetcher);
    archive_close(agent->writing);
    archive_close(agent->reading);
    workers_free(agent->workers);
    pgdata_done(&agent->pgdata);
    agent->pusher = NULL;
    agent->fetcher = NULL;
    agent->writing = NULL;
    agent->reading = NULL;
    agent->workers = NULL;
}
