/* SPDX-License-Identifier: PostgreSQL */
#include "restore/events_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define TIME_SIZE (CLOCK_TEXT_SIZE + 16)

/* Names come from the server: nothing in them may move a terminal's cursor. */
static const char *
quoted(const char *text, char *buffer, size_t size)
{
    return err_quote(text, strlen(text), buffer, size);
}

void
events_print_head(void)
{
    (void)printf("%-29s %-17s %8s %10s  %s\n", "TIME", "LSN", "TIMELINE", "XID", "WHAT");
}

static void
print_what(const struct incident *incident)
{
    char what[INCIDENT_WHAT_SIZE];
    char database[NAME_MAP_TEXT_MAX * 2];
    bool in = incident->database[0] != '\0' && strcmp(incident->database, incident->what) != 0;

    (void)printf("%s", wal_event_kind_name(incident->kind));
    if (incident->rows > 0)
        (void)printf(" of %" PRIu64 " rows in", incident->rows);
    if (incident->what[0] != '\0')
        (void)printf(" %s", quoted(incident->what, what, sizeof(what)));
    if (in)
        (void)printf(", database %s", quoted(incident->database, database, sizeof(database)));
    (void)printf("\n");
}

void
events_print(const struct incident *incident)
{
    char time[TIME_SIZE] = "-";
    char lsn[WAL_LSN_TEXT_SIZE];
    char xid[16] = "-";

    if (incident->has_time)
        (void)target_time_text(incident->time_us, time, sizeof(time));
    if (incident->xid != 0)
        (void)snprintf(xid, sizeof(xid), "%" PRIu32, incident->xid);
    (void)printf("%-29s %-17s %8" PRIu32 " %10s  ", time, wal_lsn_text(incident->lsn, lsn),
                 incident->timeline, xid);
    print_what(incident);
}

static void
print_cautions(const struct events_summary *summary)
{
    if (summary->n_lost > 0)
        (void)printf("Caution: %" PRIu64 " of these segments are in no store, the first is %s. "
                     "What happened there is not known.\n",
                     summary->n_lost, summary->first_lost.text);
    if (summary->n_damaged > 0)
        (void)printf("Caution: the WAL in %" PRIu64 " of these segments does not decode to its "
                     "end.\n",
                     summary->n_damaged);
    if (summary->incomplete && summary->n_lost == 0 && summary->n_damaged == 0)
        (void)printf("Caution: the indexes of some segments are not complete; --deep reads the "
                     "WAL itself.\n");
}

void
events_print_summary(const struct events_summary *summary, uint64_t n_incidents)
{
    char since[TIME_SIZE];

    (void)printf("\n%" PRIu64 " event%s since %s; %" PRIu64 " commits in %" PRIu64
                 " segments, %s to %s\n",
                 n_incidents, n_incidents == 1 ? "" : "s",
                 target_time_text(summary->since_us, since, sizeof(since)), summary->commits,
                 summary->n_segments, summary->first_wal.text, summary->last_wal.text);
    print_cautions(summary);
    if (n_incidents > 0)
        (void)printf("Next: seawall plan --before LSN shows how to recover to just before one.\n");
}

void
events_json(const struct incident *incident, struct json *json)
{
    char text[TIME_SIZE];

    json_open_object(json, NULL);
    json_add_text(json, "kind", wal_event_kind_name(incident->kind));
    json_add_text(json, "time",
                  incident->has_time ? target_time_text(incident->time_us, text, sizeof(text))
                                     : NULL);
    json_add_text(json, "lsn", wal_lsn_text(incident->lsn, text));
    json_add_text(json, "stop_lsn", wal_lsn_text(incident->stop_lsn, text));
    json_add_text(json, "first_lsn", wal_lsn_text(incident->first_lsn, text));
    json_add_number(json, "timeline", incident->timeline);
    if (incident->kind == WAL_EVENT_PROMOTION)
        json_add_number(json, "previous_timeline", incident->prev_timeline);
    if (incident->xid != 0)
        json_add_number(json, "xid", incident->xid);
    if (incident->database[0] != '\0')
        json_add_text(json, "database", incident->database);
    if (incident->rows > 0)
        json_add_number(json, "rows", (int64_t)incident->rows);
    if (incident->n_relations > 0) {
        json_add_number(json, "relation_count", (int64_t)incident->n_relations);
        json_open_array(json, "relations");
        for (size_t i = 0; i < incident->n_names; i++)
            json_add_text(json, NULL, incident->relations[i]);
        json_close(json);
    }
    if (incident->or_rewrite)
        json_add_text(json, "or_kind", wal_event_kind_name(WAL_EVENT_REWRITE));
    json_add_text(json, "what", incident->what);
    json_close(json);
}

void
events_json_summary(const struct events_summary *summary, struct json *json)
{
    char text[TIME_SIZE];

    json_add_number(json, "timeline", summary->timeline);
    json_add_text(json, "since", target_time_text(summary->since_us, text, sizeof(text)));
    json_add_text(json, "last_commit",
                  summary->until_us == INT64_MIN
                      ? NULL
                      : target_time_text(summary->until_us, text, sizeof(text)));
    json_add_text(json, "first_wal", summary->first_wal.text);
    json_add_text(json, "last_wal", summary->last_wal.text);
    json_add_number(json, "segments", (int64_t)summary->n_segments);
    json_add_number(json, "segments_lost", (int64_t)summary->n_lost);
    json_add_number(json, "segments_damaged", (int64_t)summary->n_damaged);
    json_add_number(json, "commits", (int64_t)summary->commits);
    json_add_bool(json, "incomplete", summary->incomplete);
    json_add_number(json, "requests", (int64_t)summary->cost.requests);
    json_add_number(json, "bytes_read", (int64_t)summary->cost.bytes);
    json_add_number(json, "segments_read_whole", (int64_t)summary->cost.whole);
}
