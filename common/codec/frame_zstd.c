/* SPDX-License-Identifier: PostgreSQL */
#include "codec/frame_ops.h"

#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/io.h"

#define MAGIC 0xFD2FB528U
#define WINDOW_LOG_MAX 23
#define WINDOW_MAX ((uint64_t)1 << WINDOW_LOG_MAX)

static int
zstd_failed(struct err *err, const char *what, size_t code)
{
    return err_set(err, ERR_INTERNAL, "zstd failed at %s: %s", what, ZSTD_getErrorName(code));
}

static int
encode_begin(int level, uint64_t file_size, struct frame_output *output, void **ret_state,
             struct err *err)
{
    const struct {
        ZSTD_cParameter name;
        int value;
    } parameters[] = {
        {ZSTD_c_compressionLevel, level == 0 ? 1 : level},
        {ZSTD_c_contentSizeFlag, 1},
        {ZSTD_c_checksumFlag, 1},
        {ZSTD_c_dictIDFlag, 0},
    };
    ZSTD_CCtx *context = ZSTD_createCCtx();

    (void)output;
    if (context == NULL)
        return err_memory(err, "compressor");
    *ret_state = context;
    for (size_t i = 0; i < ARRAY_SIZE(parameters); i++) {
        size_t code = ZSTD_CCtx_setParameter(context, parameters[i].name, parameters[i].value);

        if (ZSTD_isError(code))
            return zstd_failed(err, "its start", code);
    }
    size_t code = ZSTD_CCtx_setPledgedSrcSize(context, file_size);
    if (ZSTD_isError(code))
        return zstd_failed(err, "its start", code);
    return 0;
}

static int
run(void *state, struct span bytes, ZSTD_EndDirective directive, struct frame_output *output,
    struct err *err)
{
    ZSTD_inBuffer in = {bytes.data, bytes.size, 0};
    ZSTD_outBuffer out = {output->data, output->capacity, output->size};
    size_t rc = ZSTD_compressStream2(state, &out, &in, directive);

    if (ZSTD_isError(rc))
        return zstd_failed(err, "compressing", rc);
    /* With room for all of it, one call takes all input and, at the end, leaves nothing over. */
    if (in.pos != in.size || (directive == ZSTD_e_end && rc != 0))
        return err_set(err, ERR_INTERNAL, "compressed data is larger than its bound");
    output->size = out.pos;
    return 0;
}

static int
encode(void *state, const uint8_t *bytes, size_t size, struct frame_output *output,
       struct err *err)
{
    return run(state, (struct span){bytes, size}, ZSTD_e_continue, output, err);
}

static int
encode_end(void *state, struct frame_output *output, struct err *err)
{
    return run(state, (struct span){NULL, 0}, ZSTD_e_end, output, err);
}

static void
encode_free(void *state)
{
    (void)ZSTD_freeCCtx(state);
}

/* RFC 8878, section 3.1.1.1. */
struct header {
    bool single_segment;
    bool checksum;
    bool dictionary;
    bool reserved;
    size_t content_size_bytes;
    size_t size; /* of the whole header */
};

static struct header
describe(uint8_t descriptor)
{
    static const size_t sizes[] = {0, 2, 4, 8};
    struct header header = {
        .single_segment = (descriptor & 0x20) != 0,
        .checksum = (descriptor & 0x04) != 0,
        .dictionary = (descriptor & 0x03) != 0,
        .reserved = (descriptor & 0x08) != 0,
        .content_size_bytes = sizes[descriptor >> 6],
    };

    if (header.single_segment && header.content_size_bytes == 0)
        header.content_size_bytes = 1;
    header.size = 5 + (header.single_segment ? 0U : 1U) + header.content_size_bytes;
    return header;
}

static uint64_t
read_content_size(struct cursor *cursor, size_t size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)cursor_u8(cursor) << (8 * i);
    return size == 2 ? value + 256 : value;
}

static int
check_header(const uint8_t *bytes, size_t size, uint64_t file_size, struct err *err)
{
    struct cursor cursor;
    uint64_t window = file_size;

    cursor_init(&cursor, bytes, size);
    uint32_t magic = cursor_u32_le(&cursor);
    uint8_t descriptor = cursor_u8(&cursor);
    if (cursor.failed)
        return FRAME_MORE;
    struct header header = describe(descriptor);
    if (magic != MAGIC)
        return err_set(err, ERR_CORRUPT, "data frame is not a zstd frame");
    if (header.reserved || header.dictionary || !header.checksum || header.content_size_bytes == 0)
        return err_set(err, ERR_CORRUPT,
                       "zstd frame with a dictionary, or without content size or checksum");
    if (size < header.size)
        return FRAME_MORE;

    if (!header.single_segment) {
        uint8_t byte = cursor_u8(&cursor);
        uint64_t base = (uint64_t)1 << (10 + (byte >> 3));

        window = base + base / 8 * (byte & 7);
    }
    uint64_t content_size = read_content_size(&cursor, header.content_size_bytes);
    if (content_size != file_size)
        return err_set(err, ERR_CORRUPT, "zstd frame says a file of %llu bytes, the seal %llu",
                       (unsigned long long)content_size, (unsigned long long)file_size);
    if (window > WINDOW_MAX)
        return err_set(err, ERR_CORRUPT, "zstd frame has a window of %llu bytes",
                       (unsigned long long)window);
    return 0;
}

static int
decode_begin(void **ret_state, struct err *err)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();

    if (context == NULL)
        return err_memory(err, "decompressor");
    *ret_state = context;
    size_t code = ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    if (ZSTD_isError(code))
        return zstd_failed(err, "its start", code);
    return 0;
}

static int
decode(void *state, struct frame_step *step, struct err *err)
{
    ZSTD_inBuffer in = {step->in, step->in_size, step->used};
    ZSTD_outBuffer out = {step->out, step->out_size, 0};
    size_t rc = ZSTD_decompressStream(state, &out, &in);

    if (ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation)
        return err_memory(err, "zstd");
    if (ZSTD_isError(rc))
        return err_set(err, ERR_CORRUPT, "zstd frame does not decode: %s", ZSTD_getErrorName(rc));
    step->used = in.pos;
    step->got = out.pos;
    return rc == 0 ? FRAME_END : 0;
}

static void
decode_free(void *state)
{
    (void)ZSTD_freeDCtx(state);
}

const struct frame_ops frame_zstd_ops = {
    .name = "zstd",
    .encode_begin = encode_begin,
    .encode = encode,
    .encode_end = encode_end,
    .encode_free = encode_free,
    .check_header = check_header,
    .decode_begin = decode_begin,
    .decode = decode,
    .decode_free = decode_free,
};
