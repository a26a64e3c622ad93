/* SPDX-License-Identifier: PostgreSQL */
#include "codec/frame_ops.h"

#include <lz4.h>
#include <lz4frame.h>
#include <string.h>

#include "base/io.h"
#include "codec/xxh32.h"

/* The descriptor of our frames: version 01, independent blocks, content size; maybe checksum. */
#define FLAGS_PLAIN 0x68
#define FLAGS_CHECKSUM 0x6c
#define BLOCKS_64_KIB 0x40
#define BLOCKS_256_KIB 0x50
#define CHECKSUM_SIZE 4

static const uint8_t magic[] = {0x04, 0x22, 0x4d, 0x18};

#if LZ4_VERSION_NUMBER >= 10904

/* The checksum is ours to compare. */
static void
leave_checksum(LZ4F_decompressOptions_t *options)
{
    options->skipChecksums = 1;
}

#else

/* An older library compares it as well. */
static void
leave_checksum(LZ4F_decompressOptions_t *options UNUSED)
{
}

#endif

static void
write_header(uint8_t flags, uint8_t blocks, uint64_t file_size, uint8_t *ret_bytes)
{
    struct xxh32 hash;

    memcpy(ret_bytes, magic, sizeof(magic));
    ret_bytes[4] = flags;
    ret_bytes[5] = blocks;
    put_u32_le(ret_bytes + 6, (uint32_t)file_size);
    put_u32_le(ret_bytes + 10, (uint32_t)(file_size >> 32));
    xxh32_begin(&hash);
    xxh32_add(&hash, ret_bytes + 4, 10);
    ret_bytes[14] = (uint8_t)(xxh32_end(&hash) >> 8 & 0xff);
}

void
frame_lz4_header(bool checksum, uint64_t file_size, uint8_t *ret_bytes)
{
    write_header(checksum ? FLAGS_CHECKSUM : FLAGS_PLAIN, BLOCKS_256_KIB, file_size, ret_bytes);
}

int
frame_lz4_check_header(bool checksum, const uint8_t *bytes, size_t size, uint64_t file_size,
                       struct err *err)
{
    uint8_t flags = checksum ? FLAGS_CHECKSUM : FLAGS_PLAIN;
    uint8_t large[FRAME_LZ4_HEADER_SIZE];
    uint8_t small[FRAME_LZ4_HEADER_SIZE];

    if (size < FRAME_LZ4_HEADER_SIZE)
        return FRAME_MORE;
    /* The format leaves two headers for a file of this size: anything else is refused. */
    write_header(flags, BLOCKS_256_KIB, file_size, large);
    write_header(flags, BLOCKS_64_KIB, file_size, small);
    if (memcmp(bytes, large, sizeof(large)) != 0 && memcmp(bytes, small, sizeof(small)) != 0)
        return err_set(err, ERR_CORRUPT,
                       "data frame is not the lz4 frame of a file of %llu bytes",
                       (unsigned long long)file_size);
    return 0;
}

/* The library makes its buffers late; its stable interface tells why it failed by name only. */
static bool
out_of_memory(size_t code)
{
    return strcmp(LZ4F_getErrorName(code), "ERROR_allocation_failed") == 0;
}

static int
lz4_failed(struct err *err, const char *what, size_t code)
{
    if (out_of_memory(code))
        return err_memory(err, "lz4");
    return err_set(err, ERR_INTERNAL, "lz4 failed at %s: %s", what, LZ4F_getErrorName(code));
}

/* The library makes the blocks. Header and checksum are ours: xxh32.h says why. */
struct encoder {
    LZ4F_cctx *context;
    struct xxh32 hash;
    bool empty; /* the library takes a content size of 0 for an unknown one */
};

static void
encode_free(void *state)
{
    struct encoder *encoder = state;

    if (encoder == NULL)
        return;
    (void)LZ4F_freeCompressionContext(encoder->context);
    free(encoder);
}

static int
encode_begin(int level, uint64_t file_size, struct frame_output *output, void **ret_state,
             struct err *err)
{
    const LZ4F_preferences_t preferences = {
        .frameInfo = {.blockSizeID = LZ4F_max256KB,
                      .blockMode = LZ4F_blockIndependent,
                      .contentChecksumFlag = LZ4F_noContentChecksum,
                      .contentSize = file_size},
        .compressionLevel = level,
    };
    uint8_t header[FRAME_LZ4_HEADER_SIZE];
    uint8_t passed[LZ4F_HEADER_SIZE_MAX];
    struct encoder *encoder = calloc(1, sizeof(*encoder));

    if (encoder == NULL)
        return err_memory(err, "compressor");
    *ret_state = encoder;
    xxh32_begin(&encoder->hash);
    encoder->empty = file_size == 0;
    frame_lz4_header(true, file_size, header);
    if (encoder->empty)
        return frame_output_append(output, header, sizeof(header), err);

    size_t size = LZ4F_createCompressionContext(&encoder->context, LZ4F_VERSION);
    if (LZ4F_isError(size))
        return lz4_failed(err, "its start", size);
    size = LZ4F_compressBegin(encoder->context, passed, sizeof(passed), &preferences);
    if (LZ4F_isError(size))
        return lz4_failed(err, "its header", size);
    return frame_output_append(output, header, sizeof(header), err);
}

static int
encode(void *state, const uint8_t *bytes, size_t size, struct frame_output *output,
       struct err *err)
{
    struct encoder *encoder = state;
    size_t got = LZ4F_compressUpdate(encoder->context, output->data + output->size,
                                     output->capacity - output->size, bytes, size, NULL);

    if (LZ4F_isError(got))
        return lz4_failed(err, "compressing", got);
    output->size += got;
    xxh32_add(&encoder->hash, bytes, size);
    return 0;
}

static int
encode_end(void *state, struct frame_output *output, struct err *err)
{
    static const uint8_t end_mark[] = {0, 0, 0, 0};
    struct encoder *encoder = state;
    uint8_t checksum[CHECKSUM_SIZE];

    if (encoder->empty) {
        if (frame_output_append(output, end_mark, sizeof(end_mark), err) < 0)
            return -1;
    } else {
        size_t got = LZ4F_compressEnd(encoder->context, output->data + output->size,
                                      output->capacity - output->size, NULL);
        if (LZ4F_isError(got))
            return lz4_failed(err, "its end", got);
        output->size += got;
    }
    put_u32_le(checksum, xxh32_end(&encoder->hash));
    return frame_output_append(output, checksum, sizeof(checksum), err);
}

static int
check_header(const uint8_t *bytes, size_t size, uint64_t file_size, struct err *err)
{
    return frame_lz4_check_header(true, bytes, size, file_size, err);
}

struct decoder {
    LZ4F_dctx *context;
    LZ4F_decompressOptions_t options;
    struct xxh32 hash;
    uint8_t tail[CHECKSUM_SIZE]; /* the last bytes of the frame so far */
};

static int
decode_begin(void **ret_state, struct err *err)
{
    struct decoder *decoder = calloc(1, sizeof(*decoder));

    if (decoder == NULL)
        return err_memory(err, "decompressor");
    *ret_state = decoder;
    leave_checksum(&decoder->options);
    xxh32_begin(&decoder->hash);
    size_t code = LZ4F_createDecompressionContext(&decoder->context, LZ4F_VERSION);
    if (LZ4F_isError(code))
        return lz4_failed(err, "its start", code);
    return 0;
}

static void
keep_tail(struct decoder *decoder, const uint8_t *bytes, size_t size)
{
    size_t part = MIN_OF(size, (size_t)CHECKSUM_SIZE);

    memmove(decoder->tail, decoder->tail + part, CHECKSUM_SIZE - part);
    memcpy(decoder->tail + CHECKSUM_SIZE - part, bytes + size - part, part);
}

/* The frame has ended, with its checksum. 0 or -1. */
static int
check_content(const struct decoder *decoder, struct err *err)
{
    struct cursor cursor;

    cursor_init(&cursor, decoder->tail, sizeof(decoder->tail));
    if (cursor_u32_le(&cursor) != xxh32_end(&decoder->hash))
        return err_set(err, ERR_CORRUPT, "lz4 frame does not decode: its checksum is wrong");
    return 0;
}

static int
decode(void *state, struct frame_step *step, struct err *err)
{
    struct decoder *decoder = state;
    size_t used = step->in_size - step->used;
    size_t got = step->out_size;
    size_t rc = LZ4F_decompress(decoder->context, step->out, &got, step->in + step->used, &used,
                                &decoder->options);

    if (LZ4F_isError(rc) && out_of_memory(rc))
        return err_memory(err, "lz4");
    if (LZ4F_isError(rc))
        return err_set(err, ERR_CORRUPT, "lz4 frame does not decode: %s", LZ4F_getErrorName(rc));
    keep_tail(decoder, step->in + step->used, used);
    xxh32_add(&decoder->hash, step->out, got);
    step->used += used;
    step->got = got;
    if (rc != 0)
        return 0;
    return check_content(decoder, err) < 0 ? -1 : FRAME_END;
}

static void
decode_free(void *state)
{
    struct decoder *decoder = state;

    if (decoder == NULL)
        return;
    (void)LZ4F_freeDecompressionContext(decoder->context);
    free(decoder);
}

const struct frame_ops frame_lz4_ops = {
    .name = "lz4",
    .encode_begin = encode_begin,
    .encode = encode,
    .encode_end = encode_end,
    .encode_free = encode_free,
    .check_header = check_header,
    .decode_begin = decode_begin,
    .decode = decode,
    .decode_free = decode_free,
};
