/* SPDX-License-Identifier: PostgreSQL */
#include "store/s3_list.h"

#include <string.h>

struct list_reader {
    struct s3_list_sink sink; /* first: the parser hands us this */
    struct store_task *task;
    const char *root;
    char last_key[S3_KEY_MAX + 1];
    bool refused; /* the document is good, what it says is not */
};

static int
take_key(struct list_reader *reader, const char *key, size_t length, uint64_t size, struct err *err)
{
    size_t root = strlen(reader->root);
    size_t last = strlen(reader->last_key);
    char quoted[128];

    (void)err_quote(key, length, quoted, sizeof(quoted));
    if (length > S3_KEY_MAX || memchr(key, '\0', length) != NULL)
        return err_set(err, ERR_CORRUPT, "the list has an impossible key: \"%s\"", quoted);
    if (length < root || memcmp(key, reader->root, root) != 0)
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

int
s3_list_read(struct store_task *task, const char *root, const struct buf *body, char *last_key,
             bool *ret_more, struct err *err)
{
    struct list_reader reader = {.sink = {.entry = on_entry}, .task = task, .root = root};
    struct s3_list list = {0};
    size_t length = strlen(last_key);

    if (length > S3_KEY_MAX)
        return err_set(err, ERR_INTERNAL, "a key of %zu bytes", length);
    memcpy(reader.last_key, last_key, length + 1);
    if (s3_list_parse(body->data, body->size, &reader.sink, &list, err) < 0) {
        if (!reader.refused && err->kind == ERR_CORRUPT)
            err->kind = ERR_TRANSIENT;
        return -1;
    }
    if (list.truncated && list.key_count == 0)
        return err_set(err, ERR_TRANSIENT, "the list is cut off before its first key");
    memcpy(last_key, reader.last_key, sizeof(reader.last_key));
    *ret_more = list.truncated;
    return 0;
}
