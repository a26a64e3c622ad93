/* SPDX-License-Identifier: PostgreSQL */
/*
 * base64.h: base64 as age uses it (RFC 4648 section 4, without padding), strict: one text for
 * each sequence of bytes.
 */
#ifndef CODEC_BASE64_H
#define CODEC_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BASE64_LENGTH(size) (((size) * 8 + 5) / 6)

/* Writes BASE64_LENGTH(size) characters, no NUL. */
void base64_write(const uint8_t *bytes, size_t size, char *text);

/* The whole of text[0..length). False: not canonical base64, or more than `capacity` bytes; then
 * `bytes` is undefined. */
bool base64_read(const char *text, size_t length, uint8_t *bytes, size_t capacity,
                 size_t *ret_size);

#endif
