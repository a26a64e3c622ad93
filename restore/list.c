/* SPDX-License-Identifier: PostgreSQL */
#include "restore/list.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "restore/list_backups.h"
#include "restore/report.h"

#define GAPS_SHOWN 20

static const char *
segment_text(const struct inventory *inventory, uint32_t timeline, uint64_t number,
             struct wal_name *name)
{
    wal_name_of_segment(timeline, number, inventory->segment_size, name);
    return name->text;
}

static void
print_timeline(const struct inventory *inventory, const struct inventory_timeline *timeline)
{
    struct wal_name first;
    struct wal_name last;
    char wal[REPORT_TEXT_SIZE];
    char stored[REPORT_TEXT_SIZE];

    (void)printf("  timeline %" PRIu32 "%s: ", timeline->timeline,
                 timeline->timeline == 1 || timeline->has_history ? "" : " (history file missing)");
    if (timeline->n_runs == 0) {
        (void)printf("no segments\n");
        return;
    }
    (void)printf("%s to %s, %" PRIu64 " segments, %s of WAL, %s stored\n",
                 segment_text(inventory, timeline->timeline, timeline->runs[0].first, &first),
                 segment_text(inventory, timeline->timeline,
                              timeline->runs[timeline->n_runs - 1].last, &last),
                 timeline->n_segments,
                 report_size(timeline->n_segments * inventory->segment_size, wal),
                 report_size(timeline->stored_bytes, stored));
    for (size_t i = 1; i < timeline->n_runs; i++) {
        uint64_t from = timeline->runs[i - 1].last + 1;
        uint64_t to = timeline->runs[i].first - 1;

        if (i > GAPS_SHOWN) {
            (void)printf("    and %zu more gaps\n", timeline->n_runs - i);
            break;
        }
        (void)printf("    GAP: %s to %s, %" PRIu64 " segments missing\n",
                     segment_text(inventory, timeline->timeline, from, &first),
                     segment_text(inventory, timeline->timeline, to, &last), to - from + 1);
    }
}

static void
print_inventory(const struct inventory *inventory)
{
    if (inventory->n_timelines == 0)
        (void)printf("  nothing\n");
    for (size_t i = 0; i < inventory->n_timelines; i++)
        print_timeline(inventory, &inventory->timelines[i]);
    if (inventory->n_foreign > 0)
        (void)printf("  %" PRIu64 " objects with names that are none of Seawall's\n",
                     inventory->n_foreign);
}

static void
print_listing(const struct archive *archive, const struct survey *survey)
{
    char place[512];

    (void)printf("cluster \"%s\", system identifier %" PRIu64 "\n", survey->owner.cluster,
                 survey->owner.system_id);
    for (size_t i = 0; i < archive->n_stores; i++) {
        const struct err *why = &archive->stores[i].open_err;

        (void)printf(" %s\n", archive_store_text(archive, i, place, sizeof(place)));
        if (why->kind != ERR_NONE)
            (void)printf("  could not be listed: %s\n", why->text);
        else
            print_inventory(&survey->stores[i]);
    }
    if (archive->n_stores > 1) {
        (void)printf(" all stores together\n");
        print_inventory(&survey->together);
    }
    list_backups_print(archive, survey);
}

static void
json_timeline(struct json *json, const struct inventory *inventory,
              const struct inventory_timeline *timeline)
{
    struct wal_name name;

    json_open_object(json, NULL);
    json_add_number(json, "timeline", timeline->timeline);
    json_add_bool(json, "history", timeline->has_history);
    json_add_number(json, "segments", (int64_t)timeline->n_segments);
    json_add_number(json, "stored_bytes", (int64_t)timeline->stored_bytes);
    json_add_number(json, "partial", (int64_t)timeline->n_partial);
    json_add_number(json, "backup_history", (int64_t)timeline->n_backup_history);
    json_open_array(json, "ranges");
    for (size_t i = 0; i < timeline->n_runs; i++) {
        json_open_object(json, NULL);
        json_add_text(json, "first",
                      segment_text(inventory, timeline->timeline, timeline->runs[i].first, &name));
        json_add_text(json, "last",
                      segment_text(inventory, timeline->timeline, timeline->runs[i].last, &name));
        json_close(json);
    }
    json_close(json);
    json_open_array(json, "gaps");
    for (size_t i = 1; i < timeline->n_runs; i++) {
        uint64_t from = timeline->runs[i - 1].last + 1;
        uint64_t to = timeline->runs[i].first - 1;

        json_open_object(json, NULL);
        json_add_text(json, "first", segment_text(inventory, timeline->timeline, from, &name));
        json_add_text(json, "last", segment_text(inventory, timeline->timeline, to, &name));
        json_add_number(json, "segments", (int64_t)(to - from + 1));
        json_close(json);
    }
    json_close(json);
    json_close(json);
}

static void
json_inventory(struct json *json, const struct inventory *inventory)
{
    json_add_number(json, "segment_size", inventory->segment_size);
    json_add_number(json, "foreign_objects", (int64_t)inventory->n_foreign);
    json_open_array(json, "timelines");
    for (size_t i = 0; i < inventory->n_timelines; i++)
        json_timeline(json, inventory, &inventory->timelines[i]);
    json_close(json);
}

static void
json_listing(struct json *json, const struct archive *archive, const struct survey *survey)
{
    char id[24];

    (void)snprintf(id, sizeof(id), "%" PRIu64, survey->owner.system_id);
    json_open_object(json, NULL);
    json_add_text(json, "system_id", id);
    json_open_array(json, "stores");
    for (size_t i = 0; i < archive->n_stores; i++) {
        const struct archive_store *store = &archive->stores[i];

        json_open_object(json, NULL);
        json_add_text(json, "name", store->settings->name);
        json_add_text(json, "url", store->settings->url);
        json_add_text(json, "error",
                      store->open_err.kind == ERR_NONE ? NULL : store->open_err.text);
        json_inventory(json, &survey->stores[i]);
        json_close(json);
    }
    json_close(json);
    json_open_object(json, "together");
    json_inventory(json, &survey->together);
    json_close(json);
    list_backups_json(json, archive, survey);
    json_close(json);
}

static int
show_system(struct archive *archive, uint64_t system_id, struct json *json, int64_t deadline_ms,
            struct err *err)
{
    AUTO(survey) struct survey survey = {.owner = {NULL, 0}};

    if (survey_read(archive, system_id, deadline_ms, &log_notices, &survey, err) < 0)
        return -1;
    if (json != NULL)
        json_listing(json, archive, &survey);
    else
        print_listing(archive, &survey);
    return 0;
}

int
list_archive(struct archive *archive, bool as_json, int64_t deadline_ms, struct err *err)
{
    uint64_t systems[INVENTORY_SYSTEMS_MAX];
    AUTO(json) struct json *json = as_json ? json_new() : NULL;

    if (as_json && json == NULL)
        return err_memory(err, "JSON");
    size_t n = survey_systems(archive, deadline_ms, systems);
    if (as_json) {
        json_add_text(json, "cluster", archive->settings->cluster);
        json_open_array(json, "systems");
    }
    for (size_t s = 0; s < n; s++)
        if (show_system(archive, systems[s], json, deadline_ms, err) < 0)
            return -1;
    if (as_json) {
        json_close(json);
        if (json_print(json, err) < 0)
            return -1;
    } else if (n == 0) {
        (void)printf("cluster \"%s\": nothing is archived\n", archive->settings->cluster);
    }
    for (size_t i = 0; i < archive->n_stores; i++)
        if (archive->stores[i].open_err.kind != ERR_NONE) {
            *err = archive->stores[i].open_err;
            return err_wrap(err, "could not list the whole archive");
        }
    return 0;
}
