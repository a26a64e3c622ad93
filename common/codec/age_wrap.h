/* SPDX-License-Identifier: PostgreSQL */
/*
 * age_wrap.h: the keys of an age v1 file: the file key wrapped for X25519
 * recipients, and what is derived from it (https://age-encryption.org/v1).
 */
#ifndef CODEC_AGE_WRAP_H
#define CODEC_AGE_WRAP_H

#include "codec/age_header.h"
#include "codec/keys.h"

#define AGE_FILE_KEY_SIZE 16
#define AGE_NONCE_SIZE 16

enum age_wrap_outcome {
    AGE_WRAP_NOT_OURS = 1, /* the stanza is for somebody else */
};

/* 0 or -1 (ERR_CONFIG: a recipient of low order; ERR_INTERNAL). */
int age_wrap_seal(const uint8_t *file_key, const struct age_recipient *recipient,
                  const uint8_t *ephemeral_secret, struct age_stanza *ret,
                  struct err *err) MUST_USE;

/* 0, AGE_WRAP_NOT_OURS, or -1 (ERR_CORRUPT: a share of low order; ERR_INTERNAL). */
int age_wrap_open(const struct age_stanza *stanza, const struct age_identity *identity,
                  uint8_t *ret_file_key, struct err *err) MUST_USE;

/* The header's MAC; `text` is the header up to and including "---". 0 or -1. */
int age_wrap_mac(const uint8_t *file_key, struct span text, uint8_t *ret_mac,
                 struct err *err) MUST_USE;

/* The key of the STREAM chunks. 0 or -1. */
int age_wrap_stream_key(const uint8_t *file_key, const uint8_t *nonce, uint8_t *ret_key,
                        struct err *err) MUST_USE;

#endif
