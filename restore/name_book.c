/* SPDX-License-Identifier: PostgreSQL */
#include "restore/name_book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "catalog/retrieval.h"

#define MAPS_MAX 65536
#define OPEN_MAX 3 /* maps in memory */
#define PAGE_MAX 1000
#define LIST_RETRY_MS 10000
#define READ_TIMEOUT_MS (5 * 60 * 1000)

struct entry {
    char label[BACKUP_LABEL_SIZE];
    bool bad;
    struct name_map *map; /* NULL: not in memory */
    uint64_t used;        /* when it was last asked */
};

struct name_book {
    struct name_book_source source;
    struct entry *entries; /* by label: oldest first */
    size_t n;
    size_t capacity;
    uint64_t clock;
};

static int
add_label(struct name_book *book, const char *label, struct err *err)
{
    if (book->n == book->capacity) {
        size_t wanted = MAX_OF(book->capacity * 2, (size_t)64);
        struct entry *more = reallocarray(book->entries, wanted, sizeof(*more));

        if (more == NULL)
            return err_memory(err, "name maps");
        book->entries = more;
        book->capacity = wanted;
    }
    book->entries[book->n] = (struct entry){.map = NULL};
    memcpy(book->entries[book->n++].label, label, BACKUP_LABEL_SIZE);
    return 0;
}

static int
take_page(struct name_book *book, const struct store_page *page, struct err *err)
{
    for (size_t i = 0; i < page->n_entries && book->n < MAPS_MAX; i++) {
        char label[BACKUP_LABEL_SIZE];

        if (name_map_parse_name(book->source.owner, page->entries[i].name, label) &&
            add_label(book, label, err) < 0)
            return -1;
    }
    return 0;
}

/* 0; 1: the store does not answer; or -1. */
static int
list_store(struct name_book *book, struct store *store, struct err *err)
{
    const struct name_book_source *source = &book->source;
    struct store_limits limits = {source->deadline_ms, LIST_RETRY_MS};
    char prefix[OBJECT_NAME_SIZE];
    char after[STORE_NAME_MAX + 1] = "";
    struct err why = ERR_INIT;

    name_map_prefix(source->owner, prefix);
    for (bool more = true; more;) {
        AUTO(store_task) struct store_task *task = NULL;

        if (store_start_list(store, prefix, after[0] == '\0' ? NULL : after, PAGE_MAX, &limits,
                             &task, err) < 0)
            return -1;
        if (store_task_wait(source->archive->loop, task, &why) < 0) {
            notice_err(source->notices, LOG_WARNING, &why, "name maps are passed over");
            return 1;
        }
        const struct store_page *page = store_task_page(task);
        if (take_page(book, page, err) < 0)
            return -1;
        more = page->more && page->n_entries > 0;
        if (more)
            (void)snprintf(after, sizeof(after), "%s", page->entries[page->n_entries - 1].name);
    }
    return 0;
}

static int
compare_entries(const void *left, const void *right)
{
    return strcmp(((const struct entry *)left)->label, ((const struct entry *)right)->label);
}

int
name_book_open(const struct name_book_source *source, struct name_book **ret_book, struct err *err)
{
    AUTO(name_book) struct name_book *book = calloc(1, sizeof(*book));

    if (book == NULL)
        return err_memory(err, "name maps");
    book->source = *source;
    for (size_t i = 0; i < source->archive->n_stores; i++) {
        const struct archive_store *store = &source->archive->stores[i];

        if (store->store != NULL && store->open_err.kind == ERR_NONE &&
            list_store(book, store->store, err) < 0)
            return -1;
    }
    size_t kept = 0;
    if (book->n > 0)
        qsort(book->entries, book->n, sizeof(*book->entries), compare_entries);
    for (size_t i = 0; i < book->n; i++)
        if (kept == 0 || compare_entries(&book->entries[kept - 1], &book->entries[i]) != 0)
            book->entries[kept++] = book->entries[i];
    book->n = kept;
    *ret_book = TAKE_PTR(book);
    return 0;
}

/* ---- maps ---- */

static void
make_room(struct name_book *book)
{
    struct entry *oldest = NULL;
    size_t n = 0;

    for (size_t i = 0; i < book->n; i++) {
        struct entry *entry = &book->entries[i];

        if (entry->map == NULL)
            continue;
        n++;
        if (oldest == NULL || entry->used < oldest->used)
            oldest = entry;
    }
    if (n < OPEN_MAX)
        return;
    name_map_free(oldest->map);
    oldest->map = NULL;
}

static int
read_map(struct name_book *book, struct entry *entry, struct err *err)
{
    const struct name_book_source *source = &book->source;
    char name[OBJECT_NAME_SIZE];
    const struct retrieval_request request = {
        .name = name,
        .system_id = source->owner->system_id,
        .max_file_size = NAME_MAP_FILE_MAX,
        .deadline_ms = MIN_OF(source->deadline_ms, clock_boot_ms() + READ_TIMEOUT_MS),
    };
    AUTO(buf) struct buf text = BUF_INIT(NAME_MAP_FILE_MAX);

    name_map_name(source->owner, entry->label, name);
    int rc = retrieve_file(source->archive, &request, source->notices, &text, err);
    if (rc == RETRIEVAL_ABSENT)
        return err_set(err, ERR_CONFLICT, "\"%s\" is gone", name);
    return rc < 0 ? -1 : name_map_read((const char *)text.data, text.size, &entry->map, err);
}

static const struct name_map *
map_at(struct name_book *book, size_t i)
{
    struct entry *entry = &book->entries[i];
    struct err why = ERR_INIT;

    entry->used = ++book->clock;
    if (entry->map != NULL || entry->bad)
        return entry->map;
    make_room(book);
    if (read_map(book, entry, &why) < 0) {
        notice_err(book->source.notices, LOG_WARNING, &why, "name map %s is passed over",
                   entry->label);
        entry->bad = true;
    }
    return entry->map;
}

/* The maps to be asked for a moment, best first; returns how many. */
static size_t
candidates(const struct name_book *book, int64_t time_us, size_t *ret)
{
    char label[BACKUP_LABEL_SIZE];
    size_t after = 0;
    size_t n = 0;

    backup_label_of_time(time_us, label);
    while (after < book->n && strcmp(book->entries[after].label, label) <= 0)
        after++;
    if (after > 0)
        ret[n++] = after - 1;
    if (after < book->n)
        ret[n++] = after;
    if (after > 1)
        ret[n++] = after - 2;
    return n;
}

const struct name_map_database *
name_book_database(struct name_book *book, int64_t time_us, uint32_t oid)
{
    size_t at[OPEN_MAX];
    size_t n = candidates(book, time_us, at);

    for (size_t i = 0; i < n; i++) {
        const struct name_map *map = map_at(book, at[i]);
        const struct name_map_database *found = map == NULL ? NULL : name_map_database(map, oid);

        if (found != NULL)
            return found;
    }
    return NULL;
}

const struct name_map_relation *
name_book_by_file(struct name_book *book, int64_t time_us, const struct wal_relation *relation)
{
    size_t at[OPEN_MAX];
    size_t n = candidates(book, time_us, at);

    for (size_t i = 0; i < n; i++) {
        const struct name_map *map = map_at(book, at[i]);
        const struct name_map_relation *found =
            map == NULL ? NULL
                        : name_map_by_file(map, relation->tablespace, relation->database,
                                           relation->number);

        if (found != NULL)
            return found;
    }
    return NULL;
}

const struct name_map_relation *
name_book_by_oid(struct name_book *book, int64_t time_us, uint32_t database, uint32_t oid)
{
    size_t at[OPEN_MAX];
    size_t n = candidates(book, time_us, at);

    for (size_t i = 0; i < n; i++) {
        const struct name_map *map = map_at(book, at[i]);
        const struct name_map_relation *found =
            map == NULL ? NULL : name_map_by_oid(map, database, oid);

        if (found != NULL)
            return found;
    }
    return NULL;
}

void
name_book_free(struct name_book *book)
{
    if (book == NULL)
        return;
    for (size_t i = 0; i < book->n; i++)
        name_map_free(book->entries[i].map);
    free(book->entries);
    free(book);
}
