/* SPDX-License-Identifier: PostgreSQL */
#include "base/json_read.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/*
 * The parser goes on when memory for a character of a string is refused, and gives a string that
 * lacks it: a text is only read if nothing was refused meanwhile.
 */
static _Thread_local bool refused;
static pthread_once_t watching = PTHREAD_ONCE_INIT;

static void *
allocate(size_t size)
{
    void *memory = malloc(size);

    refused = refused || memory == NULL;
    return memory;
}

static void
watch(void)
{
    json_set_alloc_funcs(allocate, free);
}

/*
 * How deep the text nests, as far as it is JSON; where it is not, the parser stops. The parser
 * recurses, so this comes first.
 */
static size_t
depth_of(const char *text, size_t size)
{
    size_t depth = 0;
    size_t deepest = 0;
    bool quoted = false;

    for (size_t i = 0; i < size; i++) {
        char c = text[i];

        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            depth++;
            deepest = MAX_OF(deepest, depth);
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

int
json_read_object(const void *text, size_t size, const struct json_read_bounds *bounds,
                 struct json_t **ret_document, struct err *err)
{
    json_error_t why;
    char quoted[JSON_ERROR_TEXT_LENGTH * 2];

    if (size > bounds->size)
        return err_set(err, ERR_CORRUPT, "JSON text has %zu bytes, more than %zu", size,
                       bounds->size);
    if (depth_of(text, size) > bounds->depth)
        return err_set(err, ERR_CORRUPT, "JSON text nests deeper than %zu", bounds->depth);

    (void)pthread_once(&watching, watch);
    refused = false;
    json_t *document = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (refused) {
        json_decref(document);
        return err_memory(err, "JSON");
    }
    if (document == NULL)
        return err_set(err, ERR_CORRUPT, "not JSON: %s at line %d, column %d",
                       err_quote(why.text, strlen(why.text), quoted, sizeof(quoted)), why.line,
                       why.column);
    if (!json_is_object(document)) {
        json_decref(document);
        return err_set(err, ERR_CORRUPT, "not a JSON object");
    }
    *ret_document = document;
    return 0;
}

void
json_read_free(struct json_t *document)
{
    json_decref(document);
}

const struct json_t *
json_read_member(const struct json_t *object, const char *key)
{
    return json_object_get(object, key);
}

const struct json_t *
json_read_element(const struct json_t *array, size_t index)
{
    return json_array_get(array, index);
}

static const char *
type_name(json_type type)
{
    switch (type) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number that is not an integer";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    case JSON_NULL:
        return "null";
    }
    return "unknown";
}

static int
expect(const struct json_t *value, const char *what, json_type type, struct err *err)
{
    if (value == NULL)
        return err_set(err, ERR_CORRUPT, "\"%s\" is missing", what);
    if (json_typeof(value) != type)
        return err_set(err, ERR_CORRUPT, "\"%s\" is %s, wanted %s", what,
                       type_name(json_typeof(value)), type_name(type));
    return 0;
}

int
json_read_integer(const struct json_t *value, const char *what, int64_t min, int64_t max,
                  int64_t *ret_number, struct err *err)
{
    if (expect(value, what, JSON_INTEGER, err) < 0)
        return -1;
    int64_t number = json_integer_value(value);
    if (number < min || number > max)
        return err_set(err, ERR_CORRUPT, "\"%s\" is %lld, wanted %lld to %lld", what,
                       (long long)number, (long long)min, (long long)max);
    *ret_number = number;
    return 0;
}

int
json_read_bool(const struct json_t *value, const char *what, bool *ret_bool, struct err *err)
{
    /* True and false are two types of the library. */
    if (value == NULL || !json_is_boolean(value))
        return expect(value, what, JSON_TRUE, err);
    *ret_bool = json_is_true(value);
    return 0;
}

int
json_read_string(const struct json_t *value, const char *what, size_t min, size_t max,
                 const char **ret_text, struct err *err)
{
    if (expect(value, what, JSON_STRING, err) < 0)
        return -1;
    size_t length = json_string_length(value);
    if (length < min || length > max)
        return err_set(err, ERR_CORRUPT, "\"%s\" has %zu bytes, wanted %zu to %zu", what, length,
                       min, max);
    *ret_text = json_string_value(value);
    return 0;
}

int
json_read_array(const struct json_t *value, const char *what, size_t min, size_t max,
                size_t *ret_length, struct err *err)
{
    if (expect(value, what, JSON_ARRAY, err) < 0)
        return -1;
    size_t length = json_array_size(value);
    if (length < min || length > max)
        return err_set(err, ERR_CORRUPT, "\"%s\" has %zu elements, wanted %zu to %zu", what, length,
                       min, max);
    *ret_length = length;
    return 0;
}

int
json_read_is_object(const struct json_t *value, const char *what, struct err *err)
{
    return expect(value, what, JSON_OBJECT, err);
}

int
json_read_each(const struct json_t *object, json_read_visit visit, void *context, struct err *err)
{
    /* The library's iterators ask for a value they may change, and do not change it. */
    json_t *members = (json_t *)(uintptr_t)object;
    int rc = 0;

    for (void *at = json_object_iter(members); at != NULL && rc == 0;
         at = json_object_iter_next(members, at))
        rc = visit(context, json_object_iter_key(at), json_object_iter_value(at), err);
    return rc;
}
