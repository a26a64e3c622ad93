/* SPDX-License-Identifier: PostgreSQL */
#include "codec/frame_ops.h"

#include <lz4frame.h>
#include <string.h>

#include "base/io.h"

/* The descriptor of our frames: version 01, independent blocks, content size; maybe checksum. */
#define FLAGS_PLAIN 0x68
#define FLAGS_CHECKSUM 0x6c
#define BLOCKS_64_KIB 0x40
#define BLOCKS_256_KIB 0x50

static const uint8_t magic[] = {0x04, 0x22, 0x4d, 0x18};

static uint32_t
rotate(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

/* xxh32 with seed 0 of less than 16 bytes: all a frame header asks for. */
static uint32_t
xxh32_short(const uint8_t *bytes, size_t size)
{
    const uint32_t prime1 = 2654435761U;
    const uint32_t prime2 = 2246822519U;
    const uint32_t prime3 = 3266489917U;
    const uint32_t prime4 = 668265263U;
    const uint32_t prime5 = 374761393U;
    uint32_t hash = prime5 + (uint32_t)size;
    struct cursor cursor;

    cursor_init(&cursor, bytes, size);
    while (cursor_left(&cursor) >= 4)
        hash = rotate(hash + cursor_u32_le(&cursor) * prime3, 17) * prime4;
    while (cursor_left(&cursor) > 0)
        hash = rotate(hash + cursor_u8(&cursor) * prime5, 11) * prime1;
    hash = (hash ^ hash >> 15) * prime2;
    hash = (hash ^ hash >> 13) * prime3;
    return hash ^ hash >> 16;
}

static void
write_header(uint8_t flags, uint8_t blocks, uint64_t file_size, uint8_t *ret_bytes)
{
    memcpy(ret_bytes, magic, sizeof(magic));
    ret_bytes[4] = flags;
    ret_bytes[5] = blocks;
    put_u32_le(ret_bytes + 6, (uint32_t)file_size);
    put_u32_le(ret_bytes + 10, (uint32_t)(file_size >> 32));
    ret_bytes[14] = (uint8_t)(xxh32_short(ret_bytes + 4, 10) >> 8 & 0xff);
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

struct encoder {
    LZ4F_cctx *context;
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
                      .contentChecksumFlag = LZ4F_contentChecksumEnabled,
                      .contentSize = file_size},
        .compressionLevel = level,
    };
    uint8_t header[FRAME_LZ4_HEADER_SIZE];
    struct encoder *encoder = calloc(1, sizeof(*encoder));

    if (encoder == NULL)
        return err_memory(err, "compressor");
    *ret_state = encoder;
    encoder->empty = file_size == 0;
    if (encoder->empty) {
        frame_lz4_header(true, 0, header);
        return frame_output_append(output, header, sizeof(header), err);
    }

    size_t size = LZ4F_createCompressionContext(&encoder->context, LZ4F_VERSION);
    if (LZ4F_isError(size))
        return lz4_failed(err, "its start", size);
    size = LZ4F_compressBegin(encoder->context, output->data + output->size,
                              output->capacity - output->size, &preferences);
    if (LZ4F_isError(size))
        return lz4_failed(err, "its header", size);
    output->size += size;
    return 0;
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
    return 0;
}

static int
encode_end(void *state, struct frame_output *output, struct err *err)
{
    /* End mark, and the xxh32 of nothing. */
    static const uint8_t end_of_empty[] = {0, 0, 0, 0, 0x05, 0x5d, 0xcc, 0x02};
    struct encoder *encoder = state;

    if (encoder->empty)
        return frame_output_append(output, end_of_empty, sizeof(end_of_empty), err);
    size_t got = LZ4F_compressEnd(encoder->context, output->data + output->size,
                                  output->capacity - output->size, NULL);
    if (LZ4F_isError(got))
        return lz4_failed(err, "its end", got);
    output->size += got;
    return 0;
}

static int
check_header(const uint8_t *bytes, size_t size, uint64_t file_size, struct err *err)
{
    return frame_lz4_check_header(true, bytes, size, file_size, err);
}

static int
decode_begin(void **ret_state, struct err *err)
{
    LZ4F_dctx *context = NULL;
    size_t code = LZ4F_createDecompressionContext(&context, LZ4F_VERSION);

    if (LZ4F_isError(code))
        return lz4_failed(err, "its start", code);
    *ret_state = context;
    return 0;
}

static int
decode(void *state, struct frame_step *step, struct err *err)
{
    size_t used = step->in_size - step->used;
    size_t got = step->out_size;
    size_t rc = LZ4F_decompress(state, step->out, &got, step->in + step->used, &used, NULL);

    if (LZ4F_isError(rc) && out_of_memory(rc))
        return err_memory(err, "lz4");
    if (LZ4F_isError(rc))
        return err_set(err, ERR_CORRUPT, "lz4 frame does not decode: %s", LZ4F_getErrorName(rc));
    step->used += used;
    step->got = got;
    return rc == 0 ? FRAME_END : 0;
}

static void
decode_free(void *state)
{
    (void)LZ4F_freeDecompressionContext(state);
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
