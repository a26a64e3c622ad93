/* SPDX-License-Identifier: PostgreSQL */
#include "base/json.h"

#include <string.h>

#include <jansson.h>

#include "base/io.h"
#include "base/utf8.h"

#define DEPTH_MAX 16

struct json {
    json_t *open[DEPTH_MAX]; /* open[0] is the root; borrowed but for it */
    size_t depth;
    bool failed;
};

struct json *
json_new(void)
{
    struct json *json = calloc(1, sizeof(*json));

    if (json == NULL)
        return NULL;
    json->open[0] = json_object();
    json->depth = 1;
    json->failed = json->open[0] == NULL;
    return json;
}

void
json_free(struct json *json)
{
    if (json == NULL)
        return;
    json_decref(json->open[0]);
    free(json);
}

/* Put `value` (whose reference is taken) into what is open. */
static void
add(struct json *json, const char *key, json_t *value)
{
    int rc = -1;

    if (json == NULL) {
        json_decref(value);
        return;
    }
    json_t *into = json->depth == 0 ? NULL : json->open[json->depth - 1];
    if (json->failed || value == NULL || into == NULL)
        json_decref(value);
    else if (key != NULL)
        rc = json_object_set_new(into, key, value);
    else
        rc = json_array_append_new(into, value);
    json->failed = json->failed || rc < 0;
}

static void
open_value(struct json *json, const char *key, json_t *value)
{
    add(json, key, value);
    if (json == NULL || json->failed)
        return;
    if (json->depth == DEPTH_MAX) {
        json->failed = true;
        return;
    }
    json->open[json->depth++] = value;
}

void
json_open_object(struct json *json, const char *key)
{
    open_value(json, key, json_object());
}

void
json_open_array(struct json *json, const char *key)
{
    open_value(json, key, json_array());
}

void
json_close(struct json *json)
{
    if (json == NULL)
        return;
    if (json->depth > 1)
        json->depth--;
    else
        json->failed = true;
}

void
json_add_text(struct json *json, const char *key, const char *text)
{
    char quoted[ERR_TEXT_SIZE];

    if (text == NULL) {
        add(json, key, json_null());
        return;
    }
    /* Only what is not text is quoted: a name must not change because memory was out for it. */
    bool valid = utf8_valid(text, strlen(text));
    add(json, key,
        json_string(valid ? text : err_quote(text, strlen(text), quoted, sizeof(quoted))));
}

void
json_add_number(struct json *json, const char *key, int64_t number)
{
    add(json, key, json_integer((json_int_t)number));
}

void
json_add_bool(struct json *json, const char *key, bool value)
{
    add(json, key, json_boolean(value));
}

void
json_fail(struct json *json)
{
    if (json != NULL)
        json->failed = true;
}

static int
check_complete(const struct json *json, struct err *err)
{
    if (json == NULL || json->failed || json->depth != 1)
        return err_set(err, ERR_INTERNAL, "could not build the JSON document");
    return 0;
}

struct sink {
    struct buf *text;
    struct err *err;
    int rc; /* of the first append that failed */
};

static int
pour(const char *bytes, size_t size, void *context)
{
    struct sink *sink = context;

    if (sink->rc == 0)
        sink->rc = buf_append(sink->text, bytes, size, sink->err);
    return sink->rc == 0 ? 0 : -1;
}

/*
 * The library goes on where a piece of text was refused, so what it returns says less than what
 * was refused: its own json_dumps() leaves names out when memory ends. 0, BUF_FULL, or -1; on
 * failure the text is as before.
 */
static int
dump(const struct json *json, size_t flags, struct buf *text, struct err *err)
{
    struct sink sink = {.text = text, .err = err};
    size_t before = text->size;

    if (check_complete(json, err) < 0)
        return -1;
    int rc = json_dump_callback(json->open[0], pour, &sink, flags | JSON_PRESERVE_ORDER);
    if (rc == 0 && sink.rc == 0)
        return 0;
    text->size = before;
    return sink.rc != 0 ? sink.rc : err_memory(err, "JSON");
}

int
json_print(const struct json *json, struct err *err)
{
    AUTO(buf) struct buf text = BUF_INIT(SIZE_MAX / 2);

    if (dump(json, JSON_INDENT(2), &text, err) != 0 || buf_append_text(&text, "\n", err) != 0)
        return -1;
    return io_write_full(STDOUT_FILENO, text.data, text.size, "standard output", err);
}

int
json_write(const struct json *json, struct buf *text, struct err *err)
{
    return dump(json, JSON_COMPACT, text, err);
}
