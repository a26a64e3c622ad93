/* SPDX-License-Identifier: PostgreSQL */
/*
 * keys.h: age identities and recipients, and the writer key (docs/format.md section 8).
 *
 * Parses text somebody else has read from a file; opens nothing. Secrets live
 * in the structs below and are wiped by the _done functions; error texts never
 * contain key material.
 */
#ifndef CODEC_KEYS_H
#define CODEC_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

#define KEY_SIZE 32
#define KEYS_MAX 20           /* recipients, identities, writers: each at most this many */
#define KEY_TEXT_SIZE 128     /* room for any key in bech32 with its NUL */
#define WRITER_ID_SIZE 8

struct age_recipient {
    uint8_t public_key[KEY_SIZE];
};

struct age_identity {
    uint8_t secret_key[KEY_SIZE];
    uint8_t public_key[KEY_SIZE];
};

/* The public half of a writer key. */
struct writer_public {
    uint8_t public_key[KEY_SIZE];
    uint8_t id[WRITER_ID_SIZE];
};

/* The writer key with all that is derived from its seed. */
struct writer_key {
    uint8_t seed[KEY_SIZE];
    uint8_t fingerprint_key[KEY_SIZE];
    uint8_t hedge_key[KEY_SIZE];
    struct writer_public public_half;
};

/* Everything needed to open objects. Starts zeroed: KEYRING_INIT. */
struct keyring {
    struct age_identity identities[KEYS_MAX];
    size_t n_identities;
    struct writer_public writers[KEYS_MAX];
    size_t n_writers;
};

#define KEYRING_INIT ((struct keyring){.n_identities = 0})

/* "age1..." Refuses a low-order point. 0 or -1 (ERR_CONFIG; `text` is quoted: it is public). */
int age_recipient_parse(const char *text, struct age_recipient *ret, struct err *err) MUST_USE;

/* Text of an identity file as age-keygen writes it. Appends to the keyring. 0 or -1 (ERR_CONFIG,
 * names `file` and the line, never the content). At least one identity must be there. */
int keyring_add_identities(struct keyring *keyring, const char *text, size_t size,
                           const char *file, struct err *err) MUST_USE;

/* "swwriter1..." 0 or -1 (ERR_CONFIG). */
int writer_public_parse(const char *text, struct writer_public *ret, struct err *err) MUST_USE;
int keyring_add_writer(struct keyring *keyring, const struct writer_public *writer,
                       struct err *err) MUST_USE;

/* Text of a writer key file. 0 or -1 (ERR_CONFIG). */
int writer_key_parse(const char *text, size_t size, const char *file, struct writer_key *ret,
                     struct err *err) MUST_USE;

/* Make new keys from the system's random generator. 0 or -1 (ERR_INTERNAL). */
int age_identity_generate(struct age_identity *ret, struct err *err) MUST_USE;
int writer_key_generate(struct writer_key *ret, struct err *err) MUST_USE;

/* As text with a NUL; `text` has KEY_TEXT_SIZE bytes. The caller wipes the secret ones. */
void age_identity_text(const struct age_identity *identity, char *text);
void age_recipient_text(const uint8_t *public_key, char *text);
void writer_key_text(const struct writer_key *key, char *text);
void writer_public_text(const struct writer_public *key, char *text);

/* Wipe. */
void age_identity_done(struct age_identity *identity);
void writer_key_done(struct writer_key *key);
void keyring_done(struct keyring *keyring);

DEFINE_CLEANUP(age_identity, struct age_identity, age_identity_done);
DEFINE_CLEANUP(writer_key, struct writer_key, writer_key_done);
DEFINE_CLEANUP(keyring, struct keyring, keyring_done);

#endif
