/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>

#include "archive/pusher_private.h"
#include "base/clock.h"

#define RECALL_SEGMENTS 256
#define PAGE_MAX 1000
#define LIMIT_MS ((int64_t)60 * 1000)
#define RETRY_MS 5000
#define REST_MS 10000

enum recall_state {
    RECALL_WAITS, /* for its gate */
    RECALL_ASKED,
    RECALL_KNOWN,
    RECALL_SILENT, /* it does not list, and nothing is said about it */
};

struct recall_store {
    enum recall_state state;
    struct store_task *task;
    int64_t rest_ms; /* not before */
};

/* What stores have of the segments from `first` to before `end`. */
struct recall {
    struct object_owner owner;
    uint32_t timeline;
    uint32_t segment_size;
    uint64_t first;
    uint64_t end;
    struct recall_store stores[SETTINGS_STORES_MAX];
    uint32_t has[RECALL_SEGMENTS];   /* bits of stores, by segment */
    uint32_t added[RECALL_SEGMENTS]; /* to their lag */
};

void
pusher_recall_begin(struct pusher *pusher, const struct wal_name *asked)
{
    const struct pgdata *pgdata = pusher->options.pgdata;

    if (pusher->recalled || asked->kind != WAL_NAME_SEGMENT || !pgdata->has_control ||
        !wal_name_fits(asked, pgdata->control.segment_size))
        return;
    pusher->recalled = true;
    /* It is a help, not a duty: without memory for it there are more urgent things. */
    pusher->recall = pusher->archive->n_stores < 2 ? NULL : calloc(1, sizeof(*pusher->recall));
    if (pusher->recall == NULL)
        return;
    uint64_t number = wal_name_segment_number(asked, pgdata->control.segment_size);
    *pusher->recall = (struct recall){
        .owner = {pusher->archive->settings->cluster, pgdata->system_id},
        .timeline = asked->timeline,
        .segment_size = pgdata->control.segment_size,
        .first = number > RECALL_SEGMENTS ? number - RECALL_SEGMENTS : 0,
        .end = number,
    };
    pusher->again = true;
}

static void
ask(struct pusher *pusher, size_t i)
{
    struct recall *recall = pusher->recall;
    const struct store_limits limits = {clock_boot_ms() + LIMIT_MS, RETRY_MS};
    char prefix[OBJECT_NAME_SIZE];
    char after[OBJECT_NAME_SIZE];
    struct wal_name before;
    struct err err = ERR_INIT;

    object_name_timeline_prefix(&recall->owner, recall->timeline, prefix);
    wal_name_of_segment(recall->timeline, recall->first == 0 ? 0 : recall->first - 1,
                        recall->segment_size, &before);
    object_name_of_wal(&recall->owner, &before, after);
    int rc = store_start_list(pusher->archive->stores[i].store, prefix, after, PAGE_MAX, &limits,
                              &recall->stores[i].task, &err);
    recall->stores[i].state = rc < 0 ? RECALL_SILENT : RECALL_ASKED;
}

/* What it lists of the segments. False: the page ends before them. */
static bool
read_page(struct recall *recall, size_t i, const struct store_page *page)
{
    uint64_t last = 0;

    for (size_t k = 0; k < page->n_entries; k++) {
        struct wal_name wal;

        if (!object_name_parse_wal(&recall->owner, page->entries[k].name, &wal) ||
            wal.kind != WAL_NAME_SEGMENT || wal.timeline != recall->timeline ||
            !wal_name_fits(&wal, recall->segment_size))
            continue;
        last = wal_name_segment_number(&wal, recall->segment_size);
        if (last >= recall->first && last < recall->end)
            recall->has[last - recall->first] |= UINT32_C(1) << i;
    }
    return !page->more || last >= recall->end;
}

/* A store lacks what another one has, unless it is on its way just now. */
static void
add_lacking(struct pusher *pusher, size_t i, uint64_t number)
{
    struct recall *recall = pusher->recall;
    struct lag_file file = {.size = recall->segment_size, .since_ms = clock_boot_ms()};
    struct err why = ERR_INIT;

    wal_name_of_segment(recall->timeline, number, recall->segment_size, &file.wal);
    if (pusher_job_find(pusher, file.wal.text) != NULL)
        return;
    (void)err_set(&why, ERR_TRANSIENT, "it was archived before this agent began");
    pusher_lag_add(pusher, i, &file, &why);
}

static void
compare(struct pusher *pusher)
{
    struct recall *recall = pusher->recall;
    uint32_t known = 0;

    for (size_t i = 0; i < pusher->archive->n_stores; i++)
        known |= recall->stores[i].state == RECALL_KNOWN ? UINT32_C(1) << i : 0;
    for (uint64_t number = recall->first; number < recall->end; number++) {
        size_t at = (size_t)(number - recall->first);
        uint32_t lacking = recall->has[at] == 0 ? 0 : known & ~recall->has[at] & ~recall->added[at];

        recall->added[at] |= lacking;
        for (size_t i = 0; i < pusher->archive->n_stores; i++)
            if ((lacking >> i & 1) != 0)
                add_lacking(pusher, i, number);
    }
}

static void
take(struct pusher *pusher, size_t i)
{
    struct recall_store *store = &pusher->recall->stores[i];
    struct err err = ERR_INIT;
    int rc = store_task_result(store->task, &err);

    store->state = RECALL_SILENT;
    if (rc < 0 && err.kind == ERR_TRANSIENT) {
        store->state = RECALL_WAITS;
        store->rest_ms = clock_boot_ms() + REST_MS;
    } else if (rc == 0 && read_page(pusher->recall, i, store_task_page(store->task))) {
        store->state = RECALL_KNOWN;
    }
    store_task_free(TAKE_PTR(store->task));
    if (store->state == RECALL_KNOWN)
        compare(pusher);
}

bool
pusher_recall(struct pusher *pusher)
{
    bool moved = false;

    for (size_t i = 0; pusher->recall != NULL && i < pusher->archive->n_stores; i++) {
        struct recall_store *store = &pusher->recall->stores[i];

        if (store->state == RECALL_ASKED && store_task_ended(store->task)) {
            take(pusher, i);
            moved = true;
        } else if (store->state == RECALL_WAITS && clock_boot_ms() >= store->rest_ms &&
                   gates_state(pusher->gates, i, NULL) == GATE_OPEN) {
            ask(pusher, i);
            moved = true;
        }
    }
    return moved;
}

void
pusher_recall_free(struct pusher *pusher)
{
    for (size_t i = 0; pusher->recall != NULL && i < SETTINGS_STORES_MAX; i++)
        store_task_free(pusher->recall->stores[i].task);
    free(pusher->recall);
    pusher->recall = NULL;
}
