/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/sync_parts.h"
#include "base/clock.h"

#define PAGE_MAX 1000
#define RETRY_MS ((int64_t)60 * 1000)

/* One store's listing: the page at hand and, asked for ahead, the next one. */
struct lister {
    struct store_task *page; /* NULL: nothing is left */
    bool taken;              /* the page has come and was looked at */
    size_t at;               /* the first entry of it that was not handed out */
    struct store_task *ahead;
    char last[STORE_NAME_MAX + 1]; /* the last name that was taken; names come in order */
};

struct sync_names {
    struct archive *archive;
    int64_t deadline_ms;
    char prefix[OBJECT_NAME_SIZE];
    struct lister listers[SETTINGS_STORES_MAX];
};

static void
drop(struct sync_names *names, size_t i)
{
    struct lister *lister = &names->listers[i];

    store_task_free(TAKE_PTR(lister->page));
    store_task_free(TAKE_PTR(lister->ahead));
}

static bool
is_listed(const struct sync_names *names, size_t i)
{
    return names->archive->stores[i].open_err.kind == ERR_NONE;
}

/* Ask for the page behind `after`. */
static int
ask(struct sync_names *names, size_t i, const char *after, struct store_task **ret_task,
    struct err *err)
{
    struct store_limits limits = {names->deadline_ms, RETRY_MS};

    return store_start_list(names->archive->stores[i].store, names->prefix,
                            after[0] == '\0' ? NULL : after, PAGE_MAX, &limits, ret_task, err);
}

/* Names must rise: the merge, and with it "this store lacks it", depends on it. */
static int
check_order(struct lister *lister, const struct store_page *page, const char *store,
            struct err *err)
{
    const char *before = lister->last;

    for (size_t i = 0; i < page->n_entries; i++) {
        if (strcmp(before, page->entries[i].name) >= 0)
            return err_set(err, ERR_CORRUPT, "store \"%s\" lists names out of order", store);
        before = page->entries[i].name;
    }
    return 0;
}

/* The page has come: look at it, and ask for the one behind it. 0, or -1 for this store. */
static int
take_page(struct sync_names *names, size_t i, struct err *err)
{
    struct lister *lister = &names->listers[i];

    if (store_task_result(lister->page, err) < 0)
        return -1;
    const struct store_page *page = store_task_page(lister->page);
    if (check_order(lister, page, names->archive->stores[i].settings->name, err) < 0)
        return -1;
    if (page->n_entries == 0)
        return 0;
    (void)snprintf(lister->last, sizeof(lister->last), "%s",
                   page->entries[page->n_entries - 1].name);
    return page->more ? ask(names, i, lister->last, &lister->ahead, err) : 0;
}

/* Make the store's next entry available. 0, PENDING or END; a store that fails has ended. */
static int
ready(struct sync_names *names, size_t i)
{
    struct lister *lister = &names->listers[i];
    struct err err = ERR_INIT;

    /* Another request may have shown that the store is away. */
    if (!is_listed(names, i))
        drop(names, i);
    for (;;) {
        if (lister->page == NULL)
            return SYNC_NAMES_END;
        if (!store_task_ended(lister->page))
            return SYNC_NAMES_PENDING;
        if (!lister->taken && take_page(names, i, &err) < 0) {
            names->archive->stores[i].open_err = err;
            drop(names, i);
            return SYNC_NAMES_END;
        }
        lister->taken = true;
        if (lister->at < store_task_page(lister->page)->n_entries)
            return 0;
        store_task_free(lister->page);
        lister->page = TAKE_PTR(lister->ahead);
        lister->taken = false;
        lister->at = 0;
    }
}

static const struct store_entry *
entry_of(const struct lister *lister)
{
    return &store_task_page(lister->page)->entries[lister->at];
}

int
sync_names_new(struct archive *archive, const char *prefix, int64_t deadline_ms,
               struct sync_names **ret, struct err *err)
{
    AUTO(sync_names) struct sync_names *names = calloc(1, sizeof(*names));

    if (names == NULL)
        return err_memory(err, "listing");
    names->archive = archive;
    names->deadline_ms = deadline_ms;
    (void)snprintf(names->prefix, sizeof(names->prefix), "%s", prefix);
    for (size_t i = 0; i < archive->n_stores; i++)
        if (is_listed(names, i) && ask(names, i, "", &names->listers[i].page, err) < 0)
            return -1;
    *ret = TAKE_PTR(names);
    return 0;
}

int
sync_names_next(struct sync_names *names, struct sync_name *ret, struct err *err UNUSED)
{
    const char *first = NULL;
    bool pending = false;

    /* All stores must have shown their next name before the smallest is known. */
    for (size_t i = 0; i < names->archive->n_stores; i++) {
        int rc = ready(names, i);

        pending = pending || rc == SYNC_NAMES_PENDING;
        if (rc == 0 && (first == NULL || strcmp(entry_of(&names->listers[i])->name, first) < 0))
            first = entry_of(&names->listers[i])->name;
    }
    if (pending)
        return SYNC_NAMES_PENDING;
    if (first == NULL)
        return SYNC_NAMES_END;
    (void)snprintf(ret->name, sizeof(ret->name), "%s", first);
    ret->has = 0;
    ret->listed = 0;
    memset(ret->sizes, 0, sizeof(ret->sizes));
    for (size_t i = 0; i < names->archive->n_stores; i++) {
        struct lister *lister = &names->listers[i];

        if (!is_listed(names, i))
            continue;
        ret->listed |= (uint32_t)1 << i;
        if (lister->page == NULL || strcmp(entry_of(lister)->name, ret->name) != 0)
            continue;
        ret->has |= (uint32_t)1 << i;
        ret->sizes[i] = entry_of(lister)->size;
        lister->at++;
    }
    return 0;
}

/* Pages that end before `after` are not worth waiting for. */
static int
skip(struct sync_names *names, size_t i, const char *after, struct err *err)
{
    struct lister *lister = &names->listers[i];

    if (ready(names, i) != 0)
        return 0;
    const struct store_page *page = store_task_page(lister->page);
    if (lister->ahead != NULL && strcmp(page->entries[page->n_entries - 1].name, after) <= 0) {
        drop(names, i);
        lister->taken = false;
        lister->at = 0;
        return ask(names, i, after, &lister->page, err);
    }
    while (lister->at < page->n_entries && strcmp(entry_of(lister)->name, after) <= 0)
        lister->at++;
    return 0;
}

void
sync_names_skip(struct sync_names *names, const char *after)
{
    for (size_t i = 0; i < names->archive->n_stores; i++) {
        struct err err = ERR_INIT;

        if (skip(names, i, after, &err) < 0)
            names->archive->stores[i].open_err = err;
    }
}

void
sync_names_free(struct sync_names *names)
{
    if (names == NULL)
        return;
    for (size_t i = 0; i < SETTINGS_STORES_MAX; i++)
        drop(names, i);
    free(names);
}
