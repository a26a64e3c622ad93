/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "restore/plan.h"
#include "restore/report.h"

static void
print_path(const struct plan *plan)
{
    char lsn[WAL_LSN_TEXT_SIZE];

    (void)printf("Timelines   %" PRIu32, plan->path[0].timeline);
    for (size_t i = 1; i < plan->n_path; i++)
        (void)printf(" -> %" PRIu32 " at %s", plan->path[i].timeline,
                     wal_lsn_text(plan->path[i].begin_lsn, lsn));
    (void)printf("\n");
}

static void
print_backup(const struct plan *plan)
{
    char age[REPORT_TEXT_SIZE];
    char size[REPORT_TEXT_SIZE];
    char time[REPORT_TEXT_SIZE];
    char lsn[WAL_LSN_TEXT_SIZE];

    (void)printf("Backup      %s, %s old, %s\n", plan->label,
                 report_duration(clock_real_us() / 1000000 - plan->backup_stop_time, age),
                 report_size(plan->backup_bytes, size));
    (void)printf("            ended at LSN %s, %s\n", wal_lsn_text(plan->backup_stop_lsn, lsn),
                 report_time(plan->backup_stop_time, time));
}

static void
print_wal(const struct plan *plan)
{
    char size[REPORT_TEXT_SIZE];

    (void)printf("WAL         %s to %s\n", plan->first_wal.text, plan->last_wal.text);
    (void)printf("            %" PRIu64 " segment%s, %s, every one proven\n", plan->n_segments,
                 plan->n_segments == 1 ? "" : "s",
                 report_size(plan->n_segments * plan->segment_size, size));
}

/* A store that could not do it alone. */
static void
print_health(const struct plan_health *health)
{
    char safe[PLAN_HEALTH_TEXT_SIZE];

    if (health->last.text[0] == '\0')
        (void)printf("            alone: no healthy segment\n");
    else
        (void)printf("            alone: healthy up to %s, safe: %s\n", health->last.text,
                     plan_health_text(health, safe, sizeof(safe)));
}

static void
print_stores(const struct archive *archive, const struct plan *plan)
{
    for (size_t i = 0; i < plan->n_stores; i++) {
        const struct plan_store *store = &plan->stores[i];
        char place[512];

        (void)printf("%-12s", i == 0 ? "Stores" : "");
        if (i < archive->n_stores && strcmp(archive->stores[i].settings->name, store->name) == 0)
            (void)printf("%s: ", archive_store_text(archive, i, place, sizeof(place)));
        else
            (void)printf("store \"%s\": ", store->name);
        if (store->asked)
            (void)printf("%s, %" PRIu64 " of %" PRIu64 " segments\n",
                         store->has_backup ? "the backup" : "not the backup", store->n_segments,
                         plan->n_segments);
        else
            (void)printf("could not be asked\n");
        if (store->health.known && !store->health.whole)
            print_health(&store->health);
    }
}

static void
print_window(const struct plan *plan)
{
    char lsn[WAL_LSN_TEXT_SIZE];
    char time[REPORT_TEXT_SIZE];

    (void)printf("Window      from LSN %s, %s\n", wal_lsn_text(plan->window_begin_lsn, lsn),
                 report_time(plan->window_begin_time, time));
    (void)printf("            to   LSN %s", wal_lsn_text(plan->window_end_lsn, lsn));
    if (plan->window_end_time != 0)
        (void)printf("; %s was archived %s", plan->last_wal.text,
                     report_time(plan->window_end_time, time));
    (void)printf("\n");
}

static void
print_cost(const struct plan *plan)
{
    char size[REPORT_TEXT_SIZE];
    char rate[REPORT_TEXT_SIZE];
    char time[REPORT_TEXT_SIZE];
    char objective[REPORT_TEXT_SIZE];

    (void)printf("To fetch    %s", report_size(plan->fetch_bytes, size));
    if (plan->fetch_rate != 0)
        (void)printf(", %s at %s/s, measured now%s%s%s", report_duration(plan->fetch_s, time),
                     report_size(plan->fetch_rate, rate),
                     plan->fetch_store[0] == '\0' ? "" : " from store \"", plan->fetch_store,
                     plan->fetch_store[0] == '\0' ? "" : "\"");
    (void)printf("\nTo replay   %s of WAL",
                 report_size(plan->n_segments * plan->segment_size, size));
    if (plan->replay_rate != 0)
        (void)printf(", %s at %s/s, %s", report_duration(plan->replay_s, time),
                     report_size(plan->replay_rate, rate),
                     plan->replay_source == PLAN_RATE_CONFIGURED
                         ? "as configured (replay_rate)"
                         : "assumed: no replay_rate is configured");
    (void)printf("\n");
    if (plan->rto_s != 0)
        (void)printf("In all      %s; objective (RTO) %s\n",
                     report_duration(plan->fetch_s + plan->replay_s, time),
                     report_duration(plan->rto_s, objective));
}

static void
print_loss(const struct plan *plan)
{
    const struct plan_loss *loss = &plan->loss;
    char from[CLOCK_TEXT_SIZE + 16];
    char to[CLOCK_TEXT_SIZE + 16];
    char time[REPORT_TEXT_SIZE];
    char objective[REPORT_TEXT_SIZE];

    if (loss->commits == 0) {
        (void)printf("Lost        no commit that is archived%s\n",
                     loss->more ? ", as far as the WAL behind the target can be read" : "");
        return;
    }
    (void)printf("Lost        %s%" PRIu64 " commit%s, the last at %s\n",
                 loss->more ? "at least " : "", loss->commits, loss->commits == 1 ? "" : "s",
                 target_time_text(loss->last_us, to, sizeof(to)));
    if (loss->kept_us != 0)
        (void)printf("            kept up to %s: %s are lost; objective (RPO) %s\n",
                     target_time_text(loss->kept_us, from, sizeof(from)),
                     report_duration((loss->last_us - loss->kept_us) / 1000000, time),
                     report_duration(plan->rpo_s, objective));
}

/* What the target has become. */
static void
print_stop(const struct plan *plan)
{
    uint64_t stop_lsn = 0;
    char lsn[WAL_LSN_TEXT_SIZE];
    char event[PLAN_EVENT_SIZE];

    if (plan->event[0] != '\0')
        (void)printf("            which is: %s\n",
                     err_quote(plan->event, strlen(plan->event), event, sizeof(event)));
    if (plan->target.kind != TARGET_LSN && target_stops_at(&plan->target, &stop_lsn))
        (void)printf("            recovery stops before the record at LSN %s\n",
                     wal_lsn_text(stop_lsn, lsn));
}

/* What only replaying will show. */
static void
print_caution(const struct plan *plan)
{
    uint64_t stop_lsn = 0;
    bool exact = target_stops_at(&plan->target, &stop_lsn);

    if (!exact && (plan->target.kind == TARGET_XID || plan->target.kind == TARGET_NAME))
        (void)printf("Note        Nothing is archived behind the target: recovery ends right "
                     "there.\n");
    if (!exact && plan->target.kind == TARGET_TIME)
        (void)printf("Note        No transaction that ended later is archived. If none is by then, "
                     "the server\n            says that it did not reach the target, and does not "
                     "come up: use --latest.\n");
    if (plan->gap_behind)
        (void)printf("Note        The segment behind the last one is missing: recovery can go no "
                     "further.\n");
}

void
plan_print(const struct archive *archive, const struct plan *plan)
{
    char target[TARGET_TEXT_SIZE];
    char option[TARGET_TEXT_SIZE];

    (void)printf("Target      %s, on timeline %" PRIu32 "\n",
                 target_text(&plan->target, target, sizeof(target)), plan->timeline);
    print_stop(plan);
    (void)printf("Cluster     %s, system identifier %" PRIu64 "\n", plan->cluster,
                 plan->system_id);
    print_backup(plan);
    print_path(plan);
    print_wal(plan);
    print_stores(archive, plan);
    print_cost(plan);
    print_loss(plan);
    print_window(plan);
    print_caution(plan);
    (void)printf("\nThe backup is restored into an empty directory. The server started there "
                 "fetches the\nWAL and replays it to the target. Nothing in the stores changes.\n"
                 "Next: seawall restore %s --timeline %" PRIu32 " --backup %s --system-id %" PRIu64
                 " \\\n          --target-dir DIRECTORY\n",
                 target_option(&plan->target, option, sizeof(option)), plan->timeline, plan->label,
                 plan->system_id);
}
