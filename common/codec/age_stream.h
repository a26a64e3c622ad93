/* SPDX-License-Identifier: PostgreSQL */
/*
 * age_stream.h: age's STREAM: the payload in 64 KiB chunks, each encrypted and
 * authenticated with its number and whether it is the last.
 */
#ifndef CODEC_AGE_STREAM_H
#define CODEC_AGE_STREAM_H

#include <stdbool.h>

#include "codec/aead.h"

#define AGE_CHUNK_SIZE ((size_t)65536)
#define AGE_SEALED_CHUNK_SIZE (AGE_CHUNK_SIZE + AEAD_TAG_SIZE)

struct age_stream {
    struct aead aead;
    uint64_t number; /* of the next chunk */
    bool ended;
};

#define AGE_STREAM_INIT ((struct age_stream){.number = 0})

/* `key` is age_wrap_stream_key()'s. 0 or -1 (ERR_INTERNAL). */
int age_stream_begin(struct age_stream *stream, enum aead_direction direction, const uint8_t *key,
                     struct err *err) MUST_USE;

/*
 * Encrypt the next chunk where it stands, 16 bytes growing behind it. Every chunk but the last
 * has AGE_CHUNK_SIZE bytes; the last has at least one. 0 or -1 (ERR_INTERNAL).
 */
int age_stream_seal(struct age_stream *stream, uint8_t *bytes, size_t size, bool last,
                    struct err *err) MUST_USE;

/*
 * Decrypt the next chunk into `text` (AGE_CHUNK_SIZE bytes). The same rules for sizes. 0 or -1:
 * ERR_CORRUPT (not authentic, sizes, a chunk behind the last one), ERR_INTERNAL; then `text` must
 * not be used.
 */
int age_stream_open(struct age_stream *stream, struct span chunk, bool last, uint8_t *text,
                    struct err *err) MUST_USE;

void age_stream_done(struct age_stream *stream);

DEFINE_CLEANUP(age_stream, struct age_stream, age_stream_done);

#endif
