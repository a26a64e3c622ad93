/* SPDX-License-Identifier: PostgreSQL */
#include "agent/status.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "restore/report.h"

const char *
status_verdict_name(enum status_verdict verdict)
{
    switch (verdict) {
    case STATUS_OK:
        return "ok";
    case STATUS_FAILING:
        return "failing";
    case STATUS_AWAY:
        return "away";
    case STATUS_BEHIND:
        return "behind";
    }
    return "behind";
}

int64_t
status_age_s(const struct status *status, int64_t since_us)
{
    if (since_us == 0 || since_us > status->now_us)
        return 0;
    return (status->now_us - since_us) / 1000000;
}

void
status_init(struct status *status, const struct settings *settings, const char *pgdata)
{
    *status = (struct status){
        .settings = settings,
        .pgdata = pgdata,
        .now_us = clock_real_us(),
        .n_stores = settings->n_stores,
    };
    for (size_t i = 0; i < settings->n_stores; i++)
        status->stores[i].name = settings->stores[i].name;
}

static void
judge_queue(struct status *status)
{
    int64_t age = status_age_s(status, status->queue.oldest_us);
    int64_t rpo = status->settings->rpo;
    char waited[REPORT_TEXT_SIZE];
    char allowed[REPORT_TEXT_SIZE];

    if (status->queue.ready == 0)
        return;
    if (age > rpo) {
        status->verdict = STATUS_BEHIND;
        (void)snprintf(status->why, sizeof(status->why),
                       "\"%s\" waits to be archived for %s, the objective is %s",
                       status->queue.oldest, report_duration(age, waited),
                       report_duration(rpo, allowed));
    } else if (status->push.last_error_us > status->push.last_us) {
        status->verdict = STATUS_FAILING;
        (void)snprintf(status->why, sizeof(status->why), "%s", status->push.last_error);
    }
}

static void
judge_store(struct status *status, const struct status_store *store)
{
    int64_t age = status_age_s(status, store->lag_us);
    int64_t rpo = status->settings->rpo;
    char waited[REPORT_TEXT_SIZE];
    char allowed[REPORT_TEXT_SIZE];

    if (store->lag_files > 0 && age > rpo && status->verdict < STATUS_BEHIND) {
        status->verdict = STATUS_BEHIND;
        (void)snprintf(status->why, sizeof(status->why),
                       "store \"%s\" lags behind for %s, the objective is %s", store->name,
                       report_duration(age, waited), report_duration(rpo, allowed));
    } else if (store->look_error[0] != '\0' && status->verdict < STATUS_AWAY) {
        status->verdict = STATUS_AWAY;
        (void)snprintf(status->why, sizeof(status->why), "%s", store->look_error);
    } else if (store->conflict[0] != '\0' && status->verdict == STATUS_OK) {
        status->verdict = STATUS_FAILING;
        (void)snprintf(status->why, sizeof(status->why), "store \"%s\" disagrees with the others",
                       store->name);
    }
}

void
status_judge(struct status *status)
{
    judge_queue(status);
    for (size_t i = 0; i < status->n_stores; i++)
        judge_store(status, &status->stores[i]);
}
