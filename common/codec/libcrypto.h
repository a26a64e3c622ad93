/* SPDX-License-Identifier: PostgreSQL */
/*
 * libcrypto.h: errors and random numbers of OpenSSL's libcrypto.
 */
#ifndef CODEC_LIBCRYPTO_H
#define CODEC_LIBCRYPTO_H

#include <stdint.h>

#include "base/err.h"

/* ERR_INTERNAL with libcrypto's reason; its error queue is empty afterwards. Returns -1. */
int libcrypto_failed(struct err *err, const char *what);

/* Forget what libcrypto queued for a failure that is a result, such as a tag that is wrong. */
void libcrypto_forget(void);

/* From the system's generator, for secrets. 0 or -1 (ERR_INTERNAL). */
int libcrypto_random(uint8_t *bytes, size_t size, struct err *err) MUST_USE;

#endif
