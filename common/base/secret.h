/* SPDX-License-Identifier: PostgreSQL */
/*
 * secret.h: reading files that hold secrets, and wiping what came from them.
 *
 * A secret file is a regular file that nobody else can read: owned by us with no
 * permissions for group and others, or owned by root and not accessible to others
 * (0640 with our group is how packages install keys), and in no case writable by
 * group or others. Symbolic links are followed only through directories.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/buf.h"

#define SECRET_FILE_MAX (64 * KIB)

/* Overwrite, in a way the compiler does not remove. */
void secret_wipe(void *bytes, size_t size);

/* Wipe the whole memory of the buffer, then release it. */
void secret_buf_done(struct buf *buf);

/*
 * Read a secret file of at most SECRET_FILE_MAX bytes. `what` is for the message ("identity
 * file"). 0 or -1: ERR_CONFIG with the fix as hint (missing, permissions, owner, too large).
 */
int secret_read_file(const char *path, const char *what, struct buf *ret_content,
                     struct err *err) MUST_USE;

DEFINE_CLEANUP(secret_buf, struct buf, secret_buf_done);

#endif
