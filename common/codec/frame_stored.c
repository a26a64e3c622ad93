/* SPDX-License-Identifier: PostgreSQL */
/*
 * An lz4 frame of stored blocks. Both directions are so simple that the
 * library has no part in them.
 */
#include "codec/frame_ops.h"

#include <string.h>

#include "base/io.h"

#define STORED 0x80000000U
#define WORD_SIZE 4
#define BLOCK_MAX FRAME_PIECE_SIZE

static int
encode_begin(int level, uint64_t file_size, struct frame_output *output, void **ret_state,
             struct err *err)
{
    uint8_t header[FRAME_LZ4_HEADER_SIZE];

    (void)level;
    *ret_state = NULL;
    frame_lz4_header(false, file_size, header);
    return frame_output_append(output, header, sizeof(header), err);
}

static int
encode(void *state, const uint8_t *bytes, size_t size, struct frame_output *output,
       struct err *err)
{
    uint8_t word[WORD_SIZE];

    (void)state;
    put_u32_le(word, STORED | (uint32_t)size);
    if (frame_output_append(output, word, sizeof(word), err) < 0)
        return -1;
    return frame_output_append(output, bytes, size, err);
}

static int
encode_end(void *state, struct frame_output *output, struct err *err)
{
    static const uint8_t end_mark[WORD_SIZE];

    (void)state;
    return frame_output_append(output, end_mark, sizeof(end_mark), err);
}

static int
check_header(const uint8_t *bytes, size_t size, uint64_t file_size, struct err *err)
{
    return frame_lz4_check_header(false, bytes, size, file_size, err);
}

struct decoder {
    size_t header_left;
    size_t block_max;
    size_t block_left;
    uint8_t word[WORD_SIZE];
    size_t word_size;
};

static int
decode_begin(void **ret_state, struct err *err)
{
    struct decoder *decoder = calloc(1, sizeof(*decoder));

    if (decoder == NULL)
        return err_memory(err, "decompressor");
    decoder->header_left = FRAME_LZ4_HEADER_SIZE;
    *ret_state = decoder;
    return 0;
}

/* The header was checked before; of it only the block size is needed. */
static void
pass_header(struct decoder *decoder, struct frame_step *step)
{
    while (decoder->header_left > 0 && step->used < step->in_size) {
        if (FRAME_LZ4_HEADER_SIZE - decoder->header_left == 5)
            decoder->block_max = step->in[step->used] == 0x40 ? 64 * KIB : BLOCK_MAX;
        decoder->header_left--;
        step->used++;
    }
}

/* A word in front of a block, once all of it is there. 0, FRAME_END, or -1. */
static int
read_word(struct decoder *decoder, struct frame_step *step, struct err *err)
{
    struct cursor cursor;

    while (decoder->word_size < WORD_SIZE && step->used < step->in_size)
        decoder->word[decoder->word_size++] = step->in[step->used++];
    if (decoder->word_size < WORD_SIZE)
        return 0;
    decoder->word_size = 0;
    cursor_init(&cursor, decoder->word, sizeof(decoder->word));
    uint32_t word = cursor_u32_le(&cursor);
    if (word == 0)
        return FRAME_END;

    size_t size = word & ~STORED;
    if ((word & STORED) == 0)
        return err_set(err, ERR_CORRUPT, "a block is compressed where all are stored");
    if (size == 0 || size > decoder->block_max)
        return err_set(err, ERR_CORRUPT, "a stored block has %zu bytes", size);
    decoder->block_left = size;
    return 0;
}

static int
decode(void *state, struct frame_step *step, struct err *err)
{
    struct decoder *decoder = state;

    pass_header(decoder, step);
    while (decoder->header_left == 0 && step->used < step->in_size) {
        /* A word needs no room: the end mark stands behind the file's last byte. */
        if (decoder->block_left == 0) {
            int rc = read_word(decoder, step, err);

            if (rc != 0)
                return rc;
            continue;
        }
        if (step->got == step->out_size)
            return 0;
        size_t size = MIN_OF(decoder->block_left, step->in_size - step->used);
        size = MIN_OF(size, step->out_size - step->got);
        memcpy(step->out + step->got, step->in + step->used, size);
        step->got += size;
        step->used += size;
        decoder->block_left -= size;
    }
    return 0;
}

static void
encode_free(void *state)
{
    (void)state;
}

const struct frame_ops frame_stored_ops = {
    .name = "stored",
    .encode_begin = encode_begin,
    .encode = encode,
    .encode_end = encode_end,
    .encode_free = encode_free,
    .check_header = check_header,
    .decode_begin = decode_begin,
    .decode = decode,
    .decode_free = free,
};
