/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "restore/events.h"
#include "restore/plan_parts.h"
#include "wal/wal_indexer.h"

struct event_search {
    uint64_t lsn; /* the event's, or 0: */
    enum wal_event_kind kind;
    const char *name; /* relation, restore point or database; NULL: any */
    struct incident found;
    uint64_t lsns[PLAN_CHOICES_MAX];
    int64_t times[PLAN_CHOICES_MAX];
    size_t n;
};

static bool
is_meant(const struct event_search *search, const struct incident *incident)
{
    if (search->lsn != 0)
        return incident->lsn == search->lsn || incident->stop_lsn == search->lsn;
    return incident->kind == search->kind &&
           (search->name == NULL || strcmp(incident->what, search->name) == 0 ||
            incident_has_relation(incident, search->name));
}

static int
take_event(void *context, const struct incident *incident, struct err *err UNUSED)
{
    struct event_search *search = context;

    if (!is_meant(search, incident))
        return 0;
    /* Two incidents of one commit are one point to stop at. */
    if (search->n > 0 && search->found.stop_lsn == incident->stop_lsn)
        return 0;
    if (search->n < PLAN_CHOICES_MAX) {
        search->lsns[search->n] = incident->lsn;
        search->times[search->n] = incident->time_us;
    }
    search->found = *incident;
    search->n++;
    return 0;
}

/* "0/5A3B128", or "drop_table", or "drop_table:users". */
static int
read_event(const struct recovery_target *target, struct event_search *ret, struct err *err)
{
    char kind[TARGET_EVENT_SIZE];
    const char *colon = strchr(target->event, ':');

    if (wal_lsn_parse(target->event, strlen(target->event), &ret->lsn) && ret->lsn != 0)
        return 0;
    ret->lsn = 0;
    (void)snprintf(kind, sizeof(kind), "%.*s",
                   (int)(colon == NULL ? strlen(target->event) : (size_t)(colon - target->event)),
                   target->event);
    if (colon != NULL)
        ret->name = colon + 1;
    if (wal_event_kind_parse(kind, &ret->kind))
        return 0;
    (void)err_set(err, ERR_CONFIG, "--before is neither a position nor a kind of event");
    return err_hint(err, "Write the LSN that \"seawall events\" shows, or a kind and a name: "
                         "drop_table:users.");
}

static int
refuse_event(const struct plan_work *work, const struct recovery_target *target,
             const struct event_search *search, struct err *err)
{
    char text[TARGET_TEXT_SIZE];
    char choices[400] = "";

    if (search->n > 1) {
        plan_target_choices(search->lsns, search->times, search->n, choices, sizeof(choices));
        (void)err_set(err, ERR_CONFIG, "%s: there are %zu such events, at%s",
                      target_text(target, text, sizeof(text)), search->n, choices);
        return err_hint(err, "Choose one by its position: --before LSN.");
    }
    (void)err_set(err, survey_all_asked(work->archive) ? ERR_CONFIG : ERR_TRANSIENT,
                  "%s: no such event was found%s", target_text(target, text, sizeof(text)),
                  survey_all_asked(work->archive) ? "" : " (not all stores could be asked)");
    return err_hint(err, search->lsn != 0
                             ? "Write the LSN as \"seawall events\" shows it. To stop at a "
                               "position whatever is there, use --lsn."
                             : "Only the last day is searched by kind: find it with \"seawall "
                               "events --since\", and say --before LSN.");
}

/* From the newest backup before a position on: transactions that began earlier are cut there. */
static uint64_t
scan_from(const struct plan_work *work, uint64_t lsn)
{
    uint64_t best = work->backup->complete.start_lsn;
    uint64_t oldest = UINT64_MAX;

    for (size_t i = 0; i < work->survey.backups.n; i++) {
        const struct backup_found *found = &work->survey.backups.items[i];

        if (!found->readable || !plan_path_holds(&work->path, &found->complete))
            continue;
        oldest = MIN_OF(oldest, found->complete.start_lsn);
        if (found->complete.stop_lsn <= lsn && (best > lsn || found->complete.start_lsn > best))
            best = found->complete.start_lsn;
    }
    return best <= lsn ? best : MIN_OF(best, oldest);
}

int
plan_target_event(struct plan_work *work, struct recovery_target *target, struct err *err)
{
    struct event_search search = {.lsn = 0};
    struct events_request request = {
        .window = {INT64_MIN, INT64_MAX},
        .rows_min = WAL_INDEX_ROWS_CHANGED,
        .context = &search,
        .incident = take_event,
    };
    AUTO(events_summary) struct events_summary summary = EVENTS_SUMMARY_INIT;

    if (read_event(target, &search, err) < 0)
        return -1;
    if (search.lsn != 0) {
        request.from_lsn = scan_from(work, search.lsn);
        request.to_lsn = search.lsn;
    }
    if (events_find(work, &request, &summary, err) < 0)
        return -1;
    if (search.n != 1)
        return refuse_event(work, target, &search, err);
    target->found_lsn = search.found.lsn;
    target->stop_lsn = search.found.stop_lsn;
    (void)snprintf(work->plan.event, sizeof(work->plan.event), "%s%s%s",
                   wal_event_kind_name(search.found.kind), search.found.what[0] != '\0' ? " " : "",
                   search.found.what);
    return 0;
}
