/* SPDX-License-Identifier: PostgreSQL */
#include "base/json.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "base/io.h"

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
    json_t *value = json_string(text);
    if (value == NULL)
        value = json_string(err_quote(text, strlen(text), quoted, sizeof(quoted)));
    add(json, key, value);
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

int
json_print(const struct json *json, struct err *err)
{
    if (check_complete(json, err) < 0)
        return -1;

    AUTO(ptr) char *text = json_dumps(json->open[0], JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    if (text == NULL)
        return err_memory(err, "JSON");
    if (io_write_full(STDOUT_FILENO, text, strlen(text), "standard output", err) < 0)
        return -1;
    return io_write_full(STDOUT_FILENO, "\n", 1, "standard output", err);
}

int
json_write(const struct json *json, struct buf *text, struct err *err)
{
    if (check_complete(json, err) < 0)
        return -1;

    AUTO(ptr) char *line = json_dumps(json->open[0], JSON_COMPACT | JSON_PRESERVE_ORDER);
    if (line == NULL)
        return err_memory(err, "JSON");
    return buf_append_text(text, line, err);
}
