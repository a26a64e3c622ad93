/* SPDX-License-Identifier: PostgreSQL */
#include "restore/list.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "catalog/inventory.h"

#define GAPS_SHOWN 20

/* One system identifier in all stores. */
struct listing {
    struct object_owner owner;
    struct inventory stores[SETTINGS_STORES_MAX];
    struct inventory together;
};

static const char *
size_text(uint64_t bytes, char *text, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;
    uint64_t whole = bytes;
    uint64_t rest = 0;

    while (whole >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
        rest = whole % 1024;
        whole /= 1024;
        unit++;
    }
    if (unit == 0)
        (void)snprintf(text, size, "%" PRIu64 " B", whole);
    else
        (void)snprintf(text, size, "%" PRIu64 ".%" PRIu64 " %s", whole, rest * 10 / 1024,
                       units[unit]);
    return text;
}

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
    char wal[32];
    char stored[32];

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
                 size_text(timeline->n_segments * inventory->segment_size, wal, sizeof(wal)),
                 size_text(timeline->stored_bytes, stored, sizeof(stored)));
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
print_listing(const struct archive *archive, const struct listing *listing)
{
    char place[512];

    (void)printf("cluster \"%s\", system identifier %" PRIu64 "\n", listing->owner.cluster,
                 listing->owner.system_id);
    for (size_t i = 0; i < archive->n_stores; i++) {
        const struct err *why = &archive->stores[i].open_err;

        (void)printf(" %s\n", archive_store_text(archive, i, place, sizeof(place)));
        if (why->kind != ERR_NONE)
            (void)printf("  could not be listed: %s\n", why->text);
        else
            print_inventory(&listing->stores[i]);
    }
    if (archive->n_stores > 1) {
        (void)printf(" all stores together\n");
        print_inventory(&listing->together);
    }
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
json_listing(struct json *json, const struct archive *archive, const struct listing *listing)
{
    char id[24];

    (void)snprintf(id, sizeof(id), "%" PRIu64, listing->owner.system_id);
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
        json_inventory(json, &listing->stores[i]);
        json_close(json);
    }
    json_close(json);
    json_open_object(json, "together");
    json_inventory(json, &listing->together);
    json_close(json);
    json_close(json);
}

/* The system identifiers in any of the stores, each once. A store that fails keeps its error. */
static size_t
find_systems(struct archive *archive, int64_t deadline_ms, uint64_t *systems)
{
    size_t n = 0;

    for (size_t i = 0; i < archive->n_stores; i++) {
        struct archive_store *store = &archive->stores[i];
        uint64_t found[INVENTORY_SYSTEMS_MAX];
        size_t n_found = 0;

        if (store->store == NULL || inventory_systems(archive, store->store, deadline_ms, found,
                                                      &n_found, &store->open_err) < 0)
            continue;
        for (size_t f = 0; f < n_found; f++) {
            bool known = false;

            for (size_t s = 0; s < n; s++)
                known = known || systems[s] == found[f];
            if (!known && n < INVENTORY_SYSTEMS_MAX)
                systems[n++] = found[f];
        }
    }
    return n;
}

static int
read_listing(struct archive *archive, int64_t deadline_ms, struct listing *listing,
             struct err *err)
{
    struct progress progress;
    int rc = 0;

    progress_init(&progress);
    for (size_t i = 0; i < archive->n_stores && rc == 0; i++) {
        struct archive_store *store = &archive->stores[i];

        if (store->open_err.kind != ERR_NONE)
            continue;
        if (inventory_read(archive, store->store, &listing->owner, deadline_ms, &progress,
                           &listing->stores[i], &store->open_err) == 0)
            rc = inventory_merge(&listing->together, &listing->stores[i], err);
    }
    progress_done(&progress);
    return rc;
}

static void
listing_done(struct listing *listing)
{
    for (size_t i = 0; i < SETTINGS_STORES_MAX; i++)
        inventory_done(&listing->stores[i]);
    inventory_done(&listing->together);
}

static int
show_systems(struct archive *archive, const uint64_t *systems, size_t n, struct json *json,
             int64_t deadline_ms, struct err *err)
{
    for (size_t s = 0; s < n; s++) {
        struct listing listing = {.owner = {archive->settings->cluster, systems[s]}};
        int rc = read_listing(archive, deadline_ms, &listing, err);

        if (rc == 0 && json != NULL)
            json_listing(json, archive, &listing);
        else if (rc == 0)
            print_listing(archive, &listing);
        listing_done(&listing);
        if (rc < 0)
            return -1;
    }
    return 0;
}

int
list_archive(struct archive *archive, bool as_json, int64_t deadline_ms, struct err *err)
{
    uint64_t systems[INVENTORY_SYSTEMS_MAX];
    AUTO(json) struct json *json = as_json ? json_new() : NULL;

    if (as_json && json == NULL)
        return err_memory(err, "JSON");
    size_t n = find_systems(archive, deadline_ms, systems);
    if (as_json) {
        json_add_text(json, "cluster", archive->settings->cluster);
        json_open_array(json, "systems");
    }
    if (show_systems(archive, systems, n, json, deadline_ms, err) < 0)
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
