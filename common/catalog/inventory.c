/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/inventory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

#define PAGE_MAX 1000
#define SEAL_READ 1024
#define SEALS_TRIED 100 /* until one is good */
#define SYSTEMS_STEPS_MAX 4096 /* servers, and names that are none of ours */

/* Grow an array by one element's room; the array's owner keeps what it had on failure. */
static int
make_room(void **array, size_t *capacity, size_t n, size_t element, size_t max, struct err *err)
{
    if (n >= max)
        return err_set(err, ERR_CORRUPT,
                       "the store lists an implausible number of timelines or gaps");
    if (n < *capacity)
        return 0;
    size_t wanted = MAX_OF(*capacity * 2, (size_t)16);
    void *grown = reallocarray(*array, wanted, element);
    if (grown == NULL)
        return err_memory(err, "inventory");
    *array = grown;
    *capacity = wanted;
    return 0;
}

/* The entry of a timeline, made in its place if it is new. */
static int
find_timeline(struct inventory *inventory, uint32_t timeline, struct inventory_timeline **ret,
              struct err *err)
{
    size_t at = 0;
    void *array = inventory->timelines;

    while (at < inventory->n_timelines && inventory->timelines[at].timeline < timeline)
        at++;
    if (at == inventory->n_timelines || inventory->timelines[at].timeline != timeline) {
        if (make_room(&array, &inventory->capacity, inventory->n_timelines,
                      sizeof(*inventory->timelines), INVENTORY_TIMELINES_MAX, err) < 0)
            return -1;
        inventory->timelines = array;
        memmove(inventory->timelines + at + 1, inventory->timelines + at,
                (inventory->n_timelines - at) * sizeof(*inventory->timelines));
        inventory->timelines[at] = (struct inventory_timeline){.timeline = timeline};
        inventory->n_timelines++;
    }
    *ret = &inventory->timelines[at];
    return 0;
}

/* Add a run that begins behind, or continues, the last one. */
static int
append_run(struct inventory_timeline *timeline, struct inventory_run run, struct err *err)
{
    void *array = timeline->runs;

    if (timeline->n_runs > 0) {
        struct inventory_run *last = &timeline->runs[timeline->n_runs - 1];

        if (run.first <= last->last + 1) {
            last->last = MAX_OF(last->last, run.last);
            return 0;
        }
    }
    if (make_room(&array, &timeline->capacity, timeline->n_runs, sizeof(*timeline->runs),
                  INVENTORY_RUNS_MAX, err) < 0)
        return -1;
    timeline->runs = array;
    timeline->runs[timeline->n_runs++] = run;
    return 0;
}

static int
start_list(struct store *store, const char *prefix, const char *after, uint32_t max,
           int64_t deadline_ms, struct store_task **ret_task, struct err *err)
{
    struct store_limits limits = {deadline_ms, INVENTORY_RETRY_MS};

    return store_start_list(store, prefix, after, max, &limits, ret_task, err);
}

/*
 * The name from which the search goes on: behind a file, or behind everything in a directory,
 * for '0' is the character that follows '/'.
 */
static void
skip_entry(const char *name, size_t prefix_length, char *ret_after)
{
    size_t length = prefix_length + strcspn(name + prefix_length, "/");

    (void)snprintf(ret_after, STORE_NAME_MAX + 1, "%.*s%s", (int)length, name,
                   name[length] == '/' ? "0" : "");
}

int
inventory_systems(struct archive *archive, struct store *store, int64_t deadline_ms,
                  uint64_t *ret_systems, size_t *ret_n, struct err *err)
{
    char prefix[OBJECT_NAME_SIZE];
    char after[STORE_NAME_MAX + 1] = "";
    size_t n = 0;

    (void)snprintf(prefix, sizeof(prefix), "%s/", archive->settings->cluster);
    for (size_t steps = 0; steps < SYSTEMS_STEPS_MAX && n < INVENTORY_SYSTEMS_MAX; steps++) {
        AUTO(store_task) struct store_task *task = NULL;
        uint64_t id = 0;

        const char *from = after[0] == '\0' ? NULL : after;
        if (start_list(store, prefix, from, 1, deadline_ms, &task, err) < 0 ||
            store_task_wait(archive->loop, task, err) < 0)
            return -1;
        const struct store_page *page = store_task_page(task);
        if (page->n_entries == 0) {
            *ret_n = n;
            return 0;
        }

        const char *name = page->entries[0].name;
        const char *rest = name + strlen(prefix);
        size_t length = strcspn(rest, "/");
        if (rest[length] == '/' && decimal_read(rest, length, UINT64_MAX, &id))
            ret_systems[n++] = id;
        skip_entry(name, strlen(prefix), after);
    }
    return err_set(err, ERR_CORRUPT, "store \"%s\" has too many names below \"%s\"",
                   store_name(store), prefix);
}

/* The seal of a segment says how large the server's segments are. */
static int
read_segment_size(struct archive *archive, struct store *store, const char *name,
                  int64_t deadline_ms, uint32_t *ret_size, struct err *err)
{
    struct store_limits limits = {deadline_ms, INVENTORY_RETRY_MS};
    struct store_range range = {.offset = 0, .size = SEAL_READ, .max_size = SEAL_READ};
    struct seal seal;
    AUTO(store_task) struct store_task *task = NULL;

    if (store_start_get(store, name, &range, &limits, &task, err) < 0)
        return -1;
    int rc = store_task_wait(archive->loop, task, err);
    if (rc > 0)
        return err_set(err, ERR_TRANSIENT, "store \"%s\" lists \"%s\" but does not have it",
                       store_name(store), name);
    if (rc < 0)
        return -1;
    struct span body = store_task_body(task);
    if (object_peek(body.data, body.size, &archive->keyring, &seal, err) < 0)
        return err_wrap(err, "\"%s\" in store \"%s\"", name, store_name(store));
    if (!wal_segment_size_valid(seal.file_size))
        return err_set(err, ERR_CORRUPT, "\"%s\" in store \"%s\" has an impossible size", name,
                       store_name(store));
    *ret_size = (uint32_t)seal.file_size;
    return 0;
}

static int
add_entry(struct inventory *inventory, const struct wal_name *wal, uint64_t size, struct err *err)
{
    struct inventory_timeline *timeline = NULL;

    if (find_timeline(inventory, wal->timeline, &timeline, err) < 0)
        return -1;
    switch (wal->kind) {
    case WAL_NAME_HISTORY:
        timeline->has_history = true;
        return 0;
    case WAL_NAME_PARTIAL:
        timeline->n_partial++;
        return 0;
    case WAL_NAME_BACKUP_HISTORY:
        timeline->n_backup_history++;
        return 0;
    case WAL_NAME_SEGMENT:
        break;
    }
    if (!wal_name_fits(wal, inventory->segment_size)) {
        inventory->n_foreign++;
        return 0;
    }
    uint64_t number = wal_name_segment_number(wal, inventory->segment_size);
    timeline->n_segments++;
    timeline->stored_bytes += size;
    return append_run(timeline, (struct inventory_run){number, number}, err);
}

/* What a walk over one prefix needs. */
struct walk {
    struct archive *archive;
    struct store *store;
    const struct object_owner *owner;
    int64_t deadline_ms;
    struct progress *progress;
    uint64_t n_seen;
};

/* From the first segment whose seal is good, of the page's entries from `from` on. */
static int
find_segment_size(const struct walk *walk, const struct store_page *page, size_t from,
                  uint32_t *ret_size, struct err *err)
{
    struct err first = ERR_INIT;

    for (size_t i = from, tried = 0; i < page->n_entries && tried < SEALS_TRIED; i++) {
        const char *name = page->entries[i].name;
        struct wal_name wal;

        if (!object_name_parse_wal(walk->owner, name, &wal) || wal.kind != WAL_NAME_SEGMENT)
            continue;
        struct err why = ERR_INIT;
        if (read_segment_size(walk->archive, walk->store, name, walk->deadline_ms, ret_size,
                              &why) == 0)
            return 0;
        if (tried++ == 0 || (why.kind != ERR_CORRUPT && why.kind != ERR_CONFIG))
            first = why;
        if (why.kind != ERR_CORRUPT && why.kind != ERR_CONFIG)
            break;
    }
    *err = first;
    return -1;
}

static int
take_page(struct walk *walk, const struct store_page *page, struct inventory *inventory,
          struct err *err)
{
    for (size_t i = 0; i < page->n_entries; i++) {
        const struct store_entry *entry = &page->entries[i];
        struct wal_name wal;

        walk->n_seen++;
        if (!object_name_parse_wal(walk->owner, entry->name, &wal)) {
            inventory->n_foreign++;
            continue;
        }
        if (wal.kind == WAL_NAME_SEGMENT && inventory->segment_size == 0 &&
            find_segment_size(walk, page, i, &inventory->segment_size, err) < 0)
            return -1;
        if (add_entry(inventory, &wal, entry->size, err) < 0)
            return -1;
    }
    return 0;
}

static int
walk_prefix(struct walk *walk, const char *prefix, struct inventory *inventory, struct err *err)
{
    char after[STORE_NAME_MAX + 1] = "";

    for (bool more = true; more;) {
        AUTO(store_task) struct store_task *task = NULL;

        if (start_list(walk->store, prefix, after[0] == '\0' ? NULL : after, PAGE_MAX,
                       walk->deadline_ms, &task, err) < 0 ||
            store_task_wait(walk->archive->loop, task, err) < 0)
            return -1;
        const struct store_page *page = store_task_page(task);
        if (take_page(walk, page, inventory, err) < 0)
            return -1;
        more = page->more && page->n_entries > 0;
        if (more)
            (void)snprintf(after, sizeof(after), "%s", page->entries[page->n_entries - 1].name);
        progress_show(walk->progress, "store \"%s\": %" PRIu64 " objects listed",
                      store_name(walk->store), walk->n_seen);
    }
    return 0;
}

int
inventory_read(struct archive *archive, struct store *store, const struct object_owner *owner,
               int64_t deadline_ms, struct progress *progress, struct inventory *ret,
               struct err *err)
{
    struct walk walk = {archive, store, owner, deadline_ms, progress, 0};
    char prefix[OBJECT_NAME_SIZE];
    AUTO(inventory) struct inventory inventory = INVENTORY_INIT;

    inventory.segment_size = ret->segment_size;
    object_name_wal_prefix(owner, prefix);
    if (walk_prefix(&walk, prefix, &inventory, err) < 0)
        return -1;
    object_name_history_prefix(owner, prefix);
    if (walk_prefix(&walk, prefix, &inventory, err) < 0)
        return -1;
    *ret = inventory;
    inventory = INVENTORY_INIT;
    return 0;
}

/* Both lists are ascending: walk them together. */
static int
merge_runs(struct inventory_timeline *into, const struct inventory_timeline *from, struct err *err)
{
    struct inventory_timeline merged = {.timeline = into->timeline};
    size_t a = 0;
    size_t b = 0;
    int rc = 0;

    while (rc == 0 && (a < into->n_runs || b < from->n_runs)) {
        bool left = b == from->n_runs ||
                    (a < into->n_runs && into->runs[a].first <= from->runs[b].first);

        rc = append_run(&merged, left ? into->runs[a++] : from->runs[b++], err);
    }
    if (rc < 0) {
        free(merged.runs);
        return -1;
    }
    free(into->runs);
    into->runs = merged.runs;
    into->n_runs = merged.n_runs;
    into->capacity = merged.capacity;
    into->n_segments = 0;
    for (size_t i = 0; i < into->n_runs; i++)
        into->n_segments += into->runs[i].last - into->runs[i].first + 1;
    return 0;
}

int
inventory_merge(struct inventory *into, const struct inventory *from, struct err *err)
{
    if (into->segment_size == 0)
        into->segment_size = from->segment_size;
    if (from->segment_size != 0 && from->segment_size != into->segment_size)
        return err_set(err, ERR_CORRUPT,
                       "the stores disagree about the size of a segment: %u and %u",
                       into->segment_size, from->segment_size);
    into->n_foreign += from->n_foreign;
    for (size_t i = 0; i < from->n_timelines; i++) {
        const struct inventory_timeline *source = &from->timelines[i];
        struct inventory_timeline *timeline = NULL;

        if (find_timeline(into, source->timeline, &timeline, err) < 0 ||
            merge_runs(timeline, source, err) < 0)
            return -1;
        timeline->has_history = timeline->has_history || source->has_history;
        timeline->stored_bytes = MAX_OF(timeline->stored_bytes, source->stored_bytes);
        timeline->n_partial = MAX_OF(timeline->n_partial, source->n_partial);
        timeline->n_backup_history = MAX_OF(timeline->n_backup_history, source->n_backup_history);
    }
    return 0;
}

void
inventory_done(struct inventory *inventory)
{
    for (size_t i = 0; i < inventory->n_timelines; i++)
        free(inventory->timelines[i].runs);
    free(inventory->timelines);
    *inventory = INVENTORY_INIT;
}
