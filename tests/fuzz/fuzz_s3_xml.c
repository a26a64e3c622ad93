/* SPDX-License-Identifier: PostgreSQL */
/* The input is a body; it is read as an error document and as a list. */
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "store/s3_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct counter {
    struct s3_list_sink sink;
    uint32_t calls;
};

static void
insist(bool condition)
{
    if (!condition)
        abort();
}

/* A field is a text that ends within its array and can stand in one log line. */
static void
insist_printable(const char *field)
{
    insist(memchr(field, '\0', S3_ERROR_FIELD_SIZE) != NULL);
    for (const char *c = field; *c != '\0'; c++)
        insist(*c >= 0x20 && *c < 0x7f);
}

static int
count(struct s3_list_sink *sink, const char *key, size_t length, uint64_t size,
      struct err *err UNUSED)
{
    struct counter *counter = (struct counter *)sink;

    counter->calls++;
    insist(counter->calls <= S3_LIST_ENTRIES_MAX);
    insist(length >= 1 && length <= S3_KEY_MAX && strlen(key) == length);
    insist(size <= INT64_MAX);
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct s3_error no_error;
    struct s3_error error;
    struct counter counter = {.sink = {.entry = count}};
    struct s3_list list = {.key_count = UINT32_MAX};
    struct err err = ERR_INIT;

    bool is_error = s3_error_parse(data, size, &error);
    if (!is_error)
        insist(memcmp(&error, &no_error, sizeof(error)) == 0);
    insist_printable(error.code);
    insist_printable(error.message);
    insist_printable(error.region);

    if (s3_list_parse(data, size, &counter.sink, &list, &err) < 0) {
        insist(err.kind == ERR_CORRUPT && list.key_count == UINT32_MAX);
        return 0;
    }
    insist(!is_error);
    insist(list.key_count == counter.calls);
    insist(memchr(list.next_token, '\0', sizeof(list.next_token)) != NULL);
    insist(list.truncated == (list.next_token[0] != '\0'));
    return 0;
}
