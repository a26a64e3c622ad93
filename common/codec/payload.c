/* SPDX-License-Identifier: PostgreSQL */
#include "codec/payload.h"

#include <string.h>

#include "codec/digest.h"
#include "codec/front_frame.h"

struct payload_reader {
    frame_sink sink;
    void *context;
    uint64_t file_size;
    bool into;            /* memory; no digest is made */
    struct digest digest;
    struct frame_decoder *decoder;
    struct front_frame front;
    uint8_t front_bytes[FRONT_FRAME_SIZE];
    size_t front_size;
    size_t index_left; /* bytes of the index still to be passed over */
};

/* What the data frame decodes to: counted into the digest, then handed on. */
static int
take_file(void *context, const uint8_t *bytes, size_t size, struct err *err)
{
    struct payload_reader *reader = context;

    if (digest_add(&reader->digest, bytes, size, err) < 0)
        return -1;
    return reader->sink == NULL ? 0 : reader->sink(reader->context, bytes, size, err);
}

int
payload_reader_new_into(enum compression compression, uint64_t file_size, uint8_t *file,
                        struct payload_reader **ret_reader, struct err *err)
{
    AUTO(payload_reader) struct payload_reader *reader = calloc(1, sizeof(*reader));

    if (reader == NULL)
        return err_memory(err, "decompressor");
    reader->file_size = file_size;
    reader->into = true;
    if (frame_decoder_new_into(compression, file_size, file, &reader->decoder, err) < 0)
        return -1;
    *ret_reader = TAKE_PTR(reader);
    return 0;
}

int
payload_reader_new(enum compression compression, uint64_t file_size, frame_sink sink,
                   void *context, struct payload_reader **ret_reader, struct err *err)
{
    AUTO(payload_reader) struct payload_reader *reader = calloc(1, sizeof(*reader));

    if (reader == NULL)
        return err_memory(err, "decompressor");
    reader->sink = sink;
    reader->context = context;
    reader->file_size = file_size;
    if (digest_begin(&reader->digest, err) < 0 ||
        frame_decoder_new(compression, file_size, take_file, reader, &reader->decoder, err) < 0)
        return -1;
    *ret_reader = TAKE_PTR(reader);
    return 0;
}

static int
read_front(struct payload_reader *reader, struct err *err)
{
    if (front_frame_read(reader->front_bytes, &reader->front, err) < 0)
        return -1;
    if (reader->front.file_size != reader->file_size)
        return err_set(err, ERR_CORRUPT, "front frame says a file of %llu bytes, the seal %llu",
                       (unsigned long long)reader->front.file_size,
                       (unsigned long long)reader->file_size);
    reader->index_left = reader->front.index_size;
    return 0;
}

int
payload_reader_write(struct payload_reader *reader, const uint8_t *bytes, size_t size,
                     struct err *err)
{
    if (reader->front_size < FRONT_FRAME_SIZE) {
        size_t part = MIN_OF(size, FRONT_FRAME_SIZE - reader->front_size);

        if (part == 0)
            return 0;
        memcpy(reader->front_bytes + reader->front_size, bytes, part);
        reader->front_size += part;
        bytes += part;
        size -= part;
        if (reader->front_size < FRONT_FRAME_SIZE)
            return 0;
        if (read_front(reader, err) < 0)
            return -1;
    }

    size_t index_part = MIN_OF(size, reader->index_left);
    reader->index_left -= index_part;
    return frame_decoder_write(reader->decoder, bytes + index_part, size - index_part, err);
}

static int
check_digest(struct payload_reader *reader, struct err *err)
{
    uint8_t digest[DIGEST_SIZE];

    if (digest_end(&reader->digest, digest, err) < 0)
        return -1;
    if (!digest_equal(digest, reader->front.file_digest))
        return err_set(err, ERR_CORRUPT, "the file's SHA-256 is not the front frame's");
    return 0;
}

int
payload_reader_finish(struct payload_reader *reader, uint8_t *ret_digest, struct err *err)
{
    if (reader->front_size < FRONT_FRAME_SIZE || reader->index_left > 0)
        return err_set(err, ERR_CORRUPT, "payload ends within the front frame");
    if (frame_decoder_finish(reader->decoder, err) < 0 ||
        (!reader->into && check_digest(reader, err) < 0))
        return -1;
    memcpy(ret_digest, reader->front.file_digest, DIGEST_SIZE);
    return 0;
}

void
payload_reader_free(struct payload_reader *reader)
{
    if (reader == NULL)
        return;
    frame_decoder_free(reader->decoder);
    digest_done(&reader->digest);
    free(reader);
}
