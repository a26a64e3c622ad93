/* SPDX-License-Identifier: PostgreSQL */
#include "store/spans.h"

#include <string.h>

#include "base/macros.h"

uint64_t
spans_size(const struct span *spans, size_t n)
{
    uint64_t size = 0;

    for (size_t i = 0; i < n; i++)
        size += spans[i].size;
    return size;
}

struct span
spans_at(const struct span *spans, size_t n, uint64_t offset)
{
    for (size_t i = 0; i < n; i++) {
        if (offset < spans[i].size)
            return (struct span){spans[i].data + offset, spans[i].size - (size_t)offset};
        offset -= spans[i].size;
    }
    return (struct span){NULL, 0};
}

bool
spans_equal(const struct span *spans, size_t n, uint64_t offset, struct span bytes)
{
    while (bytes.size > 0) {
        struct span piece = spans_at(spans, n, offset);
        size_t size = MIN_OF(piece.size, bytes.size);

        if (size == 0 || memcmp(piece.data, bytes.data, size) != 0)
            return false;
        offset += size;
        bytes.data += size;
        bytes.size -= size;
    }
    return true;
}
