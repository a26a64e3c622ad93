/* SPDX-License-Identifier: PostgreSQL */
#include "store/s3_list.h"

#include <stdio.h>
#include <string.h>

#include "base/retry.h"
#include "store/loop.h"

struct list_reader {
    struct s3_list_sink sink; /* first: the parser hands us this */
    struct store_task *task;
    const struct s3_list_asked *asked;
    char last_key[S3_KEY_MAX + 1];
    bool refused; /* the document is good, what it says is not */
    bool doubted;
};

/* "!" sorts before all characters of names, and so do a name and "!" before all that it begins. */
void
s3_list_mark(struct s3 *s3, const char *after, const char *prefix, char *ret_mark)
{
    const char *root = after[0] != '\0' ? "" : s3->root;
    const char *name = after[0] != '\0' ? after : prefix;
    size_t length = strlen(name);

    ret_mark[0] = '\0';
    /* Below a prefix that does not end a component there may be an object of that very name. */
    if (after[0] == '\0' && length > 0 && name[length - 1] != '/')
        return;
    int size = snprintf(ret_mark, S3_KEY_MAX + 1, "%s%s!%08x%llx", root, name,
                        (unsigned)retry_random(), (unsigned long long)loop_number(s3->store.loop));
    if (size > S3_KEY_MAX)
        ret_mark[0] = '\0';
}

static int
take_key(struct list_reader *reader, const char *key, size_t length, uint64_t size, struct err *err)
{
    size_t root = strlen(reader->asked->root);
    size_t last = strlen(reader->last_key);
    char quoted[128];

    (void)err_quote(key, length, quoted, sizeof(quoted));
    if (length > S3_KEY_MAX || memchr(key, '\0', length) != NULL)
        return err_set(err, ERR_CORRUPT, "the list has an impossible key: \"%s\"", quoted);
    if (length < root || memcmp(key, reader->asked->root, root) != 0)
        return err_set(err, ERR_CORRUPT, "the list has a key outside the root: \"%s\"", quoted);

    int order = memcmp(key, reader->last_key, MIN_OF(length, last));
    if (order < 0 || (order == 0 && length <= last))
        return err_set(err, ERR_CORRUPT, "the list is not in order at \"%s\"", quoted);
    if (task_page_add(reader->task, key + root, length - root, size, err) < 0)
        return -1;
    memcpy(reader->last_key, key, length);
    reader->last_key[length] = '\0';
    return 0;
}

static int
on_entry(struct s3_list_sink *sink, const char *key, size_t length, uint64_t size, struct err *err)
{
    struct list_reader *reader = (struct list_reader *)(void *)sink;

    reader->refused = take_key(reader, key, length, size, err) < 0;
    return reader->refused ? -1 : 0;
}

/* Another request's list may have anything in it: it is not looked into. */
static int
on_begin(struct s3_list_sink *sink, const struct s3_list *list, struct err *err UNUSED)
{
    struct list_reader *reader = (struct list_reader *)(void *)sink;
    const struct s3_list_asked *asked = reader->asked;

    reader->doubted = !asked->trusted && asked->mark[0] != '\0' && list->start_after[0] != '\0' &&
                      strcmp(list->start_after, asked->mark) != 0;
    return reader->doubted ? -1 : 0;
}

int
s3_list_read(struct store_task *task, const struct s3_list_asked *asked, const struct buf *body,
             char *last_key, bool *ret_more, bool *ret_marked, struct err *err)
{
    struct list_reader reader = {
        .sink = {.begin = on_begin, .entry = on_entry}, .task = task, .asked = asked};
    struct s3_list list = {0};
    size_t length = strlen(last_key);

    if (length > S3_KEY_MAX)
        return err_set(err, ERR_INTERNAL, "a key of %zu bytes", length);
    memcpy(reader.last_key, last_key, length + 1);
    if (s3_list_parse(body->data, body->size, &reader.sink, &list, err) < 0) {
        if (reader.doubted)
            return S3_LIST_DOUBTED;
        if (!reader.refused && err->kind == ERR_CORRUPT)
            err->kind = ERR_TRANSIENT;
        return -1;
    }
    bool marked = asked->mark[0] != '\0' && strcmp(list.start_after, asked->mark) == 0;
    if (list.truncated && list.key_count == 0)
        return err_set(err, ERR_TRANSIENT, "the list is cut off before its first key");
    /* What is there says so itself; that there is nothing must be said to this request. */
    if (task->page.n_entries == 0 && !list.truncated && !marked && !asked->trusted)
        return S3_LIST_DOUBTED;
    memcpy(last_key, reader.last_key, sizeof(reader.last_key));
    *ret_more = list.truncated;
    *ret_marked = marked;
    return 0;
}
