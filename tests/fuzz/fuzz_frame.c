/* SPDX-License-Identifier: PostgreSQL */
/*
 * Data frames. The first byte says the compression, the next three the size of
 * the file, and whether the frame comes in one piece or in small ones; the two
 * ways must agree, and never yield more than the size. Straight into memory
 * comes the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/digest.h"
#include "codec/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sum {
    struct digest digest;
    uint64_t size;
};

static int
count(void *context, const uint8_t *bytes, size_t size, struct err *err)
{
    struct sum *sum = context;

    sum->size += size;
    return digest_add(&sum->digest, bytes, size, err);
}

/* 0 (ret_digest filled) or -1. */
static int
decode(enum compression compression, uint64_t file_size, struct span frame, size_t piece,
       uint8_t *ret_digest)
{
    AUTO(frame_decoder) struct frame_decoder *decoder = NULL;
    struct sum sum = {.size = 0};
    struct err err;
    int rc = 0;

    if (digest_begin(&sum.digest, &err) < 0 ||
        frame_decoder_new(compression, file_size, count, &sum, &decoder, &err) < 0)
        abort();
    for (size_t offset = 0; rc == 0 && offset < frame.size; offset += piece)
        rc = frame_decoder_write(decoder, frame.data + offset, MIN_OF(piece, frame.size - offset),
                                 &err);
    if (rc == 0)
        rc = frame_decoder_finish(decoder, &err);
    if (sum.size > file_size || (rc == 0 && sum.size != file_size) ||
        (rc < 0 && err.kind != ERR_CORRUPT))
        abort();
    if (rc == 0 && digest_end(&sum.digest, ret_digest, &err) < 0)
        abort();
    digest_done(&sum.digest);
    return rc;
}

/* The same, straight into memory of exactly that size. */
static int
decode_into(enum compression compression, uint64_t file_size, struct span frame,
            uint8_t *ret_digest)
{
    AUTO(frame_decoder) struct frame_decoder *decoder = NULL;
    AUTO(ptr) uint8_t *file = malloc(MAX_OF((size_t)file_size, (size_t)1));
    const struct span span = {file, (size_t)file_size};
    struct err err;

    if (file == NULL || frame_decoder_new_into(compression, file_size, file, &decoder, &err) < 0)
        abort();
    if (frame_decoder_write(decoder, frame.data, frame.size, &err) < 0 ||
        frame_decoder_finish(decoder, &err) < 0) {
        if (err.kind != ERR_CORRUPT)
            abort();
        return -1;
    }
    if (digest_sha256(&span, 1, ret_digest, &err) < 0)
        abort();
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t into[DIGEST_SIZE];
    uint8_t whole[DIGEST_SIZE];
    uint8_t pieces[DIGEST_SIZE];

    if (size < 4)
        return 0;
    enum compression compression = (enum compression)(data[0] % 3);
    uint64_t file_size = (uint64_t)data[1] << 16 | (uint64_t)data[2] << 8 | data[3];
    const struct span frame = {data + 4, size - 4};

    int rc = decode(compression, file_size, frame, frame.size + 1, whole);
    if (decode(compression, file_size, frame, 1 + data[0] / 3, pieces) != rc)
        abort();
    if (rc == 0 && !digest_equal(whole, pieces))
        abort();
    if (decode_into(compression, file_size, frame, into) != rc ||
        (rc == 0 && !digest_equal(whole, into)))
        abort();
    return 0;
}
