/* SPDX-License-Identifier: PostgreSQL */
/*
 * spans.h: several pieces of memory as one row of bytes. Private to common/store.
 */
#ifndef STORE_SPANS_H
#define STORE_SPANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

uint64_t spans_size(const struct span *spans, size_t n);

/* What stands at `offset` in one piece; empty behind the end. */
struct span spans_at(const struct span *spans, size_t n, uint64_t offset);

/* Are these bytes what stands at `offset`? */
bool spans_equal(const struct span *spans, size_t n, uint64_t offset, struct span bytes);

#endif
