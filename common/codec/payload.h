/* SPDX-License-Identifier: PostgreSQL */
/*
 * payload.h: reads a payload (front frame, then data frame) in pieces and
 * proves that it is the file the front frame names (docs/format.md section 9,
 * steps 6 to 8).
 */
#ifndef CODEC_PAYLOAD_H
#define CODEC_PAYLOAD_H

#include "codec/frame.h"

struct payload_reader; /* opaque */

/* compression and file_size are the seal's. `sink` may be NULL. 0 or -1 (ERR_INTERNAL). */
int payload_reader_new(enum compression compression, uint64_t file_size, frame_sink sink,
                       void *context, struct payload_reader **ret_reader,
                       struct err *err) MUST_USE;

/*
 * The same, straight into `file`, which has room for file_size bytes. Step 8 is left out: no sum
 * is made of what was decoded. 0 or -1 (ERR_INTERNAL).
 */
int payload_reader_new_into(enum compression compression, uint64_t file_size, uint8_t *file,
                            struct payload_reader **ret_reader, struct err *err) MUST_USE;

/* The next piece, of any size. 0 or -1 (ERR_CORRUPT, ERR_INTERNAL, the sink's error). */
int payload_reader_write(struct payload_reader *reader, const uint8_t *bytes, size_t size,
                         struct err *err) MUST_USE;

/* There is no more. 0: the file was complete and is the front frame's; or -1 (ERR_CORRUPT).
 * ret_digest: SHA-256 of the file, as the front frame says. */
int payload_reader_finish(struct payload_reader *reader, uint8_t *ret_digest,
                          struct err *err) MUST_USE;

void payload_reader_free(struct payload_reader *reader);

DEFINE_POINTER_CLEANUP(payload_reader, struct payload_reader, payload_reader_free);

#endif
