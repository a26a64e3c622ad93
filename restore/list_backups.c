/* SPDX-License-Identifier: PostgreSQL */
#include "restore/list_backups.h"

#include <inttypes.h>
#include <stdio.h>

#include "restore/report.h"

/* The WAL between start and stop of a backup. */
struct needed {
    bool known; /* a backup that spans a promotion cannot be restored, whatever there is */
    uint64_t first;
    uint64_t last;
};

static struct needed
needed_by(const struct backup_found *found)
{
    const struct backup_complete *complete = &found->complete;

    if (!found->readable || complete->start_timeline != complete->stop_timeline)
        return (struct needed){.known = false};
    return (struct needed){
        .known = true,
        .first = wal_name_segment_number(&complete->first_wal, complete->segment_size),
        .last = wal_name_segment_number(&complete->last_wal, complete->segment_size),
    };
}

static uint64_t
lacking(const struct inventory *inventory, const struct backup_found *found,
        const struct needed *needed)
{
    uint64_t missing = 0;

    (void)survey_first_missing(inventory, found->complete.start_timeline, needed->first,
                               needed->last, &missing);
    return missing;
}

static void
print_complete(const struct backup_found *found)
{
    const struct backup_complete *complete = &found->complete;
    char bytes[REPORT_TEXT_SIZE];
    char stored[REPORT_TEXT_SIZE];
    char duration[REPORT_TEXT_SIZE];
    char time[REPORT_TEXT_SIZE];
    char lsn[WAL_LSN_TEXT_SIZE];

    (void)printf("  %s: %s, %s stored, took %s\n", found->label,
                 report_size(complete->n_bytes, bytes), report_size(complete->stored_bytes, stored),
                 report_duration(complete->stop_time - complete->start_time, duration));
    (void)printf("    from LSN %s, %s, timeline %" PRIu32 "\n",
                 wal_lsn_text(complete->start_lsn, lsn), report_time(complete->start_time, time),
                 complete->start_timeline);
    (void)printf("    to   LSN %s, %s", wal_lsn_text(complete->stop_lsn, lsn),
                 report_time(complete->stop_time, time));
    if (complete->stop_timeline != complete->start_timeline)
        (void)printf(", timeline %" PRIu32 ": CANNOT BE RESTORED", complete->stop_timeline);
    (void)printf("\n");
    if (complete->damage_count > 0)
        (void)printf("    %" PRIu64 " pages were damaged when it was made\n",
                     complete->damage_count);
}

static void
print_backup(const struct archive *archive, const struct survey *survey,
             const struct backup_found *found)
{
    struct needed needed = needed_by(found);
    const char *separator = "";

    if (found->readable)
        print_complete(found);
    else
        (void)printf("  %s: %s\n", found->label,
                     survey_can_decrypt(archive) ? "UNREADABLE"
                                                 : "complete; the identity is needed to tell more");
    (void)printf("    complete in ");
    for (size_t i = 0; i < archive->n_stores; i++) {
        if ((found->stores & (uint32_t)1 << i) == 0)
            continue;
        (void)printf("%s\"%s\"", separator, archive->stores[i].settings->name);
        separator = ", ";
    }
    (void)printf("\n");
    if (!needed.known)
        return;
    (void)printf("    needs WAL %s to %s:", found->complete.first_wal.text,
                 found->complete.last_wal.text);
    separator = "";
    for (size_t i = 0; i < archive->n_stores; i++) {
        if (archive->stores[i].open_err.kind != ERR_NONE)
            continue;
        uint64_t missing = lacking(&survey->stores[i], found, &needed);
        (void)printf("%s \"%s\" ", separator, archive->stores[i].settings->name);
        separator = ",";
        if (missing == 0)
            (void)printf("has it");
        else
            (void)printf("lacks %" PRIu64 " of %" PRIu64, missing, needed.last - needed.first + 1);
    }
    (void)printf("%s\n",
                 lacking(&survey->together, found, &needed) == 0 ? "" : "; SOME IS NOWHERE");
}

void
list_backups_print(const struct archive *archive, const struct survey *survey)
{
    (void)printf(" backups\n");
    if (survey->backups.n == 0)
        (void)printf("  none\n");
    for (size_t i = 0; i < survey->backups.n; i++)
        print_backup(archive, survey, &survey->backups.items[i]);
}

static void
json_complete(struct json *json, const struct backup_complete *complete)
{
    char lsn[WAL_LSN_TEXT_SIZE];

    json_add_text(json, "kind", complete->incremental ? "incremental" : "full");
    json_add_number(json, "server_version", complete->server_version);
    json_add_number(json, "bytes", (int64_t)complete->n_bytes);
    json_add_number(json, "stored_bytes", (int64_t)complete->stored_bytes);
    json_add_number(json, "duration_s", complete->stop_time - complete->start_time);
    json_add_text(json, "start_lsn", wal_lsn_text(complete->start_lsn, lsn));
    json_add_number(json, "start_time", complete->start_time);
    json_add_number(json, "start_timeline", complete->start_timeline);
    json_add_text(json, "stop_lsn", wal_lsn_text(complete->stop_lsn, lsn));
    json_add_number(json, "stop_time", complete->stop_time);
    json_add_number(json, "stop_timeline", complete->stop_timeline);
    json_add_text(json, "first_wal", complete->first_wal.text);
    json_add_text(json, "last_wal", complete->last_wal.text);
    json_add_number(json, "damaged_pages", (int64_t)complete->damage_count);
}

static void
json_backup(struct json *json, const struct archive *archive, const struct survey *survey,
            const struct backup_found *found)
{
    struct needed needed = needed_by(found);

    json_open_object(json, NULL);
    json_add_text(json, "label", found->label);
    json_add_bool(json, "readable", found->readable);
    if (found->readable)
        json_complete(json, &found->complete);
    if (needed.known) {
        json_add_number(json, "wal_segments", (int64_t)(needed.last - needed.first + 1));
        json_add_number(json, "wal_missing",
                        (int64_t)lacking(&survey->together, found, &needed));
    }
    json_open_array(json, "stores");
    for (size_t i = 0; i < archive->n_stores; i++) {
        if (archive->stores[i].open_err.kind != ERR_NONE)
            continue;
        json_open_object(json, NULL);
        json_add_text(json, "name", archive->stores[i].settings->name);
        json_add_bool(json, "complete", (found->stores & (uint32_t)1 << i) != 0);
        if (needed.known)
            json_add_number(json, "wal_missing",
                            (int64_t)lacking(&survey->stores[i], found, &needed));
        json_close(json);
    }
    json_close(json);
    json_close(json);
}

void
list_backups_json(struct json *json, const struct archive *archive, const struct survey *survey)
{
    json_open_array(json, "backups");
    for (size_t i = 0; i < survey->backups.n; i++)
        json_backup(json, archive, survey, &survey->backups.items[i]);
    json_close(json);
}
