/* SPDX-License-Identifier: PostgreSQL */
#include "store/store.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "store/loop.h"

#define LIST_MAX 1000
#define PAGE_MEMORY_MAX MIB

/* ---- names ---- */

static bool
name_character(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static bool
component_is_clean(const char *component, size_t length)
{
    return length > 0 && !(length == 1 && component[0] == '.') &&
           !(length == 2 && component[0] == '.' && component[1] == '.');
}

/* `whole`: a name. Otherwise the beginning of one: empty, or its last component unfinished. */
static bool
name_is_good(const char *name, size_t length, bool whole)
{
    size_t begin = 0;

    if (length > STORE_NAME_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (name[i] == '/') {
            if (!component_is_clean(name + begin, i - begin))
                return false;
            begin = i + 1;
        } else if (!name_character(name[i])) {
            return false;
        }
    }
    return !whole || component_is_clean(name + begin, length - begin);
}

/* ---- stores ---- */

int
store_open(struct store_loop *loop, const struct store_config *config, struct store **ret_store,
           struct err *err)
{
    AUTO(ptr) char *name = strdup(config->name);
    struct store *store = NULL;
    int rc = -1;

    if (name == NULL)
        return err_memory(err, "store");
    if (strncmp(config->url, "file://", 7) == 0)
        rc = dir_open(loop, config, &store, err);
    else if (strncmp(config->url, "s3://", 5) == 0)
        rc = s3_open(loop, config, &store, err);
    else {
        (void)err_set(err, ERR_CONFIG, "the url is neither \"file://\" nor \"s3://\"");
        (void)err_hint(err, "Write url = \"file:///directory\" or \"s3://bucket/root\".");
    }
    if (rc < 0)
        return err_wrap(err, "store \"%s\"", name);

    store->loop = loop;
    store->name = TAKE_PTR(name);
    *ret_store = store;
    return 0;
}

void
store_close(struct store *store)
{
    struct err err = ERR_INIT;

    if (store == NULL)
        return;
    (void)err_set(&err, ERR_INTERNAL, "the store was closed while the request was under way");
    loop_fail(store->loop, store, &err);
    free(store->name);
    store->name = NULL;
    store->ops->close(store);
}

const char *
store_name(const struct store *store)
{
    return store->name;
}

const char *
store_place(const struct store *store)
{
    return store->place;
}

bool
store_creates_exclusively(const struct store *store)
{
    return store->ops->creates_exclusively;
}

void
store_expect_absence(struct store *store)
{
    if (store->ops->expect_absence != NULL)
        store->ops->expect_absence(store);
}

/* ---- starting tasks ---- */

static int
task_new(struct store *store, enum task_kind kind, const char *name,
         const struct store_limits *limits, struct store_task **ret_task, struct err *err)
{
    size_t length = strlen(name);
    char text[64];

    if (!name_is_good(name, length, kind != TASK_LIST))
        return err_set(err, ERR_INTERNAL, "store \"%s\": bad %s \"%s\"", store->name,
                       kind == TASK_LIST ? "prefix" : "object name",
                       err_quote(name, length, text, sizeof(text)));

    struct store_task *task = calloc(1, sizeof(*task));
    if (task == NULL)
        return err_memory(err, "store task");
    task->store = store;
    task->kind = kind;
    memcpy(task->name, name, length + 1);
    task->limits = *limits;
    task->started_ms = clock_boot_ms();
    task->page_memory = BUF_INIT(PAGE_MEMORY_MAX);
    *ret_task = task;
    return 0;
}

static int
task_start(struct store_task *task, struct store_task **ret_task, struct err *err)
{
    AUTO(store_task) struct store_task *owned = task;

    loop_add(task->store->loop, task);
    if (task->started_ms >= task->limits.deadline_ms) {
        char text[TASK_TEXT_SIZE];
        struct err late = ERR_INIT;

        (void)err_set(&late, ERR_TRANSIENT, "%s: the deadline passed before it began",
                      task_text(task, text));
        task_fail(task, &late);
    } else if (task->store->ops->start(task, err) < 0) {
        loop_remove(task->store->loop, task);
        task->ended = true;
        return err_wrap(err, "store \"%s\"", task->store->name);
    }
    *ret_task = TAKE_PTR(owned);
    return 0;
}

int
store_start_put(struct store *store, const char *name, const struct span *spans, size_t n_spans,
                const struct store_limits *limits, struct store_task **ret_task, struct err *err)
{
    struct store_task *task = NULL;

    if (n_spans > STORE_SPANS_MAX)
        return err_set(err, ERR_INTERNAL, "an object of %zu spans", n_spans);
    if (task_new(store, TASK_PUT, name, limits, &task, err) < 0)
        return -1;
    for (size_t i = 0; i < n_spans; i++)
        task->spans[i] = spans[i];
    task->n_spans = n_spans;
    return task_start(task, ret_task, err);
}

int
store_start_get(struct store *store, const char *name, const struct store_range *range,
                const struct store_limits *limits, struct store_task **ret_task, struct err *err)
{
    struct store_task *task = NULL;

    if (range->size == 0 && range->offset != 0)
        return err_set(err, ERR_INTERNAL, "a range of no bytes behind the object's beginning");
    if (range->size > INT64_MAX || range->offset > INT64_MAX - range->size)
        return err_set(err, ERR_INTERNAL, "a range behind what an object can have");
    if (task_new(store, TASK_GET, name, limits, &task, err) < 0)
        return -1;
    task->range = *range;
    task->body = BUF_INIT((size_t)MIN_OF(range->max_size, (uint64_t)SIZE_MAX / 2));
    return task_start(task, ret_task, err);
}

int
store_start_list(struct store *store, const char *prefix, const char *start_after, uint32_t max,
                 const struct store_limits *limits, struct store_task **ret_task, struct err *err)
{
    struct store_task *task = NULL;
    size_t length = start_after != NULL ? strlen(start_after) : 0;

    if (max < 1 || max > LIST_MAX)
        return err_set(err, ERR_INTERNAL, "a list of %u names", max);
    if (!name_is_good(start_after, length, false))
        return err_set(err, ERR_INTERNAL, "a list that starts after no name");
    if (task_new(store, TASK_LIST, prefix, limits, &task, err) < 0)
        return -1;
    if (length > 0)
        memcpy(task->start_after, start_after, length + 1);
    task->max = max;
    return task_start(task, ret_task, err);
}

int
store_start_delete(struct store *store, const char *name, const struct store_limits *limits,
                   struct store_task **ret_task, struct err *err)
{
    struct store_task *task = NULL;

    if (task_new(store, TASK_DELETE, name, limits, &task, err) < 0)
        return -1;
    return task_start(task, ret_task, err);
}

void
store_task_free(struct store_task *task)
{
    if (task == NULL)
        return;
    if (!task->ended) {
        loop_remove(task->store->loop, task);
        if (task->store->ops->abandon != NULL)
            task->store->ops->abandon(task);
    }
    buf_done(&task->body);
    buf_done(&task->page_memory);
    free(task);
}

/* ---- for backends ---- */

const char *
task_text(const struct store_task *task, char *ret_text)
{
    static const char *const verbs[] = {
        [TASK_PUT] = "store",
        [TASK_GET] = "read",
        [TASK_LIST] = "list",
        [TASK_DELETE] = "delete",
    };

    (void)snprintf(ret_text, TASK_TEXT_SIZE, "could not %s \"%s\"", verbs[task->kind], task->name);
    return ret_text;
}

void
task_end(struct store_task *task, int outcome)
{
    loop_remove(task->store->loop, task);
    err_clear(&task->err);
    task->outcome = outcome;
    task->ended = true;
}

void
task_fail(struct store_task *task, const struct err *err)
{
    loop_remove(task->store->loop, task);
    if (err != &task->err)
        task->err = *err;
    (void)err_wrap(&task->err, "store \"%s\"", task->store->name);
    task->outcome = -1;
    task->ended = true;
}

/*
 * While it is collected, page_memory holds records of size and name; the table of entries, which
 * points at the names, is put behind them when nothing moves any more.
 */
void
task_page_reset(struct store_task *task)
{
    buf_clear(&task->page_memory);
    task->page = (struct store_page){0};
    task->page_last = 0;
}

int
task_page_add(struct store_task *task, const char *name, size_t length, uint64_t size,
              struct err *err)
{
    struct buf *memory = &task->page_memory;
    char quoted[128];
    size_t prefix_length = strlen(task->name);
    char copy[STORE_NAME_MAX + 1];

    (void)err_quote(name, length, quoted, sizeof(quoted));
    if (length < prefix_length || memcmp(name, task->name, prefix_length) != 0)
        return err_set(err, ERR_CORRUPT, "the list has a name that was not asked for: \"%s\"",
                       quoted);
    if (!name_is_good(name, length, true))
        return 0;
    memcpy(copy, name, length);
    copy[length] = '\0';

    const char *before =
        task->page.n_entries > 0 ? (const char *)memory->data + task->page_last : task->start_after;
    if (strcmp(copy, before) <= 0)
        return err_set(err, ERR_CORRUPT, "the list is not in order: \"%s\" after \"%s\"", quoted,
                       before);
    if (task->page.n_entries == task->max)
        return err_set(err, ERR_CORRUPT, "the list has more than the %u names asked for",
                       task->max);

    int rc = buf_reserve(memory, sizeof(size) + length + 1, err);
    if (rc != 0)
        return rc < 0 ? -1 : err_set(err, ERR_INTERNAL, "the list does not fit its memory");
    if (buf_append(memory, &size, sizeof(size), err) != 0)
        return -1;
    task->page_last = memory->size;
    if (buf_append(memory, copy, length + 1, err) != 0)
        return -1;
    task->page.n_entries++;
    return 0;
}

int
task_page_finish(struct store_task *task, bool more, struct err *err)
{
    static const uint8_t zeros[sizeof(struct store_entry)];
    struct buf *memory = &task->page_memory;
    size_t records_size = memory->size;
    size_t padding = -records_size % _Alignof(struct store_entry);
    size_t table_size = task->page.n_entries * sizeof(struct store_entry);

    if (buf_append(memory, zeros, padding, err) != 0 || buf_reserve(memory, table_size, err) != 0)
        return err_set(err, ERR_INTERNAL, "the list does not fit its memory");

    struct store_entry *entries = NULL;
    if (task->page.n_entries > 0)
        entries = (struct store_entry *)(void *)(memory->data + memory->size);
    for (size_t i = 0, at = 0; i < task->page.n_entries; i++) {
        uint64_t size = 0;

        memcpy(&size, memory->data + at, sizeof(size));
        at += sizeof(size);
        entries[i] = (struct store_entry){.name = (const char *)memory->data + at, .size = size};
        at += strlen(entries[i].name) + 1;
    }
    memory->size += table_size;
    task->page.entries = entries;
    task->page.more = more;
    return 0;
}

/* ---- results ---- */

bool
store_task_ended(const struct store_task *task)
{
    return task->ended;
}

int
store_task_result(const struct store_task *task, struct err *err)
{
    if (!task->ended)
        return err_set(err, ERR_INTERNAL, "a result was asked for before the request had ended");
    if (task->outcome < 0)
        *err = task->err;
    return task->outcome;
}

struct store *
store_task_store(const struct store_task *task)
{
    return task->store;
}

struct span
store_task_body(const struct store_task *task)
{
    return (struct span){.data = task->body.data, .size = task->body.size};
}

struct buf
store_task_take_body(struct store_task *task)
{
    struct buf body = task->body;

    task->body = BUF_INIT(0);
    return body;
}

const struct store_page *
store_task_page(const struct store_task *task)
{
    return &task->page;
}

void
task_note_deletion(struct store_task *task, const char *version_id, int64_t date_s)
{
    char date[CLOCK_TEXT_SIZE] = "";

    if (date_s > 0)
        (void)clock_text(date_s * 1000000, date);
    bool named = version_id[0] != '\0';
    (void)snprintf(task->deletion, sizeof(task->deletion), "%s%s%s%s%s",
                   named ? "the delete marker \"" : "a delete marker", version_id,
                   named ? "\"" : "", date_s > 0 ? " of " : "", date);
}

const char *
store_task_deletion(const struct store_task *task)
{
    return task->deletion[0] != '\0' ? task->deletion : "a delete marker";
}

bool
store_task_clock_skew(const struct store_task *task, int64_t *ret_skew_s)
{
    if (task->skew_known)
        *ret_skew_s = task->skew_s;
    return task->skew_known;
}

bool
store_clock_taken(struct store *store, int64_t *ret_ours_us, int64_t *ret_theirs_us)
{
    bool taken = store->clock_taken;

    store->clock_taken = false;
    *ret_ours_us = store->clock_ours_us;
    *ret_theirs_us = store->clock_theirs_us;
    return taken;
}

const struct store_sending *
store_task_sending(const struct store_task *task)
{
    return &task->sending;
}

unsigned
store_task_attempts(const struct store_task *task)
{
    return task->attempts;
}
