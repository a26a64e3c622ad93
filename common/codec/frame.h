/* SPDX-License-Identifier: PostgreSQL */
/*
 * frame.h: the data frame (docs/format.md section 4): one lz4 or zstd frame
 * with its content size and checksum, written and read in pieces.
 *
 * The bytes of a frame depend on the file, the compression, the level and
 * frame_library_version() only, never on the pieces they came in: the hedge
 * (docs/format.md section 5) rests on that.
 */
#ifndef CODEC_FRAME_H
#define CODEC_FRAME_H

#include "base/buf.h"
#include "codec/seal.h"

#define FRAME_PIECE_SIZE (256 * KIB)
#define FRAME_LEVEL_MAX 19

/* Upper bound of a frame's size, of any compression. The file has at most 1 GiB. */
size_t frame_size_bound(uint64_t file_size);

/* Version number of the library that compresses. */
uint32_t frame_library_version(enum compression compression);

/* Memory that is filled from the front. */
struct frame_output {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

struct frame_encoder; /* opaque */

/*
 * Begin the frame of a file of exactly file_size bytes. level 0 is the compressor's fast default,
 * FRAME_LEVEL_MAX its slowest; lz4 has no more than 12. `output` is borrowed and has room for
 * frame_size_bound(). 0 or -1 (ERR_CONFIG: the level; ERR_INTERNAL).
 */
int frame_encoder_new(enum compression compression, int level, uint64_t file_size,
                      struct frame_output *output, struct frame_encoder **ret_encoder,
                      struct err *err) MUST_USE;

/* 0 or -1 (ERR_LOCAL: the file is larger than was said; ERR_INTERNAL). */
int frame_encoder_write(struct frame_encoder *encoder, const uint8_t *bytes, size_t size,
                        struct err *err) MUST_USE;

/* The frame is complete in the output. 0 or -1 (ERR_LOCAL: the file is smaller). */
int frame_encoder_finish(struct frame_encoder *encoder, struct err *err) MUST_USE;

void frame_encoder_free(struct frame_encoder *encoder);

/* As object_sink. */
typedef int (*frame_sink)(void *context, const uint8_t *bytes, size_t size, struct err *err);

struct frame_decoder; /* opaque */

/* Decode the frame of a file of exactly file_size bytes. 0 or -1 (ERR_INTERNAL). */
int frame_decoder_new(enum compression compression, uint64_t file_size, frame_sink sink,
                      void *context, struct frame_decoder **ret_decoder, struct err *err) MUST_USE;

/* The same, straight into `file`, which has room for file_size bytes. 0 or -1 (ERR_INTERNAL). */
int frame_decoder_new_into(enum compression compression, uint64_t file_size, uint8_t *file,
                           struct frame_decoder **ret_decoder, struct err *err) MUST_USE;

/*
 * The next piece of the frame. The sink never gets more than file_size bytes. 0 or -1:
 * ERR_CORRUPT (everything section 4 refuses), ERR_INTERNAL, or the sink's error.
 */
int frame_decoder_write(struct frame_decoder *decoder, const uint8_t *bytes, size_t size,
                        struct err *err) MUST_USE;

/* There is no more. 0 if the frame was complete, or -1 (ERR_CORRUPT). */
int frame_decoder_finish(const struct frame_decoder *decoder, struct err *err) MUST_USE;

void frame_decoder_free(struct frame_decoder *decoder);

DEFINE_POINTER_CLEANUP(frame_encoder, struct frame_encoder, frame_encoder_free);
DEFINE_POINTER_CLEANUP(frame_decoder, struct frame_decoder, frame_decoder_free);

#endif
