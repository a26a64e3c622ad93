/* SPDX-License-Identifier: PostgreSQL */
#include "restore/pg_manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/utf8.h"
#include "catalog/backup_manifest.h"
#include "wal/wal_name.h"

#define FLUSH_SIZE (64 * KIB)
#define TEXT_MAX (FLUSH_SIZE + 8 * MANIFEST_PATH_MAX)

static int
flush(struct pg_manifest *manifest, struct err *err)
{
    struct buf *text = &manifest->text;

    if (text->size == 0)
        return 0;
    if (digest_add(&manifest->digest, text->data, text->size, err) < 0 ||
        io_write_full(manifest->fd, text->data, text->size, "backup_manifest", err) < 0)
        return -1;
    buf_clear(text);
    return 0;
}

/* What does not fit has no business here: pieces are small, and there is room for the largest. */
static int
full_is_error(int rc, struct err *err)
{
    return rc == BUF_FULL ? err_set(err, ERR_INTERNAL, "a line of the manifest is too long") : rc;
}

int
pg_manifest_begin(struct pg_manifest *manifest, int fd, int server_version, uint64_t system_id,
                  struct err *err)
{
    int rc = 0;

    *manifest = (struct pg_manifest){.fd = fd, .text = BUF_INIT(TEXT_MAX)};
    if (digest_begin(&manifest->digest, err) < 0)
        return -1;
    if (server_version >= 170000)
        rc = buf_printf(&manifest->text, err,
                        "{ \"PostgreSQL-Backup-Manifest-Version\": 2,\n"
                        "\"System-Identifier\": %" PRIu64 ",\n\"Files\": [",
                        system_id);
    else
        rc = buf_printf(&manifest->text, err,
                        "{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": [");
    return full_is_error(rc, err);
}

static int
add_string(struct buf *text, const char *string, struct err *err)
{
    int rc = buf_append_text(text, "\"", err);

    for (; *string != '\0' && rc == 0; string++) {
        if (*string == '"' || *string == '\\')
            rc = buf_printf(text, err, "\\%c", *string);
        else if (*string > 0 && *string < 0x20)
            rc = buf_printf(text, err, "\\u%04x", (unsigned)*string);
        else
            rc = buf_append(text, string, 1, err);
    }
    return rc != 0 ? rc : buf_append_text(text, "\"", err);
}

static int
add_path(struct buf *text, const char *path, struct err *err)
{
    size_t length = strlen(path);
    char hex[2 * MANIFEST_PATH_MAX + 1];

    if (length < MANIFEST_PATH_MAX && !utf8_valid(path, length))
        return buf_printf(text, err, "{ \"Encoded-Path\": \"%s\"",
                          hex_text((const uint8_t *)path, length, hex));
    int rc = buf_append_text(text, "{ \"Path\": ", err);
    return rc != 0 ? rc : add_string(text, path, err);
}

int
pg_manifest_add(struct pg_manifest *manifest, const char *path, uint64_t size, int64_t mtime,
                uint32_t crc, struct err *err)
{
    /* As the four bytes stand in the memory of a little-endian machine. */
    const uint8_t bytes[] = {(uint8_t)crc, (uint8_t)(crc >> 8), (uint8_t)(crc >> 16),
                             (uint8_t)(crc >> 24)};
    char hex[2 * sizeof(bytes) + 1];
    char date[CLOCK_TEXT_SIZE];
    struct buf *text = &manifest->text;

    /* "2026-11-22T15:36:00Z" as "2026-11-22 15:36:00 GMT" */
    (void)clock_text(mtime * 1000000, date);
    date[strcspn(date, "Z")] = '\0';
    date[strcspn(date, "T")] = ' ';
    int rc = buf_append_text(text, manifest->has_files ? ",\n" : "\n", err);
    if (rc == 0)
        rc = add_path(text, path, err);
    if (rc == 0)
        rc = buf_printf(text, err,
                        ", \"Size\": %" PRIu64 ", \"Last-Modified\": \"%s GMT\", "
                        "\"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"%s\" }",
                        size, date, hex_text(bytes, sizeof(bytes), hex));
    if (rc != 0)
        return full_is_error(rc, err);
    manifest->has_files = true;
    return text->size >= FLUSH_SIZE ? flush(manifest, err) : 0;
}

int
pg_manifest_end(struct pg_manifest *manifest, const struct pg_manifest_range *ranges,
                size_t n_ranges, struct err *err)
{
    uint8_t digest[DIGEST_SIZE];
    char hex[2 * DIGEST_SIZE + 1];
    struct buf *text = &manifest->text;
    int rc = buf_append_text(text, "\n],\n\"WAL-Ranges\": [\n", err);

    for (size_t i = 0; i < n_ranges && rc == 0; i++) {
        char begin[WAL_LSN_TEXT_SIZE];
        char end[WAL_LSN_TEXT_SIZE];

        if (i > 0)
            rc = buf_append_text(text, ",\n", err);
        if (rc == 0)
            rc = buf_printf(text, err,
                            "{ \"Timeline\": %" PRIu32 ", \"Start-LSN\": \"%s\", "
                            "\"End-LSN\": \"%s\" }",
                            ranges[i].timeline, wal_lsn_text(ranges[i].begin_lsn, begin),
                            wal_lsn_text(ranges[i].end_lsn, end));
    }
    if (rc == 0)
        rc = buf_append_text(text, "\n],\n", err);
    if (rc != 0)
        return full_is_error(rc, err);

    /* The sum is over everything before its own line. */
    if (flush(manifest, err) < 0 || digest_end(&manifest->digest, digest, err) < 0)
        return -1;
    rc = buf_printf(text, err, "\"Manifest-Checksum\": \"%s\"}\n",
                    hex_text(digest, sizeof(digest), hex));
    if (rc != 0)
        return full_is_error(rc, err);
    return io_write_full(manifest->fd, text->data, text->size, "backup_manifest", err);
}

void
pg_manifest_done(struct pg_manifest *manifest)
{
    buf_done(&manifest->text);
    digest_done(&manifest->digest);
}
