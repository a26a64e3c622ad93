/* SPDX-License-Identifier: PostgreSQL */
/*
 * hex.h: bytes to lower-case hexadecimal, and strict readers of numbers in
 * text. strtoul() and sscanf() are banned: they accept signs, blanks and "0x".
 */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `text` has 2 * size + 1 bytes. Returns text. */
const char *hex_text(const uint8_t *bytes, size_t size, char *text);

/* Exactly `digits` upper-case hexadecimal digits, at most 16. False if any is not one. */
bool hex_read_upper(const char *text, size_t digits, uint64_t *ret_value);

/* Exactly 2 * size lower-case hexadecimal digits, as hex_text() writes them. False (ret_bytes may
 * be overwritten in part) if any is not one. */
bool hex_read_bytes(const char *text, size_t size, uint8_t *ret_bytes);

/* The whole of text[0..length) as a decimal number without sign, blanks or leading zeros. */
bool decimal_read(const char *text, size_t length, uint64_t max, uint64_t *ret_value);

#endif
