/* SPDX-License-Identifier: PostgreSQL */
#include "archive/tar_member.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_SIZE 100
#define PREFIX_SIZE 155
#define RECORDS_MAX (TAR_PATH_MAX + 256)
#define TYPE_FILE '0'
#define TYPE_DIRECTORY '5'
#define TYPE_PAX 'x'

/* Where the fields stand (POSIX.1-2017, pax, "ustar Interchange Format"). */
enum field {
    FIELD_NAME = 0,
    FIELD_MODE = 100,
    FIELD_UID = 108,
    FIELD_GID = 116,
    FIELD_SIZE = 124,
    FIELD_MTIME = 136,
    FIELD_CHECKSUM = 148,
    FIELD_TYPE = 156,
    FIELD_MAGIC = 257,
    FIELD_PREFIX = 345,
};

/* `width` octal digits and a NUL. A number that does not fit stands in the pax header; 0 here. */
static void
put_octal(uint8_t *block, enum field field, size_t width, uint64_t value)
{
    for (size_t i = width; i-- > 0; value >>= 3)
        block[field + i] = (uint8_t)('0' + (value & 7));
}

static bool
fits_octal(uint64_t value, size_t width)
{
    return value >> (3 * width) == 0;
}

static void
put_checksum(uint8_t *block)
{
    uint32_t sum = 0;

    memset(block + FIELD_CHECKSUM, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += block[i];
    put_octal(block, FIELD_CHECKSUM, 6, sum);
    block[FIELD_CHECKSUM + 6] = '\0';
}

/* Where the path can be divided into prefix and name; 0: it need not be, SIZE_MAX: it cannot. */
static size_t
split_path(const char *path, size_t length)
{
    if (length <= NAME_SIZE)
        return 0;
    /* A directory's last slash belongs to its name. */
    for (size_t i = MIN_OF(length - 2, (size_t)PREFIX_SIZE); i > 0; i--)
        if (path[i] == '/' && length - i - 1 <= NAME_SIZE)
            return i;
    return SIZE_MAX;
}

static void
put_path(uint8_t *block, const char *path, size_t length)
{
    size_t split = split_path(path, length);

    if (split == SIZE_MAX) {
        /* The pax header has all of it; this is for readers that know none. */
        memcpy(block + FIELD_NAME, path, NAME_SIZE);
        return;
    }
    size_t name = split == 0 ? 0 : split + 1;
    memcpy(block + FIELD_PREFIX, path, split);
    memcpy(block + FIELD_NAME, path + name, length - name);
}

/* One block. `path` has `length` bytes. */
static int
append_block(const struct tar_member *member, char type, const char *path, size_t length,
             struct buf *into, struct err *err)
{
    uint8_t block[TAR_BLOCK] = {0};
    uint64_t mtime = member->mtime > 0 ? (uint64_t)member->mtime : 0;

    put_path(block, path, length);
    put_octal(block, FIELD_MODE, 7, member->mode & 07777);
    put_octal(block, FIELD_UID, 7, fits_octal(member->uid, 7) ? member->uid : 0);
    put_octal(block, FIELD_GID, 7, fits_octal(member->gid, 7) ? member->gid : 0);
    put_octal(block, FIELD_SIZE, 11, fits_octal(member->size, 11) ? member->size : 0);
    put_octal(block, FIELD_MTIME, 11, fits_octal(mtime, 11) ? mtime : 0);
    block[FIELD_TYPE] = (uint8_t)type;
    memcpy(block + FIELD_MAGIC, "ustar\00000", 8);
    put_checksum(block);
    return buf_append(into, block, sizeof(block), err);
}

static int
append_zeros(struct buf *into, size_t size, struct err *err)
{
    static const uint8_t zeros[TAR_BLOCK];

    return buf_append(into, zeros, size, err);
}

/* "length key=value\n", where the length counts its own digits too. */
static int
add_record(struct buf *records, const char *key, const char *value, size_t size, struct err *err)
{
    size_t rest = 1 + strlen(key) + 1 + size + 1;
    size_t length = rest;
    size_t digits = 0;

    while (length != rest + digits || digits == 0) {
        length = rest + digits;
        digits = 0;
        for (size_t left = length; left > 0; left /= 10)
            digits++;
    }
    int rc = buf_printf(records, err, "%zu %s=", length, key);
    if (rc == 0)
        rc = buf_append(records, value, size, err);
    if (rc == 0)
        rc = buf_append_text(records, "\n", err);
    return rc;
}

static int
add_number(struct buf *records, const char *key, uint64_t value, size_t width, struct err *err)
{
    char text[24];

    if (fits_octal(value, width))
        return 0;
    (void)snprintf(text, sizeof(text), "%" PRIu64, value);
    return add_record(records, key, text, strlen(text), err);
}

static int
add_records(struct buf *records, const struct tar_member *member, const char *path, size_t length,
            struct err *err)
{
    uint64_t mtime = member->mtime > 0 ? (uint64_t)member->mtime : 0;
    int rc = 0;

    if (split_path(path, length) == SIZE_MAX)
        rc = add_record(records, "path", path, length, err);
    if (rc == 0)
        rc = add_number(records, "size", member->size, 11, err);
    if (rc == 0)
        rc = add_number(records, "uid", member->uid, 7, err);
    if (rc == 0)
        rc = add_number(records, "gid", member->gid, 7, err);
    if (rc == 0)
        rc = add_number(records, "mtime", mtime, 11, err);
    return rc;
}

static int
append_pax(const struct tar_member *member, const struct buf *records, struct buf *into,
           struct err *err)
{
    static const char name[] = "pax_header";
    struct tar_member pax = {.mode = 0600, .mtime = member->mtime, .size = records->size};
    int rc = append_block(&pax, TYPE_PAX, name, sizeof(name) - 1, into, err);

    if (rc == 0)
        rc = buf_append(into, records->data, records->size, err);
    return rc == 0 ? append_zeros(into, tar_padding(records->size), err) : rc;
}

int
tar_member_header(const struct tar_member *member, struct buf *into, struct err *err)
{
    char path[TAR_PATH_MAX + 1];
    size_t length = strlen(member->path);
    AUTO(buf) struct buf records = BUF_INIT(RECORDS_MAX);
    size_t before = into->size;

    if (length == 0 || length >= TAR_PATH_MAX)
        return err_set(err, ERR_LOCAL, "a path of %zu bytes is too long for the backup", length);
    memcpy(path, member->path, length);
    if (member->directory)
        path[length++] = '/';

    int rc = add_records(&records, member, path, length, err);
    if (rc > 0)
        rc = err_set(err, ERR_INTERNAL, "a tar header grew too large");
    if (rc == 0 && records.size > 0)
        rc = append_pax(member, &records, into, err);
    if (rc == 0)
        rc = append_block(member, member->directory ? TYPE_DIRECTORY : TYPE_FILE, path, length,
                          into, err);
    if (rc != 0)
        into->size = before;
    return rc;
}

size_t
tar_header_bound(size_t path_length)
{
    size_t records = path_length + 256;

    return TAR_BLOCK + TAR_BLOCK + (records + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

size_t
tar_padding(uint64_t size)
{
    return (size_t)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}
