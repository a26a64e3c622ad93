/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/backup_manifest.h"

#include <string.h>

#include "base/hex.h"
#include "base/utf8.h"
#include "catalog/manifest_check.h"

#define DECIMAL_SIZE 20

/*
 * Line writer. A backup can have ten million lines, so a line goes straight into the text: no
 * document is built. What failed is remembered, and put_*() then do nothing.
 */
struct line {
    struct buf *text;
    int rc; /* 0, BUF_FULL, -1 */
    struct err *err;
};

static void
put(struct line *line, const char *bytes, size_t size)
{
    if (line->rc == 0)
        line->rc = buf_append(line->text, bytes, size, line->err);
}

static void
put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

static void
put_number(struct line *line, uint64_t number)
{
    char digits[DECIMAL_SIZE];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put(line, digits + at, sizeof(digits) - at);
}

static void
put_signed(struct line *line, int64_t number)
{
    if (number < 0)
        put_text(line, "-");
    put_number(line, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

static bool
needs_escape(char c)
{
    return (c >= 0 && c < 0x20) || c == '"' || c == '\\' || c == 0x7f;
}

/* UTF-8 as a JSON string: everything as it is but quote, backslash and control characters. */
static void
put_string(struct line *line, const char *text, size_t length)
{
    put_text(line, "\"");
    for (size_t at = 0; at < length;) {
        size_t plain = at;

        while (plain < length && !needs_escape(text[plain]))
            plain++;
        put(line, text + at, plain - at);
        if (plain < length) {
            char code[3];
            uint8_t byte = (uint8_t)text[plain];

            put_text(line, "\\u00");
            put(line, hex_text(&byte, 1, code), 2);
            plain++;
        }
        at = plain;
    }
    put_text(line, "\"");
}

static void
put_path(struct line *line, const char *path)
{
    size_t length = strlen(path);
    char hex[2 * MANIFEST_PATH_MAX + 1];

    if (utf8_valid(path, length)) {
        put_text(line, ",\"path\":");
        put_string(line, path, length);
        return;
    }
    put_text(line, ",\"path_hex\":\"");
    put_text(line, hex_text((const uint8_t *)path, length, hex));
    put_text(line, "\"");
}

static void
put_head(struct line *line, const struct manifest_entry *entry)
{
    put_text(line, "{\"seawall_manifest\":1,\"label\":\"");
    put_text(line, entry->label);
    put_text(line, "\",\"system_id\":\"");
    put_number(line, entry->system_id);
    put_text(line, "\",\"block_size\":");
    put_number(line, entry->block_size);
}

static void
put_runs(struct line *line, const struct manifest_entry *entry)
{
    put_text(line, ",\"runs\":[");
    for (size_t i = 0; i < entry->n_runs && line->rc == 0; i++) {
        const struct manifest_run *run = &entry->runs[i];

        put_text(line, i == 0 ? "[" : ",[");
        put_number(line, run->file_offset);
        put_text(line, ",");
        put_number(line, run->length);
        put_text(line, ",\"");
        put_text(line, run->label);
        put_text(line, "\",");
        put_number(line, run->part);
        put_text(line, ",");
        put_number(line, run->part_offset);
        put_text(line, "]");
    }
    put_text(line, "]");
}

static void
put_file(struct line *line, const struct manifest_entry *entry)
{
    const uint8_t crc[] = {(uint8_t)(entry->crc32c >> 24), (uint8_t)(entry->crc32c >> 16),
                           (uint8_t)(entry->crc32c >> 8), (uint8_t)entry->crc32c};
    char hex[2 * sizeof(crc) + 1];

    put_text(line, "{\"type\":\"file\"");
    put_path(line, entry->path);
    put_text(line, ",\"mode\":");
    put_number(line, entry->mode);
    put_text(line, ",\"mtime\":");
    put_signed(line, entry->mtime);
    put_text(line, ",\"size\":");
    put_number(line, entry->size);
    put_text(line, ",\"crc32c\":\"");
    put_text(line, hex_text(crc, sizeof(crc), hex));
    put_text(line, "\"");
    put_runs(line, entry);
}

static void
put_entry(struct line *line, const struct manifest_entry *entry)
{
    switch (entry->type) {
    case MANIFEST_HEAD:
        put_head(line, entry);
        break;
    case MANIFEST_DIR:
        put_text(line, "{\"type\":\"dir\"");
        put_path(line, entry->path);
        put_text(line, ",\"mode\":");
        put_number(line, entry->mode);
        break;
    case MANIFEST_FILE:
        put_file(line, entry);
        break;
    case MANIFEST_END:
        put_text(line, "{\"type\":\"end\",\"files\":");
        put_number(line, entry->n_files);
        put_text(line, ",\"dirs\":");
        put_number(line, entry->n_dirs);
        put_text(line, ",\"bytes\":");
        put_number(line, entry->n_bytes);
        break;
    }
    put_text(line, "}\n");
}

int
manifest_write(struct buf *text, const struct manifest_entry *entry, struct err *err)
{
    struct line line = {.text = text, .err = err};
    size_t before = text->size;

    if (manifest_check_entry(entry, err) < 0) {
        err->kind = ERR_INTERNAL;
        return err_wrap(err, "could not write a line of the manifest");
    }
    put_entry(&line, entry);

    if (line.rc != 0)
        text->size = before;
    return line.rc;
}
