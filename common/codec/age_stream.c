/* SPDX-License-Identifier: PostgreSQL */
#include "codec/age_stream.h"

#include "base/io.h"

int
age_stream_begin(struct age_stream *stream, enum aead_direction direction, const uint8_t *key,
                 struct err *err)
{
    stream->number = 0;
    stream->ended = false;
    return aead_begin(&stream->aead, direction, key, err);
}

/* The chunk's number in eleven bytes and one for "last". */
static void
advance(struct age_stream *stream, bool last, uint8_t *nonce)
{
    put_u32_be(nonce, 0);
    put_u64_be(nonce + 3, stream->number);
    nonce[11] = last ? 1 : 0;
    stream->number++;
    stream->ended = last;
}

static bool
size_is_good(size_t size, bool last)
{
    return last ? size > 0 && size <= AGE_CHUNK_SIZE : size == AGE_CHUNK_SIZE;
}

int
age_stream_seal(struct age_stream *stream, uint8_t *bytes, size_t size, bool last, struct err *err)
{
    uint8_t nonce[AEAD_NONCE_SIZE];

    if (stream->ended || !size_is_good(size, last))
        return err_set(err, ERR_INTERNAL, "chunk %llu of %zu bytes cannot be encrypted",
                       (unsigned long long)stream->number, size);
    advance(stream, last, nonce);
    return aead_seal(&stream->aead, nonce, bytes, size, err);
}

int
age_stream_open(struct age_stream *stream, struct span chunk, bool last, uint8_t *text,
                struct err *err)
{
    uint8_t nonce[AEAD_NONCE_SIZE];
    unsigned long long number = stream->number;

    if (stream->ended)
        return err_set(err, ERR_CORRUPT, "a chunk stands behind the last one");
    if (chunk.size < AEAD_TAG_SIZE || !size_is_good(chunk.size - AEAD_TAG_SIZE, last))
        return err_set(err, ERR_CORRUPT, "chunk %llu has %zu bytes", number, chunk.size);
    advance(stream, last, nonce);

    int rc = aead_open(&stream->aead, nonce, chunk, text, err);
    if (rc == AEAD_FORGED)
        return err_set(err, ERR_CORRUPT, "chunk %llu is not authentic", number);
    return rc;
}

void
age_stream_done(struct age_stream *stream)
{
    aead_done(&stream->aead);
}
