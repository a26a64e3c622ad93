/* SPDX-License-Identifier: PostgreSQL */
/*
 * json_read.h: strict reading of JSON somebody else has written.
 *
 * Every getter names what it was looking for when it fails, and fails (ERR_CORRUPT) when it is
 * missing, of another type, or out of the range the caller states. Values live as long as the
 * document they are part of.
 */
#ifndef BASE_JSON_READ_H
#define BASE_JSON_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

struct json_t; /* opaque: a value */

/* What a text may be at most. */
struct json_read_bounds {
    size_t size;  /* bytes */
    size_t depth; /* objects and arrays inside of each other */
};

/*
 * Read one JSON text whose root is an object (RFC 8259, UTF-8). No member occurs twice in an
 * object, no string contains U+0000, nothing but blanks stands around it. 0, or -1: ERR_CORRUPT.
 */
int json_read_object(const void *text, size_t size, const struct json_read_bounds *bounds,
                     struct json_t **ret_document, struct err *err) MUST_USE;
void json_read_free(struct json_t *document);

/* The member of an object, the element of an array; NULL if there is none. */
const struct json_t *json_read_member(const struct json_t *object, const char *key);
const struct json_t *json_read_element(const struct json_t *array, size_t index);

/*
 * The value as what it should be; `value` NULL is "missing", `what` is its name for messages. An
 * integer is written without fraction and exponent. A string is UTF-8 with a NUL behind it and has
 * min to max bytes. An array has min to max elements. 0 or -1 (ERR_CORRUPT).
 */
int json_read_integer(const struct json_t *value, const char *what, int64_t min, int64_t max,
                      int64_t *ret_number, struct err *err) MUST_USE;
int json_read_bool(const struct json_t *value, const char *what, bool *ret_bool, struct err *err)
    MUST_USE;
int json_read_string(const struct json_t *value, const char *what, size_t min, size_t max,
                     const char **ret_text, struct err *err) MUST_USE;
int json_read_array(const struct json_t *value, const char *what, size_t min, size_t max,
                    size_t *ret_length, struct err *err) MUST_USE;

/* Is it an object? Its members are then there to be read. 0 or -1 (ERR_CORRUPT). */
int json_read_is_object(const struct json_t *value, const char *what, struct err *err) MUST_USE;

/* Hand every member of an object to `visit`, in the order of the text. 0, or what visit returned.
 */
typedef int (*json_read_visit)(void *context, const char *key, const struct json_t *value,
                               struct err *err);
int json_read_each(const struct json_t *object, json_read_visit visit, void *context,
                   struct err *err) MUST_USE;

DEFINE_POINTER_CLEANUP(json_document, struct json_t, json_read_free);

#endif
