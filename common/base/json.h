/* SPDX-License-Identifier: PostgreSQL */
/*
 * json.h: what a program prints or stores for another program.
 *
 * A document is built in order: open an object or array, fill it, close it. Failures (memory,
 * wrong nesting) are remembered and reported once, by json_print() or json_write(), so the
 * building code reads like the document. Keys are NULL inside arrays. Text that is not UTF-8 is
 * quoted.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct json;

/* A document whose root is an object. NULL if memory is out. */
struct json *json_new(void);
void json_free(struct json *json);

void json_open_object(struct json *json, const char *key);
void json_open_array(struct json *json, const char *key);
void json_close(struct json *json);

void json_add_text(struct json *json, const char *key, const char *text); /* NULL: null */
void json_add_number(struct json *json, const char *key, int64_t number);
void json_add_bool(struct json *json, const char *key, bool value);

/* Remember a failure of the caller's: the document will not be printed. */
void json_fail(struct json *json);

/* The document, indented, and a newline on stdout. 0 or -1 (ERR_INTERNAL, ERR_LOCAL). */
int json_print(const struct json *json, struct err *err) MUST_USE;

/* Append the document on one line, without a newline. 0, BUF_FULL, or -1 (ERR_INTERNAL). */
int json_write(const struct json *json, struct buf *text, struct err *err) MUST_USE;

DEFINE_POINTER_CLEANUP(json, struct json, json_free);

#endif
