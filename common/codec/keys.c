/* SPDX-License-Identifier: PostgreSQL */
#include "codec/keys.h"

#include <string.h>

#include "base/secret.h"
#include "codec/bech32.h"
#include "codec/curve.h"
#include "codec/digest.h"
#include "codec/libcrypto.h"

static const char identity_prefix[] = "AGE-SECRET-KEY-";
static const char recipient_prefix[] = "age";
static const char writer_prefix[] = "SEAWALL-WRITER-KEY-";
static const char writer_public_prefix[] = "swwriter";

static const struct span no_bytes = {(const uint8_t *)"", 0};

static bool
starts_with(struct span text, const char *prefix)
{
    size_t length = strlen(prefix);

    return text.size >= length && memcmp(text.data, prefix, length) == 0;
}

/* Quotes a public key that does not parse; anything else might be a secret in the wrong place. */
static int
refuse_public(const char *what, const char *prefix, const char *text, struct err *err)
{
    char quoted[KEY_TEXT_SIZE * 2];
    struct span all = {(const uint8_t *)text, strlen(text)};

    if (!starts_with(all, prefix) || text[strlen(prefix)] != '1')
        return err_set(err, ERR_CONFIG, "%s does not begin with \"%s1\"", what, prefix);
    return err_set(err, ERR_CONFIG, "\"%s\" is not a valid %s",
                   err_quote(text, all.size, quoted, sizeof(quoted)), what);
}

int
age_recipient_parse(const char *text, struct age_recipient *ret, struct err *err)
{
    static const uint8_t any_secret[KEY_SIZE] = {1};
    struct age_recipient recipient;
    AUTO(digest_secret) struct digest_secret shared;

    if (!bech32_read(recipient_prefix, text, strlen(text), recipient.public_key))
        return refuse_public("recipient", recipient_prefix, text, err);

    int rc = curve_x25519(any_secret, NULL, recipient.public_key, shared.bytes, err);
    if (rc == CURVE_LOW_ORDER)
        return err_set(err, ERR_CONFIG, "recipient \"%s\" is a point of low order", text);
    if (rc < 0)
        return -1;
    *ret = recipient;
    return 0;
}

static int
fill_writer_public(const uint8_t *public_key, struct writer_public *ret, struct err *err)
{
    static const char label[] = "seawall writer id v1";
    const struct span spans[] = {
        {(const uint8_t *)label, strlen(label)},
        {public_key, KEY_SIZE},
    };
    uint8_t digest[DIGEST_SIZE];

    if (digest_sha256(spans, ARRAY_SIZE(spans), digest, err) < 0)
        return -1;
    memcpy(ret->public_key, public_key, KEY_SIZE);
    memcpy(ret->id, digest, WRITER_ID_SIZE);
    return 0;
}

int
writer_public_parse(const char *text, struct writer_public *ret, struct err *err)
{
    uint8_t public_key[KEY_SIZE];

    if (!bech32_read(writer_public_prefix, text, strlen(text), public_key))
        return refuse_public("writer public key", writer_public_prefix, text, err);
    if (curve_ed25519_low_order(public_key))
        return err_set(err, ERR_CONFIG, "writer public key \"%s\" is a point of low order", text);
    return fill_writer_public(public_key, ret, err);
}

int
keyring_add_writer(struct keyring *keyring, const struct writer_public *writer, struct err *err)
{
    if (keyring->n_writers >= KEYS_MAX)
        return err_set(err, ERR_CONFIG, "more than %d writers", KEYS_MAX);
    keyring->writers[keyring->n_writers++] = *writer;
    return 0;
}

/* One key file being read: lines of comments, blank lines and keys. */
struct key_file {
    const char *what; /* "identity file" */
    const char *name;
    struct span rest;
    size_t line;
};

enum key_file_outcome {
    KEY_FILE_END = 1,
};

static int
refuse_line(const struct key_file *file, const char *why, struct err *err)
{
    return err_set(err, ERR_CONFIG, "%s \"%s\", line %zu: %s", file->what, file->name, file->line,
                   why);
}

/* The next line that holds a key. 0, KEY_FILE_END, or -1. */
static int
next_key(struct key_file *file, struct span *ret_line, struct err *err)
{
    while (file->rest.size > 0) {
        struct span line = file->rest;
        const uint8_t *end = memchr(line.data, '\n', line.size);

        if (end != NULL)
            line.size = (size_t)(end - line.data);
        size_t used = line.size + (end != NULL ? 1 : 0);
        file->rest = (struct span){file->rest.data + used, file->rest.size - used};
        file->line++;

        if (line.size > 0 && memchr(line.data, '\0', line.size) != NULL)
            return refuse_line(file, "NUL byte", err);
        if (line.size > 0 && memchr(line.data, '\r', line.size) != NULL)
            return refuse_line(file, "carriage return (the file has DOS line ends)", err);
        if (line.size == 0 || line.data[0] == '#')
            continue;
        *ret_line = line;
        return 0;
    }
    return KEY_FILE_END;
}

static int
read_identity(const struct key_file *file, struct span line, struct age_identity *ret,
              struct err *err)
{
    if (starts_with(line, "age1") || starts_with(line, "swwriter1"))
        return refuse_line(file, "a public key, not an identity", err);
    if (!bech32_read(identity_prefix, (const char *)line.data, line.size, ret->secret_key))
        return refuse_line(file, "not a valid age identity (AGE-SECRET-KEY-1...)", err);
    return curve_x25519_public(ret->secret_key, ret->public_key, err);
}

int
keyring_add_identities(struct keyring *keyring, const char *text, size_t size, const char *file,
                       struct err *err)
{
    struct key_file lines = {"identity file", file, {(const uint8_t *)text, size}, 0};
    size_t before = keyring->n_identities;
    size_t count = before;
    struct span line = no_bytes;
    int rc;

    while ((rc = next_key(&lines, &line, err)) == 0) {
        AUTO(age_identity) struct age_identity identity;

        if (count >= KEYS_MAX)
            rc = refuse_line(&lines, "more identities than can be used (20)", err);
        else
            rc = read_identity(&lines, line, &identity, err);
        if (rc < 0)
            break;
        keyring->identities[count++] = identity;
    }
    if (rc == KEY_FILE_END && count == before)
        rc = err_set(err, ERR_CONFIG, "identity file \"%s\" holds no identity", file);
    if (rc < 0) {
        secret_wipe(keyring->identities + before, (count - before) * sizeof(struct age_identity));
        return -1;
    }
    keyring->n_identities = count;
    return 0;
}

/* Everything derived from key->seed. */
static int
derive_writer(struct writer_key *key, struct err *err)
{
    static const char fingerprint_label[] = "seawall fingerprint v1";
    static const char hedge_label[] = "seawall hedge v1";
    const struct span seed = {key->seed, KEY_SIZE};
    const struct span for_fingerprint = {(const uint8_t *)fingerprint_label,
                                         strlen(fingerprint_label)};
    const struct span for_hedge = {(const uint8_t *)hedge_label, strlen(hedge_label)};
    uint8_t public_key[KEY_SIZE];

    if (digest_hmac(seed, &for_fingerprint, 1, key->fingerprint_key, err) < 0 ||
        digest_hmac(seed, &for_hedge, 1, key->hedge_key, err) < 0 ||
        curve_ed25519_public(key->seed, public_key, err) < 0)
        return -1;
    return fill_writer_public(public_key, &key->public_half, err);
}

int
writer_key_parse(const char *text, size_t size, const char *file, struct writer_key *ret,
                 struct err *err)
{
    struct key_file lines = {"writer key file", file, {(const uint8_t *)text, size}, 0};
    AUTO(writer_key) struct writer_key key;
    struct span line = no_bytes;
    int rc = next_key(&lines, &line, err);

    if (rc == KEY_FILE_END)
        return err_set(err, ERR_CONFIG, "writer key file \"%s\" holds no key", file);
    if (rc < 0)
        return -1;
    if (starts_with(line, "age1") || starts_with(line, "swwriter1"))
        return refuse_line(&lines, "a public key, not a writer key", err);
    if (!bech32_read(writer_prefix, (const char *)line.data, line.size, key.seed))
        return refuse_line(&lines, "not a valid writer key (SEAWALL-WRITER-KEY-1...)", err);

    rc = next_key(&lines, &line, err);
    if (rc == 0)
        return refuse_line(&lines, "a second key", err);
    if (rc < 0 || derive_writer(&key, err) < 0)
        return -1;
    *ret = key;
    return 0;
}

int
age_identity_generate(struct age_identity *ret, struct err *err)
{
    AUTO(age_identity) struct age_identity identity;

    if (libcrypto_random(identity.secret_key, KEY_SIZE, err) < 0 ||
        curve_x25519_public(identity.secret_key, identity.public_key, err) < 0)
        return -1;
    *ret = identity;
    return 0;
}

int
writer_key_generate(struct writer_key *ret, struct err *err)
{
    AUTO(writer_key) struct writer_key key;

    if (libcrypto_random(key.seed, KEY_SIZE, err) < 0 || derive_writer(&key, err) < 0)
        return -1;
    *ret = key;
    return 0;
}

void
age_identity_text(const struct age_identity *identity, char *text)
{
    bech32_write(identity_prefix, identity->secret_key, text);
}

void
age_recipient_text(const uint8_t *public_key, char *text)
{
    bech32_write(recipient_prefix, public_key, text);
}

void
writer_key_text(const struct writer_key *key, char *text)
{
    bech32_write(writer_prefix, key->seed, text);
}

void
writer_public_text(const struct writer_public *key, char *text)
{
    bech32_write(writer_public_prefix, key->public_key, text);
}

void
age_identity_done(struct age_identity *identity)
{
    secret_wipe(identity, sizeof(*identity));
}

void
writer_key_done(struct writer_key *key)
{
    secret_wipe(key, sizeof(*key));
}

void
keyring_done(struct keyring *keyring)
{
    secret_wipe(keyring, sizeof(*keyring));
}
