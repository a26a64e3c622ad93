/* SPDX-License-Identifier: PostgreSQL */
/*
 * keygen.h: the keys of a new archive.
 */
#ifndef ARCHIVE_KEYGEN_H
#define ARCHIVE_KEYGEN_H

#include "base/err.h"
#include "codec/keys.h"

struct keygen_result {
    char recipient[KEY_TEXT_SIZE];
    char writer[KEY_TEXT_SIZE];
};

/*
 * Make an age identity (identity.txt, as age-keygen writes it) and a writer key (writer.key) in
 * `directory`, which is made if only its last component is missing. Both files get mode 0600 and
 * are durable; existing ones are never touched: if either is there nothing is written. 0 or -1
 * (ERR_LOCAL).
 */
int keygen_write(const char *directory, struct keygen_result *ret, struct err *err) MUST_USE;

#endif
