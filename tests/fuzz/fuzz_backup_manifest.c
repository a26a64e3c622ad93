/* SPDX-License-Identifier: PostgreSQL */
/*
 * Whatever the pieces, the outcome is the same; and what was read, written again, reads the same.
 * The first byte is the size of the pieces.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/backup_manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool property)
{
    if (!property)
        abort();
}

/* Write every entry into the buffer. */
static int
write_again(void *context, const struct manifest_entry *entry, struct err *err)
{
    if (entry->type == MANIFEST_DIR || entry->type == MANIFEST_FILE)
        require(manifest_path_valid(entry->path, strlen(entry->path)));
    require(manifest_write(context, entry, err) == 0);
    return 0;
}

/* 0 or -1; `ret` holds the lines that were read, as they are written. */
static int
read_all(const uint8_t *data, size_t size, size_t piece, struct buf *ret)
{
    AUTO(manifest_reader) struct manifest_reader *reader = NULL;
    struct err err = ERR_INIT;

    require(manifest_reader_new(&reader, &err) == 0);
    for (size_t at = 0; at < size; at += piece)
        if (manifest_reader_feed(reader, data + at, MIN_OF(piece, size - at), write_again, ret,
                                 &err) < 0) {
            require(err.text[0] != '\0' && (err.kind == ERR_CORRUPT || err.kind == ERR_CONFIG));
            return -1;
        }
    return manifest_reader_finish(reader, &err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf) struct buf whole = BUF_INIT(SIZE_MAX);
    AUTO(buf) struct buf pieces = BUF_INIT(SIZE_MAX);
    AUTO(buf) struct buf again = BUF_INIT(SIZE_MAX);

    if (size == 0)
        return 0;
    int rc = read_all(data + 1, size - 1, size, &whole);
    require(read_all(data + 1, size - 1, (size_t)data[0] + 1, &pieces) == rc);
    require(pieces.size == whole.size);
    require(whole.size == 0 || memcmp(pieces.data, whole.data, whole.size) == 0);
    if (rc == 0) {
        require(read_all(whole.data, whole.size, whole.size, &again) == 0);
        require(again.size == whole.size && memcmp(again.data, whole.data, whole.size) == 0);
    }
    return 0;
}
