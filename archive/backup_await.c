/* SPDX-License-Identifier: PostgreSQL */
#include "archive/backup_await.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/process.h"

#define WINDOW 256
#define PAGE_MAX 1000
#define PEEK_SIZE 1024
#define REQUEST_MS ((int64_t)60 * 1000)
#define POLL_FIRST_MS 20 /* doubled at each look in vain: mostly the archiver is quick */
#define POLL_LAST_MS 500
#define ADVISE_MS ((int64_t)15 * 1000)

struct await {
    struct archive *archive;
    const struct await_wal *wanted;
    struct backup_report *report;
    struct object_owner owner;
    int64_t started_ms;
    int64_t deadline_ms;
    uint64_t next; /* all before it are in enough stores */
    bool advised;
    bool held[SETTINGS_STORES_MAX][WINDOW]; /* segment next + i is listed in this store */
    struct err err;                         /* the last failure to look */
};

static struct store_limits
limits_now(const struct await *await)
{
    int64_t now_ms = clock_boot_ms();
    int64_t deadline_ms = MIN_OF(now_ms + REQUEST_MS, await->deadline_ms + REQUEST_MS / 2);

    return (struct store_limits){deadline_ms, REQUEST_MS / 2};
}

static void
segment_of(const struct await *await, uint64_t number, struct wal_name *ret)
{
    wal_name_of_segment(await->wanted->timeline, number, await->wanted->segment_size, ret);
}

/* ---- listings ---- */

/* Mark what the page shows. True: all of the window was seen. */
static bool
take_page(struct await *await, size_t i, const struct store_page *page, char *after)
{
    uint32_t segment_size = await->wanted->segment_size;

    for (size_t k = 0; k < page->n_entries; k++) {
        struct wal_name wal;

        if (!object_name_parse_wal(&await->owner, page->entries[k].name, &wal) ||
            wal.kind == WAL_NAME_HISTORY || !wal_name_fits(&wal, segment_size))
            continue;
        uint64_t number = wal_name_segment_number(&wal, segment_size);
        if (number >= await->next + WINDOW)
            return true;
        if (wal.kind == WAL_NAME_SEGMENT && number >= await->next)
            await->held[i][number - await->next] = true;
    }
    if (page->n_entries > 0)
        (void)snprintf(after, OBJECT_NAME_SIZE, "%s", page->entries[page->n_entries - 1].name);
    return !page->more || page->n_entries == 0;
}

static int
list_store(struct await *await, size_t i, struct err *err)
{
    char prefix[OBJECT_NAME_SIZE];
    char after[OBJECT_NAME_SIZE];
    struct wal_name before;

    object_name_timeline_prefix(&await->owner, await->wanted->timeline, prefix);
    segment_of(await, await->next - 1, &before);
    object_name_after_segment(&await->owner, &before, after);
    for (;;) {
        struct store_limits limits = limits_now(await);
        AUTO(store_task) struct store_task *task = NULL;

        if (store_start_list(await->archive->stores[i].store, prefix, after, PAGE_MAX, &limits,
                             &task, err) < 0 ||
            store_task_wait(await->archive->loop, task, err) < 0)
            return -1;
        if (take_page(await, i, store_task_page(task), after))
            return 0;
    }
}

/* ---- seals ---- */

/* Is what the store has under the segment's name this segment's object? 0, 1 (not there), -1. */
static int
check_seal(struct await *await, size_t i, uint64_t number, struct err *err)
{
    struct store_range range = {.size = PEEK_SIZE, .max_size = PEEK_SIZE};
    struct store_limits limits = limits_now(await);
    struct store *store = await->archive->stores[i].store;
    char name[OBJECT_NAME_SIZE];
    struct wal_name wal;
    struct seal seal;
    AUTO(store_task) struct store_task *task = NULL;

    segment_of(await, number, &wal);
    object_name_of_wal(&await->owner, &wal, name);
    if (store_start_get(store, name, &range, &limits, &task, err) < 0)
        return -1;
    int rc = store_task_wait(await->archive->loop, task, err);
    if (rc != 0)
        return rc < 0 ? -1 : 1;
    struct span body = store_task_body(task);
    if (object_peek(body.data, body.size, &await->archive->keyring, &seal, err) < 0)
        return err_wrap(err, "\"%s\" in store \"%s\"", name, store_name(store));
    if (strcmp(seal.name, name) != 0 || seal.system_id != await->wanted->system_id ||
        seal.file_size != await->wanted->segment_size)
        return err_set(err, ERR_CORRUPT, "\"%s\" in store \"%s\" is another object", name,
                       store_name(store));
    return 0;
}

/* How many stores hold segment `next`? */
static size_t
count_next(struct await *await)
{
    uint64_t number = await->next;
    bool look = number == await->wanted->first || number == await->wanted->last;
    size_t n = 0;

    for (size_t i = 0; i < await->archive->n_stores; i++) {
        struct err err = ERR_INIT;

        if (!await->held[i][0])
            continue;
        int rc = look ? check_seal(await, i, number, &err) : 0;
        if (rc < 0)
            await->err = err;
        n += rc == 0;
    }
    return n;
}

/* The window begins one segment later. */
static void
shift(struct await *await)
{
    for (size_t i = 0; i < await->archive->n_stores; i++) {
        memmove(await->held[i], await->held[i] + 1, WINDOW - 1);
        await->held[i][WINDOW - 1] = false;
    }
    await->next++;
}

/* Look once at every store, and go as far as the segments are there. */
static void
look(struct await *await)
{
    memset(await->held, 0, sizeof(await->held));
    err_clear(&await->err);
    for (size_t i = 0; i < await->archive->n_stores; i++) {
        struct err err = ERR_INIT;

        if (await->archive->stores[i].store != NULL && list_store(await, i, &err) < 0)
            await->err = err;
    }
    for (size_t k = 0; k < WINDOW && await->next <= await->wanted->last; k++) {
        if (count_next(await) < await->archive->acknowledge)
            return;
        shift(await);
    }
}

/* ---- waiting ---- */

static const char *
advice(const struct await *await)
{
    return await->wanted->standby
               ? "The primary archives this segment when it is full: SELECT pg_switch_wal() there, "
                 "or set archive_timeout."
               : "The server's log says what archive_command answered; \"seawall check\" tells "
                 "more.";
}

static int
give_up(const struct await *await, struct err *err)
{
    struct wal_name wal;
    int64_t waited_s = (clock_boot_ms() - await->started_ms) / 1000;

    segment_of(await, await->next, &wal);
    if (await->err.kind != ERR_NONE) {
        *err = await->err;
        return err_wrap(
            err, "WAL segment %s, which the backup needs, is not archived after %" PRId64 " s",
            wal.text, waited_s);
    }
    (void)err_set(err, ERR_TRANSIENT,
                  "WAL segment %s, which the backup needs, is not in the %zu stores that must hold "
                  "it after %" PRId64 " s",
                  wal.text, await->archive->acknowledge, waited_s);
    return err_hint(err, "%s", advice(await));
}

static void
tell(struct await *await, int64_t now_ms)
{
    struct wal_name wal;

    segment_of(await, await->next, &wal);
    backup_report_waiting(await->report, wal.text, (now_ms - await->started_ms) / 1000);
    if (await->advised || now_ms - await->started_ms < ADVISE_MS)
        return;
    await->advised = true;
    notice(&await->report->notices, LOG_INFO, "waiting for WAL segment %s in the stores. %s",
           wal.text, advice(await));
}

int
backup_await_wal(struct archive *archive, const struct await_wal *wanted,
                 struct backup_report *report, struct err *err)
{
    struct await await = {
        .archive = archive,
        .wanted = wanted,
        .report = report,
        .owner = {archive->settings->cluster, wanted->system_id},
        .started_ms = clock_boot_ms(),
        .next = wanted->first,
    };

    int64_t poll_ms = POLL_FIRST_MS;
    await.deadline_ms = await.started_ms + archive->settings->backup_wal_wait * 1000;
    for (;;) {
        uint64_t before = await.next;

        look(&await);
        if (await.next > wanted->last)
            return 0;
        if (process_stop_requested() != 0)
            return err_set(err, ERR_TRANSIENT, "interrupted while waiting for WAL in the stores");
        int64_t now_ms = clock_boot_ms();
        if (now_ms >= await.deadline_ms)
            return give_up(&await, err);
        tell(&await, now_ms);
        if (await.next != before) {
            poll_ms = POLL_FIRST_MS;
            continue;
        }
        clock_sleep_until(MIN_OF(now_ms + poll_ms, await.deadline_ms));
        poll_ms = MIN_OF(poll_ms * 2, (int64_t)POLL_LAST_MS);
    }
}
