/* SPDX-License-Identifier: PostgreSQL */
/*
 * frame_ops.h: what frame.c asks of a compression. Private to frame*.c.
 *
 * frame.c cuts the file into pieces of FRAME_PIECE_SIZE, counts bytes in both
 * directions and collects the header of a frame; here is only what differs.
 */
#ifndef CODEC_FRAME_OPS_H
#define CODEC_FRAME_OPS_H

#include "codec/frame.h"

#define FRAME_HEADER_MAX ((size_t)18) /* the longest of all, zstd's */

enum frame_outcome {
    FRAME_MORE = 1, /* check_header: not all of the header is there yet */
    FRAME_END = 2,  /* decode: the frame is complete */
};

/* What decode() reads and writes; it advances used and got. */
struct frame_step {
    const uint8_t *in;
    size_t in_size;
    size_t used;
    uint8_t *out;
    size_t out_size; /* FRAME_PIECE_SIZE, or what is left of the file */
    size_t got;
};

struct frame_ops {
    const char *name;

    /* Make the state and write the frame's header. 0 or -1; encode_free() follows in any case. */
    int (*encode_begin)(int level, uint64_t file_size, struct frame_output *output,
                        void **ret_state, struct err *err);
    /* FRAME_PIECE_SIZE bytes, only the last piece may be shorter; never empty. 0 or -1. */
    int (*encode)(void *state, const uint8_t *bytes, size_t size, struct frame_output *output,
                  struct err *err);
    int (*encode_end)(void *state, struct frame_output *output, struct err *err);
    void (*encode_free)(void *state); /* accepts NULL */

    /* Is bytes[0..size) (the beginning of) a header the format allows? Decided before a byte
     * reaches the library. 0, FRAME_MORE (never with FRAME_HEADER_MAX bytes), or -1. */
    int (*check_header)(const uint8_t *bytes, size_t size, uint64_t file_size, struct err *err);
    /* 0 or -1; decode_free() follows in any case. */
    int (*decode_begin)(void **ret_state, struct err *err);
    /* One step on. More output may wait when `out` is full. 0, FRAME_END, or -1. */
    int (*decode)(void *state, struct frame_step *step, struct err *err);
    void (*decode_free)(void *state); /* accepts NULL */
};

extern const struct frame_ops frame_stored_ops;
extern const struct frame_ops frame_lz4_ops;
extern const struct frame_ops frame_zstd_ops;

/* An lz4 frame header with content size, independent blocks and, maybe, a content checksum. */
#define FRAME_LZ4_HEADER_SIZE ((size_t)15)
void frame_lz4_header(bool checksum, uint64_t file_size, uint8_t *ret_bytes);

/* The check_header of both lz4 frames. */
int frame_lz4_check_header(bool checksum, const uint8_t *bytes, size_t size, uint64_t file_size,
                           struct err *err);

/* Append, as long as there is room. 0 or -1 (ERR_INTERNAL). */
int frame_output_append(struct frame_output *output, const void *bytes, size_t size,
                        struct err *err) MUST_USE;

#endif
