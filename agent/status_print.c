/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/status.h"
#include "base/amount.h"
#include "restore/report.h"

#define CELL_SIZE 64

static const char *
ago(const struct status *status, int64_t since_us, char *text)
{
    return report_duration(status_age_s(status, since_us), text);
}

static void
print_agent(const struct status *status)
{
    const struct status_agent *agent = &status->agent;
    char since[REPORT_TEXT_SIZE];

    if (agent->state == STATUS_AGENT_NONE)
        (void)printf("agent     none runs; the next hook starts one\n");
    else if (agent->state == STATUS_AGENT_UNKNOWN)
        (void)printf("agent     could not be asked: %s\n", agent->error);
    else
        (void)printf("agent     process %" PRId64 "%s, version %s, for %s, %" PRId64
                     " requests, %" PRId64 " waiting\n",
                     agent->pid, agent->foreground ? " (foreground)" : "", agent->version,
                     ago(status, agent->since_us, since), agent->requests, agent->waiting);
}

static void
print_queue(const struct status *status)
{
    const struct status_queue *queue = &status->queue;
    char age[REPORT_TEXT_SIZE];
    char allowed[REPORT_TEXT_SIZE];

    if (queue->ready == 0)
        (void)printf("queue     empty\n");
    else
        (void)printf("queue     %" PRIu64 " files, the oldest (%s) for %s; the objective is %s\n",
                     queue->ready, queue->oldest, ago(status, queue->oldest_us, age),
                     report_duration(status->settings->rpo, allowed));
    if (queue->done_us != 0)
        (void)printf("archived  %s, %s ago\n", queue->done, ago(status, queue->done_us, age));
}

static void
print_push(const struct status *status)
{
    const struct status_push *push = &status->push;
    char wal[AMOUNT_SIZE];
    char stored[AMOUNT_SIZE];
    char age[REPORT_TEXT_SIZE];

    if (!push->open)
        return;
    (void)printf("push      %" PRId64 " files since the agent's start, %s as %s; %" PRId64
                 " in flight of at most %" PRId64 "\n",
                 push->archived, amount_text((uint64_t)push->archived_bytes, wal),
                 amount_text((uint64_t)push->stored_bytes, stored), push->in_flight,
                 push->window);
    if (push->last_error_us != 0)
        (void)printf("          last error %s ago: %s\n", ago(status, push->last_error_us, age),
                     push->last_error);
}

static void
print_fetch(const struct status *status)
{
    const struct status_fetch *fetch = &status->fetch;
    char ready[AMOUNT_SIZE];
    char age[REPORT_TEXT_SIZE];

    if (!fetch->open)
        return;
    (void)printf("fetch     %" PRId64 " files served, %" PRId64 " of them ready before they were "
                 "asked for; %" PRId64 " ready (%s), %" PRId64 " in flight\n",
                 fetch->served, fetch->served_ahead, fetch->ready,
                 amount_text((uint64_t)fetch->ready_bytes, ready), fetch->in_flight);
    if (fetch->last_us != 0)
        (void)printf("          last %s, %s ago\n", fetch->last, ago(status, fetch->last_us, age));
    if (fetch->last_error_us != 0)
        (void)printf("          last error %s ago: %s\n", ago(status, fetch->last_error_us, age),
                     fetch->last_error);
}

static void
lag_cell(const struct status *status, const struct status_store *store, char *cell)
{
    char age[REPORT_TEXT_SIZE];

    if (!status->push.open)
        (void)snprintf(cell, CELL_SIZE, "-");
    else if (store->lag_files == 0)
        (void)snprintf(cell, CELL_SIZE, "none");
    else
        (void)snprintf(cell, CELL_SIZE, "%" PRId64 " files, %s", store->lag_files,
                       ago(status, store->lag_us, age));
}

static void
newest_cell(const struct status *status, const struct status_store *store, char *cell)
{
    char age[REPORT_TEXT_SIZE];

    if (!store->looked)
        (void)snprintf(cell, CELL_SIZE, "-");
    else if (store->look_error[0] != '\0')
        (void)snprintf(cell, CELL_SIZE, "?");
    else if (store->newest[0] == '\0')
        (void)snprintf(cell, CELL_SIZE, "nothing");
    else
        (void)snprintf(cell, CELL_SIZE, "%s, %s ago", store->newest,
                       ago(status, store->newest_us, age));
}

static void
print_stores(const struct status *status)
{
    (void)printf("\n%-20s  %-24s  %s\n", "STORE", "LAG", "NEWEST SEGMENT");
    for (size_t i = 0; i < status->n_stores; i++) {
        const struct status_store *store = &status->stores[i];
        char lag[CELL_SIZE];
        char newest[CELL_SIZE];

        lag_cell(status, store, lag);
        newest_cell(status, store, newest);
        (void)printf("%-20s  %-24s  %s\n", store->name, lag, newest);
        if (store->error[0] != '\0')
            (void)printf("    %s\n", store->error);
        if (store->conflict[0] != '\0')
            (void)printf("    disagrees about %s\n"
                         "    Find out which server's content is wanted (runbook, \"Exit 12\"), "
                         "remove\n    the other copy, and run \"seawall sync\".\n",
                         store->conflict);
        if (store->look_error[0] != '\0')
            (void)printf("    %s\n", store->look_error);
    }
}

int
status_print(const struct status *status, struct err *err)
{
    (void)printf("cluster \"%s\" in \"%s\": %s%s%s\n", status->settings->cluster, status->pgdata,
                 status_verdict_name(status->verdict), status->why[0] == '\0' ? "" : ": ",
                 status->why);
    print_agent(status);
    print_queue(status);
    print_push(status);
    print_fetch(status);
    print_stores(status);
    return fflush(stdout) == 0 ? 0
                               : err_set(err, ERR_LOCAL, "could not write to standard output");
}
