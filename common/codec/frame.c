/* SPDX-License-Identifier: PostgreSQL */
#include "codec/frame.h"

#include <lz4.h>
#include <string.h>
#include <zstd.h>

#include "codec/frame_ops.h"

static const struct frame_ops *
ops_of(enum compression compression)
{
    switch (compression) {
    case COMPRESSION_NONE:
        return &frame_stored_ops;
    case COMPRESSION_LZ4:
        return &frame_lz4_ops;
    case COMPRESSION_ZSTD:
        return &frame_zstd_ops;
    }
    return NULL;
}

size_t
frame_size_bound(uint64_t file_size)
{
    /* What incompressible blocks cost is below 1/256 with every compression (zstd says so; lz4
     * has 4 bytes per 256 KiB); the rest is headers and what the libraries want as reserve. */
    return (size_t)(file_size + file_size / 256) + 64 * KIB;
}

uint32_t
frame_library_version(enum compression compression)
{
    return compression == COMPRESSION_ZSTD ? (uint32_t)ZSTD_versionNumber()
                                           : (uint32_t)LZ4_versionNumber();
}

int
frame_output_append(struct frame_output *output, const void *bytes, size_t size, struct err *err)
{
    if (output->capacity - output->size < size)
        return err_set(err, ERR_INTERNAL, "compressed data is larger than its bound");
    memcpy(output->data + output->size, bytes, size);
    output->size += size;
    return 0;
}

struct frame_encoder {
    const struct frame_ops *ops;
    void *state;
    struct frame_output *output;
    uint64_t left;
    uint8_t *piece; /* FRAME_PIECE_SIZE, made when it is needed */
    size_t piece_size;
};

int
frame_encoder_new(enum compression compression, int level, uint64_t file_size,
                  struct frame_output *output, struct frame_encoder **ret_encoder,
                  struct err *err)
{
    const struct frame_ops *ops = ops_of(compression);

    if (ops == NULL)
        return err_set(err, ERR_INTERNAL, "unknown compression %d", (int)compression);
    if (level < 0 || level > FRAME_LEVEL_MAX)
        return err_set(err, ERR_CONFIG, "compression level %d is not in 0..%d", level,
                       FRAME_LEVEL_MAX);

    AUTO(frame_encoder) struct frame_encoder *encoder = calloc(1, sizeof(*encoder));
    if (encoder == NULL)
        return err_memory(err, "compressor");
    *encoder = (struct frame_encoder){.ops = ops, .output = output, .left = file_size};
    if (ops->encode_begin(level, file_size, output, &encoder->state, err) < 0)
        return -1;
    *ret_encoder = TAKE_PTR(encoder);
    return 0;
}

/* Collect what does not fill a piece. 0 or -1. */
static int
collect(struct frame_encoder *encoder, struct span *bytes, struct err *err)
{
    if (encoder->piece == NULL) {
        encoder->piece = malloc(FRAME_PIECE_SIZE);
        if (encoder->piece == NULL)
            return err_memory(err, "compressor");
    }
    size_t size = MIN_OF(bytes->size, FRAME_PIECE_SIZE - encoder->piece_size);
    memcpy(encoder->piece + encoder->piece_size, bytes->data, size);
    encoder->piece_size += size;
    *bytes = (struct span){bytes->data + size, bytes->size - size};
    if (encoder->piece_size < FRAME_PIECE_SIZE)
        return 0;
    encoder->piece_size = 0;
    return encoder->ops->encode(encoder->state, encoder->piece, FRAME_PIECE_SIZE, encoder->output,
                                err);
}

int
frame_encoder_write(struct frame_encoder *encoder, const uint8_t *bytes, size_t size,
                    struct err *err)
{
    struct span rest = {bytes, size};

    if (size > encoder->left)
        return err_set(err, ERR_LOCAL, "the file is larger than it was said to be");
    encoder->left -= size;
    while (rest.size > 0) {
        if (encoder->piece_size > 0 || rest.size < FRAME_PIECE_SIZE) {
            if (collect(encoder, &rest, err) < 0)
                return -1;
            continue;
        }
        if (encoder->ops->encode(encoder->state, rest.data, FRAME_PIECE_SIZE, encoder->output,
                                 err) < 0)
            return -1;
        rest = (struct span){rest.data + FRAME_PIECE_SIZE, rest.size - FRAME_PIECE_SIZE};
    }
    return 0;
}

int
frame_encoder_finish(struct frame_encoder *encoder, struct err *err)
{
    if (encoder->left != 0)
        return err_set(err, ERR_LOCAL, "the file is smaller than it was said to be");
    if (encoder->piece_size > 0 &&
        encoder->ops->encode(encoder->state, encoder->piece, encoder->piece_size, encoder->output,
                             err) < 0)
        return -1;
    encoder->piece_size = 0;
    return encoder->ops->encode_end(encoder->state, encoder->output, err);
}

void
frame_encoder_free(struct frame_encoder *encoder)
{
    if (encoder == NULL)
        return;
    encoder->ops->encode_free(encoder->state);
    free(encoder->piece);
    free(encoder);
}

struct frame_decoder {
    const struct frame_ops *ops;
    void *state;
    frame_sink sink;
    void *context;
    uint8_t *piece; /* FRAME_PIECE_SIZE for the sink; or NULL: all goes straight to `into` */
    uint8_t *into;
    uint64_t left; /* bytes of the file that have not come yet */
    bool in_body;
    bool ended;
    size_t header_size;
    uint8_t header[FRAME_HEADER_MAX];
};

/* NULL when it failed. */
static struct frame_decoder *
new_decoder(enum compression compression, struct err *err)
{
    const struct frame_ops *ops = ops_of(compression);

    if (ops == NULL) {
        (void)err_set(err, ERR_INTERNAL, "unknown compression %d", (int)compression);
        return NULL;
    }
    AUTO(frame_decoder) struct frame_decoder *decoder = calloc(1, sizeof(*decoder));
    if (decoder == NULL) {
        (void)err_memory(err, "decompressor");
        return NULL;
    }
    decoder->ops = ops;
    if (ops->decode_begin(&decoder->state, err) < 0)
        return NULL;
    return TAKE_PTR(decoder);
}

int
frame_decoder_new(enum compression compression, uint64_t file_size, frame_sink sink, void *context,
                  struct frame_decoder **ret_decoder, struct err *err)
{
    AUTO(frame_decoder) struct frame_decoder *decoder = new_decoder(compression, err);

    if (decoder == NULL)
        return -1;
    decoder->piece = malloc(FRAME_PIECE_SIZE);
    if (decoder->piece == NULL)
        return err_memory(err, "decompressor");
    decoder->sink = sink;
    decoder->context = context;
    decoder->left = file_size;
    *ret_decoder = TAKE_PTR(decoder);
    return 0;
}

int
frame_decoder_new_into(enum compression compression, uint64_t file_size, uint8_t *file,
                       struct frame_decoder **ret_decoder, struct err *err)
{
    struct frame_decoder *decoder = new_decoder(compression, err);

    if (decoder == NULL)
        return -1;
    decoder->into = file;
    decoder->left = file_size;
    *ret_decoder = decoder;
    return 0;
}

/* What was decoded goes where it is wanted. */
static int
hand_on(struct frame_decoder *decoder, const struct frame_step *step, struct err *err)
{
    if (step->got > decoder->left)
        return err_set(err, ERR_CORRUPT, "%s frame holds more than the file's size",
                       decoder->ops->name);
    decoder->left -= step->got;
    if (decoder->piece == NULL)
        decoder->into += step->got;
    else if (step->got > 0)
        return decoder->sink(decoder->context, step->out, step->got, err);
    return 0;
}

/* Bytes that the library may see: everything before them was allowed. */
static int
decode(struct frame_decoder *decoder, const uint8_t *bytes, size_t size, struct err *err)
{
    struct frame_step step = {.in = bytes, .in_size = size};
    int rc = 0;

    do {
        size_t used = step.used;

        step.out = decoder->piece != NULL ? decoder->piece : decoder->into;
        step.out_size = decoder->piece != NULL ? FRAME_PIECE_SIZE : (size_t)decoder->left;
        step.got = 0;
        rc = decoder->ops->decode(decoder->state, &step, err);
        if (rc < 0 || hand_on(decoder, &step, err) < 0)
            return -1;
        /* Without room, what does not fit shows in input that is not taken. */
        if (rc == 0 && step.used == used && step.got == 0 && step.used < step.in_size)
            return err_set(err, ERR_CORRUPT, "%s frame does not advance", decoder->ops->name);
    } while (rc == 0 && (step.used < step.in_size || (step.got > 0 && step.got == step.out_size)));

    decoder->ended = rc == FRAME_END;
    if (decoder->ended && step.used < step.in_size)
        return err_set(err, ERR_CORRUPT, "bytes stand behind the %s frame", decoder->ops->name);
    return 0;
}

/* Collect the header until it can be judged; then it goes to the library. 0, FRAME_MORE, or -1. */
static int
collect_header(struct frame_decoder *decoder, struct span *bytes, struct err *err)
{
    int rc = FRAME_MORE;

    while (rc == FRAME_MORE && bytes->size > 0) {
        if (decoder->header_size == FRAME_HEADER_MAX)
            return err_set(err, ERR_INTERNAL, "frame header cannot be judged");
        decoder->header[decoder->header_size++] = bytes->data[0];
        *bytes = (struct span){bytes->data + 1, bytes->size - 1};
        rc = decoder->ops->check_header(decoder->header, decoder->header_size,
                                        decoder->left, err);
    }
    if (rc != 0)
        return rc;
    decoder->in_body = true;
    return decode(decoder, decoder->header, decoder->header_size, err);
}

int
frame_decoder_write(struct frame_decoder *decoder, const uint8_t *bytes, size_t size,
                    struct err *err)
{
    struct span rest = {bytes, size};

    if (!decoder->in_body && size > 0) {
        int rc = collect_header(decoder, &rest, err);

        if (rc == FRAME_MORE)
            return 0;
        if (rc < 0)
            return -1;
    }
    if (rest.size == 0)
        return 0;
    if (decoder->ended)
        return err_set(err, ERR_CORRUPT, "bytes stand behind the %s frame", decoder->ops->name);
    return decode(decoder, rest.data, rest.size, err);
}

int
frame_decoder_finish(const struct frame_decoder *decoder, struct err *err)
{
    if (!decoder->ended)
        return err_set(err, ERR_CORRUPT, "%s frame does not end", decoder->ops->name);
    if (decoder->left != 0)
        return err_set(err, ERR_CORRUPT, "%s frame holds less than the file's size",
                       decoder->ops->name);
    return 0;
}

void
frame_decoder_free(struct frame_decoder *decoder)
{
    if (decoder == NULL)
        return;
    decoder->ops->decode_free(decoder->state);
    free(decoder->piece);
    free(decoder);
}
