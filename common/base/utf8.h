/* SPDX-License-Identifier: PostgreSQL */
/*
 * utf8.h: is this text UTF-8 (RFC 3629)? Names of files are bytes and need not be.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Shortest forms only, no surrogates, nothing above U+10FFFF. U+0000 is a character like others. */
bool utf8_valid(const char *text, size_t length);

#endif
