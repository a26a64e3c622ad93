/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "agent/status.h"
#include "base/clock.h"
#include "base/hex.h"

#define PAGE_MAX 1000
#define SEAL_READ 1024
#define RETRY_MS 10000
#define TIMELINES_MAX 4096
#define STRIDE_MAX ((uint64_t)1 << 40)

/* One store asked for the newest segment of one server. */
struct search {
    struct archive *archive;
    struct store *store;
    const struct object_owner *owner;
    int64_t deadline_ms;
    uint32_t timeline;
    struct wal_name found;
};

/* The first name below `prefix` behind `after`. 0 (ret_name empty: none) or -1. */
static int
first_behind(struct search *search, const char *prefix, const char *after, char *ret_name,
             struct err *err)
{
    struct store_limits limits = {search->deadline_ms, RETRY_MS};
    AUTO(store_task) struct store_task *task = NULL;

    if (store_start_list(search->store, prefix, after, 1, &limits, &task, err) < 0 ||
        store_task_wait(search->archive->loop, task, err) < 0)
        return -1;
    const struct store_page *page = store_task_page(task);
    (void)snprintf(ret_name, STORE_NAME_MAX + 1, "%s",
                   page->n_entries == 0 ? "" : page->entries[0].name);
    return 0;
}

/* The eight digits behind `prefix`, followed by '/'. */
static bool
read_digits(const char *name, const char *prefix, uint32_t *ret)
{
    const char *digits = name + strlen(prefix);
    uint64_t value = 0;

    if (strlen(digits) < 9 || digits[8] != '/' || !hex_read_upper(digits, 8, &value))
        return false;
    *ret = (uint32_t)value;
    return true;
}

/* 0 (search->timeline 0: there is none) or -1. */
static int
find_timeline(struct search *search, struct err *err)
{
    char prefix[OBJECT_NAME_SIZE];
    char after[OBJECT_NAME_SIZE + 16];
    char name[STORE_NAME_MAX + 1] = "";

    object_name_wal_prefix(search->owner, prefix);
    search->timeline = 0;
    for (size_t i = 0; i < TIMELINES_MAX; i++) {
        /* '0' is the character behind '/': behind everything of that timeline. */
        (void)snprintf(after, sizeof(after), "%s%08X0", prefix, search->timeline);
        if (first_behind(search, prefix, search->timeline == 0 ? NULL : after, name, err) < 0)
            return -1;
        if (name[0] == '\0' || !read_digits(name, prefix, &search->timeline))
            return 0;
    }
    return 0;
}

/*
 * The last log (directory of 4 GiB of WAL) with anything in it. A listing begins anywhere, so "is
 * there one from here on?" is one request, and the answer names one.
 */
static int
find_log(struct search *search, uint32_t *ret_log, struct err *err)
{
    char prefix[OBJECT_NAME_SIZE];
    char after[OBJECT_NAME_SIZE + 16];
    char name[STORE_NAME_MAX + 1] = "";
    uint64_t have = 0;
    uint64_t have_not = (uint64_t)UINT32_MAX + 1;
    uint64_t stride = 1;

    object_name_timeline_prefix(search->owner, search->timeline, prefix);
    for (bool first = true; first || have + 1 < have_not; first = false) {
        uint64_t at = first ? 0 : MIN_OF(have + stride, have + (have_not - have) / 2);
        uint32_t log = 0;

        at = first ? 0 : MAX_OF(at, have + 1);
        (void)snprintf(after, sizeof(after), "%s%08X", prefix, (uint32_t)at);
        if (first_behind(search, prefix, after, name, err) < 0)
            return -1;
        if (name[0] == '\0') {
            have_not = at;
            stride = STRIDE_MAX;
        } else if (!read_digits(name, prefix, &log) || log < at) {
            return err_set(err, ERR_CORRUPT, "store \"%s\" has a strange name among its WAL",
                           store_name(search->store));
        } else {
            have = log;
            stride = MIN_OF(stride * 2, STRIDE_MAX);
        }
        if (first && name[0] == '\0')
            return err_set(err, ERR_TRANSIENT, "store \"%s\" contradicts itself",
                           store_name(search->store));
    }
    *ret_log = (uint32_t)have;
    return 0;
}

/* The last segment in this log. */
static int
find_segment(struct search *search, uint32_t log, struct err *err)
{
    char prefix[OBJECT_NAME_SIZE + 16];
    char after[STORE_NAME_MAX + 1] = "";
    char timeline[OBJECT_NAME_SIZE];

    object_name_timeline_prefix(search->owner, search->timeline, timeline);
    (void)snprintf(prefix, sizeof(prefix), "%s%08X/", timeline, log);
    for (bool more = true; more;) {
        struct store_limits limits = {search->deadline_ms, RETRY_MS};
        AUTO(store_task) struct store_task *task = NULL;

        if (store_start_list(search->store, prefix, after[0] == '\0' ? NULL : after, PAGE_MAX,
                             &limits, &task, err) < 0 ||
            store_task_wait(search->archive->loop, task, err) < 0)
            return -1;
        const struct store_page *page = store_task_page(task);
        for (size_t i = 0; i < page->n_entries; i++) {
            struct wal_name wal;

            if (object_name_parse_wal(search->owner, page->entries[i].name, &wal) &&
                wal.kind == WAL_NAME_SEGMENT)
                search->found = wal;
        }
        more = page->more && page->n_entries > 0;
        if (more)
            (void)snprintf(after, sizeof(after), "%s", page->entries[page->n_entries - 1].name);
    }
    return 0;
}

/* When it was sealed. */
static int
read_time(struct search *search, int64_t *ret_us, struct err *err)
{
    struct store_limits limits = {search->deadline_ms, RETRY_MS};
    struct store_range range = {.size = SEAL_READ, .max_size = SEAL_READ};
    char name[OBJECT_NAME_SIZE];
    struct seal seal;
    AUTO(store_task) struct store_task *task = NULL;

    object_name_of_wal(search->owner, &search->found, name);
    if (store_start_get(search->store, name, &range, &limits, &task, err) < 0)
        return -1;
    int rc = store_task_wait(search->archive->loop, task, err);
    if (rc > 0)
        return err_set(err, ERR_TRANSIENT, "store \"%s\" lists \"%s\" but does not have it",
                       store_name(search->store), name);
    if (rc < 0)
        return -1;
    struct span body = store_task_body(task);
    if (object_peek(body.data, body.size, &search->archive->keyring, &seal, err) < 0)
        return err_wrap(err, "\"%s\" in store \"%s\"", name, store_name(search->store));
    *ret_us = seal.created_us;
    return 0;
}

static int
look(struct search *search, struct status_store *store, struct err *err)
{
    uint32_t log = 0;

    if (find_timeline(search, err) < 0)
        return -1;
    if (search->timeline == 0)
        return 0;
    if (find_log(search, &log, err) < 0 || find_segment(search, log, err) < 0)
        return -1;
    if (search->found.timeline == 0)
        return 0;
    (void)snprintf(store->newest, sizeof(store->newest), "%s", search->found.text);
    return read_time(search, &store->newest_us, err);
}

void
status_ask_stores(struct status *status, struct archive *archive, uint64_t system_id,
                  int64_t deadline_ms)
{
    const struct object_owner owner = {archive->settings->cluster, system_id};

    for (size_t i = 0; i < archive->n_stores; i++) {
        struct status_store *store = &status->stores[i];
        struct err err = archive->stores[i].open_err;
        struct search search = {.archive = archive,
                                .store = archive->stores[i].store,
                                .owner = &owner,
                                .deadline_ms = deadline_ms};

        store->looked = true;
        if (err.kind == ERR_NONE && look(&search, store, &err) == 0)
            continue;
        (void)snprintf(store->look_error, sizeof(store->look_error), "%s", err.text);
    }
}
