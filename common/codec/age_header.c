/* SPDX-License-Identifier: PostgreSQL */
#include "codec/age_header.h"

#include <string.h>

#include "codec/base64.h"

#define COLUMNS 64
#define COLUMN_BYTES 48

static const char version_line[] = "age-encryption.org/v1\n";
static const char seal_line[] = "-> seawall-seal 1\n";
static const char seal_type[] = "seawall-seal";
static const char x25519_type[] = "X25519";

struct lines {
    const char *text;
    size_t size;
    size_t offset;
};

struct line {
    const char *text;
    size_t length; /* without its end */
};

static int
malformed(struct err *err, const char *why)
{
    return err_set(err, ERR_CORRUPT, "age header is malformed: %s", why);
}

static int
next_line(struct lines *lines, struct line *ret, struct err *err)
{
    const char *start = lines->text + lines->offset;
    const char *end = memchr(start, '\n', lines->size - lines->offset);

    if (end == NULL)
        return malformed(err, "it does not end");
    *ret = (struct line){start, (size_t)(end - start)};
    lines->offset += ret->length + 1;
    return 0;
}

/* What stands behind `start`, if the line begins with it. */
static bool
skip_start(struct line *line, const char *start)
{
    size_t length = strlen(start);

    if (line->length < length || memcmp(line->text, start, length) != 0)
        return false;
    *line = (struct line){line->text + length, line->length - length};
    return true;
}

static bool
line_is(struct line line, const char *text)
{
    return skip_start(&line, text) && line.length == 0;
}

/* Split off the next argument: characters above the blank, one blank between two arguments. */
static int
next_argument(struct line *rest, struct line *ret, struct err *err)
{
    size_t length = 0;

    while (length < rest->length && rest->text[length] > 0x20 && rest->text[length] < 0x7f)
        length++;
    if (length == 0)
        return malformed(err, "empty or unprintable argument");
    *ret = (struct line){rest->text, length};
    rest->text += length;
    rest->length -= length;
    if (rest->length > 0) {
        /* A blank promises another argument, so the line must not end behind it. */
        if (rest->text[0] != ' ' || rest->length == 1)
            return malformed(err, "empty or unprintable argument");
        rest->text++;
        rest->length--;
    }
    return 0;
}

/* A stanza's body: full lines and one shorter, maybe empty line. */
static int
read_body(struct lines *lines, uint8_t *bytes, size_t capacity, size_t *ret_size, struct err *err)
{
    size_t size = 0;
    struct line line = {NULL, 0};

    do {
        uint8_t piece[COLUMN_BYTES];
        size_t piece_size = 0;

        if (next_line(lines, &line, err) < 0)
            return -1;
        if (line.length > COLUMNS ||
            !base64_read(line.text, line.length, piece, sizeof(piece), &piece_size))
            return malformed(err, "a stanza's body is not base64 lines");
        if (bytes != NULL) {
            if (piece_size > capacity - size)
                return malformed(err, "a stanza's body is too long");
            memcpy(bytes + size, piece, piece_size);
            size += piece_size;
        }
    } while (line.length == COLUMNS);
    *ret_size = size;
    return 0;
}

static int
read_x25519(struct lines *lines, struct line arguments, struct age_header *header, struct err *err)
{
    struct line share;
    size_t size = 0;

    if (header->n_stanzas == KEYS_MAX)
        return malformed(err, "more recipients than the format has");
    struct age_stanza *stanza = &header->stanzas[header->n_stanzas];
    if (next_argument(&arguments, &share, err) < 0)
        return -1;
    if (arguments.length != 0 ||
        !base64_read(share.text, share.length, stanza->share, sizeof(stanza->share), &size) ||
        size != sizeof(stanza->share))
        return malformed(err, "X25519 stanza without its share");
    if (read_body(lines, stanza->wrapped, sizeof(stanza->wrapped), &size, err) < 0)
        return -1;
    if (size != sizeof(stanza->wrapped))
        return malformed(err, "X25519 stanza without its file key");
    header->n_stanzas++;
    return 0;
}

static int
read_stanza(struct lines *lines, struct line arguments, struct age_header *header, struct err *err)
{
    struct line type = {NULL, 0};
    struct line argument = {NULL, 0};
    size_t ignored = 0;

    if (next_argument(&arguments, &type, err) < 0)
        return -1;
    if (line_is(type, seal_type))
        return malformed(err, "a second seal");
    if (line_is(type, x25519_type))
        return read_x25519(lines, arguments, header, err);
    while (arguments.length > 0) {
        if (next_argument(&arguments, &argument, err) < 0)
            return -1;
    }
    header->has_foreign = true;
    return read_body(lines, NULL, 0, &ignored, err);
}

static int
read_seal(struct lines *lines, uint8_t *ret_seal, size_t *ret_size, struct err *err)
{
    struct line line = {NULL, 0};

    if (!age_header_is(lines->text, lines->size))
        return err_set(err, ERR_CORRUPT, "not an age file");
    lines->offset = strlen(version_line);
    if (next_line(lines, &line, err) < 0)
        return -1;
    if (!line_is((struct line){line.text, line.length + 1}, seal_line)) {
        if (!skip_start(&line, "-> seawall-seal "))
            return err_set(err, ERR_CORRUPT, "age file without a seal");
        (void)err_set(err, ERR_CONFIG, "seal stanza has another version than 1");
        return err_hint(err, "Use a newer version of Seawall to read this object.");
    }
    return read_body(lines, ret_seal, SEAL_SIZE_MAX, ret_size, err);
}

bool
age_header_is(const void *bytes, size_t size)
{
    size_t length = strlen(version_line);

    return size >= length && memcmp(bytes, version_line, length) == 0;
}

int
age_header_read_seal(const void *bytes, size_t size, uint8_t *ret_seal, size_t *ret_size,
                     struct err *err)
{
    struct lines lines = {bytes, MIN_OF(size, AGE_HEADER_MAX), 0};

    return read_seal(&lines, ret_seal, ret_size, err);
}

int
age_header_read(const void *bytes, size_t size, struct age_header *ret, struct err *err)
{
    struct lines lines = {bytes, MIN_OF(size, AGE_HEADER_MAX), 0};
    struct age_header header = {.seal_size = 0};
    struct line line = {NULL, 0};
    size_t mac_size = 0;

    if (read_seal(&lines, header.seal, &header.seal_size, err) < 0 ||
        next_line(&lines, &line, err) < 0)
        return -1;
    while (skip_start(&line, "-> ")) {
        if (read_stanza(&lines, line, &header, err) < 0 || next_line(&lines, &line, err) < 0)
            return -1;
    }
    if (header.n_stanzas == 0)
        return malformed(err, "no X25519 stanza");
    header.mac_covers = (size_t)(line.text - lines.text) + strlen("---");
    if (!skip_start(&line, "--- ") ||
        !base64_read(line.text, line.length, header.mac, sizeof(header.mac), &mac_size) ||
        mac_size != sizeof(header.mac))
        return malformed(err, "no MAC");
    header.size = lines.offset;
    *ret = header;
    return 0;
}

/* The ceiling of a header is far above what 20 recipients need, so a full buffer is a bug. */
static int
append(struct buf *text, const char *piece, size_t length, struct err *err)
{
    int rc = buf_append(text, piece, length, err);

    return rc == BUF_FULL ? err_set(err, ERR_INTERNAL, "age header is too large") : rc;
}

static int
append_base64(struct buf *text, const uint8_t *bytes, size_t size, struct err *err)
{
    char line[COLUMNS];

    base64_write(bytes, size, line);
    return append(text, line, BASE64_LENGTH(size), err);
}

static int
append_body(struct buf *text, const uint8_t *bytes, size_t size, struct err *err)
{
    size_t offset = 0;

    for (; size - offset >= COLUMN_BYTES; offset += COLUMN_BYTES) {
        if (append_base64(text, bytes + offset, COLUMN_BYTES, err) < 0 ||
            append(text, "\n", 1, err) < 0)
            return -1;
    }
    if (append_base64(text, bytes + offset, size - offset, err) < 0)
        return -1;
    return append(text, "\n", 1, err);
}

int
age_header_write(const struct age_header *header, struct buf *text, struct err *err)
{
    if (append(text, version_line, strlen(version_line), err) < 0 ||
        append(text, seal_line, strlen(seal_line), err) < 0 ||
        append_body(text, header->seal, header->seal_size, err) < 0)
        return -1;
    for (size_t i = 0; i < header->n_stanzas; i++) {
        const struct age_stanza *stanza = &header->stanzas[i];

        if (append(text, "-> X25519 ", strlen("-> X25519 "), err) < 0 ||
            append_base64(text, stanza->share, sizeof(stanza->share), err) < 0 ||
            append(text, "\n", 1, err) < 0 ||
            append_body(text, stanza->wrapped, sizeof(stanza->wrapped), err) < 0)
            return -1;
    }
    return append(text, "---", strlen("---"), err);
}

int
age_header_write_mac(const uint8_t *mac, struct buf *text, struct err *err)
{
    if (append(text, " ", 1, err) < 0 || append_base64(text, mac, DIGEST_SIZE, err) < 0)
        return -1;
    return append(text, "\n", 1, err);
}
