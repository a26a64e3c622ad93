/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <lz4frame.h>
#include <zstd.h>

#include <cmocka.h>

#include "base/io.h"
#include "codec/frame.h"
#include "codec/frame_ops.h"

#define FILE_SIZE ((size_t)300000)

static struct err err;
static uint8_t file[FILE_SIZE];

static const enum compression compressions[] = {COMPRESSION_NONE, COMPRESSION_LZ4,
                                                COMPRESSION_ZSTD};

/* Encode file[0..size) handed over in pieces. */
static void
encode(enum compression compression, int level, size_t size, size_t piece, struct buf *ret)
{
    AUTO(frame_encoder) struct frame_encoder *encoder = NULL;

    assert_int_equal(buf_reserve(ret, frame_size_bound(size), &err), 0);
    struct frame_output output = {.data = ret->data, .capacity = frame_size_bound(size)};
    assert_int_equal(frame_encoder_new(compression, level, size, &output, &encoder, &err), 0);
    for (size_t offset = 0; offset < size; offset += piece)
        assert_int_equal(frame_encoder_write(encoder, file + offset, MIN_OF(piece, size - offset),
                                             &err),
                         0);
    assert_int_equal(frame_encoder_finish(encoder, &err), 0);
    ret->size = output.size;
}

static int
append(void *context, const uint8_t *bytes, size_t size, struct err *error)
{
    return buf_append(context, bytes, size, error);
}

/* The same straight into memory, of exactly the file's size. 0 or -1. */
static int
decode_into(enum compression compression, size_t file_size, struct span frame, size_t piece)
{
    AUTO(frame_decoder) struct frame_decoder *decoder = NULL;
    AUTO(ptr) uint8_t *out = calloc(1, MAX_OF(file_size, (size_t)1));

    err_clear(&err);
    assert_non_null(out);
    assert_int_equal(frame_decoder_new_into(compression, file_size, out, &decoder, &err), 0);
    for (size_t offset = 0; offset < frame.size; offset += piece)
        if (frame_decoder_write(decoder, frame.data + offset, MIN_OF(piece, frame.size - offset),
                                &err) < 0)
            return -1;
    if (frame_decoder_finish(decoder, &err) < 0)
        return -1;
    assert_true(file_size == 0 || memcmp(out, file, file_size) == 0);
    return 0;
}

/* Decode handed over in pieces; what comes out never passes the size. 0 or -1. */
static int
decode_pieces(enum compression compression, size_t file_size, struct span frame, size_t piece)
{
    AUTO(frame_decoder) struct frame_decoder *decoder = NULL;
    AUTO(buf) struct buf out = BUF_INIT(FILE_SIZE);

    err_clear(&err);
    assert_int_equal(frame_decoder_new(compression, file_size, append, &out, &decoder, &err), 0);
    for (size_t offset = 0; offset < frame.size; offset += piece) {
        int rc = frame_decoder_write(decoder, frame.data + offset,
                                     MIN_OF(piece, frame.size - offset), &err);

        assert_true(out.size <= file_size);
        if (rc < 0)
            return -1;
    }
    if (frame_decoder_finish(decoder, &err) < 0)
        return -1;
    assert_int_equal(out.size, file_size);
    assert_true(file_size == 0 || memcmp(out.data, file, file_size) == 0);
    return 0;
}

/* Both ways, which agree. */
static int
decode(enum compression compression, size_t file_size, struct span frame, size_t piece)
{
    int rc = decode_into(compression, file_size, frame, piece);

    assert_true(rc == 0 || err.kind == ERR_CORRUPT);
    assert_int_equal(decode_pieces(compression, file_size, frame, piece), rc);
    return rc;
}

static void
assert_refused(enum compression compression, size_t file_size, struct span frame)
{
    assert_int_equal(decode(compression, file_size, frame, frame.size), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_int_equal(decode(compression, file_size, frame, 7), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
}

static void
a_frame_does_not_depend_on_the_pieces_it_came_in(void **state)
{
    static const size_t pieces[] = {1000, 65536, 262144, 262145, FILE_SIZE};

    (void)state;
    for (size_t c = 0; c < ARRAY_SIZE(compressions); c++) {
        for (int level = 0; level <= 12; level += 6) {
            AUTO(buf) struct buf want = BUF_INIT(4 * MIB);

            encode(compressions[c], level, FILE_SIZE, FILE_SIZE, &want);
            for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
                AUTO(buf) struct buf got = BUF_INIT(4 * MIB);

                encode(compressions[c], level, FILE_SIZE, pieces[i], &got);
                assert_int_equal(got.size, want.size);
                assert_memory_equal(got.data, want.data, want.size);
                assert_int_equal(decode(compressions[c], FILE_SIZE,
                                        (struct span){got.data, got.size}, pieces[i]),
                                 0);
            }
        }
    }
}

static void
a_frame_that_is_cut_or_continued_is_refused(void **state)
{
    static const size_t sizes[] = {0, 1, 300};

    (void)state;
    for (size_t c = 0; c < ARRAY_SIZE(compressions); c++) {
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
            AUTO(buf) struct buf frame = BUF_INIT(4 * MIB);

            encode(compressions[c], 0, sizes[i], FILE_SIZE, &frame);
            assert_int_equal(
                decode(compressions[c], sizes[i], (struct span){frame.data, frame.size}, 1), 0);
            for (size_t cut = 0; cut < frame.size; cut++)
                assert_int_equal(
                    decode(compressions[c], sizes[i], (struct span){frame.data, cut}, 64), -1);
            frame.data[frame.size] = 0;
            assert_refused(compressions[c], sizes[i], (struct span){frame.data, frame.size + 1});
            assert_int_equal(buf_append(&frame, frame.data, frame.size, &err), 0);
            assert_refused(compressions[c], sizes[i], (struct span){frame.data, frame.size});
        }
    }
}

/* What is damaged may still decode, to other bytes: the checksum tells. */
static void
a_flipped_bit_in_a_frame_with_a_checksum_is_noticed(void **state)
{
    static const enum compression checked[] = {COMPRESSION_LZ4, COMPRESSION_ZSTD};

    (void)state;
    for (size_t c = 0; c < ARRAY_SIZE(checked); c++) {
        AUTO(buf) struct buf frame = BUF_INIT(4 * MIB);

        encode(checked[c], 0, 2000, FILE_SIZE, &frame);
        for (size_t i = 0; i < frame.size; i++) {
            /* RFC 8878 has one bit that says nothing. */
            if (checked[c] == COMPRESSION_ZSTD && i == 4)
                continue;
            frame.data[i] ^= (uint8_t)(1U << i % 8);
            assert_refused(checked[c], 2000, (struct span){frame.data, frame.size});
            frame.data[i] ^= (uint8_t)(1U << i % 8);
        }
        assert_int_equal(decode(checked[c], 2000, (struct span){frame.data, frame.size}, 9), 0);
    }
}

static void
a_frame_of_another_size_or_type_is_refused(void **state)
{
    (void)state;
    for (size_t c = 0; c < ARRAY_SIZE(compressions); c++) {
        AUTO(buf) struct buf frame = BUF_INIT(4 * MIB);

        encode(compressions[c], 0, 1000, FILE_SIZE, &frame);
        const struct span span = {frame.data, frame.size};
        assert_refused(compressions[c], 999, span);
        assert_refused(compressions[c], 1001, span);
        assert_refused(compressions[c], 0, span);
        for (size_t other = 0; other < ARRAY_SIZE(compressions); other++) {
            if (other != c)
                assert_refused(compressions[other], 1000, span);
        }
        static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0};
        AUTO(buf) struct buf behind = BUF_INIT(4 * MIB);
        assert_int_equal(buf_append(&behind, skippable, sizeof(skippable), &err), 0);
        assert_int_equal(buf_append(&behind, frame.data, frame.size, &err), 0);
        assert_refused(compressions[c], 1000, (struct span){behind.data, behind.size});
    }
}

static void
lz4_frames_that_the_format_does_not_have_are_refused(void **state)
{
    static const struct {
        LZ4F_blockMode_t mode;
        LZ4F_blockSizeID_t size_id;
        LZ4F_contentChecksum_t checksum;
        LZ4F_blockChecksum_t block_checksum;
        unsigned dictionary;
        unsigned long long content_size;
    } table[] = {
        {LZ4F_blockLinked, LZ4F_max256KB, LZ4F_contentChecksumEnabled, 0, 0, FILE_SIZE},
        {LZ4F_blockIndependent, LZ4F_max1MB, LZ4F_contentChecksumEnabled, 0, 0, FILE_SIZE},
        {LZ4F_blockIndependent, LZ4F_max256KB, LZ4F_noContentChecksum, 0, 0, FILE_SIZE},
        {LZ4F_blockIndependent, LZ4F_max256KB, LZ4F_contentChecksumEnabled,
         LZ4F_blockChecksumEnabled, 0, FILE_SIZE},
        {LZ4F_blockIndependent, LZ4F_max256KB, LZ4F_contentChecksumEnabled, 0, 7, FILE_SIZE},
        {LZ4F_blockIndependent, LZ4F_max256KB, LZ4F_contentChecksumEnabled, 0, 0, 0},
        {LZ4F_blockIndependent, LZ4F_max64KB, LZ4F_contentChecksumEnabled, 0, 0, FILE_SIZE},
    };
    AUTO(buf) struct buf frame = BUF_INIT(4 * MIB);

    (void)state;
    assert_int_equal(buf_reserve(&frame, MIB, &err), 0);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        const LZ4F_preferences_t preferences = {
            .frameInfo = {.blockSizeID = table[i].size_id,
                          .blockMode = table[i].mode,
                          .contentChecksumFlag = table[i].checksum,
                          .contentSize = table[i].content_size,
                          .dictID = table[i].dictionary,
                          .blockChecksumFlag = table[i].block_checksum}};
        LZ4F_cctx *context = NULL;

        assert_int_equal(LZ4F_createCompressionContext(&context, LZ4F_VERSION), 0);
        frame.size = LZ4F_compressBegin(context, frame.data, MIB, &preferences);
        frame.size += LZ4F_compressUpdate(context, frame.data + frame.size, MIB - frame.size, file,
                                          FILE_SIZE, NULL);
        frame.size += LZ4F_compressEnd(context, frame.data + frame.size, MIB - frame.size, NULL);
        (void)LZ4F_freeCompressionContext(context);
        /* The last one is allowed: another writer may use smaller blocks. */
        if (i + 1 == ARRAY_SIZE(table))
            assert_int_equal(
                decode(COMPRESSION_LZ4, FILE_SIZE, (struct span){frame.data, frame.size}, 9999), 0);
        else
            assert_refused(COMPRESSION_LZ4, FILE_SIZE, (struct span){frame.data, frame.size});
    }
}

static void
a_bomb_stops_at_the_size_of_the_file(void **state)
{
    static uint8_t zeros[2 * MIB];
    uint8_t header[FRAME_LZ4_HEADER_SIZE];
    AUTO(buf) struct buf frame = BUF_INIT(4 * MIB);

    (void)state;
    assert_int_equal(buf_reserve(&frame, 3 * MIB, &err), 0);
    const LZ4F_preferences_t preferences = {.frameInfo = {.blockSizeID = LZ4F_max256KB,
                                                          .blockMode = LZ4F_blockIndependent,
                                                          .contentChecksumFlag = 1,
                                                          .contentSize = sizeof(zeros)}};
    frame.size = LZ4F_compressFrame(frame.data, 3 * MIB, zeros, sizeof(zeros), &preferences);
    assert_false(LZ4F_isError(frame.size));
    /* A header that tells the size of the seal; also the one size that lz4 does not check. */
    frame_lz4_header(true, 100, header);
    memcpy(frame.data, header, sizeof(header));
    assert_refused(COMPRESSION_LZ4, 100, (struct span){frame.data, frame.size});
    frame_lz4_header(true, 0, header);
    memcpy(frame.data, header, sizeof(header));
    assert_refused(COMPRESSION_LZ4, 0, (struct span){frame.data, frame.size});
}

static void
zstd_frames_that_the_format_does_not_have_are_refused(void **state)
{
    static const struct {
        ZSTD_cParameter name;
        int value;
        unsigned long long pledged;
        bool good;
    } table[] = {
        {ZSTD_c_checksumFlag, 0, FILE_SIZE, false},
        {ZSTD_c_contentSizeFlag, 0, FILE_SIZE, false},
        {ZSTD_c_windowLog, 24, ZSTD_CONTENTSIZE_UNKNOWN, false},
        {ZSTD_c_windowLog, 10, FILE_SIZE, true},
        {ZSTD_c_checksumFlag, 1, ZSTD_CONTENTSIZE_UNKNOWN, false},
    };
    AUTO(buf) struct buf frame = BUF_INIT(4 * MIB);

    (void)state;
    assert_int_equal(buf_reserve(&frame, MIB, &err), 0);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        ZSTD_CCtx *context = ZSTD_createCCtx();
        ZSTD_inBuffer in = {file, FILE_SIZE - 1, 0};
        ZSTD_inBuffer last = {file + FILE_SIZE - 1, 1, 0};
        ZSTD_outBuffer out = {frame.data, MIB, 0};

        assert_non_null(context);
        (void)ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
        (void)ZSTD_CCtx_setParameter(context, table[i].name, table[i].value);
        (void)ZSTD_CCtx_setPledgedSrcSize(context, table[i].pledged);
        assert_false(ZSTD_isError(ZSTD_compressStream2(context, &out, &in, ZSTD_e_continue)));
        assert_int_equal(ZSTD_compressStream2(context, &out, &last, ZSTD_e_end), 0);
        (void)ZSTD_freeCCtx(context);
        if (table[i].good)
            assert_int_equal(
                decode(COMPRESSION_ZSTD, FILE_SIZE, (struct span){frame.data, out.pos}, 777), 0);
        else
            assert_refused(COMPRESSION_ZSTD, FILE_SIZE, (struct span){frame.data, out.pos});
    }
}

static void
zstd_headers_are_judged_before_the_library_sees_them(void **state)
{
    static const struct {
        uint8_t bytes[14];
        size_t size;
        uint64_t file_size;
        int want;
    } table[] = {
        {{0x28, 0xb5, 0x2f, 0xfd, 0x24, 5}, 6, 5, 0},
        {{0x28, 0xb5, 0x2f, 0xfd, 0x24}, 5, 5, FRAME_MORE},
        {{0x28, 0xb5, 0x2f, 0xfd, 0x25, 1, 5}, 7, 5, -1},      /* dictionary */
        {{0x28, 0xb5, 0x2f, 0xfd, 0x27, 0, 0, 0, 0, 5}, 10, 5, -1},
        {{0x28, 0xb5, 0x2f, 0xfd, 0x2c, 5}, 6, 5, -1},         /* reserved bit */
        {{0x28, 0xb5, 0x2f, 0xfd, 0x20, 5}, 6, 5, -1},         /* no checksum */
        {{0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x68}, 6, 5, -1},      /* no content size */
        {{0x28, 0xb5, 0x2f, 0xfd, 0x64, 0, 0}, 7, 256, 0},
        {{0x28, 0xb5, 0x2f, 0xfd, 0x84, 0x68, 0, 0, 0, 1}, 10, 16 * MIB, 0},
        {{0x28, 0xb5, 0x2f, 0xfd, 0x84, 0x69, 0, 0, 0, 1}, 10, 16 * MIB, -1}, /* 9 MiB window */
        {{0x28, 0xb5, 0x2f, 0xfd, 0x84, 0xff, 0, 0, 0, 1}, 10, 16 * MIB, -1},
        {{0x28, 0xb5, 0x2f, 0xfd, 0xa4, 0, 0, 0x80, 0}, 9, 8 * MIB, 0},
        {{0x28, 0xb5, 0x2f, 0xfd, 0xa4, 1, 0, 0x80, 0}, 9, 8 * MIB + 1, -1},
        {{0x27, 0xb5, 0x2f, 0xfd, 0x24, 5}, 6, 5, -1},         /* an old format's magic */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        assert_int_equal(frame_zstd_ops.check_header(table[i].bytes, table[i].size,
                                                     table[i].file_size, &err),
                         table[i].want);
}

static void
stored_frames_have_stored_blocks_only(void **state)
{
    uint8_t frame[64] = {0};
    static const uint32_t words[] = {0x00000003, 0x80000000, 0x80040001, 0xffffffff};

    (void)state;
    frame_lz4_header(false, 3, frame);
    memcpy(frame + 19, file, 3);
    put_u32_le(frame + 15, 0x80000003);
    assert_int_equal(decode(COMPRESSION_NONE, 3, (struct span){frame, 26}, 1), 0);
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        put_u32_le(frame + 15, words[i]);
        assert_refused(COMPRESSION_NONE, 3, (struct span){frame, 26});
    }
}

static void
our_lz4_headers_are_those_of_the_library(void **state)
{
    static const uint64_t sizes[] = {1, 42, 65536, 16 * MIB, GIB};

    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_SIZE(sizes); i++) {
        const LZ4F_preferences_t preferences = {
            .frameInfo = {.blockSizeID = LZ4F_max256KB,
                          .blockMode = LZ4F_blockIndependent,
                          .contentChecksumFlag = (LZ4F_contentChecksum_t)(i % 2),
                          .contentSize = sizes[i / 2]}};
        LZ4F_cctx *context = NULL;
        uint8_t want[LZ4F_HEADER_SIZE_MAX];
        uint8_t got[FRAME_LZ4_HEADER_SIZE];

        assert_int_equal(LZ4F_createCompressionContext(&context, LZ4F_VERSION), 0);
        assert_int_equal(LZ4F_compressBegin(context, want, sizeof(want), &preferences),
                         sizeof(got));
        (void)LZ4F_freeCompressionContext(context);
        frame_lz4_header(i % 2 == 1, sizes[i / 2], got);
        assert_memory_equal(got, want, sizeof(got));
    }
}

static void
levels_and_sizes_that_do_not_fit_are_refused(void **state)
{
    static uint8_t memory[128 * KIB];
    struct frame_output output = {.data = memory, .capacity = sizeof(memory)};
    AUTO(frame_encoder) struct frame_encoder *encoder = NULL;

    (void)state;
    assert_int_equal(frame_encoder_new(COMPRESSION_LZ4, -1, 10, &output, &encoder, &err), -1);
    assert_int_equal(frame_encoder_new(COMPRESSION_ZSTD, 20, 10, &output, &encoder, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_int_equal(frame_encoder_new(COMPRESSION_LZ4, 0, 10, &output, &encoder, &err), 0);
    assert_int_equal(frame_encoder_write(encoder, file, 11, &err), -1);
    assert_int_equal(err.kind, ERR_LOCAL);
    assert_int_equal(frame_encoder_write(encoder, file, 9, &err), 0);
    assert_int_equal(frame_encoder_finish(encoder, &err), -1);
    assert_int_equal(err.kind, ERR_LOCAL);
}

static int
set_up(void **state)
{
    uint32_t random = 1;

    (void)state;
    for (size_t i = 0; i < FILE_SIZE; i++) {
        random = random * 1103515245 + 12345;
        file[i] = (uint8_t)(i % 8192 < 3000 ? random >> 16 & 0xff : i / 100 & 0xff);
    }
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_does_not_depend_on_the_pieces_it_came_in),
        cmocka_unit_test(a_frame_that_is_cut_or_continued_is_refused),
        cmocka_unit_test(a_flipped_bit_in_a_frame_with_a_checksum_is_noticed),
        cmocka_unit_test(a_frame_of_another_size_or_type_is_refused),
        cmocka_unit_test(lz4_frames_that_the_format_does_not_have_are_refused),
        cmocka_unit_test(a_bomb_stops_at_the_size_of_the_file),
        cmocka_unit_test(zstd_frames_that_the_format_does_not_have_are_refused),
        cmocka_unit_test(zstd_headers_are_judged_before_the_library_sees_them),
        cmocka_unit_test(stored_frames_have_stored_blocks_only),
        cmocka_unit_test(our_lz4_headers_are_those_of_the_library),
        cmocka_unit_test(levels_and_sizes_that_do_not_fit_are_refused),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
