/* SPDX-License-Identifier: PostgreSQL */
#include "store/http_head.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/hex.h"

#define RETRY_AFTER_MAX_S 86400

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool
text_is(const char *text, size_t length, const char *expected)
{
    return length == strlen(expected) && strncasecmp(text, expected, length) == 0;
}

/* Two or four digits; leading zeros are wanted here. */
static bool
digits_read(const char *text, size_t n, unsigned *ret_value)
{
    unsigned value = 0;

    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *ret_value = value;
    return true;
}

bool
http_head_date(const char *text, size_t length, int64_t *ret_date_s)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    unsigned day = 0, month = 0, year = 0, hour = 0, minute = 0, second = 0;

    if (length != 29 || memcmp(text + 3, ", ", 2) != 0 || text[7] != ' ' || text[11] != ' ' ||
        text[16] != ' ' || text[19] != ':' || text[22] != ':' || memcmp(text + 25, " GMT", 4) != 0)
        return false;
    while (month < 12 && memcmp(text + 8, months + (size_t)month * 3, 3) != 0)
        month++;
    if (month == 12 || !digits_read(text + 5, 2, &day) || !digits_read(text + 12, 4, &year) ||
        !digits_read(text + 17, 2, &hour) || !digits_read(text + 20, 2, &minute) ||
        !digits_read(text + 23, 2, &second))
        return false;
    if (day < 1 || day > 31 || year < 1970 || hour > 23 || minute > 59 || second > 60)
        return false;
    *ret_date_s = clock_days_from_civil((int64_t)year, month + 1, day) * 86400 +
                  (int64_t)hour * 3600 + (int64_t)minute * 60 + (int64_t)second;
    return true;
}

/* "bytes 0-99/1234" */
static bool
range_read(const char *text, size_t length, struct http_head *head)
{
    static const char unit[] = "bytes ";
    const char *end = text + length;

    if (length < sizeof(unit) || strncasecmp(text, unit, sizeof(unit) - 1) != 0)
        return false;
    const char *first = text + sizeof(unit) - 1;
    const char *dash = memchr(first, '-', (size_t)(end - first));
    const char *slash = memchr(first, '/', (size_t)(end - first));
    if (dash == NULL || slash == NULL || slash < dash)
        return false;
    return decimal_read(first, (size_t)(dash - first), INT64_MAX, &head->range_first) &&
           decimal_read(dash + 1, (size_t)(slash - dash - 1), INT64_MAX, &head->range_last) &&
           decimal_read(slash + 1, (size_t)(end - slash - 1), INT64_MAX, &head->range_total) &&
           head->range_first <= head->range_last && head->range_last < head->range_total;
}

static void
retry_after_read(struct http_head *head, const char *value, size_t length)
{
    uint64_t seconds = 0;
    int64_t date_s = 0;

    if (decimal_read(value, length, RETRY_AFTER_MAX_S, &seconds))
        head->retry_after_ms = (int64_t)seconds * 1000;
    else if (http_head_date(value, length, &date_s) && head->date_known && date_s > head->date_s)
        head->retry_after_ms = MIN_OF(date_s - head->date_s, RETRY_AFTER_MAX_S) * 1000;
}

/* Printable ASCII that fits; otherwise it stays as it was. */
static void
keep_text(const char *value, size_t length, char *ret_text, size_t size)
{
    if (length >= size)
        return;
    for (size_t i = 0; i < length; i++) {
        if (value[i] < 0x20 || value[i] > 0x7e)
            return;
    }
    memcpy(ret_text, value, length);
    ret_text[length] = '\0';
}

static const char *
take_framing(struct http_head *head, const char *name, size_t name_length, const char *value,
             size_t length)
{
    if (text_is(name, name_length, "content-length")) {
        if (head->length_known)
            return "more than one Content-Length";
        if (!decimal_read(value, length, INT64_MAX, &head->length))
            return "an unreadable Content-Length";
        head->length_known = true;
    } else if (text_is(name, name_length, "transfer-encoding")) {
        if (head->chunked || !text_is(value, length, "chunked"))
            head->coded = true;
        head->chunked = true;
    } else if (text_is(name, name_length, "content-encoding")) {
        if (length > 0 && !text_is(value, length, "identity"))
            head->coded = true;
    } else if (text_is(name, name_length, "content-range")) {
        if (head->range_known)
            return "more than one Content-Range";
        head->range_known = range_read(value, length, head);
    }
    return NULL;
}

static void
take_fact(struct http_head *head, const char *name, size_t name_length, const char *value,
          size_t length)
{
    if (text_is(name, name_length, "date"))
        head->date_known = http_head_date(value, length, &head->date_s);
    else if (text_is(name, name_length, "retry-after"))
        retry_after_read(head, value, length);
    else if (text_is(name, name_length, "x-amz-delete-marker"))
        head->deleted = head->deleted || !text_is(value, length, "false");
    else if (text_is(name, name_length, "x-amz-version-id"))
        keep_text(value, length, head->version_id, sizeof(head->version_id));
    else if (text_is(name, name_length, "last-modified"))
        (void)http_head_date(value, length, &head->modified_s);
    else if (text_is(name, name_length, "etag"))
        keep_text(value, length, head->etag, sizeof(head->etag));
    else if (text_is(name, name_length, "x-amz-bucket-region"))
        keep_text(value, length, head->bucket_region, sizeof(head->bucket_region));
    else if (text_is(name, name_length, "x-amz-server-side-encryption"))
        keep_text(value, length, head->encryption, sizeof(head->encryption));
    else if (text_is(name, name_length, "content-type"))
        keep_text(value, length, head->content_type, sizeof(head->content_type));
}

static const char *
take_status(struct http_head *head, const char *line, size_t length)
{
    unsigned status = 0;

    if (head->status >= 200)
        return "a second status line";
    if (length < 12 || memcmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ' ||
        !digits_read(line + 9, 3, &status) || status < 100 || status > 599 ||
        (length > 12 && line[12] != ' '))
        return "an unreadable status line";
    if (status < 200 && ++head->n_interim > HTTP_INTERIM_MAX)
        return "an endless row of 1xx answers";
    *head =
        (struct http_head){.status = (int)status, .size = head->size, .n_interim = head->n_interim};
    return NULL;
}

const char *
http_head_line(struct http_head *head, const char *line, size_t length)
{
    if (length > HTTP_HEAD_MAX - head->size)
        return "more than 64 KiB of headers";
    head->size += length;

    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        length--;
    if (length >= 5 && memcmp(line, "HTTP/", 5) == 0)
        return take_status(head, line, length);
    if (head->complete)
        return NULL;
    if (length == 0) {
        head->complete = head->status >= 200;
        return NULL;
    }

    const char *colon = memchr(line, ':', length);
    if (colon == NULL || colon == line || is_blank(line[0]) || is_blank(colon[-1]))
        return "a malformed header line";
    const char *value = colon + 1;
    const char *end = line + length;
    while (value < end && is_blank(*value))
        value++;
    while (end > value && is_blank(end[-1]))
        end--;

    size_t name_length = (size_t)(colon - line);
    const char *wrong = take_framing(head, line, name_length, value, (size_t)(end - value));
    if (wrong == NULL)
        take_fact(head, line, name_length, value, (size_t)(end - value));
    return wrong;
}
