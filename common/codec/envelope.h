/* SPDX-License-Identifier: PostgreSQL */
/*
 * envelope.h: where an object's seal stands and where its payload begins: the
 * age header or the unencrypted seal frame (docs/format.md sections 5 and 6).
 */
#ifndef CODEC_ENVELOPE_H
#define CODEC_ENVELOPE_H

#include "codec/seal.h"

#define ENVELOPE_SEAL_FRAME_SIZE (16 + (size_t)SEAL_SIZE_MAX)

struct envelope {
    enum encryption encryption;
    uint8_t seal[SEAL_SIZE_MAX];
    size_t seal_size;
};

/* The seal's bytes, unverified, from the first bytes of an object. 0 or -1 (ERR_CORRUPT;
 * ERR_CONFIG: a newer version). */
int envelope_read(const void *bytes, size_t size, struct envelope *ret, struct err *err) MUST_USE;

/* The same, and the length of the whole header, which must be within bytes[0..size). */
int envelope_read_header(const void *bytes, size_t size, struct envelope *ret,
                         size_t *ret_header_size, struct err *err) MUST_USE;

/* The unencrypted envelope. `bytes` has ENVELOPE_SEAL_FRAME_SIZE; returns how many are used. */
size_t envelope_write_seal_frame(const uint8_t *seal, size_t seal_size, uint8_t *bytes);

#endif
