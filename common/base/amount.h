/* SPDX-License-Identifier: PostgreSQL */
/*
 * amount.h: numbers of bytes as a person reads them.
 */
#ifndef BASE_AMOUNT_H
#define BASE_AMOUNT_H

#include <stdint.h>

#define AMOUNT_SIZE 32

/* "17 bytes", "1.5 GiB"; rounded down. `text` has AMOUNT_SIZE bytes. Returns text. */
const char *amount_text(uint64_t bytes, char *text);

#endif
