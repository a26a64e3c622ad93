/* SPDX-License-Identifier: PostgreSQL */
/*
 * Age headers. One that is read, and holds nothing foreign, is written with the
 * same bytes; the short reader of the seal agrees with the whole one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/age_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct age_header header;
    uint8_t seal[SEAL_SIZE_MAX];
    size_t seal_size = 0;
    struct err err;
    AUTO(buf) struct buf text = BUF_INIT(AGE_HEADER_MAX);

    int short_rc = age_header_read_seal(data, size, seal, &seal_size, &err);
    if (age_header_read(data, size, &header, &err) < 0)
        return 0;
    if (short_rc < 0 || seal_size != header.seal_size || memcmp(seal, header.seal, seal_size) != 0)
        abort();
    if (header.size > size || header.size > AGE_HEADER_MAX || header.mac_covers >= header.size ||
        header.n_stanzas == 0 || header.n_stanzas > KEYS_MAX)
        abort();
    if (header.has_foreign)
        return 0;
    if (age_header_write(&header, &text, &err) < 0 || text.size != header.mac_covers ||
        age_header_write_mac(header.mac, &text, &err) < 0 || text.size != header.size ||
        memcmp(text.data, data, text.size) != 0)
        abort();
    return 0;
}
